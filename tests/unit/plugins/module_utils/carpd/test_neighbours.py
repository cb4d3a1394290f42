# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions and answers about addresses, against packets written by hand after RFC 826 and RFC 4861."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd.announce import Frame, announcements
from ansible_collections.failover.carp.plugins.module_utils.carpd.neighbours import (
    Neighbour,
    question,
    read_arp,
    read_neighbour_message,
)
from hypothesis import given
from hypothesis import strategies as st

MAC = "02fdc0ffee01"
OWN, PEER = "ac11004b", "ac11004c"  # 172.17.0.75 and .76
MACS = st.binary(min_size=6, max_size=6)
LINK_LOCAL, VIRTUAL = "fe800000000000000000000000000075", "20010db80000000000000000abcdef74"


def ones_complement_sum(data: bytes) -> int:
    """Sum 16-bit words as a receiver does: 0xffff over data with its own checksum (RFC 1071)."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return int(total)


def message(text: str, source: str = LINK_LOCAL, hops: str = "ff", destination: str = VIRTUAL) -> bytes:
    """An IPv6 packet with an ICMPv6 message whose checksum stands as 0000 in the text."""
    body, ends = bytes.fromhex(text), bytes.fromhex(source + destination)
    total = 0xFFFF - ones_complement_sum(ends + struct.pack("!II", len(body), 58) + body)
    header = bytes.fromhex("60000000") + struct.pack("!HB", len(body), 58) + bytes.fromhex(hops)
    return header + ends + body[:2] + struct.pack("!H", total) + body[4:]


class TestQuestions:
    def test_arp_request(self) -> None:
        frame = question(IPv4Address("172.17.0.76"), IPv4Address("172.17.0.75"), bytes.fromhex(MAC))
        payload = "0001080006040001" + MAC + OWN + "000000000000" + PEER
        assert frame == Frame(0x0806, b"\xff" * 6, bytes.fromhex(payload))

    def test_arp_probe(self) -> None:
        frame = question(IPv4Address("172.17.0.76"), IPv4Address("0.0.0.0"), bytes.fromhex(MAC))
        payload = "0001080006040001" + MAC + "00000000" + "000000000000" + PEER
        assert frame.payload == bytes.fromhex(payload)
        assert read_arp(frame.payload) is None, "a probe says of nobody where it is"

    def test_neighbour_solicitation(self) -> None:
        frame = question(IPv6Address("2001:db8::abcd:ef74"), IPv6Address("fe80::75"), bytes.fromhex(MAC))
        group = "ff0200000000000000000001ffcdef74"
        wanted = message("8700000000000000" + VIRTUAL + "0101" + MAC, destination=group)
        assert frame == Frame(0x86DD, bytes.fromhex("3333ffcdef74"), wanted)


class TestArp:
    @pytest.mark.parametrize("operation", ["0001", "0002"])
    def test_its_sender_says_who_it_is(self, operation: str) -> None:
        packet = bytes.fromhex("000108000604" + operation + MAC + PEER + "000000000000" + OWN)
        assert read_arp(packet) == read_arp(packet + bytes(18)) == Neighbour(ip_address("172.17.0.76"), packet[8:14])

    @pytest.mark.parametrize(
        "start",
        ["0006080006040001", "000186dd06040001", "0001080008040001", "0001080006100001", "0001080006040003"],
        ids=["not Ethernet", "not IPv4", "long MACs", "long addresses", "reverse"],
    )
    def test_of_another_kind(self, start: str) -> None:
        assert read_arp(bytes.fromhex(start + MAC + PEER + "000000000000" + OWN)) is None

    @given(st.binary(max_size=60))
    def test_any_bytes(self, packet: bytes) -> None:
        found = read_arp(packet)
        assert found is None or (len(packet) >= 28 and found.address.packed == packet[14:18])

    @given(st.ip_addresses(v=4), MACS)
    def test_our_own_announcements(self, address: IPv4Address, mac: bytes) -> None:
        wanted = Neighbour(address, mac) if int(address) else None
        assert [read_arp(frame.payload) for frame in announcements(address, mac)] == [wanted, wanted]


class TestNeighbourMessages:
    ADVERTISEMENT = "8800000060000000" + VIRTUAL
    SOLICITATION = "8700000000000000" + VIRTUAL
    TARGET_OPTION, SOURCE_OPTION = "0201" + MAC, "0101" + MAC

    def test_an_advertisement_tells_of_its_target(self) -> None:
        packet = message(self.ADVERTISEMENT + self.TARGET_OPTION)
        wanted = Neighbour(ip_address("2001:db8::abcd:ef74"), bytes.fromhex(MAC))
        assert read_neighbour_message(packet) == read_neighbour_message(packet + b"padding") == wanted

    def test_a_solicitation_tells_of_its_source(self) -> None:
        packet = message(self.SOLICITATION + self.SOURCE_OPTION)
        assert read_neighbour_message(packet) == Neighbour(ip_address("fe80::75"), bytes.fromhex(MAC))

    def test_other_options_are_passed_over(self) -> None:
        packet = message(self.ADVERTISEMENT + "0e02" + "00" * 14 + self.TARGET_OPTION)
        assert read_neighbour_message(packet) is not None

    @pytest.mark.parametrize(
        "packet",
        [
            message(ADVERTISEMENT),
            message(ADVERTISEMENT + SOURCE_OPTION),
            message(SOLICITATION),
            message(ADVERTISEMENT + "0000" + MAC + TARGET_OPTION),
            message(ADVERTISEMENT + TARGET_OPTION, hops="fe"),
            message("8000" + ADVERTISEMENT[4:] + TARGET_OPTION),
            message("8801" + ADVERTISEMENT[4:] + TARGET_OPTION),
            message(ADVERTISEMENT[:-4]),
            message(ADVERTISEMENT + TARGET_OPTION)[:-1],
            message(ADVERTISEMENT + TARGET_OPTION)[:-1] + b"x",
        ],
        ids=["no MAC", "wrong option", "question", "empty option", "routed", "echo", "code", "short", "cut", "sum"],
    )
    def test_what_tells_nothing(self, packet: bytes) -> None:
        assert read_neighbour_message(packet) is None

    @given(st.binary(max_size=100), st.booleans())
    def test_any_bytes(self, data: bytes, headed: bool) -> None:
        found = read_neighbour_message(message(data.hex()) if headed and len(data) >= 4 and not len(data) % 2 else data)
        assert found is None or len(found.mac) == 6

    @given(st.ip_addresses(v=6), MACS)
    def test_our_own(self, address: IPv6Address, mac: bytes) -> None:
        (frame,) = announcements(address, mac)
        assert read_neighbour_message(frame.payload) == Neighbour(address, mac)
        asked = question(IPv6Address("fe80::1"), address, mac)
        assert read_neighbour_message(asked.payload) == Neighbour(address, mac)
