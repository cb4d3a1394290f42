# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The codec: what goes out comes back, what is damaged is refused with its reason, and nothing else ever happens."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd.packet import (
    GROUPS,
    Advertisement,
    Datagram,
    PacketError,
    checksum,
    redirected,
)
from hypothesis import given
from hypothesis import strategies as st

BYTE = st.integers(0, 255)
ADVERTISEMENTS = st.builds(
    Advertisement,
    vhid=BYTE,
    advbase=BYTE,
    advskew=BYTE,
    demotion=BYTE,
    counter=st.integers(0, 2**64 - 1),
    mac=st.binary(min_size=20, max_size=20),
)
DATAGRAMS_4, DATAGRAMS_6 = (
    st.builds(
        Datagram,
        source=st.ip_addresses(v=version),
        destination=st.ip_addresses(v=version),
        payload=st.binary(max_size=100),
        ttl=BYTE,
        mac=st.just(b""),  # no part of the packet
    )
    for version in (4, 6)
)
ADVERTISEMENT = Advertisement(
    vhid=7, advbase=1, advskew=20, demotion=3, counter=0x0102030405060708, mac=bytes(range(0xA0, 0xB4))
)
DATAGRAM = Datagram(IPv4Address("172.17.0.75"), GROUPS[4], b"payload!")
DATAGRAM_6 = Datagram(IPv6Address("fe80::75"), GROUPS[6], b"payload!")


def carp(first: int = 0x21, length: int = 36) -> bytes:
    """Return a CARP header that is right but for what the arguments change; its checksum is always right."""
    body = bytearray(ADVERTISEMENT.encode()[: min(length, 36)].ljust(length, b"\0"))
    body[0] = first
    if length >= 8:
        body[6:8] = b"\0\0"
        body[6:8] = struct.pack("!H", reference_checksum(bytes(body)))
    return bytes(body)


