# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the hosts heard is held against what is planned."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.filter.unready import unready
from ansible_collections.failover.carp.plugins.plugin_utils.hosts import Host
from ansible_collections.failover.carp.plugins.plugin_utils.readiness import Look, Readiness, judge

VIP = {"name": "smtp", "interface": "eth1", "vhid": 1, "addresses": ["172.17.0.74/20"], "advskew": 0}
SOURCES = {"server1": "172.17.0.75", "server2": "172.17.0.76"}
MACS = {"server1": "02:00:00:00:00:01", "server2": "02:00:00:00:00:02"}
STRANGER = {"protocol": "carp", "number": 1, "source": "172.17.0.99", "detail": "", "count": 3}


def look(host: str, vip: Any = None, **change: Any) -> Look:
    others = [source for name, source in SOURCES.items() if name != host]
    place = {
        "speakers": [],
        "free": {"1": 1},
        "answers": {},
        "trials": {"multicast": others, "broadcast": others, "unicast": others},
        "failures": {},
        "source": SOURCES[host],
        "mac": MACS[host],
        "error": "",
    }
    found = {"looked": True, "wakeups": {"profile": "fast"}, "managers": [], "firewall": [], "digests": {}}
    outside = {key: change.pop(key) for key in list(change) if key in found}
    return Look(({**VIP, **(vip or {})},), {**found, **outside, "interfaces": {"eth1": {**place, **change}}})


@pytest.fixture
def hosts(facts: Any) -> dict[str, Host]:
    made = {name: facts(eth1=[f"{source}/20"]) for name, source in SOURCES.items()}
    for name, about in made.items():
        about["eth1"]["macaddress"] = MACS[name].upper()
    return {name: Host(about) for name, about in made.items()}


def pair(hosts: dict[str, Host], first: Any = None, second: Any = None, **more: Any) -> Readiness:
    looks = {"server1": look("server1", **(first or {})), "server2": look("server2", **(second or {}))}
    return judge(looks, hosts, SOURCES, more.get("at_once", True))


def test_a_good_network_has_nothing_against_it(hosts: dict[str, Host]) -> None:
    assert pair(hosts) == Readiness()


@pytest.mark.parametrize(
    ("first", "problem"),
    [
        (
            {"speakers": [STRANGER], "free": {"1": 2}},
            "server1: [vip smtp] vhid 1 is in use on eth1 already, by 172.17.0.99; 2 is free",
        ),
        (
            {"answers": {"172.17.0.74": ["02:00:00:00:00:99"]}},
            "server1: [vip smtp] 172.17.0.74/20 is in use on eth1 already, by 02:00:00:00:00:99",
        ),
        (
            {"error": "eth1 cannot be listened on: No such device"},
            "server1: eth1 cannot be listened on: No such device",
        ),
        (
            {"firewall": ["the firewall drops advertisements (IP protocol 112) in a chain"]},
            "server1: the firewall drops advertisements (IP protocol 112) in a chain",
        ),
        (
            {"trials": {"multicast": [], "broadcast": [], "unicast": ["172.17.0.76"]}},
            "[vip smtp] advertisements by multicast from server2 do not reach server1; by unicast they do: "
            "see the options paths and peers",
        ),
        (
            {"trials": {"multicast": [], "broadcast": [], "unicast": []}},
            "[vip smtp] advertisements by multicast from server2 do not reach server1; nothing of IP protocol 112 does"
            ": look at the firewalls and security groups between them",
        ),
    ],
)
def test_what_is_in_the_way_is_named(hosts: dict[str, Host], first: dict[str, Any], problem: str) -> None:
    assert pair(hosts, first).problems == [problem]


@pytest.mark.parametrize(
    ("first", "warning"),
    [
        ({"speakers": [{**STRANGER, "protocol": "vrrp"}], "free": {"1": 2}}, "VRRP on eth1 has the number 1, too"),
        ({"managers": ["eth1: systemd-networkd removes"]}, "server1: eth1: systemd-networkd removes"),
        ({"firewall": ["the firewall drops advertisements by unicast (IP"]}, "by unicast"),
        ({"firewall": ["the firewall may drop advertisements (IP"]}, "may drop"),
        ({"wakeups": {"profile": "vm", "worst_ms": 400.0, "realtime": True}}, "woke up 400.0 ms late: profile: vm"),
    ],
)
def test_what_is_only_worth_knowing_is_a_warning(hosts: dict[str, Host], first: dict[str, Any], warning: str) -> None:
    found = pair(hosts, first)
    assert found.problems == []
    assert len(found.warnings) == 1
    assert warning in found.warnings[0]


