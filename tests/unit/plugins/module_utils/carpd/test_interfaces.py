# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of the host's interfaces: whether a virtual host can work, where it sends from, what is in its way."""

from __future__ import annotations

import logging
import math
import re
from ipaddress import IPv4Address, IPv4Interface, IPv6Interface, ip_address, ip_interface
from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd.config import Vip
from ansible_collections.failover.carp.plugins.module_utils.carpd.interfaces import PATIENCE, Interfaces, Obstacle
from ansible_collections.failover.carp.plugins.module_utils.carpd.netlink import (
    AddressGone,
    AddressThere,
    Link,
    LinkGone,
)
from hypothesis import given
from hypothesis import strategies as st

ETH1 = Link(3, "eth1", bytes.fromhex("020000000001"), True)
VIRTUAL = IPv4Interface("172.17.0.74/20")
OWN = IPv4Interface("172.17.0.75/20")
VIRTUAL_6, LINK_LOCAL = IPv6Interface("2001:db8::74/64"), IPv6Interface("fe80::75/64")


def vip(**changed: Any) -> Vip:
    fields = {"name": "smtp", "interface": "eth1", "vhid": 1, "addresses": (VIRTUAL,), "password": b"sesame"}
    timing = {"advbase": 1, "advskew": 0, "preempt": True, "dead_ratio": 3, "source": None}
    return Vip(**{**fields, **timing, **changed})


def there(address: Any, index: int = 3, leased: bool = False) -> AddressThere:
    return AddressThere(index, ip_interface(address), leased)


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def picture(*notices: Any, clock: Clock | None = None) -> Interfaces:
    interfaces = Interfaces(clock or Clock())
    for notice in notices:
        interfaces.note(notice)
    return interfaces


def source(
    interfaces: Interfaces, one: Vip, virtual: set[IPv4Address] | None = None, holds: bool = False, used: str = ""
) -> str:
    """Return the addresses that the virtual host's advertisements come from, or what is in its way."""
    every = {address.ip for address in one.addresses} if virtual is None else virtual
    so_far = {each.version: each for each in map(ip_address, used.split())}
    try:
        link, sources = interfaces.usable(one, every, holds, so_far)
    except Obstacle as obstacle:
        return str(obstacle)
    assert link.name == one.interface
    assert all(version == address.version for version, address in sources.items())
    return " and ".join(str(address) for address in sources.values())


class Listing:
    """Stands in for the kernel's lists."""

    def __init__(self, links: list[Link], addresses: list[AddressThere]) -> None:
        self._links, self._addresses = links, addresses

    def links(self) -> list[Link]:
        return self._links

    def addresses(self) -> list[AddressThere]:
        return self._addresses


class TestSource:
    def test_the_only_address(self) -> None:
        assert source(picture(ETH1, there(OWN)), vip()) == "172.17.0.75"

    def test_the_first_in_the_network_of_the_first_virtual_address(self) -> None:
        interfaces = picture(
            ETH1, there("10.0.0.1/8"), there("172.17.0.75/20"), there("172.17.0.76/20"), there("192.0.2.1/24")
        )
        assert source(interfaces, vip()) == "172.17.0.75"
        other = vip(addresses=(IPv4Interface("192.0.2.9/24"), VIRTUAL))
        assert source(interfaces, other) == "192.0.2.1"

    def test_the_own_network_counts_not_that_of_the_virtual_address(self) -> None:
        # A virtual address may well be a /32, as ucarp's scripts add it.
        one = vip(addresses=(IPv4Interface("172.17.0.74/32"),))
        assert source(picture(ETH1, there("10.0.0.1/8"), there(OWN)), one) == "172.17.0.75"

    def test_the_first_at_all_where_none_is_near(self) -> None:
        assert source(picture(ETH1, there("10.0.0.1/8"), there("192.0.2.1/24")), vip()) == "10.0.0.1"

    def test_no_virtual_address_is_an_own_one(self) -> None:
        other = IPv4Interface("172.17.0.73/20")
        interfaces = picture(ETH1, there(VIRTUAL, leased=True), there(other, leased=True), there(OWN))
        assert source(interfaces, vip(), {VIRTUAL.ip, other.ip}) == "172.17.0.75"

    def test_an_own_address_may_have_a_lease(self) -> None:
        assert source(picture(ETH1, there(OWN, leased=True)), vip()) == "172.17.0.75"

    def test_as_configured(self) -> None:
        interfaces = picture(ETH1, there(OWN), there("10.0.0.1/8"))
        assert source(interfaces, vip(source=IPv4Address("10.0.0.1"))) == "10.0.0.1"

    def test_addresses_of_other_interfaces_do_not_count(self) -> None:
        eth2 = ETH1._replace(ifindex=4, name="eth2")
        assert source(picture(eth2, ETH1, there(OWN, 4), there("10.0.0.1/8", 3)), vip()) == "10.0.0.1"


