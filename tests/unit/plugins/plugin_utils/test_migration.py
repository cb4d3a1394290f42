# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What replaces ucarp and keepalived does what they did, or it is said why not."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.filter.migration import migration
from ansible_collections.failover.carp.plugins.plugin_utils.migration import from_keepalived, from_ucarp

CLASSIC = {
    "origin": "/etc/network/interfaces, iface eth1",
    "interface": "eth1",
    "vhid": 1,
    "address": "172.17.0.74",
    "password": "secret",
    "advbase": 1,
    "advskew": 1,
    "dead_ratio": 3,
    "preempt": True,
    "broadcast": False,
    "up_script": "",
    "down_script": "",
    "xparam": "",
    "running": True,
    "held": False,
    "notes": [],
}


def pair(first: dict[str, Any] | None = None, second: dict[str, Any] | None = None, **both: Any) -> dict[str, Any]:
    return {
        "server2": {"ucarp": [{**CLASSIC, "advskew": 100, "preempt": False, **both, **(second or {})}]},
        "server1": {"ucarp": [{**CLASSIC, "held": True, **both, **(first or {})}]},
    }


def test_the_classic_recipe() -> None:
    found = from_ucarp(pair(), {"1": "smtp"})
    assert found.vips == [
        {"name": "smtp", "vhid": 1, "addresses": "172.17.0.74", "advskew": {"server1": 1, "server2": 100}}
    ]
    assert found.passwords == {"smtp": "secret"}
    assert (found.hosts, found.masters) == (["server1", "server2"], ["server1"])
    assert (found.addresses, found.problems, found.notes) == (["172.17.0.74"], [], [])
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    ("both", "expected"),
    [
        ({"advbase": 2}, {"advbase": 2}),
        ({"dead_ratio": 5}, {"dead_ratio": 5}),
        ({"dead_ratio": 1}, {"dead_ratio": 2}),
        ({"preempt": False}, {"preempt": False}),
        ({}, {}),
    ],
)
def test_only_what_is_not_the_default_is_said(both: dict[str, Any], expected: dict[str, Any]) -> None:
    (vip,) = from_ucarp(pair(**both), {}).vips
    assert {key: vip[key] for key in vip if key not in ("name", "vhid", "addresses", "advskew")} == expected
    assert vip["name"] == "vip1"


@pytest.mark.parametrize(
    ("second", "problem"),
    [
        ({"password": "other"}, "differ in password"),
        ({"advbase": 2}, "1 on server1"),
        ({"dead_ratio": 4}, "dead ratio"),
        ({"held": True}, "have the address at once"),
        ({"vhid": 2}, "on server1 only"),
        ({"address": "172.17.0.73"}, "on server2 only"),
    ],
)
def test_hosts_that_disagree_are_not_changed(second: dict[str, Any], problem: str) -> None:
    problems = from_ucarp(pair(second=second), {}).problems
    assert any(problem in one for one in problems), problems
    assert not any("secret" in one or "other" in one.split() for one in problems)


def test_equal_hosts_get_an_order_and_who_holds_the_address_keeps_it() -> None:
    found = from_ucarp(pair(first={"held": False}, second={"held": True}, advskew=0), {})
    assert found.vips[0]["advskew"] == {"server2": 0, "server1": 20}
    assert found.hosts == ["server2", "server1"]
    assert any("no host was preferred" in note for note in found.notes)


def test_what_the_daemon_does_not_know_becomes_what_it_knows() -> None:
    assert from_ucarp(pair(second={"advskew": 255}), {}).vips[0]["advskew"]["server2"] == 254
    assert any("cannot be told apart" in one for one in from_ucarp(pair(advskew=255), {}).problems)


def test_problems_and_notes_say_where() -> None:
    found = pair(first={"notes": ["a note"]})
    found["server2"]["problems"] = ["a problem"]
    made = from_ucarp(found, {})
    assert made.problems == ["server2: a problem"]
    assert made.notes == ["server1: /etc/network/interfaces, iface eth1: a note"]


def test_where_nothing_is_found_that_is_said() -> None:
    assert from_ucarp({"server1": {}, "server2": {"ucarp": []}}, {}).problems == [
        "no ucarp was found on server1 and server2"
    ]


def test_two_addresses_on_three_hosts() -> None:
    other = {**CLASSIC, "vhid": 2, "address": "172.17.0.73", "held": True, "advskew": 0}
    found = pair()
    found["server2"]["ucarp"].append(other)
    found["server3"] = {"ucarp": [{**other, "held": False, "advskew": 50}]}
    made = from_ucarp(found, {"1": "same", "2": "same"})
    assert [vip["name"] for vip in made.vips] == ["same", "same-73"]
    assert [vip.get("hosts") for vip in made.vips] == [["server1", "server2"], ["server2", "server3"]]
    assert sorted(made.masters) == ["server1", "server2"]


def test_keepalived() -> None:
    instance = {
        "origin": "/etc/keepalived/keepalived.conf, vrrp_instance smtp",
        "name": "smtp",
        "interface": "eth1",
        "vhid": 51,
        "addresses": ["172.17.0.74/20"],
        "priority": 100,
        "interval": 2.0,
        "preempt": False,
        "password": "12345678",
        "notes": ["a note"],
    }
    found = {"server2": {"keepalived": [instance]}, "server1": {"keepalived": [{**instance, "priority": 150}]}}
    made = from_keepalived(found, {})
    assert made.vips == [{"name": "smtp", "vhid": 51, "addresses": ["172.17.0.74/20"], "advbase": 2, "preempt": False}]
    assert made.hosts == ["server1", "server2"]
    assert made.passwords == {"smtp": "12345678"}
    assert len(made.notes) == 2
    found["server1"]["keepalived"][0]["addresses"] = ["172.17.0.73/20"]
    assert len(from_keepalived(found, {}).problems) == 1


def test_the_filter_takes_what_ansible_gives() -> None:
    hostvars = {host: {"before": result} for host, result in pair().items()}
    made = migration(["server1", "server2"], hostvars, result="before", names={1: "smtp"})
    assert made["vips"][0]["name"] == "smtp"
    assert migration(["client"], {"client": {}})["problems"]
    assert migration(["server1"], hostvars, result="before", protocol="keepalived")["vips"] == []
