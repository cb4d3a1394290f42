# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that is not any more as it was deployed is told of by file and key, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.module_utils.postfix import drift, main_cf

NOW = 1_800_000_000.0


class Server:
    """What an Inspector tells of a server, to be changed by a test."""

    def __init__(self, folder: Path) -> None:
        self.ours, self.foreign = folder / "access", folder / "lists"
        self.ours.write_text(main_cf.HEADER + "a OK\n", encoding="utf-8")
        self.foreign.write_text("list b\n", encoding="utf-8")
        self.main = {"biff": "no"}
        self.master = {"smtp/inet": "n - y - 100 smtpd"}
        self.indexes = {str(self.ours): "1", str(self.foreign): "2"}
        self.named = {"/etc/mailname": "3", "/etc/foreign.pem": "4"}

    def settings(self) -> dict[str, str]:
        return self.main

    def services(self) -> dict[str, str]:
        return self.master

    def tables(self) -> dict[str, dict[str, str]]:
        return {
            f"lmdb:{path}": {"text": Path(path).read_text(encoding="utf-8"), "index": index}
            for path, index in self.indexes.items()
        }

    def files(self, _settings: object, more: Iterable[str]) -> dict[str, str]:
        return {path: self.named.get(path, "missing") for path in {*self.named, *more}}


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def look(server: Server, change: Any) -> list[str]:
    deployed = drift.note(server, ["/etc/mailname"])  # type: ignore[arg-type]
    change()
    return drift.changed(deployed, server)  # type: ignore[arg-type]


def test_a_server_that_is_as_it_was_deployed(server: Server) -> None:
    assert look(server, lambda: None) == []


@pytest.mark.parametrize(
    ("part", "value", "text"),
    [
        ("main", {"biff": "yes"}, "main.cf: biff: was deployed as no, and is yes"),
        ("main", {}, "main.cf: biff: was deployed as no, and is nothing"),
        ("main", {"biff": "no", "x": "1"}, "main.cf: x: was deployed as nothing, and is 1"),
        ("master", {}, "master.cf: smtp/inet: was deployed as n - y - 100 smtpd, and is nothing"),
        ("named", {"/etc/mailname": "5"}, "/etc/mailname: the content is not as it was deployed"),
        ("named", {}, "/etc/mailname: the content is not as it was deployed"),
    ],
)
def test_each_difference(server: Server, part: str, value: dict[str, str], text: str) -> None:
    assert look(server, lambda: setattr(server, part, value)) == [text]


def test_tables(server: Server) -> None:
    name = f"table lmdb:{server.ours}"
    assert look(server, lambda: server.indexes.update({str(server.ours): "9"})) == [
        f"{name}: the index is not as it was deployed"
    ]
    assert look(server, lambda: server.ours.write_text("b OK\n", encoding="utf-8")) == [
        f"{name}: the text is not as it was deployed"
    ]


def test_what_others_keep_is_theirs(server: Server) -> None:
    def change() -> None:
        server.foreign.write_text("list c\n", encoding="utf-8")
        server.named["/etc/foreign.pem"] = "7"

    assert look(server, change) == []


def test_what_is_wrong_with_a_server_by_itself() -> None:
    good = {"fault": "", "ends": NOW + 1}
    assert list(drift.unfit(True, [], [], good, NOW)) == []
    assert list(drift.unfit(True, [], [], {}, NOW)) == []
    assert list(drift.unfit(False, ["/x"], ["bad"], {**good, "ends": NOW - 86400}, NOW)) == [
        "Postfix does not run",
        "/x: was written after Postfix last read it; reload it, or undo the change",
        "bad",
        "the certificate ended on 2027-01-14",
    ]
    assert list(drift.unfit(True, [], [], {"fault": "no key"}, NOW)) == ["the certificate: no key"]
