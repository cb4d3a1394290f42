# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hurts users of such daemons most, and can be seen beforehand, is named before anything is changed.

Each is staged alone on two hosts that are well without it.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.filter.plan import plan
from ansible_collections.failover.carp.plugins.filter.problems import problems
from ansible_collections.failover.carp.plugins.filter.unready import unready
from ansible_collections.failover.carp.plugins.module_utils.segment.hosts import MANAGERS, firewall

HOSTS = ["server1", "server2"]
OWN = {"server1": "172.17.0.75", "server2": "172.17.0.76"}
OWN_6 = {"server1": "fd00::75", "server2": "fd00::76"}
STRANGER = "02:00:00:00:00:99"
OUTPUT_DROPS = firewall("table inet t {\n\tchain o {\n\t\ttype filter hook output priority 0; policy drop;\n\t}\n}\n")
DEVICE_DROPS = firewall(
    "table netdev t {\n\tchain i {\n\t\ttype filter hook ingress device eth0 priority 0; policy accept;\n"
    "\t\tip protocol 112 drop\n\t}\n}\n"
)


class Stage:
    """Two hosts that are well, to be spoilt."""

    def __init__(self) -> None:
        self.vip: dict[str, Any] = {"name": "smtp", "addresses": ["172.17.0.74", "fd00::74"], "vhid": 1}
        self.own: dict[str, dict[str, Any]] = {host: {} for host in HOSTS}
        self.password = "of the lab only"
        self.opens = True
        self.facts: dict[str, dict[str, Any]] = {}
        self.found: dict[str, dict[str, Any]] = {}
        for number, host in enumerate(HOSTS, start=1):
            other = OWN[HOSTS[2 - number]]
            self.facts[host] = {
                "python_version": "3.11.2",
                "service_mgr": "systemd",
                "interfaces": ["eth0"],
                "eth0": {
                    "device": "eth0",
                    "macaddress": f"02:00:00:00:00:0{number}",
                    "ipv4": {"address": OWN[host], "prefix": "20"},
                    "ipv6": [{"address": OWN_6[host], "prefix": "64", "scope": "global"}],
                },
            }
            self.found[host] = {
                "looked": True,
                "interfaces": {
                    "eth0": {
                        "speakers": [],
                        "answers": {},
                        "free": {"1": 2},
                        "source": OWN[host],
                        "trials": {path: [other] for path in ("multicast", "broadcast", "unicast")},
                    }
                },
                "wakeups": {"profile": "fast", "worst_ms": 0.1, "realtime": True},
            }

    def segment(self, host: str = "server1") -> dict[str, Any]:
        here: dict[str, Any] = self.found[host]["interfaces"]["eth0"]
        return here

    def told(self) -> tuple[list[str], list[str]]:
        """What keeps the role from changing anything, and what it warns of."""
        hostvars: dict[str, Any] = {host: {"ansible_facts": self.facts[host]} for host in HOSTS}
        for host in HOSTS:
            vip = {**copy.deepcopy(self.vip), **self.own[host]}
            hostvars[host]["carp_plan"] = plan([vip], host, hostvars, HOSTS, {"smtp": self.password}, running=HOSTS)
            hostvars[host]["carp_segment"] = self.found[host]
        found = unready(HOSTS, hostvars, opens=self.opens)
        return [*problems(HOSTS, hostvars), *found["problems"]], found["warnings"]


def test_nothing_is_told_of_hosts_that_are_well() -> None:
    assert Stage().told() == ([], [])


def taken(stage: Stage) -> None:
    stage.segment()["answers"] = {"172.17.0.74": [STRANGER]}


def taken_6(stage: Stage) -> None:
    stage.segment()["answers"] = {"fd00::74": [STRANGER]}


def different_addresses(stage: Stage) -> None:
    stage.own["server2"] = {"addresses": ["172.17.0.74"]}


def the_hosts_own(stage: Stage) -> None:
    stage.vip["addresses"] = ["172.17.0.76"]


def set_up_elsewhere_too(stage: Stage) -> None:
    stage.facts["server2"]["eth0"]["ipv4_secondaries"] = [{"address": "172.17.0.74", "prefix": "20"}]


def no_multicast(stage: Stage) -> None:
    stage.segment()["trials"]["multicast"] = []


def nothing_passes(stage: Stage) -> None:
    stage.segment()["trials"] = {"multicast": [], "broadcast": [], "unicast": []}


def unknown_failback(stage: Stage) -> None:
    stage.vip["failback"] = "nopreempt"


def equal_ranks(stage: Stage) -> None:
    stage.vip["advskew"] = 10


def late(stage: Stage) -> None:
    stage.found["server1"]["wakeups"] = {"profile": "vm", "worst_ms": 300.0, "realtime": False}


