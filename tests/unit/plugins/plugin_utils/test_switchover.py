# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses go where it makes sense, or it is said why not."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.filter.switchover import switchover
from ansible_collections.failover.carp.plugins.plugin_utils.switchover import choose


def vip(state: str, advskew: int, name: str = "smtp", **change: Any) -> dict[str, Any]:
    about = {"name": name, "state": state, "advskew": advskew, "demotion": 0, "operator": "", "reason": "so it is"}
    heard = {"source": "172.17.0.75"} if state == "BACKUP" else None
    return {**about, "master": heard, "addresses": ["172.17.0.74/20"], **change}


def three(*states: str) -> dict[str, list[dict[str, Any]]]:
    return {f"server{n}": [vip(state, n * 20)] for n, state in enumerate(states, start=1)}


@pytest.mark.parametrize(
    ("states", "to", "home"),
    [
        (("MASTER", "BACKUP", "BACKUP"), "server2", False),
        (("BACKUP", "MASTER", "BACKUP"), "server1", True),
        (("BACKUP", "BACKUP", "MASTER"), "server1", True),
    ],
)
def test_there_and_back(states: tuple[str, ...], to: str, home: bool) -> None:
    move = choose(three(*states))
    assert (move.to, move.home, move.problems) == (to, home, [])
    assert (move.vips, move.addresses) == (["smtp"], ["172.17.0.74"])


def test_a_host_can_be_asked_for() -> None:
    assert choose(three("MASTER", "BACKUP", "BACKUP"), to="server3").to == "server3"


@pytest.mark.parametrize(
    ("second", "part"),
    [
        ({"state": "INIT", "reason": "eth1 is down"}, "server2 cannot take smtp: eth1 is down"),
        ({"demotion": 100, "reason": "the check fails"}, "server2 is not fit for smtp: the check fails"),
        ({"master": None}, "server2 hears no master of smtp"),
    ],
)
def test_a_host_that_is_not_ready_is_no_place_to_go_to(second: dict[str, Any], part: str) -> None:
    found = {"server1": [vip("MASTER", 0)], "server2": [{**vip("BACKUP", 20), **second}]}
    (problem,) = choose(found).problems
    assert part in problem


def test_a_host_that_only_was_told_to_leave_it_is() -> None:
    found = {"server1": [vip("MASTER", 0)], "server2": [vip("BACKUP", 20, demotion=240, operator="by root")]}
    assert choose(found).problems == []


@pytest.mark.parametrize(
    ("found", "arguments", "part"),
    [
        ({}, {}, "there is no virtual IP"),
        ({"server1": []}, {}, "there is no virtual IP"),
        ({"server1": [vip("MASTER", 0)]}, {"names": ["smpt"]}, "did you mean smtp?"),
        ({"server1": [vip("MASTER", 0)]}, {}, "no two of server1 share them"),
        (three("MASTER", "BACKUP"), {"to": "server9"}, "server9 is not one of server1 and server2"),
    ],
)
def test_what_cannot_be_done_is_said(found: Any, arguments: dict[str, Any], part: str) -> None:
    (problem,) = choose(found, **arguments).problems
    assert part in problem


def test_one_of_several_can_be_moved() -> None:
    found = three("MASTER", "BACKUP")
    found["server1"].append(vip("MASTER", 0, name="www"))
    assert choose(found, names=["smtp"]).to == "server2"
    assert "no two of" in choose(found).problems[0]


def test_the_filter_takes_what_ansible_gives() -> None:
    hostvars = {host: {"carp_status": {"vips": vips}} for host, vips in three("MASTER", "BACKUP").items()}
    assert switchover(["server1", "server2"], hostvars)["to"] == "server2"
    assert switchover(["client"], {"client": {}})["problems"]
