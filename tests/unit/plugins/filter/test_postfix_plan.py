# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan for a mail server does not depend on which servers the play runs on."""

from __future__ import annotations

from typing import Any

from ansible_collections.failover.carp.plugins.filter.postfix_plan import FilterModule

postfix_plan = FilterModule().filters()["postfix_plan"]
VARIABLES: dict[str, Any] = {
    "service_hostname": "mail.example.com",
    "vip_addresses": ["172.17.0.74", "2001:db8::74"],
    "mynetworks": ["127.0.0.0/8", "::1/128"],
}
FACTS = {"pkg_mgr": "apt", "service_mgr": "systemd"}
HOSTVARS: dict[str, dict[str, Any]] = {
    "server1": {"ansible_host": "172.17.0.75", "ansible_facts": FACTS},
    "server2": {"ansible_host": "172.17.0.76"},
    "other": {"ansible_host": "172.17.0.77", "ansible_facts": FACTS},
}


def test_a_plan() -> None:
    plan = postfix_plan(["server1", "server2"], "server1", HOSTVARS, VARIABLES)
    assert [service["name"] for service in plan.pop("services")] == ["10025"]
    assert "handover:[172.17.0.74]:10025" in plan.pop("handover_table")
    assert plan == {
        "source": {},
        "hostname": "server1.example.com",
        "hostnames": ["server1.example.com", "server2.example.com"],
        "domain": "example.com",
        "service_hostname": "mail.example.com",
        "networks": [
            "127.0.0.0/8",
            "[::1]/128",
            "172.17.0.75",
            "172.17.0.76",
            "172.17.0.74",
            "[2001:db8::74]",
        ],
        "vips": ["172.17.0.74", "[2001:db8::74]"],
        "problems": [],
    }


def test_every_mistake_is_in_it() -> None:
    variables = {
        **VARIABLES,
        "service_hostname": "mail",
        "main": {"myhostname": "x"},
        "main_host": {"inet_interfaces": "172.17.0.74"},
        "domains": {"postfix_domains_local": ["a b"]},
    }
    hostvars = {**HOSTVARS, "other": {}}
    plan = postfix_plan(["server1.example.com"], "other", {**hostvars, "server1.example.com": {}}, variables)
    assert [problem.split(" ")[0] for problem in plan["problems"]] == [
        "postfix_service_hostname",
        "server1.example.com:",
        "postfix_main:",
        "postfix_main_host:",
        "postfix_domains_local",
        "other:",
        "other:",
        "postfix_nodes_group:",
    ]
    assert plan["hostname"] == ""