class TestSourceOfIPv6:
    def test_the_link_local_address(self) -> None:
        interfaces = picture(ETH1, there("2001:db8::75/64"), there(LINK_LOCAL), there("fe80::99/64"))
        assert source(interfaces, vip(addresses=(VIRTUAL_6,))) == "fe80::75"

    def test_both_families(self) -> None:
        interfaces = picture(ETH1, there(LINK_LOCAL), there(OWN))
        assert source(interfaces, vip(addresses=(VIRTUAL_6, VIRTUAL))) == "172.17.0.75 and fe80::75"

    def test_the_network_of_the_first_ipv4_address_decides(self) -> None:
        interfaces = picture(ETH1, there("10.0.0.1/8"), there(OWN), there(LINK_LOCAL))
        assert source(interfaces, vip(addresses=(VIRTUAL_6, VIRTUAL))).startswith("172.17.0.75")

    def test_the_configured_source_is_for_ipv4(self) -> None:
        interfaces = picture(ETH1, there(OWN), there("10.0.0.1/8"), there(LINK_LOCAL))
        one = vip(addresses=(VIRTUAL_6, VIRTUAL), source=IPv4Address("10.0.0.1"))
        assert source(interfaces, one) == "10.0.0.1 and fe80::75"

    def test_a_virtual_link_local_address_is_not_an_own_one(self) -> None:
        virtual = IPv6Interface("fe80::74/64")
        interfaces = picture(ETH1, there(virtual, leased=True), there(LINK_LOCAL))
        assert source(interfaces, vip(addresses=(virtual,))) == "fe80::75"

    def test_no_link_local_address(self) -> None:
        interfaces = picture(ETH1, there(OWN), there("2001:db8::75/64"))
        expected = "eth1 has no link-local IPv6 address"
        assert source(interfaces, vip(addresses=(VIRTUAL_6,))) == expected
        assert source(interfaces, vip(addresses=(VIRTUAL, VIRTUAL_6))) == expected

    def test_ipv4_alone_does_not_ask_for_it(self) -> None:
        assert source(picture(ETH1, there(OWN)), vip()) == "172.17.0.75"

    def test_ipv6_alone_does_not_ask_for_ipv4(self) -> None:
        assert source(picture(ETH1, there(LINK_LOCAL)), vip(addresses=(VIRTUAL_6,))) == "fe80::75"

    @pytest.mark.parametrize(
        ("peers", "expected"),
        [
            (["fe80::76"], "fe80::75"),
            (["172.17.0.76"], "fe80::75"),
            (["2001:db8::76"], "2001:db8::75"),
            (["fe80::76", "2001:db8::76"], "2001:db8::75"),
            (["2001:db8:ffff::76"], "2001:db8:1::75"),
        ],
    )
    def test_peers_elsewhere_need_one_that_they_can_answer(self, peers: list[str], expected: str) -> None:
        own = [there(address) for address in (LINK_LOCAL, "2001:db8:1::75/64", "2001:db8::75/64")]
        one = vip(addresses=(VIRTUAL_6,), peers=tuple(ip_address(peer) for peer in peers))
        assert source(picture(ETH1, *own), one) == expected

    def test_no_such_address(self) -> None:
        one = vip(addresses=(VIRTUAL_6,), peers=(ip_address("2001:db8::76"),))
        told = source(picture(ETH1, there(LINK_LOCAL)), one)
        assert told == "eth1 has no IPv6 address of its own but a link-local one, as peers ask for"

    def test_configured_for_good(self) -> None:
        interfaces = picture(ETH1, there(LINK_LOCAL), there(VIRTUAL_6))
        one = vip(addresses=(VIRTUAL_6,))
        assert source(interfaces, one).startswith("2001:db8::74/64 is configured on eth1 for good")
        assert source(interfaces, one, holds=True) == "fe80::75"


