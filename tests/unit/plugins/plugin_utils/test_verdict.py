# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All is well with one master for each virtual IP and every daemon as configured; else it is said what is not."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.plugin_utils.verdict import Answer, find_unsettled

PLANNED: dict[str, Any] = {
    "name": "smtp",
    "interface": "eth1",
    "vhid": 1,
    "addresses": ["172.17.0.74/20"],
    "advskew": 0,
}
HEARD = {"source": "172.17.0.75", "advbase": 1, "advskew": 0, "age": 0.4}


def actual(state: str, **change: Any) -> dict[str, Any]:
    master = HEARD if state == "BACKUP" else None
    return {**PLANNED, "advbase": 1, "state": state, "master": master, "reason": f"why {state}", **change}


def unsettled(*answers: dict[str, Any] | Answer, everyone: Any = None) -> list[str]:
    hosts = [f"server{number}" for number in range(1, len(answers) + 1)]
    given = [answer if isinstance(answer, Answer) else Answer((answer,)) for answer in answers]
    return find_unsettled({host: [PLANNED] for host in hosts}, dict(zip(hosts, given)), everyone or hosts)


def test_one_master_and_all_others_ready_is_well() -> None:
    assert unsettled(actual("MASTER"), actual("BACKUP"), actual("BACKUP")) == []
    assert unsettled(actual("BACKUP"), actual("MASTER")) == []


def test_two_masters_are_told_with_the_usual_cause() -> None:
    (problem,) = unsettled(actual("MASTER"), actual("MASTER"))
    assert problem.startswith("[vip smtp] server1 and server2 hold it at once")
    assert "protocol 112" in problem


def test_no_master_is_told_with_all_reasons() -> None:
    (problem,) = unsettled(actual("BACKUP"), actual("BACKUP"))
    assert problem == "[vip smtp] no host holds it (server1 is BACKUP: why BACKUP; server2 is BACKUP: why BACKUP)"


def test_a_host_that_cannot_take_over_is_told() -> None:
    assert unsettled(actual("MASTER"), actual("INIT")) == [
        "[vip smtp] server2 is not ready to take it over: why INIT",
    ]


def test_a_master_among_those_not_asked_is_enough_if_it_is_heard() -> None:
    everyone = ["server1", "server2"]
    assert unsettled(actual("BACKUP"), everyone=everyone) == []
    assert len(unsettled(actual("BACKUP", master=None), everyone=everyone)) == 1
    assert len(unsettled(actual("BACKUP"), everyone=["server1"])) == 1


def test_a_daemon_that_does_not_answer_is_told() -> None:
    problems = unsettled(actual("MASTER"), Answer(fault="no daemon runs here"))
    assert problems == ["server2: no daemon runs here"]
    assert find_unsettled({"server1": [PLANNED]}, {}, ["server1"]) == ["server1: nobody asked its daemon"]


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"vhid": 2}, "runs with vhid 2, and 1 is configured"),
        ({"interface": "eth0"}, "runs with interface eth0, and eth1 is configured"),
        ({"advskew": 7}, "runs with advskew 7, and 0 is configured"),
        ({"addresses": ["172.17.0.73/20"]}, "runs with addresses 172.17.0.73/20, and 172.17.0.74/20 is configured"),
    ],
)
def test_a_daemon_with_an_old_configuration_is_told(change: dict[str, Any], part: str) -> None:
    assert unsettled(actual("MASTER", **change)) == [f"server1: [vip smtp] {part}"]


def test_the_order_of_addresses_and_the_kind_of_numbers_do_not_matter() -> None:
    planned = {**PLANNED, "vhid": "1", "addresses": ["172.17.0.74/20", "172.17.0.73/20"]}
    there = actual("MASTER", addresses=["172.17.0.73/20", "172.17.0.74/20"])
    assert find_unsettled({"server1": [planned]}, {"server1": Answer((there,))}, ["server1"]) == []


def test_an_interval_that_was_not_planned_does_not_matter() -> None:
    assert unsettled(actual("MASTER", advbase=5)) == []
    planned = {**PLANNED, "advbase": 1}
    problems = find_unsettled({"server1": [planned]}, {"server1": Answer((actual("MASTER", advbase=5),))}, ["server1"])
    assert problems == ["server1: [vip smtp] runs with advbase 5, and 1 is configured"]


def test_a_virtual_ip_that_does_not_run_or_runs_still_is_told() -> None:
    assert unsettled(Answer()) == ["server1: [vip smtp] is configured, and its daemon does not run it"]
    answer = Answer((actual("MASTER"), actual("MASTER", name="old")))
    assert unsettled(answer) == ["server1: [vip old] is not configured, and its daemon runs it still"]