def test_a_fast_profile_wants_a_fast_host(hosts: dict[str, Host]) -> None:
    slow = {"wakeups": {"profile": "default", "worst_ms": 5.0, "realtime": False}}
    assert pair(hosts, slow).warnings == []
    for vip in ({"profile": "fast"}, {"advbase": 0}):
        (warning,) = pair(hosts, {**slow, "vip": vip}).warnings
        assert "5.0 ms late, and realtime scheduling is not permitted: whole seconds" in warning


def test_our_own_hosts_are_no_strangers(hosts: dict[str, Host]) -> None:
    first = {"speakers": [{**STRANGER, "source": "172.17.0.76"}], "answers": {"172.17.0.74": [MACS["server2"]]}}
    assert pair(hosts, first) == Readiness()


def test_another_number_is_nobodys_business(hosts: dict[str, Host]) -> None:
    assert pair(hosts, {"speakers": [{**STRANGER, "number": 2}]}) == Readiness()


def test_where_not_all_hosts_are_known_a_stranger_may_be_one_of_them(hosts: dict[str, Host]) -> None:
    del hosts["server2"]
    found = pair(hosts, {"speakers": [STRANGER]})
    assert found.problems == []
    assert len(found.warnings) == 1


def test_paths_that_are_chosen_count(hosts: dict[str, Host]) -> None:
    deaf = {"trials": {"multicast": [], "broadcast": [], "unicast": ["172.17.0.76"]}}
    for vip in ({"paths": ["unicast"]}, {"paths": "multicast, unicast"}, {"peers": ["172.17.0.75"]}):
        assert pair(hosts, {**deaf, "vip": vip}, {"vip": vip}) == Readiness()
    assert len(pair(hosts, {**deaf, "vip": {"paths": "broadcast"}}, {"vip": {"paths": "broadcast"}}).problems) == 1


def test_what_did_not_arrive_at_another_time_is_a_warning(hosts: dict[str, Host]) -> None:
    deaf = {"trials": {"multicast": [], "broadcast": [], "unicast": []}}
    found = pair(hosts, deaf, at_once=False)
    assert (found.problems, len(found.warnings)) == ([], 1)


def test_different_secrets_are_found_without_being_told(hosts: dict[str, Host]) -> None:
    assert pair(hosts, {"digests": {"smtp": "aa"}}, {"digests": {"smtp": "aa"}}) == Readiness()
    (problem,) = pair(hosts, {"digests": {"smtp": "aa"}}, {"digests": {"smtp": "bb"}}).problems
    assert problem == "[vip smtp] the password files on server1 and server2 do not hold the same password"


def test_the_filter_takes_what_ansible_gives(facts: Any) -> None:
    hostvars: dict[str, Any] = {
        name: {
            "ansible_facts": facts(eth1=[f"{source}/20"]),
            "carp_plan": {"vips": [VIP]},
            "carp_segment": look(name, speakers=[STRANGER]).found,
        }
        for name, source in SOURCES.items()
    }
    assert len(unready(list(SOURCES), hostvars)["problems"]) == 2
    for skipped in ({"skipped": True}, {"looked": False}):
        for name in SOURCES:
            hostvars[name]["carp_segment"] = skipped
        assert unready(list(SOURCES), hostvars, hosts=list(SOURCES)) == {"problems": [], "warnings": []}


@pytest.mark.parametrize(
    ("why", "known_at_any_time"),
    [("Operation not permitted", True), ("No buffer space available", False)],
)
def test_what_a_firewall_let_not_out_needs_nobody_who_listened(
    hosts: dict[str, Host], why: str, known_at_any_time: bool
) -> None:
    mute = {"vip": {"peers": ["172.17.0.76"]}, "failures": {"unicast": why}}
    unheard = {"vip": {"peers": ["172.17.0.75"]}, "trials": {"multicast": [], "broadcast": [], "unicast": []}}
    found = pair(hosts, mute, unheard, at_once=False)
    lost = "advertisements by unicast from server1 do not reach server2"
    assert any(lost in text for text in found.problems) is known_at_any_time
    assert any(lost in text for text in found.warnings) is not known_at_any_time
