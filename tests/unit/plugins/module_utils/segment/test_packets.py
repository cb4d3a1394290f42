# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CARP, VRRP and our own trials are told apart by their bytes, and nothing that arrives raises anything."""

from __future__ import annotations

import struct

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd.packet import Advertisement, Datagram, PacketError
from ansible_collections.failover.carp.plugins.module_utils.segment import packets

CARP = bytes([0x21, 7, 20, 7, 0, 1, 0, 0]) + bytes(28)
VRRP2 = bytes([0x21, 51, 150, 1, 0, 1, 0, 0, 172, 17, 0, 74]) + bytes(8)
VRRP3 = bytes([0x31, 52, 100, 1, 0, 100, 0, 0, 172, 17, 0, 73])
# Seven addresses: the fourth byte is that of CARP, and the packet is longer.
VRRP_SEVEN = bytes([0x21, 53, 100, 7, 0, 1, 0, 0]) + bytes(36)


def sent(body: bytes, protocol: int = 112) -> bytes:
    packet = bytearray(packets.ip_packet(body, "172.17.0.99", "224.0.0.18"))
    packet[9] = protocol
    return bytes(packet)


@pytest.mark.parametrize(
    ("body", "protocol", "number", "detail"),
    [
        (CARP, packets.CARP, 7, "advbase 1, advskew 20"),
        (CARP[:4] + b"\x05" + CARP[5:], packets.CARP, 7, "advbase 1, advskew 20, demotion 5"),
        (VRRP2, packets.VRRP, 51, "version 2, priority 150"),
        (VRRP3, packets.VRRP, 52, "version 3, priority 100"),
        (VRRP_SEVEN, packets.VRRP, 53, "version 2, priority 100"),
    ],
)
def test_speakers(body: bytes, protocol: str, number: int, detail: str) -> None:
    assert packets.read_ip(sent(body)) == packets.Heard(protocol, number, "172.17.0.99", detail)


def test_ethernet_padding_is_no_part_of_a_packet() -> None:
    assert packets.read_ip(sent(VRRP2) + bytes(10)) == packets.read_ip(sent(VRRP2))


def test_ipv6_is_read_as_well() -> None:
    header = struct.pack("!IHBB", 0x60000000, len(CARP), 112, 255) + bytes.fromhex(
        "fe80" + "00" * 13 + "01" + "ff" * 16
    )
    heard = packets.read_ip(header + CARP)
    assert heard is not None
    assert (heard.protocol, heard.source) == (packets.CARP, "fe80::1")


@pytest.mark.parametrize("path", packets.PATHS)
def test_a_trial_comes_back_as_it_was_sent(path: str) -> None:
    heard = packets.read_ip(sent(packets.trial(path, b"12345678")))
    assert heard == packets.Heard(packets.TRIAL, packets.PATHS.index(path), "172.17.0.99", "", b"12345678")


def test_a_trial_is_no_advertisement_to_carpd() -> None:
    datagram = Datagram.decode(sent(packets.trial("multicast", bytes(8))))
    with pytest.raises(PacketError):
        Advertisement.decode(datagram.payload)


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        bytes(20),
        bytes(40),
        sent(CARP, protocol=17),
        sent(b""),
        sent(b"\x21" * 7),
        sent(b"\xff" * 36),
        sent(CARP)[:25],
    ],
)
def test_anything_else_is_nothing(packet: bytes) -> None:
    assert packets.read_ip(packet) is None


def test_the_ip_header_is_right() -> None:
    packet = packets.ip_packet(CARP, "172.17.0.75", "224.0.0.18")
    words = struct.unpack("!10H", packet[:20])
    total = sum(words)
    assert (total & 0xFFFF) + (total >> 16) == 0xFFFF
    assert (packet[8], packet[9], int.from_bytes(packet[2:4], "big")) == (255, 112, 56)


def test_arp() -> None:
    asked = packets.question("172.17.0.74", bytes.fromhex("020000000001"))
    assert packets.read_arp(asked) is None, "a probe is not an answer"
    answer = asked[:7] + b"\x02" + bytes.fromhex("020000000002") + bytes([172, 17, 0, 74]) + asked[8:18]
    assert packets.read_arp(answer + bytes(18)) == ("172.17.0.74", "02:00:00:00:00:02")
    assert packets.read_arp(answer[:20]) is None
    assert packets.read_arp(b"\x00\x02" + answer[2:]) is None


@pytest.mark.parametrize(
    ("taken", "wish", "free"), [(set(), 7, 7), ({7}, 7, 6), ({6, 7}, 7, 8), ({1}, 1, 2), (set(range(1, 256)), 1, 0)]
)
def test_a_free_number(taken: set[int], wish: int, free: int) -> None:
    assert packets.free_number(taken, wish) == free


def test_a_question_by_ipv6_is_right_to_its_checksum() -> None:
    packet, mac = packets.question_6("2001:db8::12:3456")
    assert mac == bytes.fromhex("3333ff123456")
    assert packet[8:24] == bytes(16)
    assert packet[24:40] == bytes.fromhex("ff0200000000000000000001ff123456")
    summed = packet[8:40] + struct.pack("!II", len(packet) - 40, 58) + packet[40:]
    total = sum(struct.unpack(f"!{len(summed) // 2}H", summed))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    assert total == 0xFFFF
    assert packets.read_advertisement_6(packet) is None


def advertisement(kind: int = 136, hops: int = 255, option: str = "0201") -> bytes:
    target = bytes.fromhex("20010db8000000000000000000120074")
    body = bytes([kind, 0, 0, 0, 0x20, 0, 0, 0]) + target + bytes.fromhex(option + "020000000007")
    return struct.pack("!IHBB", 6 << 28, len(body), 58, hops) + target + bytes(16) + body


def test_who_answers_by_ipv6() -> None:
    assert packets.read_advertisement_6(advertisement()) == ("2001:db8::12:74", "02:00:00:00:00:07")
    for wrong in (advertisement(135), advertisement(hops=254), advertisement(option="0101"), advertisement()[:60], b""):
        assert packets.read_advertisement_6(wrong) is None