def ipv4(payload: bytes = b"payload!", options: bytes = b"", total: int | None = None, **changed: int) -> bytes:
    """Return an IPv4 packet that is right but for what the arguments change; its checksum is always right."""
    fields = {"first": 0x45 + len(options) // 4, "fragment": 0x4000, "ttl": 255, "protocol": 112, **changed}
    length = 20 + len(options) + len(payload) if total is None else total
    start = struct.pack("!BBHHH", fields["first"], 0x10, length, 0x1234, fields["fragment"])
    ends = IPv4Address("172.17.0.75").packed + IPv4Address("224.0.0.18").packed
    without = start + bytes((fields["ttl"], fields["protocol"], 0, 0)) + ends + options
    sum_ = struct.pack("!H", reference_checksum(without))
    return start + bytes((fields["ttl"], fields["protocol"])) + sum_ + ends + options + payload


def ipv6(payload: bytes = b"payload!", **changed: int) -> bytes:
    """Return an IPv6 packet that is right but for what the arguments change."""
    fields = {"first": 0x60000000, "length": len(payload), "protocol": 112, "hops": 255, **changed}
    start = struct.pack("!IHBB", fields["first"], fields["length"], fields["protocol"], fields["hops"])
    return start + IPv6Address("fe80::75").packed + IPv6Address("ff02::12").packed + payload


def reference_checksum(data: bytes) -> int:
    """The Internet checksum done another way: word by word, and the carry is added again (RFC 1071, 1)."""
    padded, total = data + bytes(len(data) % 2), 0
    for at in range(0, len(padded), 2):
        total += int.from_bytes(padded[at : at + 2], "big")
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


def reason(decode: object, data: bytes) -> str:
    with pytest.raises(PacketError) as caught:
        decode(data)
    assert str(caught.value) == caught.value.reason
    return caught.value.reason


class TestAdvertisement:
    def test_layout(self) -> None:
        # Written out by hand: version and type, vhid, advskew, authlen, demotion, advbase, checksum, counter, MAC.
        start, rest = bytes.fromhex("2107140703010000"), bytes.fromhex("0102030405060708") + ADVERTISEMENT.mac
        expected = start[:6] + struct.pack("!H", reference_checksum(start + rest)) + rest
        assert ADVERTISEMENT.encode() == expected
        assert len(expected) == 36

    @given(ADVERTISEMENTS)
    def test_round_trip(self, advertisement: Advertisement) -> None:
        assert Advertisement.decode(advertisement.encode()) == advertisement

    @given(st.binary(max_size=80))
    def test_any_bytes(self, data: bytes) -> None:
        try:
            assert isinstance(Advertisement.decode(data), Advertisement)
        except PacketError as error:
            assert error.reason in ("short", "version", "length", "checksum")

    @given(ADVERTISEMENTS, st.integers(0, 36 * 8 - 1))
    def test_any_flipped_bit_is_noticed(self, advertisement: Advertisement, bit: int) -> None:
        data = bytearray(advertisement.encode())
        data[bit // 8] ^= 0x80 >> bit % 8
        assert reason(Advertisement.decode, bytes(data)) == ("version" if bit < 4 else "checksum")

    @pytest.mark.parametrize("length", [0, 1, 35])
    def test_short(self, length: int) -> None:
        assert reason(Advertisement.decode, carp(length=length) if length else b"") == "short"

    @pytest.mark.parametrize("first", [0x01, 0x11, 0x31, 0xF1])
    def test_version(self, first: int) -> None:
        assert reason(Advertisement.decode, carp(first)) == "version"

    def test_vrrp_version_3_with_more_than_a_header_is_another_version_first(self) -> None:
        assert reason(Advertisement.decode, carp(0x31, 40)) == "version"

    @pytest.mark.parametrize("length", [37, 38, 56, 1400])
    def test_length(self, length: int) -> None:
        assert reason(Advertisement.decode, carp(length=length)) == "length"

    def test_checksum(self) -> None:
        assert reason(Advertisement.decode, carp()[:-1] + b"\x00") == "checksum"

    @pytest.mark.parametrize("first", [0x20, 0x22, 0x2F])
    def test_type_is_not_looked_at(self, first: int) -> None:
        assert Advertisement.decode(carp(first)) == ADVERTISEMENT

    def test_interval(self) -> None:
        assert ADVERTISEMENT.interval == 1 + 20 / 256
        assert ADVERTISEMENT._replace(advbase=0, advskew=128).interval == 0.5

    @pytest.mark.parametrize(
        ("advbase", "advskew", "is_bow_out"), [(255, 255, True), (255, 254, False), (254, 255, False), (1, 0, False)]
    )
    def test_bow_out(self, advbase: int, advskew: int, is_bow_out: bool) -> None:
        assert ADVERTISEMENT._replace(advbase=advbase, advskew=advskew).is_bow_out is is_bow_out


def test_nobody_sends_without_a_pause() -> None:
    assert ADVERTISEMENT._replace(advbase=0, advskew=0).interval == 1 / 256
    assert ADVERTISEMENT._replace(advbase=2, advskew=64).interval == 2.25


class TestIPv4:
    def test_layout(self) -> None:
        # By hand: version and length, low delay, total length, id, do not fragment, TTL, protocol, checksum, ends.
        without = bytes.fromhex("4510001cabcd4000ff700000ac11004be0000012")
        sum_ = struct.pack("!H", reference_checksum(without))
        assert DATAGRAM.encode(identification=0xABCD) == without[:10] + sum_ + without[12:] + b"payload!"

    @given(DATAGRAMS_4, st.integers(0, 2**64))
    def test_round_trip(self, datagram: Datagram, identification: int) -> None:
        packet = datagram.encode(identification)
        assert Datagram.decode(packet) == datagram
        assert packet[4:6] == struct.pack("!H", identification % 0x10000)

    @given(st.binary(max_size=80))
    def test_any_bytes(self, data: bytes) -> None:
        try:
            assert isinstance(Datagram.decode(data), Datagram)
        except PacketError as error:
            assert error.reason in ("short", "header", "protocol", "fragment", "checksum")

    # Not the header's length: with another one, payload counts as header, and could by chance sum up.
    @given(DATAGRAMS_4, st.integers(0, 159).filter(lambda bit: bit // 4 != 1), st.binary(max_size=30))
    def test_any_flipped_bit_of_the_header_is_noticed(self, datagram: Datagram, bit: int, padding: bytes) -> None:
        data = bytearray(datagram.encode() + padding)
        data[bit // 8] ^= 0x80 >> bit % 8
        with pytest.raises(PacketError):
            Datagram.decode(bytes(data))

    @given(DATAGRAMS_4, st.binary(max_size=30))
    def test_padding_is_cut(self, datagram: Datagram, padding: bytes) -> None:
        assert Datagram.decode(datagram.encode() + padding) == datagram

    @pytest.mark.parametrize("size", [4, 40])
    def test_options_are_skipped(self, size: int) -> None:
        assert Datagram.decode(ipv4(options=b"\x01" * size)) == DATAGRAM

    def test_a_damaged_option_is_noticed(self) -> None:
        packet = bytearray(ipv4(options=b"\x01" * 4))
        packet[21] = 0
        assert reason(Datagram.decode, bytes(packet)) == "checksum"

    def test_may_be_fragmented_on_the_way_is_no_fragment(self) -> None:
        assert Datagram.decode(ipv4(fragment=0)) == DATAGRAM

    @pytest.mark.parametrize(
        ("packet", "expected"),
        [
            (b"", "short"),
            (ipv4()[:19], "short"),
            (ipv4(first=0x55), "header"),
            (ipv4(first=0x05), "header"),
            (ipv4(first=0x44), "header"),  # a header of 16 bytes
            (ipv4(first=0x4F), "header"),  # a header longer than the packet
            (ipv4(total=19), "header"),
            (ipv4(total=29), "header"),  # longer than what arrived
            (ipv4(protocol=2), "protocol"),
            (ipv4(fragment=0x2000), "fragment"),  # more fragments follow
            (ipv4(fragment=0x4001), "fragment"),  # the second of them
            (ipv4(fragment=0x8000), "fragment"),  # the bit that must be zero
            (ipv4()[:10] + b"\0\0" + ipv4()[12:], "checksum"),
        ],
    )
    def test_refused(self, packet: bytes, expected: str) -> None:
        assert reason(Datagram.decode, packet) == expected

    def test_its_ttl_is_told(self) -> None:
        assert Datagram.decode(ipv4(ttl=3)) == DATAGRAM._replace(ttl=3)

    @given(DATAGRAMS_4, st.ip_addresses(v=4))
    def test_redirected(self, datagram: Datagram, other: IPv4Address) -> None:
        packet = redirected(datagram.encode(7), other)
        assert packet == datagram._replace(destination=other).encode(7)


class TestIPv6:
    def test_layout(self) -> None:
        # By hand: version, traffic class and flow label, length of the payload, next header, hop limit, ends.
        start = bytes.fromhex("60000000000870ff")
        ends = bytes.fromhex("fe800000000000000000000000000075ff020000000000000000000000000012")
        assert DATAGRAM_6.encode() == start + ends + b"payload!"

    @given(DATAGRAMS_6, st.integers(0, 2**64))
    def test_round_trip(self, datagram: Datagram, identification: int) -> None:
        assert Datagram.decode(datagram.encode(identification)) == datagram

    @given(DATAGRAMS_6, st.binary(max_size=30))
    def test_padding_is_cut(self, datagram: Datagram, padding: bytes) -> None:
        assert Datagram.decode(datagram.encode() + padding) == datagram

    @given(st.binary(max_size=80))
    def test_any_bytes(self, data: bytes) -> None:
        try:
            assert isinstance(Datagram.decode(b"\x60" + data), Datagram)
        except PacketError as error:
            assert error.reason in ("short", "header", "protocol")

    @pytest.mark.parametrize("first", [0x6E000000, 0x60012345, 0x6FFFFFFF])
    def test_traffic_class_and_flow_label_are_not_looked_at(self, first: int) -> None:
        # FreeBSD sends its advertisements with a traffic class of 0xe0.
        assert Datagram.decode(ipv6(first=first)) == DATAGRAM_6

    @pytest.mark.parametrize(
        ("packet", "expected"),
        [
            (b"\x60", "short"),
            (ipv6()[:39], "short"),
            (ipv6(length=9), "header"),  # longer than what arrived
            (ipv6(length=0xFFFF), "header"),
            (ipv6(protocol=0), "protocol"),  # hop-by-hop options
            (ipv6(protocol=58), "protocol"),
        ],
    )
    def test_refused(self, packet: bytes, expected: str) -> None:
        assert reason(Datagram.decode, packet) == expected


def test_ipv6_redirected() -> None:
    other = IPv6Address("2001:db8::76")
    assert redirected(DATAGRAM_6.encode(), other) == DATAGRAM_6._replace(destination=other).encode()
    assert Datagram.decode(ipv6(hops=3)) == DATAGRAM_6._replace(ttl=3)


def test_groups() -> None:
    assert {version: str(group) for version, group in GROUPS.items()} == {4: "224.0.0.18", 6: "ff02::12"}


class TestChecksum:
    def test_the_example_of_rfc_1071(self) -> None:
        # Section 3: the words 0001 f203 f4f5 f6f7 sum up to ddf2.
        assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2

    @given(st.binary(max_size=100))
    def test_equals_the_sum_done_another_way(self, data: bytes) -> None:
        assert checksum(data) == reference_checksum(data)

    def test_carries_are_added_until_none_is_left(self) -> None:
        assert checksum(b"\xff\xff" * 70000) == 0
        assert checksum(b"\xff\xff" * 70000 + b"\x00\x01") == 0xFFFE


@pytest.mark.parametrize(
    ("payload", "vhid"), [(ADVERTISEMENT.encode(), ADVERTISEMENT.vhid), (b"\x21\x07", 7), (b"\x21", 0)]
)
def test_what_a_packet_seems_to_be_about(payload: bytes, vhid: int) -> None:
    assert Datagram(IPv4Address("10.0.0.1"), GROUPS[4], payload).vhid == vhid
