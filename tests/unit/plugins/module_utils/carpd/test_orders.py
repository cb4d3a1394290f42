# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's orders: who gave which, what outlives the daemon, and what is said when that cannot be."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd.orders import Orders

ON = "this host is in maintenance, as ordered by root"


class Background:
    """Does nothing until it is told to."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Callable[[], None], Callable[[str], None]]] = []

    def submit(self, work: Callable[[], None], done: Callable[[str], None]) -> None:
        self.jobs.append((work, done))

    def work(self) -> None:
        jobs, self.jobs = self.jobs, []
        for work, done in jobs:
            try:
                work()
            except OSError as error:
                done(os.strerror(error.errno))
            else:
                done("")


class Case:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.background = Background()
        self.changes = 0
        self.orders = Orders(str(folder), self.background, self.change)

    def change(self) -> None:
        self.changes += 1

    def again(self) -> Orders:
        """Return what a daemon that is started now knows."""
        case = Case(self.folder)
        case.orders.load()
        return case.orders


@pytest.fixture(name="case")
def case_(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Case:
    caplog.set_level(logging.INFO)
    return Case(tmp_path / "state")


def test_nothing_is_ordered_at_first(case: Case) -> None:
    case.orders.load()
    assert case.orders.reason("smtp") == ""
    assert case.orders.status() == {"on": False, "by": "", "saved": True, "error": ""}
    assert not case.folder.exists()


def test_single_ones(case: Case) -> None:
    case.orders.demote(["smtp", "imap"], "root")
    case.orders.promote(["imap", "pop"])
    assert [case.orders.reason(name) for name in ("smtp", "imap")] == ["demoted by root", ""]
    assert case.again().reason("smtp") == ""


def test_maintenance_outlives_the_daemon(case: Case) -> None:
    case.orders.maintain("root")
    assert case.orders.status() == {"on": True, "by": "root", "saved": None, "error": ""}
    assert case.orders.reason("smtp") == ON
    assert case.changes == 0
    case.background.work()
    assert (case.orders.saved, case.changes) == (True, 1)
    assert os.listdir(case.folder) == ["maintenance"]
    assert case.again().reason("anything") == ON

    case.orders.maintain("")
    case.background.work()
    assert case.orders.status() == {"on": False, "by": "", "saved": True, "error": ""}
    assert case.again().reason("smtp") == ""


def test_twice_is_once(case: Case) -> None:
    for who in ("root", "user 7", "", ""):
        case.orders.maintain(who)
        case.background.work()
        assert case.orders.saved
    assert not case.again().maintenance


def test_its_end_leaves_single_orders_in_force(case: Case) -> None:
    case.orders.demote(["smtp"], "root")
    case.orders.maintain("root")
    assert case.orders.reason("smtp") == ON
    case.orders.maintain("")
    assert case.orders.reason("smtp") == "demoted by root"


@pytest.mark.parametrize(("who", "then"), [("root", "ends"), ("", "begins again")])
def test_a_folder_that_cannot_be_written(
    case: Case, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, who: str, then: str
) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "makedirs", refuse)
    monkeypatch.setattr(os, "unlink", refuse)
    case.orders.maintain(who)
    case.background.work()
    error = f"{case.folder}/maintenance cannot be written: Read-only file system"
    assert case.orders.status() == {"on": bool(who), "by": who, "saved": False, "error": error}
    assert case.changes == 1
    assert caplog.messages == [f"maintenance {then} when the daemon is restarted: {error}"]


def test_an_old_order_s_outcome_is_not_a_new_one_s(case: Case) -> None:
    case.orders.maintain("root")
    case.orders.maintain("")
    (_work, done), _second = case.background.jobs
    done("Input/output error")
    assert case.orders.status() == {"on": False, "by": "", "saved": None, "error": ""}


def test_a_file_that_cannot_be_read(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    (case.folder / "maintenance").mkdir(parents=True)
    assert not case.again().maintenance
    assert "whether this host is in maintenance cannot be read" in caplog.text


@pytest.mark.parametrize(
    ("content", "who"), [(b"", "unknown"), (b"\n", "unknown"), (b"\xff\x00\n", "\ufffd"), (b"a" * 999, "a" * 200)]
)
def test_a_strange_file_is_maintenance_all_the_same(case: Case, content: bytes, who: str) -> None:
    case.folder.mkdir()
    (case.folder / "maintenance").write_bytes(content)
    assert case.again().maintenance == who
