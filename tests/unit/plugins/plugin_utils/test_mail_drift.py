# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever differs between servers that should be alike is named by host, file and key."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.filter.mail_drift import FilterModule
from ansible_collections.failover.carp.plugins.plugin_utils import mail_drift

NOW = 1_800_000_000.0


def info(**changed: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "main": {"biff": "no", "myhostname": "a"},
        "master": {"smtp/inet": "n - y - 100 smtpd"},
        "tables": {"lmdb:/t": {"text": "1" * 64, "index": "2" * 64}},
        "files": {"/etc/mailname": "3" * 64},
        "certificate": {"fault": "", "ends": NOW + 1, "names": ["mail.a.test"]},
        "packages": {"postfix": "3.7"},
        "types": ["lmdb"],
        "running": True,
        "unread": [],
        "problems": [],
    }
    return {**found, **changed}


def find(**changed: Any) -> list[str]:
    return mail_drift.find({"a": info(), "b": info(**changed)}, {}, "mail.a.test", NOW)


def test_servers_that_are_alike() -> None:
    assert find(main={"biff": "no", "myhostname": "b"}) == []


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"main": {"biff": "yes", "myhostname": "b"}}, "main.cf: biff: a has no; b has yes"),
        ({"main": {"myhostname": "b"}}, "main.cf: biff: a has no; b has nothing"),
        ({"master": {"smtp/inet": "x"}}, "master.cf: smtp/inet: a has n - y - 100 smtpd; b has x"),
        ({"packages": {"postfix": "3.10"}}, "package: postfix: a has 3.7; b has 3.10"),
        (
            {"tables": {"lmdb:/t": {"text": "4" * 64, "index": "2" * 64}}},
            "table lmdb:/t: the content differs: a (11111111); b (44444444)",
        ),
        (
            {"tables": {"lmdb:/t": {"text": "1" * 64, "index": "unreadable"}}},
            "table lmdb:/t: the text is the same, and the indexes differ: a (22222222); b cannot read it",
        ),
        ({"tables": {}}, "table lmdb:/t: a has it; b has nothing"),
        (
            {"files": {"/etc/mailname": "missing"}},
            "/etc/mailname: the content differs: a (33333333); b has no such file",
        ),
        ({"types": []}, "table type lmdb: b does not have it"),
        ({"running": False}, "b: Postfix does not run"),
        ({"unread": ["/x"]}, "b: /x: was written after Postfix last read it; reload it, or undo the change"),
        ({"problems": ["main.cf: bad"]}, "b: main.cf: bad"),
        ({"certificate": {"fault": "certificate has expired"}}, "b: the certificate: certificate has expired"),
        (
            {"certificate": {"fault": "", "ends": NOW - 86400, "names": ["mail.a.test"]}},
            "b: the certificate ended on 2027-01-14",
        ),
        (
            {"certificate": {"fault": "", "ends": NOW + 1, "names": ["x"]}},
            "b: the certificate is for x, not mail.a.test",
        ),
    ],
)
def test_each_difference(changed: dict[str, Any], text: str) -> None:
    assert find(**changed) == [text]


def test_what_is_a_servers_own() -> None:
    infos = {"a": info(), "b": info(main={"biff": "yes", "myhostname": "b"})}
    assert mail_drift.find(infos, {"b": ["biff"]}, "", NOW) == []


def test_the_table_that_follows_the_address_differs_by_right() -> None:
    handover = {mail_drift.OWN_TABLE: {"text": "5" * 64, "index": ""}}
    tables = {"lmdb:/t": {"text": "1" * 64, "index": "2" * 64}}
    infos = {"a": info(tables=tables), "b": info(tables={**tables, **handover})}
    assert mail_drift.find(infos, {}, "", NOW) == []


def test_a_server_that_tells_nothing() -> None:
    assert mail_drift.find({"a": info(), "b": {"msg": "no way"}}, {}) == ["b: no way"]
    assert mail_drift.find({"a": info()}, {}) == ["there is nothing to compare: name more servers"]


def test_the_filter() -> None:
    drift = FilterModule().filters()["mail_drift"]
    hostvars = {"a": {"mail_found": info(certificate={})}, "b": {"mail_found": {"msg": "unreachable"}}, "c": {}}
    assert drift(["a", "b"], hostvars) == ["b: unreachable"]
    assert drift(["a", "c"], hostvars) == ["c: it could not be asked"]