def hook_without_path(stage: Stage) -> None:
    stage.vip["up_script"] = "vip-up"


def no_such_network(stage: Stage) -> None:
    stage.vip["addresses"] = ["192.0.2.74"]


def manager(stage: Stage) -> None:
    stage.found["server1"]["managers"] = [f"eth0: {MANAGERS['systemd-networkd.service']}"]


def long_password(stage: Stage) -> None:
    stage.password = "twenty characters !!"


def no_password(stage: Stage) -> None:
    stage.password = ""


def passwords_differ(stage: Stage) -> None:
    for host in HOSTS:
        stage.found[host]["digests"] = {"smtp": host}


def device_drops(stage: Stage) -> None:
    stage.found["server1"]["firewall"] = DEVICE_DROPS


def output_drops(stage: Stage) -> None:
    stage.opens = False
    stage.vip["paths"] = "unicast"
    stage.vip["peers"] = "inventory"
    stage.found["server1"]["firewall"] = OUTPUT_DROPS
    stage.segment("server2")["trials"]["unicast"] = []


def vhid_taken(stage: Stage) -> None:
    about = {"protocol": "carp", "number": 1, "source": "172.17.0.99", "detail": "", "count": 3}
    stage.segment()["speakers"] = [about]


def vrid_taken(stage: Stage) -> None:
    about = {"protocol": "vrrp", "number": 1, "source": "172.17.0.99", "detail": "", "count": 3}
    stage.segment()["speakers"] = [about]


def no_systemd(stage: Stage) -> None:
    stage.facts["server2"]["service_mgr"] = "openrc"


STOPS: list[tuple[Any, str]] = [
    (taken, "172.17.0.74/20 is in use on eth0 already, by 02:00:00:00:00:99"),
    (taken_6, "fd00::74/64 is in use on eth0 already"),
    (different_addresses, "addresses must be the same on all hosts"),
    (the_hosts_own, "an address that no host has of its own"),
    (set_up_elsewhere_too, "something else put it on eth0 of server2"),
    (no_multicast, "advertisements by multicast from server2 do not reach server1; by broadcast and unicast they do"),
    (nothing_passes, "nothing of IP protocol 112 does: look at the firewalls"),
    (unknown_failback, "failback = nopreempt: must be"),
    (equal_ranks, "must be different on each host"),
    (hook_without_path, "up_script = vip-up"),
    (no_such_network, "must be in the network of an address that server1 has"),
    (long_password, "1 to 19 bytes"),
    (no_password, "password"),
    (passwords_differ, "do not hold the same password"),
    (device_drops, "server1: the firewall drops advertisements (IP protocol 112) in a chain of family netdev"),
    (output_drops, "server1: the firewall may drop advertisements by unicast"),
    (vhid_taken, "vhid 1 is in use on eth0 already, by 172.17.0.99; 2 is free"),
    (no_systemd, "server2: needs systemd"),
]
WARNS: list[tuple[Any, str]] = [
    (late, "a process woke up 300.0 ms late, and realtime scheduling is not permitted: profile: vm"),
    (manager, "server1: eth0: systemd-networkd removes addresses"),
    (vrid_taken, "VRRP on eth0 has the number 1, too, from 172.17.0.99"),
]


@pytest.mark.parametrize(("spoil", "said"), STOPS, ids=lambda each: getattr(each, "__name__", ""))
def test_what_cannot_work_keeps_the_role_from_changing_anything(spoil: Any, said: str) -> None:
    stage = Stage()
    spoil(stage)
    assert said in "\n".join(stage.told()[0])


@pytest.mark.parametrize(("spoil", "said"), WARNS, ids=lambda each: getattr(each, "__name__", ""))
def test_what_may_not_work_is_said(spoil: Any, said: str) -> None:
    stage = Stage()
    spoil(stage)
    stopped, warned = stage.told()
    assert stopped == []
    assert said in "\n".join(warned)


def test_who_did_not_look_at_the_same_time_heard_nothing_for_that_reason() -> None:
    stage = Stage()
    nothing_passes(stage)
    stage.found["server1"]["listened"], stage.found["server2"]["listened"] = (100.0, 104.0), (103.5, 107.5)
    stopped, warned = stage.told()
    assert stopped == []
    assert "nothing of IP protocol 112 does" in "\n".join(warned)
    stage.found["server2"]["listened"] = (102.9, 106.9)
    assert "nothing of IP protocol 112 does" in "\n".join(stage.told()[0])


def test_a_firewall_that_will_be_opened_stops_nothing() -> None:
    stage = Stage()
    output_drops(stage)
    stage.opens = True
    stopped, warned = stage.told()
    assert stopped == []
    assert "the firewall may drop advertisements by unicast" in "\n".join(warned)
