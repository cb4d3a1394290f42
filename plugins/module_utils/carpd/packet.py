# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wire format of CARP, version 2: the advertisement and the IP header around it.

Pure functions from bytes to values and back. Whatever the bytes are, decoding returns a value or raises PacketError.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address

from .typed import NamedTuple, Union

Address = Union[IPv4Address, IPv6Address]

PROTOCOL = 112  # shared with VRRP
# By IP version; ff02::12 is link-local (OpenBSD and FreeBSD ip_carp.c).
GROUPS: dict[int, Address] = {4: IPv4Address("224.0.0.18"), 6: IPv6Address("ff02::12")}
TTL = 255  # whoever looks at it wants 255: the packet never passed a router (UCarp src/carp.c packethandler)
MAC_SIZE = 20
BOW_OUT = (255, 255)  # advbase and advskew with which a BSD master says that it leaves (OpenBSD ip_carp.c carp_ioctl)

_VERSION = 2
_TYPE_ADVERTISEMENT = 1
_TYPE_TESTIMONY = 12  # ours, see testimony; only ever sent to a peer that is known to be ours
_AUTH_WORDS = 7  # length of counter and MAC in 32-bit words; no receiver checks it
_CARP = struct.Struct("!BBBBBBHQ20s")
_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
_TOS_LOW_DELAY = 0x10  # as ucarp and OpenBSD send it
_DONT_FRAGMENT = 0x4000


def promised_interval(advbase: int, advskew: int) -> float:
    """Return the seconds between advertisements; nobody sends without a pause (OpenBSD ip_carp.c carp_send_ad)."""
    return max(1, 256 * advbase + advskew) / 256


class PacketError(Exception):
    """These bytes are not an advertisement that anyone should heed; ``reason`` is one short word for a counter."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Advertisement(NamedTuple):
    """One CARP advertisement as it stands on the wire.

    advbase is in seconds, advskew in 1/256 s; demotion is OpenBSD's demotion count (ucarp and FreeBSD send 0);
    the counter has 64 bits; mac is the HMAC-SHA1 that the digest module makes and checks.
    """

    vhid: int
    advbase: int
    advskew: int
    demotion: int
    counter: int
    mac: bytes

    @property
    def interval(self) -> float:
        """The promised time until the sender's next advertisement, in seconds."""
        return promised_interval(self.advbase, self.advskew)

    @property
    def is_bow_out(self) -> bool:
        """Whether the sender says goodbye."""
        return (self.advbase, self.advskew) == BOW_OUT

    def encode(self) -> bytes:
        """Return the 36 bytes of the CARP header."""
        head = (_VERSION << 4 | _TYPE_ADVERTISEMENT, self.vhid, self.advskew, _AUTH_WORDS, self.demotion, self.advbase)
        without = _CARP.pack(*head, 0, self.counter, self.mac)
        return _CARP.pack(*head, checksum(without), self.counter, self.mac)

    def encode_as_testimony(self) -> bytes:
        """Return the same as a testimony."""
        first = bytes([_VERSION << 4 | _TYPE_TESTIMONY])
        payload = first + self.encode()[1:6] + bytes(2) + self.encode()[8:]
        return payload[:6] + struct.pack("!H", checksum(payload)) + payload[8:]

    @classmethod
    def decode(cls, payload: bytes) -> Advertisement:
        """Return the advertisement in an IP payload.

        Like every implementation, it looks neither at the type nibble nor at the length of the authentication data.
        Raises PacketError: short, version, length or checksum.
        """
        if len(payload) < _CARP.size:
            raise PacketError("short")
        first, vhid, advskew, _words, demotion, advbase, _sum, counter, mac = _CARP.unpack_from(payload)
        if first >> 4 != _VERSION:
            raise PacketError("version")
        if len(payload) != _CARP.size:
            raise PacketError("length")
        if checksum(payload) != 0:
            raise PacketError("checksum")
        return cls(vhid, advbase, advskew, demotion, counter, mac)