class TestObstacles:
    def test_no_interface(self) -> None:
        assert source(picture(), vip()) == "there is no interface eth1"
        assert source(picture(ETH1._replace(name="eth10")), vip()) == "there is no interface eth1"

    def test_down(self) -> None:
        interfaces = picture(ETH1._replace(running=False), there(OWN))
        assert source(interfaces, vip()) == "eth1 is down or has no carrier"

    def test_no_address(self) -> None:
        assert source(picture(ETH1), vip()) == "eth1 has no IPv4 address of its own"

    def test_none_but_virtual_ones(self) -> None:
        interfaces = picture(ETH1, there(VIRTUAL, leased=True))
        assert source(interfaces, vip(), holds=True) == "eth1 has no IPv4 address of its own"

    def test_not_the_configured_source(self) -> None:
        interfaces = picture(ETH1, there(OWN))
        expected = "eth1 does not have the source address 172.17.0.76"
        assert source(interfaces, vip(source=IPv4Address("172.17.0.76"))) == expected

    def test_the_source_is_a_virtual_address(self) -> None:
        interfaces = picture(ETH1, there(OWN), there(VIRTUAL, leased=True))
        expected = "eth1 does not have the source address 172.17.0.74"
        assert source(interfaces, vip(source=VIRTUAL.ip)) == expected

    @pytest.mark.parametrize("prefix", [20, 32])
    def test_the_virtual_address_is_configured_for_good(self, prefix: int) -> None:
        interfaces = picture(ETH1, there(OWN), there(f"172.17.0.74/{prefix}"))
        expected = f"172.17.0.74/{prefix} is configured on eth1 for good: remove it there, it is carpd's"
        assert source(interfaces, vip()) == expected

    def test_a_second_virtual_address_is_configured_for_good(self) -> None:
        interfaces = picture(ETH1, there(OWN), there(VIRTUAL, leased=True), there("172.17.0.73/20"))
        one = vip(addresses=(VIRTUAL, IPv4Interface("172.17.0.73/20")))
        assert source(interfaces, one).startswith("172.17.0.73/20 is configured on eth1 for good")

    def test_what_a_dead_daemon_left_is_none(self) -> None:
        assert source(picture(ETH1, there(OWN), there(VIRTUAL, leased=True)), vip()) == "172.17.0.75"

    def test_what_it_holds_itself_is_none(self) -> None:
        assert source(picture(ETH1, there(OWN), there(VIRTUAL)), vip(), holds=True) == "172.17.0.75"


