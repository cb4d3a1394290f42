# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters take what Ansible gives them, and give what plays and modules need."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.failover.carp.plugins.filter import plan as plan_filter
from ansible_collections.failover.carp.plugins.filter.problems import problems
from ansible_collections.failover.carp.plugins.filter.unsettled import unsettled
from ansible_collections.failover.carp.plugins.filter.with_passwords import with_passwords
from ansible_collections.failover.carp.plugins.plugin_utils import networks

plan = plan_filter.plan
VIPS = [{"name": "smtp", "addresses": "172.17.0.74", "vhid": 1}]
PASSWORDS = {"smtp": "Tr0ub4dor-and-3"}
HOSTS = ["server1", "server2"]


def facts(*addresses: str) -> dict[str, Any]:
    first, *others = ({"address": address, "prefix": "20"} for address in addresses)
    return {
        "python_version": "3.11.2",
        "service_mgr": "systemd",
        "interfaces": ["eth1"],
        "eth1": {"device": "eth1", "ipv4": first, "ipv4_secondaries": others},
    }


@pytest.fixture
def hostvars() -> dict[str, dict[str, Any]]:
    return {
        "server1": {"ansible_facts": facts("172.17.0.75")},
        "server2": {"ansible_facts": facts("172.17.0.76")},
        "client": {},
    }


def test_every_file_has_the_filter_of_its_name() -> None:
    for name in ("plan", "problems", "unsettled", "with_passwords"):
        module = __import__(f"ansible_collections.failover.carp.plugins.filter.{name}", fromlist=["FilterModule"])
        assert list(module.FilterModule().filters()) == [name]
        assert f"\nname: {name}\n" in module.DOCUMENTATION


def test_plan(hostvars: dict[str, Any]) -> None:
    assert plan(VIPS, "server2", hostvars, HOSTS, passwords=PASSWORDS, step="30") == {
        "vips": [{"name": "smtp", "addresses": ["172.17.0.74/20"], "vhid": 1, "interface": "eth1", "advskew": 30}],
        "problems": [],
        "checks": [],
        "patience": 6,
    }


def test_what_all_have_in_common_is_said_once(hostvars: dict[str, Any]) -> None:
    vips = [*VIPS, {"name": "web", "addresses": "172.17.0.73", "failback": "never"}]
    secrets = {**PASSWORDS, "web": "x"}
    common = {"failback": "immediate", "advbase": 2}
    made = plan(vips, "server1", hostvars, HOSTS, passwords=secrets, defaults=common)
    assert made["problems"] == []
    assert [(vip["failback"], vip["advbase"]) for vip in made["vips"]] == [("immediate", 2), ("never", 2)]
    with pytest.raises(AnsibleFilterError, match="carp_vip_defaults"):
        plan(vips, "server1", hostvars, HOSTS, defaults=["never"])


def test_a_host_without_facts_is_no_obstacle_to_the_others(hostvars: dict[str, Any]) -> None:
    del hostvars["server2"]["ansible_facts"]
    assert plan(VIPS, "server1", hostvars, [*HOSTS, "not-in-the-inventory"], passwords=PASSWORDS)["problems"] == []
    assert plan(VIPS, "server2", hostvars, HOSTS, passwords=PASSWORDS)["problems"] != []


@pytest.mark.parametrize(
    ("status", "right"),
    [
        (None, False),
        ({"skipped": True}, False),
        ({"msg": "no daemon runs here"}, False),
        ({"vips": []}, False),
        ({"vips": [{"name": "other", "addresses": ["172.17.0.74/20"]}]}, True),
    ],
)
def test_what_the_daemon_manages_comes_from_its_status(hostvars: dict[str, Any], status: Any, right: bool) -> None:
    hostvars["server1"] = {"ansible_facts": facts("172.17.0.75", "172.17.0.74"), "asked": status}
    for host in HOSTS:
        made = plan(VIPS, host, hostvars, HOSTS, passwords=PASSWORDS, status="asked")
        assert (made["problems"] == []) is right


