# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses are read from facts as Ansible really writes them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.plugin_utils.networks import (
    HostAddress,
    bare,
    host_addresses,
    last_octet,
    locate,
    network_of,
)


def texts(facts: dict[str, Any]) -> list[str]:
    return [str(address) for address in host_addresses(facts)]


def test_all_addresses_but_the_loopbacks_are_found(facts: Any) -> None:
    known = host_addresses(facts(eth0=["192.0.2.1/24"], eth1=["172.17.0.75/20", "172.17.0.74/20"], eth2=[]))
    assert [(str(address), address.main) for address in known] == [
        ("eth0 192.0.2.1/24", True),
        ("eth1 172.17.0.75/20", True),
        ("eth1 172.17.0.74/20", False),
    ]


def test_addresses_of_one_link_are_left_out(facts: Any) -> None:
    assert texts(facts(eth0=["192.0.2.1/24", "2001:db8::1/64", "fe80::1/64"])) == [
        "eth0 192.0.2.1/24",
        "eth0 2001:db8::1/64",
    ]


def test_facts_spell_some_names_differently() -> None:
    entry = {"address": "192.0.2.1", "prefix": "24"}
    assert texts({"interfaces": ["br-lan"], "br_lan": {"device": "br-lan", "ipv4": entry}}) == ["br-lan 192.0.2.1/24"]


@pytest.mark.parametrize("alias", ["eth0:1", "eth0_1"])
def test_an_address_with_a_label_belongs_to_its_interface(alias: str) -> None:
    # Ansible lists it under the label, without a device, and under the interface if the kernel calls it secondary.
    own, extra = {"address": "192.0.2.1", "prefix": "24"}, {"address": "192.0.2.9", "prefix": "24"}
    found = {
        "interfaces": ["eth0", "eth0a", alias],
        "eth0": {"device": "eth0", "ipv4": own, "ipv4_secondaries": [extra]},
        "eth0a": {"device": "eth0a"},
        "eth0_1": {"ipv4": extra},
    }
    assert texts(found) == ["eth0 192.0.2.1/24", "eth0 192.0.2.9/24"]
    assert [address.main for address in host_addresses(found)] == [True, False]


def test_without_a_prefix_the_netmask_tells_it() -> None:
    entry = {"address": "172.17.0.75", "netmask": "255.255.240.0"}
    assert texts({"interfaces": ["eth1"], "eth1": {"device": "eth1", "ipv4": entry}}) == ["eth1 172.17.0.75/20"]


@pytest.mark.parametrize(
    "facts", [{}, {"interfaces": None}, {"interfaces": ["eth0"]}, {"interfaces": ["eth0"], "eth0": 1}]
)
def test_facts_that_tell_nothing_give_nothing(facts: dict[str, Any]) -> None:
    assert host_addresses(facts) == []


ETH0 = HostAddress("eth0", "192.0.2.1", 24, True)
ETH1 = HostAddress("eth1", "172.17.0.75", 20, True)
NARROW = HostAddress("eth1", "172.17.0.1", 24, False)
TWIN = HostAddress("eth2", "172.17.0.99", 20, True)


@pytest.mark.parametrize(
    ("address", "interface", "found"),
    [
        ("172.17.15.254", None, [ETH1]),
        ("172.17.16.0", None, []),
        ("172.17.0.74", None, [NARROW]),
        ("172.17.0.74", "eth0", []),
        ("192.0.2.74", "eth0", [ETH0]),
    ],
)
def test_an_address_is_located(address: str, interface: str | None, found: list[HostAddress]) -> None:
    assert locate(address, [ETH0, ETH1, NARROW], interface) == found


def test_two_interfaces_in_one_network_are_both_found() -> None:
    assert locate("172.17.0.74", [ETH1, TWIN]) == [ETH1, TWIN]
    assert locate("172.17.0.74", [ETH1, TWIN], "eth2") == [TWIN]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("172.17.0.74", "172.17.0.74"),
        ("172.17.0.74/20", "172.17.0.74"),
        ("172.17.74", None),
        ("172.17.0.256", None),
        ("mail.example.com", None),
        ("2001:DB8::0:74/64", "2001:db8::74"),
        ("", None),
    ],
)
def test_an_address_is_told_from_other_text(text: str, address: str | None) -> None:
    assert bare(text) == address


def test_networks_and_octets() -> None:
    assert network_of("172.17.0.75/20") == "172.17.0.0/20"
    assert ETH1.network() == "172.17.0.0/20"
    assert last_octet("172.17.0.74") == 74
