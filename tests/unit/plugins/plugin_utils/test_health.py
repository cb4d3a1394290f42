# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A healthy group is said to be so, and every fault is named."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.filter.health import health
from ansible_collections.failover.carp.plugins.plugin_utils.health import duration, examine
from ansible_collections.failover.carp.plugins.plugin_utils.verdict import Answer

HEARD = {"source": "172.17.0.75", "advbase": 1, "advskew": 0, "age": 0.4}


def vip(state: str = "BACKUP", **change: Any) -> dict[str, Any]:
    about = {
        "name": "smtp",
        "interface": "eth1",
        "vhid": 1,
        "state": state,
        "leaving": False,
        "reason": "so it is",
        "since": 42.0,
        "addresses": ["172.17.0.74/20"],
        "advbase": 1,
        "advskew": 0 if state == "MASTER" else 20,
        "demotion": 0,
        "operator": "",
        "master": None if state == "MASTER" else HEARD,
        "refused": {},
        "checks": [],
        "rivals": [],
        "alarm": "",
    }
    return {**about, **change}


def pair(first: Any = None, second: Any = None) -> dict[str, Answer]:
    return {
        "server1": Answer(({**vip("MASTER"), **(first or {})},)),
        "server2": Answer(({**vip("BACKUP"), **(second or {})},)),
    }


def test_a_healthy_pair() -> None:
    found = examine(pair())
    assert (found.problems, found.notes) == ([], [])
    header, _line, first, _second, *reasons = found.table
    assert header.startswith("virtual IP  host     state   for     rank")
    assert first.startswith("smtp        server1  MASTER  42.0 s  1 + 0/256 s")
    assert reasons == ["smtp on server1: so it is", "smtp on server2: so it is"]


@pytest.mark.parametrize(
    ("first", "second", "part"),
    [
        ({}, {"state": "MASTER"}, "server1 and server2 hold it at once"),
        ({"state": "BACKUP", "master": None}, {"master": None}, "no host holds it"),
        ({"state": "BACKUP"}, {"master": {**HEARD, "source": "192.0.2.9"}}, "none of these hosts holds it"),
        ({}, {"vhid": 2}, "differ in vhid: 1 on server1 and 2 on server2"),
        ({}, {"addresses": ["172.17.0.73/20"]}, "differ in addresses"),
        ({}, {"advbase": 2}, "differ in advbase"),
        ({}, {"advskew": 0}, "have the same advskew, 0"),
        ({}, {"state": "INIT", "reason": "eth1 is down"}, "server2 cannot take it over: eth1 is down"),
        ({}, {"master": None}, "server2 hears no master"),
        ({"checks": [{"name": "web", "state": "failing", "detail": "refused"}]}, {}, "check web fails: refused"),
        ({"rivals": [{"address": "172.17.0.74", "mac": "02:00:00:00:00:01"}]}, {}, "02:00:00:00:00:01 has 172.17.0.74"),
        ({}, {"alarm": "172.17.0.75 is alive, but different"}, "server2: 172.17.0.75 is alive, but different"),
    ],
)
def test_what_is_wrong_is_said(first: dict[str, Any], second: dict[str, Any], part: str) -> None:
    problems = examine(pair(first, second)).problems
    assert any(part in problem for problem in problems), problems
    assert all(problem.startswith("smtp: ") for problem in problems)


@pytest.mark.parametrize(
    ("second", "part"),
    [
        ({"operator": "maintenance, by root"}, "server2 leaves it to others: maintenance, by root"),
        ({"refused": {"digest": 3}}, "3 by digest"),
    ],
)
def test_what_is_only_worth_knowing_is_no_problem(second: dict[str, Any], part: str) -> None:
    found = examine(pair(second=second))
    assert found.problems == []
    assert any(part in note for note in found.notes)


def test_good_and_young_checks_are_no_problem() -> None:
    checks = [{"name": "a", "state": "good", "detail": ""}, {"name": "b", "state": "unknown", "detail": ""}]
    assert examine(pair({"checks": checks})).problems == []


def test_a_host_that_does_not_answer_is_named() -> None:
    found = examine({**pair(), "server3": Answer(fault="no daemon runs here"), "server4": Answer()})
    assert found.problems == ["server3: no daemon runs here", "server4: its daemon has no virtual IP"]


def test_a_host_alone_is_noted() -> None:
    assert len(examine({"server1": Answer((vip("MASTER"),))}).notes) == 1


def test_demotion_and_leaving_are_shown() -> None:
    table = examine(pair({"demotion": 100, "leaving": True})).table
    assert "MASTER, leaving" in table[2]
    assert "demoted by 100" in table[2]


def test_the_filter_takes_what_ansible_gives() -> None:
    hostvars: dict[str, Any] = {"server1": {"carp_status": {"vips": [vip("MASTER")]}}, "server2": {"carp_status": {}}}
    assert health(["server1", "server2"], hostvars)["problems"] == ["server2: it could not be asked"]
    hostvars["server2"]["carp_status"] = {"unreachable": True, "msg": "Failed to connect"}
    assert health(["server1", "server2"], hostvars)["problems"] == ["server2: Failed to connect"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (59.9, "59.9 s"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (90061, "1 d 1 h"),
        (86400 + 60, "1 d 1 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
