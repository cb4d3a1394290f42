# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example inventory is complete but for the password, and says nothing that the hosts can say themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.vars.manager import VariableManager
from ansible_collections.failover.carp.plugins.filter.plan import plan

EXAMPLE = Path(__file__).parents[2] / "inventories" / "example"
OWN = {"server1": "172.17.0.75", "server2": "172.17.0.76"}


@pytest.fixture
def hostvars() -> dict[str, Any]:
    loader = DataLoader()
    inventory = InventoryManager(loader=loader, sources=[str(EXAMPLE)])
    manager = VariableManager(loader=loader, inventory=inventory)
    found = {}
    for name in inventory.get_groups_dict()["carp"]:
        found[name] = manager.get_vars(host=inventory.get_host(name))
        entry = {"address": OWN[name], "prefix": "20"}
        found[name]["ansible_facts"] = {
            "python_version": "3.11.2",
            "service_mgr": "systemd",
            "interfaces": ["eth0", "eth1"],
            "eth0": {"device": "eth0", "ipv4": {"address": f"192.0.2.{len(found)}", "prefix": "24"}},
            "eth1": {"device": "eth1", "ipv4": entry},
        }
    return found


def planned(hostvars: dict[str, Any], host: str, passwords: Any) -> dict[str, Any]:
    return plan(hostvars[host]["carp_vips"], host, hostvars, list(hostvars), passwords=passwords)


def test_the_hosts_are_those_of_the_classic_recipe(hostvars: dict[str, Any]) -> None:
    assert list(hostvars) == ["server1", "server2"]
    assert {name: values["ansible_host"] for name, values in hostvars.items()} == OWN


@pytest.mark.parametrize(("host", "advskew"), [("server1", 0), ("server2", 20)])
def test_all_else_follows(hostvars: dict[str, Any], host: str, advskew: int) -> None:
    made = planned(hostvars, host, {"smtp": "a password"})
    assert made["problems"] == []
    assert made["vips"] == [
        {
            "name": "smtp",
            "addresses": ["172.17.0.74/20"],
            "vhid": 1,
            "drain": 1,
            "drain_ports": [25, 465, 587],
            "interface": "eth1",
            "advskew": advskew,
        }
    ]


def test_the_password_is_left_to_the_user_and_its_place_is_shown(hostvars: dict[str, Any]) -> None:
    (problem,) = planned(hostvars, "server1", hostvars["server1"]["carp_passwords"])["problems"]
    assert "[vip smtp] password must be 1 to 19 bytes" in problem
    assert "and this one has 0" in problem
