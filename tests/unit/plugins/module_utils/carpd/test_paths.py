# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of one advertisement: made for each path, and recognised by whoever hears several."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd.packet import GROUPS, Advertisement, Datagram
from ansible_collections.failover.carp.plugins.module_utils.carpd.paths import (
    BROADCAST,
    MULTICAST,
    PATHS,
    UNICAST,
    Copies,
    Copy,
    copies,
)

FIRST, SECOND, THIRD = IPv4Address("172.17.0.75"), IPv4Address("172.17.0.76"), IPv6Address("fe80::77")
PACKET = Datagram(FIRST, GROUPS[4], b"payload!").encode()
PACKET_6 = Datagram(IPv6Address("fe80::75"), GROUPS[6], b"payload!").encode()
ADVERTISEMENT = Advertisement(vhid=1, advbase=1, advskew=0, demotion=0, counter=7, mac=bytes(20))


class TestMaking:
    @pytest.mark.parametrize("path", [MULTICAST, BROADCAST])
    def test_to_the_group_the_packet_is_the_same(self, path: str) -> None:
        """And not only with multicast: as IP destination, ucarp -M knows nothing but its group."""
        assert copies([PACKET, PACKET_6], [path], [SECOND]) == [Copy(PACKET, path), Copy(PACKET_6, path)]

    def test_to_peers_each_of_its_version(self) -> None:
        found = copies([PACKET, PACKET_6], [UNICAST], [SECOND, THIRD])
        assert {copy.path for copy in found} == {UNICAST}
        datagrams = [Datagram.decode(copy.packet) for copy in found]
        assert [datagram.destination for datagram in datagrams] == [SECOND, THIRD]
        assert [datagram.source.version for datagram in datagrams] == [4, 6]

    def test_all_at_once(self) -> None:
        found = copies([PACKET], PATHS, [FIRST, SECOND])
        assert [copy.path for copy in found] == [MULTICAST, BROADCAST, UNICAST, UNICAST]


class TestRecognising:
    def test_a_copy(self) -> None:
        heard = Copies()
        assert not heard.has(ADVERTISEMENT, FIRST, 10.0)
        assert heard.has(ADVERTISEMENT, FIRST, 10.001)
        assert heard.has(ADVERTISEMENT, FIRST, 10.099)

    def test_later_the_same_bytes_are_news(self) -> None:
        heard = Copies()
        times = [10.0, 10.11, 11.0, 12.0]
        assert [heard.has(ADVERTISEMENT, FIRST, time) for time in times] == [False] * 4

    def test_a_fast_one_s_are_news_after_half_an_interval(self) -> None:
        fast, heard = ADVERTISEMENT._replace(advbase=0, advskew=10), Copies()
        assert [heard.has(fast, FIRST, time) for time in (10.0, 10.019, 10.02)] == [False, True, False]

    @pytest.mark.parametrize("change", [{"counter": 8}, {"advskew": 1}, {"demotion": 1}, {"advbase": 2}])
    def test_anything_else_is_news(self, change: dict[str, int]) -> None:
        heard = Copies()
        assert not heard.has(ADVERTISEMENT, FIRST, 10.0)
        assert not heard.has(ADVERTISEMENT._replace(**change), FIRST, 10.0)
        assert not heard.has(ADVERTISEMENT, SECOND, 10.0)

    def test_of_many_senders_the_oldest_are_forgotten(self) -> None:
        heard = Copies()
        senders = [IPv4Address(f"10.0.0.{number}") for number in range(100)]
        for sender in senders:
            assert not heard.has(ADVERTISEMENT, sender, 10.0)
        assert heard.has(ADVERTISEMENT, senders[-1], 10.0)
        assert not heard.has(ADVERTISEMENT, senders[0], 10.0)
