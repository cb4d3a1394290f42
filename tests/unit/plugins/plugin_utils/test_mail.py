# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What mail servers behind one address must know of each other, and what they must not have in common."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.plugin_utils import mail

VIP = "172.17.0.74"
SERVICE = "mail.example.com"
ONE = mail.Node("server1", "server1.example.com", ("172.17.0.75",))
TWO = mail.Node("server2", "server2.example.com", ("172.17.0.76", "2001:db8::76"))


def facts(ipv4: str = "", ipv6: str = "") -> dict[str, Any]:
    return {"ansible_facts": {"default_ipv4": {"address": ipv4} if ipv4 else {}, "default_ipv6": {"address": ipv6}}}


@pytest.mark.parametrize(
    ("host", "variables", "hostname", "addresses"),
    [
        ("server1", facts("10.0.0.1", "2001:db8::1"), "server1.example.com", ("10.0.0.1", "2001:db8::1")),
        ("server1", {**facts("10.0.0.1"), "ansible_host": "172.17.0.75"}, "server1.example.com", ("172.17.0.75",)),
        ("server1", {**facts("10.0.0.1"), "ansible_host": "container-1"}, "server1.example.com", ("10.0.0.1",)),
        (
            "server1",
            {"postfix_node_addresses": ["10.0.0.9"], **facts("10.0.0.1")},
            "server1.example.com",
            ("10.0.0.9",),
        ),
        ("s1.example.net", {"ansible_host": "2001:db8::5"}, "s1.example.net", ("2001:db8::5",)),
        ("172.17.0.75", {"postfix_node_hostname": "a.example.net"}, "a.example.net", ("172.17.0.75",)),
        ("server1", {"postfix_node_hostname": "", "postfix_node_addresses": []}, "server1.example.com", ()),
    ],
)
def test_finding_out_about_a_server(
    host: str, variables: dict[str, Any], hostname: str, addresses: tuple[str, ...]
) -> None:
    assert mail.find_node(host, variables, "example.com") == mail.Node(host, hostname, addresses)


def test_a_pair_without_fault() -> None:
    assert list(mail.node_faults([ONE, TWO], SERVICE, [VIP, "2001:db8::74"])) == []


@pytest.mark.parametrize(
    ("nodes", "service", "vips", "text"),
    [
        ([ONE], "mail", [VIP], "postfix_service_hostname = mail: must be a host name with a domain"),
        ([ONE], ".localdomain", [VIP], "postfix_service_hostname = .localdomain: must be a host name"),
        ([ONE], SERVICE, [], "postfix_vip_addresses: is empty"),
        ([ONE], SERVICE, ["172.17.0.74/20"], "postfix_vip_addresses = 172.17.0.74/20: must be an address without"),
        ([ONE], SERVICE, ["172.17.0.75"], "postfix_vip_addresses = 172.17.0.75: is server1's own address"),
        (
            [mail.Node("a_b", "a_b.x", ("1.2.3.4",))],
            SERVICE,
            [VIP],
            "a_b: postfix_node_hostname = a_b.x: must be a host",
        ),
        ([mail.Node("a", "172.17.0.x.", ("1.2.3.4",))], SERVICE, [VIP], "a: postfix_node_hostname = 172.17.0.x.: must"),
        ([mail.Node("a", "a.b", ())], SERVICE, [VIP], "a: postfix_node_addresses: nothing tells the addresses of a"),
        ([mail.Node("a", "a.b", ("x",))], SERVICE, [VIP], "a: postfix_node_addresses = x: must be an address"),
        ([ONE, mail.Node("b", SERVICE, ("1.2.3.4",))], SERVICE, [VIP], f"b: postfix_node_hostname = {SERVICE}: is the"),
        (
            [ONE, mail.Node("b", "Server1.example.com", ("1.2.3.4",))],
            SERVICE,
            [VIP],
            "postfix_node_hostname = server1.example.com: is that of server1, b; each needs its own",
        ),
    ],
)
def test_faults_of_servers(nodes: list[mail.Node], service: str, vips: list[str], text: str) -> None:
    [problem] = mail.node_faults(nodes, service, vips)
    assert problem.startswith(text)


@pytest.mark.parametrize(
    ("main", "text"),
    [
        ({"myhostname": "x"}, "postfix_main: myhostname = x: is set by postfix_node_hostname"),
        ({"inet_interfaces": VIP}, f"postfix_main: inet_interfaces = {VIP}: a server that does not hold"),
        ({"inet_interfaces": ["localhost", VIP]}, f"postfix_main: inet_interfaces = {VIP}: a server"),
        ({"inet_interfaces": "localhost, [2001:db8::74]"}, "postfix_main: inet_interfaces = 2001:db8::74: a server"),
        ({"inet_interfaces": SERVICE}, f"postfix_main: inet_interfaces = {SERVICE}: a server"),
    ],
)
def test_settings_that_cannot_be(main: dict[str, Any], text: str) -> None:
    [problem] = mail.setting_faults(main, {}, SERVICE, [VIP, "2001:db8::74"])
    assert problem.startswith(text)
    [problem] = mail.setting_faults({}, main, SERVICE, [VIP, "2001:db8::74"])
    assert problem.startswith(text.replace("postfix_main", "postfix_main_host"))


def test_settings_that_can_be() -> None:
    assert list(mail.setting_faults({"inet_interfaces": "all"}, {"biff": True}, SERVICE, [VIP])) == []


def test_domains() -> None:
    assert list(mail.domain_faults({"local": ["a.test", "localhost"], "relay": ["b.test"]})) == []
    assert list(mail.domain_faults({"local": ["a.test"], "relay": ["b.test", "A.test"], "virtual": ["x y"]})) == [
        "virtual = x y: must be a domain, such as example.com",
        "local and relay = a.test: a domain must be in one of them only",
    ]


@pytest.mark.parametrize(
    ("network", "text"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("172.17.0.75", "172.17.0.75"),
        ("::1/128", "[::1]/128"),
        ("2001:db8::74", "[2001:db8::74]"),
        ("[::1]/128", "[::1]/128"),
        ("cidr:/etc/postfix/networks", "cidr:/etc/postfix/networks"),
    ],
)
def test_brackets(network: str, text: str) -> None:
    assert mail.bracketed(network) == text


def test_what_a_host_lacks() -> None:
    assert list(mail.host_faults("a", {"pkg_mgr": "apt", "service_mgr": "systemd"})) == []
    assert list(mail.host_faults("a", {"pkg_mgr": "dnf", "service_mgr": "systemd"})) == [
        "a: needs apt, as Debian has it, and its facts say pkg_mgr = dnf"
    ]