class Datagram(NamedTuple):
    """An IP packet of protocol 112, of either family; ``ttl`` is the hop limit where it is IPv6.

    ``mac`` is the Ethernet address that it came from, where that is known.
    """

    source: Address
    destination: Address
    payload: bytes
    ttl: int = TTL
    mac: bytes = b""

    @property
    def vhid(self) -> int:
        """Which virtual host the packet seems to be about, unverified; 0, which is none, if it is too short to say."""
        return self.payload[1] if len(self.payload) > 1 else 0

    @property
    def is_testimony(self) -> bool:
        """Whether it seems to be one, unverified."""
        return self.payload[:1] == bytes([_VERSION << 4 | _TYPE_TESTIMONY])

    def encode(self, identification: int = 0) -> bytes:
        """Return the whole IP packet, with the header that ucarp and OpenBSD send."""
        ends = (self.source.packed, self.destination.packed)
        if self.source.version == 6:
            return _IPV6.pack(0x60000000, len(self.payload), PROTOCOL, self.ttl, *ends) + self.payload
        start = (0x45, _TOS_LOW_DELAY, _IPV4.size + len(self.payload), identification & 0xFFFF, _DONT_FRAGMENT)
        header = _IPV4.pack(*start, self.ttl, PROTOCOL, 0, *ends)
        return _IPV4.pack(*start, self.ttl, PROTOCOL, checksum(header), *ends) + self.payload

    @classmethod
    def decode(cls, packet: bytes) -> Datagram:
        """Return the datagram in an IP packet, without the padding that a short Ethernet frame has at its end.

        Whether its TTL will do is for the receiver to say. Raises PacketError: short, header, protocol, fragment or
        checksum.
        """
        return _decode_ipv6(packet) if packet and packet[0] >> 4 == 6 else _decode_ipv4(packet)


def _decode_ipv4(packet: bytes) -> Datagram:
    if len(packet) < _IPV4.size:
        raise PacketError("short")
    first, _tos, length, _id, fragment, ttl, protocol, _sum, source, destination = _IPV4.unpack_from(packet)
    header_size = (first & 0x0F) * 4
    if first >> 4 != 4 or header_size < _IPV4.size or not header_size <= length <= len(packet):
        raise PacketError("header")
    if protocol != PROTOCOL:
        raise PacketError("protocol")
    if fragment & ~_DONT_FRAGMENT:
        raise PacketError("fragment")
    if checksum(packet[:header_size]) != 0:
        raise PacketError("checksum")
    return Datagram(IPv4Address(source), IPv4Address(destination), packet[header_size:length], ttl)


def _decode_ipv6(packet: bytes) -> Datagram:
    """Nobody sends extension headers before CARP, so that they are not looked for."""
    if len(packet) < _IPV6.size:
        raise PacketError("short")
    _first, length, protocol, hops, source, destination = _IPV6.unpack_from(packet)
    if _IPV6.size + length > len(packet):
        raise PacketError("header")
    if protocol != PROTOCOL:
        raise PacketError("protocol")
    return Datagram(IPv6Address(source), IPv6Address(destination), packet[_IPV6.size : _IPV6.size + length], hops)


def redirected(packet: bytes, destination: Address) -> bytes:
    """Return one of our own packets with another destination of the same IP version."""
    if destination.version == 6:
        return packet[:24] + destination.packed + packet[40:]
    header = packet[:10] + bytes(2) + packet[12:16] + destination.packed
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + packet[20:]


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071); 0 over data that holds its own right checksum.

    CARP sums its 36 bytes alone, without a pseudo-header (OpenBSD ip_carp.c carp_send_ad).
    """
    if len(data) % 2:
        data += b"\0"
    # To add up words of 16 bits and the carries is to count modulo 0xFFFF, but that only zeros add up to zero. With one
    # long number, that takes a fraction of the time.
    number = int.from_bytes(data, "big")
    return 0xFFFF - (number % 0xFFFF or (0xFFFF if number else 0))