class TestPatience:
    """An address that advertisements come from goes, and may be back in a moment."""

    OWN_6 = "fe80::75"

    def test_it_is_waited_for(self, caplog: pytest.LogCaptureFixture) -> None:
        clock = Clock()
        interfaces = picture(ETH1, there(OWN), AddressGone(3, OWN), clock=clock)
        assert source(interfaces, vip(), used="172.17.0.75") == "172.17.0.75"
        assert interfaces.next_timer == clock.now + PATIENCE[4]
        clock.now += 0.9 * PATIENCE[4]
        assert source(interfaces, vip(), used="172.17.0.75") == "172.17.0.75"
        clock.now = interfaces.next_timer
        assert source(interfaces, vip(), used="172.17.0.75") == "eth1 has no IPv4 address of its own"
        interfaces.forget()
        assert interfaces.next_timer == math.inf
        assert caplog.messages == ["eth1 has lost 172.17.0.75, which may be back within 1 s"]

    def test_it_comes_back(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        clock = Clock()
        interfaces = picture(ETH1, there(OWN), AddressGone(3, OWN), clock=clock)
        source(interfaces, vip(), used="172.17.0.75")
        clock.now += 0.016
        interfaces.note(there(OWN))
        assert source(interfaces, vip(), used="172.17.0.75") == "172.17.0.75"
        assert interfaces.next_timer == math.inf
        assert caplog.messages[-1] == "eth1 has 172.17.0.75 again"
        clock.now += 100
        interfaces.note(AddressGone(3, OWN))
        assert source(interfaces, vip(), used="172.17.0.75") == "172.17.0.75", "each time counts anew"

    def test_with_ipv6_duplicates_are_looked_for_before(self) -> None:
        clock = Clock()
        interfaces, one = picture(ETH1, clock=clock), vip(addresses=(VIRTUAL_6,))
        assert source(interfaces, one, used=self.OWN_6) == self.OWN_6
        clock.now += 2.0
        assert source(interfaces, one, used=self.OWN_6) == self.OWN_6
        clock.now = interfaces.next_timer
        assert source(interfaces, one, used=self.OWN_6) == "eth1 has no link-local IPv6 address"

    def test_of_two_families_each_has_its_own_time(self) -> None:
        clock = Clock()
        interfaces, one = picture(ETH1, clock=clock), vip(addresses=(VIRTUAL, VIRTUAL_6))
        both = f"{OWN.ip} {self.OWN_6}"
        assert source(interfaces, one, used=both) == f"{OWN.ip} and {self.OWN_6}"
        clock.now = interfaces.next_timer
        assert clock.now == 1000.0 + PATIENCE[4]
        assert source(interfaces, one, used=both) == "eth1 has no IPv4 address of its own"

    def test_no_other_one_takes_its_place_meanwhile(self) -> None:
        """Peers may know none but this one."""
        clock = Clock()
        interfaces = picture(ETH1, there(OWN), there("172.17.0.76/20"), AddressGone(3, OWN), clock=clock)
        assert source(interfaces, vip(), used="172.17.0.75") == "172.17.0.75"
        interfaces.note(there(OWN))
        assert source(interfaces, vip(), used="172.17.0.75") == "172.17.0.75", "though it comes behind the other now"
        interfaces.note(AddressGone(3, OWN))
        assert source(interfaces, vip(), used="172.17.0.75") == "172.17.0.75"
        clock.now = interfaces.next_timer
        assert source(interfaces, vip(), used="172.17.0.75") == "172.17.0.76"

    def test_what_nothing_comes_from_is_not_waited_for(self) -> None:
        interfaces = picture(ETH1, there(OWN), there("172.17.0.76/20"), AddressGone(3, OWN))
        assert source(interfaces, vip(), used="172.17.0.76") == "172.17.0.76"
        assert source(picture(ETH1), vip()) == "eth1 has no IPv4 address of its own", "nor at the start"
        assert interfaces.next_timer == math.inf

    def test_an_interface_that_has_gone_is_told_of_at_once(self) -> None:
        interfaces = picture(ETH1, there(OWN), LinkGone(3))
        assert source(interfaces, vip(), used="172.17.0.75") == "there is no interface eth1"
        interfaces = picture(ETH1._replace(running=False))
        assert source(interfaces, vip(), used="172.17.0.75") == "eth1 is down or has no carrier"

    def test_what_was_not_told_but_looked_up_counts_as_well(self) -> None:
        interfaces = picture(ETH1, there(OWN))
        interfaces.load(Listing([ETH1], []))
        assert source(interfaces, vip(), used="172.17.0.75") == "172.17.0.75"


class TestOvertaken:
    BEHIND = there(OWN)._replace(secondary=True)

    def test_an_own_address_that_came_back_behind_a_virtual_one(self) -> None:
        interfaces = picture(ETH1, there(VIRTUAL, leased=True), self.BEHIND)
        assert interfaces.overtaken({VIRTUAL.ip}) == {(3, OWN.network)}
        interfaces.note(there(OWN))
        assert interfaces.overtaken({VIRTUAL.ip}) == set()

    def test_also_behind_one_of_which_nothing_was_told(self) -> None:
        """The kernel does not tell of what this daemon adds itself."""
        assert picture(ETH1, self.BEHIND).overtaken({VIRTUAL.ip}) == {(3, OWN.network)}

    def test_not_behind_another_own_one(self) -> None:
        interfaces = picture(ETH1, there("172.17.0.76/20"), self.BEHIND)
        assert interfaces.overtaken({VIRTUAL.ip}) == set()

    def test_not_in_the_order_that_all_begins_with(self) -> None:
        interfaces = picture(ETH1, there(OWN), there(VIRTUAL, leased=True)._replace(secondary=True))
        assert interfaces.overtaken({VIRTUAL.ip}) == set()

    def test_not_among_virtual_addresses_alone(self) -> None:
        second = IPv4Interface("172.17.0.73/20")
        both = there(VIRTUAL, leased=True), there(second, leased=True)._replace(secondary=True)
        assert picture(ETH1, *both).overtaken({VIRTUAL.ip, second.ip}) == set()

    def test_each_interface_and_network_for_itself(self) -> None:
        elsewhere, other = self.BEHIND._replace(ifindex=4), there("192.0.2.1/24")._replace(secondary=True)
        interfaces = picture(ETH1, there(OWN), elsewhere, other)
        assert interfaces.overtaken({VIRTUAL.ip}) == {(4, OWN.network), (3, other.address.network)}


class TestNotices:
    def test_load_begins_anew(self) -> None:
        interfaces = picture(ETH1, there("10.0.0.1/8"))
        interfaces.load(Listing([ETH1._replace(ifindex=7)], [there(OWN, 7)]))
        assert source(interfaces, vip()) == "172.17.0.75"
        interfaces.load(Listing([], []))
        assert source(interfaces, vip()) == "there is no interface eth1"

    def test_the_link_comes_and_goes(self) -> None:
        interfaces = picture(ETH1, there(OWN))
        interfaces.note(ETH1._replace(running=False))
        assert "down" in source(interfaces, vip())
        interfaces.note(ETH1)
        assert source(interfaces, vip()) == "172.17.0.75"

    def test_the_interface_goes_with_its_addresses(self) -> None:
        interfaces = picture(ETH1, there(OWN), LinkGone(3), ETH1)
        assert source(interfaces, vip()) == "eth1 has no IPv4 address of its own"

    def test_the_interface_comes_back_with_another_number(self) -> None:
        interfaces = picture(ETH1, there(OWN), LinkGone(3), ETH1._replace(ifindex=9), there("172.17.0.80/20", 9))
        assert source(interfaces, vip()) == "172.17.0.80"

    def test_the_interface_is_renamed(self) -> None:
        interfaces = picture(ETH1, there(OWN), ETH1._replace(name="wan"))
        assert source(interfaces, vip()) == "there is no interface eth1"
        assert source(interfaces, vip(interface="wan")) == "172.17.0.75"

    def test_an_address_goes(self) -> None:
        interfaces = picture(ETH1, there(OWN), there("172.17.0.76/20"), AddressGone(3, OWN))
        assert source(interfaces, vip()) == "172.17.0.76"

    def test_an_address_goes_from_another_interface(self) -> None:
        interfaces = picture(ETH1, there(OWN), AddressGone(4, OWN))
        assert source(interfaces, vip()) == "172.17.0.75"

    def test_an_address_turns_from_leased_to_permanent(self) -> None:
        interfaces = picture(ETH1, there(OWN), there(VIRTUAL, leased=True), there(VIRTUAL))
        assert "for good" in source(interfaces, vip())

    def test_one_of_two_prefixes_of_an_address_goes(self) -> None:
        """Linux holds an address with two prefix lengths as two, and removes them one by one."""
        interfaces = picture(ETH1, there("172.17.0.75/32"), there(OWN), AddressGone(3, IPv4Interface("172.17.0.75/32")))
        assert source(interfaces, vip()) == "172.17.0.75"

    def test_a_permanent_address_is_seen_beside_its_leased_twin(self) -> None:
        interfaces = picture(ETH1, there(OWN), there("172.17.0.74/32"), there(VIRTUAL, leased=True))
        assert "for good" in source(interfaces, vip())

    @given(
        st.lists(
            st.builds(Link, st.integers(1, 3), st.sampled_from(["eth1", "eth2"]), st.just(bytes(6)), st.booleans())
            | st.builds(LinkGone, st.integers(1, 3))
            | st.builds(AddressThere, st.integers(1, 3), st.sampled_from([VIRTUAL, OWN]), st.booleans())
            | st.builds(AddressGone, st.integers(1, 3), st.sampled_from([VIRTUAL, OWN])),
            max_size=20,
        )
    )
    def test_in_whatever_order_they_come(self, notices: list[Any]) -> None:
        """Either the own address is the source, or one of the known obstacles is in the way."""
        obstacle = re.compile("there is no|eth1 is down|eth1 has no|172.17.0.74/20 is configured on eth1")
        found = source(picture(*notices), vip())
        assert found == str(OWN.ip) or obstacle.match(found)


class TestLeftOver:
    def test_the_virtual_addresses_that_are_there(self) -> None:
        second, third = IPv4Interface("172.17.0.73/20"), IPv4Interface("172.17.0.72/20")
        interfaces = picture(ETH1, there(OWN), there(VIRTUAL, leased=True), there(third, leased=True))
        one = vip(addresses=(VIRTUAL, second, third))
        assert interfaces.left_over(one, ETH1) == [there(VIRTUAL, leased=True), there(third, leased=True)]

    def test_with_the_prefix_that_it_has(self) -> None:
        interfaces = picture(ETH1, there("172.17.0.74/32", leased=True))
        assert interfaces.left_over(vip(), ETH1) == [there("172.17.0.74/32", leased=True)]

    def test_not_on_another_interface(self) -> None:
        interfaces = picture(ETH1, there(VIRTUAL, 4, leased=True))
        assert interfaces.left_over(vip(), ETH1) == []


def test_whose_mac_it_is() -> None:
    interfaces = picture(ETH1, Link(4, "eth2", bytes.fromhex("020000000002"), True))
    interfaces.note(Link(5, "carp3-1", bytes.fromhex("00005e000101"), False))
    assert not interfaces.is_ours(bytes.fromhex("00005e000101")), "one that is down says nothing"
    assert interfaces.is_ours(ETH1.mac)
    assert interfaces.is_ours(bytes.fromhex("020000000002"))
    assert not interfaces.is_ours(bytes.fromhex("020000000003"))


def test_a_renewed_lease_is_no_news() -> None:
    interfaces, address = picture(ETH1), there(OWN)
    assert interfaces.note(address)
    assert not interfaces.note(address)
    assert interfaces.note(address._replace(leased=not address.leased))
    assert interfaces.note(AddressGone(address.ifindex, address.address))
    assert interfaces.note(address), "it was gone in between"
    assert interfaces.note(ETH1)


class TestRoutine:
    """Of hundreds of addresses that are taken over, none but itself is changed by another."""

    def test_a_leased_address_of_ours(self) -> None:
        assert picture(ETH1).is_routine(there(VIRTUAL, leased=True), {VIRTUAL.ip})

    def test_not_one_that_somebody_else_may_have_configured(self) -> None:
        assert not picture(ETH1).is_routine(there(VIRTUAL), {VIRTUAL.ip})
        assert not picture(ETH1, there(VIRTUAL)).is_routine(there(VIRTUAL, leased=True), {VIRTUAL.ip})

    def test_nor_anything_else(self) -> None:
        assert not picture(ETH1).is_routine(there(OWN, leased=True), {VIRTUAL.ip})
        assert not picture(ETH1).is_routine(AddressGone(3, VIRTUAL), {VIRTUAL.ip})
        assert not picture(ETH1).is_routine(ETH1, {VIRTUAL.ip})
