# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters, run as the kernel runs them (linux/filter.h)."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd import filters
from ansible_collections.failover.carp.plugins.module_utils.carpd.announce import announcements
from ansible_collections.failover.carp.plugins.module_utils.carpd.neighbours import question
from ansible_collections.failover.carp.plugins.module_utils.carpd.packet import GROUPS, Datagram
from hypothesis import given
from hypothesis import strategies as st

OUTGOING = 4  # PACKET_OUTGOING of linux/if_packet.h
MAC = bytes.fromhex("020000000001")
PACKETS = {
    4: Datagram(IPv4Address("172.17.0.75"), GROUPS[4], b"payload!").encode(),
    6: Datagram(IPv6Address("fe80::75"), GROUPS[6], b"payload!").encode(),
}
PROGRAMS = {4: filters.carp_filter(9), 6: filters.ipv6_filter([])}


def accepted(program: list[filters.Line], kind: int, packet: bytes) -> int:
    """Return how many bytes of a packet a program lets through."""
    accumulator, at = 0, 0
    while True:
        code, if_true, if_false, value = program[at]
        at += 1
        if code in (0x30, 0x28, 0x20):  # load one, two or four bytes: of the packet's properties, or of the packet
            size = {0x30: 1, 0x28: 2, 0x20: 4}[code]
            if value >= 0xFFFFF000:
                assert value == 0xFFFFF000 + 4, "its type is all that is asked"
                accumulator = kind
            elif value + size <= len(packet):
                accumulator = int.from_bytes(packet[value : value + size], "big")
            else:
                return 0
        elif code == 0x15:  # jump if equal
            assert max(if_true, if_false) <= 255
            at += if_true if accumulator == value else if_false
        elif code == 0x05:  # jump
            at += value
        elif code == 0x06:  # return
            return value
        else:
            raise AssertionError(f"unknown instruction {code:#x}")


@given(
    st.sampled_from(range(5)), st.sampled_from([4, 6]), st.binary(max_size=80) | st.sampled_from([*PACKETS.values()])
)
def test_advertisements(kind: int, version: int, packet: bytes) -> None:
    at = {4: 9, 6: 6}[version]  # where the header names what it carries
    wanted = kind != OUTGOING and packet[at : at + 1] == b"\x70"
    assert accepted(PROGRAMS[version], kind, packet) == (0xFFFF if wanted else 0)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("kind", range(5))
def test_what_is_sent_out_is_not_heard(kind: int, version: int) -> None:
    packet = PACKETS[version]
    assert (accepted(PROGRAMS[version], kind, packet) > 0) is (kind != OUTGOING)
    assert accepted(PROGRAMS[version], kind, packet.replace(b"\x70", b"\x11")) == 0


@given(st.sets(st.ip_addresses(v=4), max_size=600), st.ip_addresses(v=4), st.booleans())
def test_arp_of_an_address(addresses: set[IPv4Address], other: IPv4Address, outgoing: bool) -> None:
    program = filters.arp_filter(addresses)
    kind = OUTGOING if outgoing else 1
    for address in [*sorted(addresses)[:3], *sorted(addresses)[-3:], other]:
        wanted = address in addresses or len(addresses) > filters.MOST_ADDRESSES
        claim, request = announcements(address, MAC)[1].payload, question(other, address, MAC).payload
        for packet in (claim, request):
            assert (accepted(program, kind, packet) > 0) is (wanted and not outgoing)


@pytest.mark.parametrize("count", [0, 1, 2, 255, 256, 500, 501, 2000])
def test_any_number_of_addresses(count: int) -> None:
    """The kernel takes 4096 lines at most, and a conditional jump passes over 255 at most."""
    addresses = [IPv4Address(f"10.1.{number // 250}.{number % 250}") for number in range(count)]
    program = filters.arp_filter(addresses)
    assert len(program) < 600
    heard = [accepted(program, 0, announcements(address, MAC)[0].payload) for address in addresses]
    assert heard == [0xFFFF] * count
    stranger = announcements(IPv4Address("192.0.2.1"), MAC)[0].payload
    assert (accepted(program, 0, stranger) > 0) is (count > 500)


@pytest.mark.parametrize("kind", [0, 3, OUTGOING])
def test_neighbour_messages(kind: int) -> None:
    """Of an advertisement the target counts, of a solicitation the source; else nothing of ICMPv6 is heard."""
    wanted, other = IPv6Address("2001:db8::74"), IPv6Address("2001:db8::75")
    program = filters.ipv6_filter([IPv6Address("2001:db8::73"), wanted])
    heard = kind != OUTGOING
    assert (accepted(program, kind, announcements(wanted, MAC)[0].payload) > 0) is heard
    assert accepted(program, kind, announcements(other, MAC)[0].payload) == 0
    assert (accepted(program, kind, question(other, wanted, MAC).payload) > 0) is heard
    assert accepted(program, kind, question(wanted, other, MAC).payload) == 0
    assert (accepted(program, kind, PACKETS[6]) > 0) is heard
    echo = bytearray(announcements(wanted, MAC)[0].payload)
    echo[40] = 128
    assert accepted(program, kind, bytes(echo)) == 0
    udp = bytearray(echo)
    udp[6], udp[40] = 17, 136
    assert accepted(program, kind, bytes(udp)) == 0
    assert accepted(program, kind, announcements(wanted, MAC)[0].payload[:63]) == 0


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF))
def test_echoes_of_our_own_requests(kind: int, port: int) -> None:
    """A notice of the kernel begins with its length, its kind, flags, and the number and the port of the request."""
    program = filters.echo_filter(port=4711, kind=20)
    for told, asker in ((kind, port), (20, port), (kind, 4711), (20, 4711)):
        notice = struct.pack("=IHHII", 80, told, 0, 7, asker) + bytes(64)
        assert (accepted(program, 0, notice) == 0) is ((told, asker) == (20, 4711))