def test_passwords_must_be_a_dictionary(hostvars: dict[str, Any]) -> None:
    with pytest.raises(AnsibleFilterError, match="carp_passwords: must be a dictionary") as error:
        plan(VIPS, "server1", hostvars, HOSTS, passwords="Tr0ub4dor-and-3")
    assert "Tr0ub" not in str(error.value)


def test_without_netaddr_it_is_said_what_to_install(hostvars: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "netaddr", None)
    with pytest.raises(AnsibleFilterError, match="pip install netaddr"):
        plan(VIPS, "server1", hostvars, HOSTS)


def test_problems_are_collected_once(hostvars: dict[str, Any]) -> None:
    wrong = [{**VIPS[0], "vhid": 300}, {"name": "http", "addresses": "172.17.0.73", "vhid": 2, "advskew": 5}]
    for host in HOSTS:
        hostvars[host]["carp_plan"] = plan(wrong, host, hostvars, HOSTS, passwords={**PASSWORDS, "http": "x"})
    assert problems([*HOSTS, "client"], hostvars) == [
        "carp_vips: [vip smtp] vhid = 300: must be a whole number from 1 to 255",
        "carp_vips: [vip http] advskew = 5: must be different on each host, since the lowest is preferred, "
        "and server1 and server2 have the same",
    ]


def status(state: str) -> dict[str, Any]:
    master = {"source": "172.17.0.75"} if state == "BACKUP" else None
    running = {"name": "smtp", "interface": "eth1", "vhid": 1, "addresses": ["172.17.0.74/20"], "advbase": 1}
    return {"vips": [{**running, "advskew": 0, "state": state, "master": master, "reason": "so it is"}]}


def test_unsettled(hostvars: dict[str, Any]) -> None:
    for host in HOSTS:
        hostvars[host]["carp_plan"] = plan(VIPS, host, hostvars, HOSTS, passwords=PASSWORDS)
        hostvars[host]["carp_plan"]["vips"][0]["advskew"] = 0
    hostvars["server1"]["carp_status"] = status("MASTER")
    hostvars["server2"]["carp_status"] = status("BACKUP")
    assert unsettled([*HOSTS, "client"], hostvars) == []
    assert unsettled(["server2"], hostvars, hosts=HOSTS) == []
    assert len(unsettled(["server2"], hostvars)) == 1
    hostvars["server2"]["carp_status"] = {"failed": False, "msg": "no daemon runs here"}
    assert unsettled(HOSTS, hostvars) == ["server2: no daemon runs here"]
    del hostvars["server2"]["carp_status"]
    assert unsettled(HOSTS, hostvars) == ["server2: its daemon was not asked"]


def test_with_passwords() -> None:
    given = [VIPS[0], {"name": "http", "password": "in-the-list"}, {"name": "dns", "password_file": "/run/dns"}]
    planned = [{"name": "dns", "vhid": 3}, {"name": "http", "vhid": 2}, {"name": "smtp", "vhid": 1}]
    assert with_passwords(planned, given, PASSWORDS) == [
        {"name": "dns", "vhid": 3},
        {"name": "http", "vhid": 2, "password": "in-the-list"},
        {"name": "smtp", "vhid": 1, "password": PASSWORDS["smtp"]},
    ]
    assert planned[2] == {"name": "smtp", "vhid": 1}


def test_other_passwords_to_accept_are_added_too() -> None:
    planned = [{"name": "smtp", "vhid": 1}]
    assert with_passwords(planned, VIPS, PASSWORDS, {"smtp": "other"}) == [
        {"name": "smtp", "vhid": 1, "password": PASSWORDS["smtp"], "accept_password": "other"}
    ]


def test_an_address_that_is_being_left_is_no_obstacle(hostvars: dict[str, Any]) -> None:
    hostvars["server1"] = {"ansible_facts": facts("172.17.0.75", "172.17.0.74")}
    assert plan(VIPS, "server2", hostvars, HOSTS, passwords=PASSWORDS)["problems"] != []
    assert plan(VIPS, "server2", hostvars, HOSTS, passwords=PASSWORDS, leaving=["172.17.0.74"])["problems"] == []
