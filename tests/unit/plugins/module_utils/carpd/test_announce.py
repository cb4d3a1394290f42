# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packets that say where an address is, against packets written by hand after RFC 826 and RFC 4861."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd.announce import Frame, announcements, group_mac
from hypothesis import given
from hypothesis import strategies as st

MACS = st.binary(min_size=6, max_size=6)
MAC = "02fdc0ffee01"
ARP, IPV6 = 0x0806, 0x86DD
EVERYONE, ALL_NODES = bytes.fromhex("ffffffffffff"), bytes.fromhex("333300000001")


class TestGratuitousArp:
    # Ethernet, IPv4, addresses of 6 and 4 bytes.
    START, ADDRESS = "000108000604", "ac11004a"

    def test_request(self) -> None:
        request, _reply = announcements(IPv4Address("172.17.0.74"), bytes.fromhex(MAC))
        # An announcement (RFC 5227, 3): both protocol addresses are the announced one, nobody's MAC is asked for.
        payload = self.START + "0001" + MAC + self.ADDRESS + "000000000000" + self.ADDRESS
        assert request == Frame(ARP, EVERYONE, bytes.fromhex(payload))

    def test_reply(self) -> None:
        _request, reply = announcements(IPv4Address("172.17.0.74"), bytes.fromhex(MAC))
        payload = self.START + "0002" + MAC + self.ADDRESS + "ffffffffffff" + self.ADDRESS
        assert reply == Frame(ARP, EVERYONE, bytes.fromhex(payload))

    @given(st.ip_addresses(v=4), MACS, st.booleans())
    def test_any_address(self, address: IPv4Address, mac: bytes, router: bool) -> None:
        frames = announcements(address, mac, router)
        assert [frame.payload[7] for frame in frames] == [1, 2]
        for frame in frames:
            assert len(frame.payload) == 28
            assert frame.payload[8:14] == mac
            assert frame.payload[14:18] == frame.payload[24:28] == address.packed


class TestNeighbourAdvertisement:
    def test_by_hand(self) -> None:
        (frame,) = announcements(IPv6Address("2001:db8::74"), bytes.fromhex(MAC))
        address, all_nodes = "20010db8000000000000000000000074", "ff020000000000000000000000000001"
        # Flags: override, neither router nor solicited. Option 2 of one unit of 8 bytes: the target's MAC.
        body = "20000000" + address + "02" + "01" + MAC
        # The checksum (RFC 4443, 2.3) over the ends, length 32, next header 58 and the message with a zero in its
        # place, added up on paper: 2001+0db8+0074 twice (ends and target), ff02+0001, 0020, 003a, 8800, 2000,
        # 0201, 02fd, c0ff, ee01 make 3b7b5; with the carry b7b8, and its complement is 4847.
        assert frame == Frame(
            IPV6,
            ALL_NODES,
            bytes.fromhex("6000000000203aff" + address + all_nodes + "88004847" + body),
        )

    def test_a_router_says_so(self) -> None:
        (host,) = announcements(IPv6Address("2001:db8::74"), bytes.fromhex(MAC), router=False)
        (router,) = announcements(IPv6Address("2001:db8::74"), bytes.fromhex(MAC), router=True)
        assert host.payload[44] == 0x20
        assert router.payload[44] == 0xA0

    @given(st.ip_addresses(v=6), MACS, st.booleans())
    def test_any_address(self, address: IPv6Address, mac: bytes, router: bool) -> None:
        (frame,) = announcements(address, mac, router)
        header, message = frame.payload[:40], frame.payload[40:]
        assert header[8:24] == message[8:24] == address.packed
        assert message[26:] == mac
        pseudo_header = header[8:40] + struct.pack("!II", len(message), 58)
        words = struct.unpack(f"!{(len(pseudo_header) + len(message)) // 2}H", pseudo_header + message)
        assert sum(words) % 0xFFFF == 0, "with its checksum, all sums up to nothing"


@pytest.mark.parametrize(
    ("group", "mac"),
    [
        ("224.0.0.18", "01005e000012"),
        ("239.255.255.255", "01005e7fffff"),  # only 23 bits
        ("224.128.0.1", "01005e000001"),
        ("ff02::12", "333300000012"),
        ("ff02::1", "333300000001"),
        ("ff02::1:ff12:3456", "3333ff123456"),
    ],
)
def test_group_macs(group: str, mac: str) -> None:
    assert group_mac(ip_address(group)).hex() == mac
