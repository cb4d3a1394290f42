# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each mail of a dead server's queue comes into the other's once, however often and wherever that is interrupted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import basic
from ansible_collections.failover.carp.plugins.module_utils.postfix import queue
from ansible_collections.failover.carp.plugins.modules import postfix_queue

FIRST, SECOND, THIRD = "4cXyZw0000z1vN", "4cXyZw1111z2vN", "4cXyZw2222z3vN"


def put(path: Path, text: str = "mail", mode: int = 0o700) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


class Pair:
    """A server that is down, and one that runs."""

    def __init__(self, folder: Path, run: Any) -> None:
        self.source, self.target = folder / "source", folder / "target"
        for directory in (self.source, self.target):
            for name in ("incoming", "deferred", "defer"):
                (directory / name).mkdir(parents=True)
        self.archive = folder / "queue.tar.gz"
        self.aside = folder / "aside"
        self.journal = folder / "lib" / "recovered"
        self._run = run

    def take(self, **changed: Any) -> dict[str, Any]:
        own = {"state": "taken", "queue_directory": str(self.source), "aside": str(self.aside)}
        return self._call({**own, **changed})

    def add(self, **changed: Any) -> dict[str, Any]:
        return self._call({"state": "added", "queue_directory": str(self.target), "user": "me", **changed})

    def _call(self, arguments: dict[str, Any]) -> dict[str, Any]:
        result: dict[str, Any] = self._run(
            postfix_queue.main, archive=str(self.archive), journal=str(self.journal), **arguments
        )
        return result


def files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()
    }


@pytest.fixture
def pair(tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch) -> Pair:
    owner = type("Owner", (), {"pw_uid": os.geteuid(), "pw_gid": os.getegid()})
    monkeypatch.setattr("pwd.getpwnam", lambda name: {"me": owner}[name])
    monkeypatch.setattr(basic.AnsibleModule, "run_command", lambda *_arguments, **_rest: (0, "", ""))
    pair = Pair(tmp_path, run)
    put(pair.source / "deferred" / "4" / FIRST, "one")
    put(pair.source / "defer" / "4" / FIRST, "why", 0o600)
    put(pair.source / "active" / SECOND, "two")
    put(pair.source / "incoming" / THIRD, "half", 0o600)
    put(pair.source / "bounce" / "4cXyZw3333z4vN", "of no mail", 0o600)
    return pair


def test_from_one_to_the_other(pair: Pair) -> None:
    taken = pair.take()
    assert (taken["changed"], sorted(taken["mails"])) == (True, [FIRST, SECOND])
    assert set(files(pair.source)) == {f"incoming/{THIRD}", "bounce/4cXyZw3333z4vN"}
    assert set(files(pair.aside)) == {f"deferred/4/{FIRST}", f"defer/4/{FIRST}", f"active/{SECOND}"}
    assert pair.archive.stat().st_mode & 0o777 == 0o600
    added = pair.add()
    assert (added["changed"], sorted(added["mails"])) == (True, [FIRST, SECOND])
    # What was on its way is picked up anew.
    assert files(pair.target) == {f"deferred/4/{FIRST}": "one", f"defer/4/{FIRST}": "why", f"incoming/{SECOND}": "two"}
    assert (pair.target / "incoming" / SECOND).stat().st_mode & 0o777 == 0o700
    assert (pair.target / "defer" / "4" / FIRST).stat().st_mode & 0o777 == 0o600


def test_a_second_time_adds_nothing_even_if_all_was_delivered(pair: Pair) -> None:
    pair.take()
    pair.add()
    for path in (pair.target / "deferred" / "4" / FIRST, pair.target / "incoming" / SECOND):
        path.unlink()
    again = pair.take()
    assert (again["changed"], sorted(again["mails"])) == (False, [FIRST, SECOND])
    assert pair.add()["mails"] == []
    assert "incoming" not in str(files(pair.target))


def test_a_mail_that_went_on_may_come_back(pair: Pair) -> None:
    pair.take()
    pair.add()
    pair.take(queue_directory=str(pair.target), aside=str(pair.aside.with_name("aside2")))
    assert pair.journal.read_text(encoding="utf-8") == ""
    assert sorted(pair.add()["mails"]) == [FIRST, SECOND]


def test_a_mail_that_is_there_is_left_alone(pair: Pair) -> None:
    put(pair.target / "hold" / FIRST, "mine")
    pair.take()
    assert pair.add()["mails"] == [SECOND]
    assert files(pair.target)[f"hold/{FIRST}"] == "mine"


def test_interrupted_after_the_move(pair: Pair) -> None:
    found = queue.items(str(pair.source))
    queue.move_aside(str(pair.source), str(pair.aside), found[:2])
    assert sorted(pair.take()["mails"]) == [FIRST, SECOND]
    assert sorted(pair.add()["mails"]) == [FIRST, SECOND]


def test_a_dry_run(pair: Pair) -> None:
    before = files(pair.source)
    assert len(pair.take(check=True)["mails"]) == 2
    assert files(pair.source) == before
    pair.take()
    assert len(pair.add(check=True)["mails"]) == 2
    assert files(pair.target) == {}


def test_a_disk_that_cannot_be_written_to(pair: Pair) -> None:
    before = files(pair.source)
    taken = pair.take(aside="")
    assert (taken["changed"], len(taken["mails"])) == (False, 2)
    assert files(pair.source) == before
    assert len(pair.add()["mails"]) == 2


def test_short_names_do_not_travel(pair: Pair) -> None:
    put(pair.source / "deferred" / "A" / "A1B2C3D4E5")
    before = files(pair.source)
    assert pair.take()["msg"].startswith("1 mails have short queue IDs (A1B2C3D4E5)")
    assert files(pair.source) == before


def test_what_is_no_queue(pair: Pair, tmp_path: Path) -> None:
    assert pair.take(queue_directory=str(tmp_path))["msg"] == f"{tmp_path} is no queue of Postfix"
    pair.take()
    assert pair.add(user="nobody we know")["msg"] == "there is no user nobody we know"


def test_a_queue_that_is_in_use(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "is_in_use", lambda _directory: True)
    assert pair.take()["msg"].startswith("a Postfix runs with")
    assert not pair.aside.exists()


def test_whose_queue_it_is(tmp_path: Path) -> None:
    proc = tmp_path / "proc"
    put(proc / "7" / "comm", "master\n")
    put(proc / "8" / "comm", "sh\n")
    (proc / "9").mkdir()
    (tmp_path / "spool").mkdir()
    for pid in ("7", "8"):
        (proc / pid / "cwd").symlink_to(tmp_path / "spool")
    assert queue.is_in_use(str(tmp_path / "spool"), str(proc))
    assert not queue.is_in_use(str(tmp_path), str(proc))
