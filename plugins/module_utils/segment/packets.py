# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes by on a segment: who speaks CARP or VRRP, who answers for an address, and which of our own trials arrive.

Pure: bytes in, facts out.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

PROTOCOL = 112  # of CARP and VRRP alike (IANA protocol numbers)
CARP, VRRP, TRIAL = "carp", "vrrp", "trial"
PATHS = ("multicast", "broadcast", "unicast")

_CARP_SIZE = 36
_CARP_AUTHLEN = 7  # 32-bit words behind the counter's begin; VRRP has its number of addresses there
# Neither CARP nor VRRP has a version 15: both drop it at its first byte.
_TRIAL = struct.Struct("!B13sB8s")
_TRIAL_BYTE, _TRIAL_WORD = 0xF0, b"failover.carp"
_ICMP_6 = 58
_ARP = struct.Struct("!HHBBH6s4s6s4s")


class Heard(NamedTuple):
    """One packet. ``number`` is the vhid or VRID; of a trial, the path's place in PATHS. ``token`` is a trial's."""

    protocol: str
    number: int
    source: str
    detail: str
    token: bytes = b""


def read_ip(packet: bytes) -> Heard | None:
    """Return who sent an IP packet of protocol 112, or None for any other one."""
    if len(packet) >= 20 and packet[0] >> 4 == 4:
        begin, end = (packet[0] & 15) * 4, int.from_bytes(packet[2:4], "big")
        protocol, source = packet[9], str(IPv4Address(packet[12:16]))
    elif len(packet) >= 40 and packet[0] >> 4 == 6:
        begin, end = 40, 40 + int.from_bytes(packet[4:6], "big")
        protocol, source = packet[6], str(IPv6Address(packet[8:24]))
    else:
        return None
    return _read_body(packet[begin:end], source) if protocol == PROTOCOL else None


def _read_body(body: bytes, source: str) -> Heard | None:
    if len(body) == _TRIAL.size:
        first, word, path, token = _TRIAL.unpack(body)
        if (first, word) == (_TRIAL_BYTE, _TRIAL_WORD) and path < len(PATHS):
            return Heard(TRIAL, path, source, "", token)
    if len(body) < 8:
        return None
    kind, number, rank, count, demote, base = body[0], body[1], body[2], body[3], body[4], body[5]
    # Both protocols begin with version 2 and type 1: only the length tells them apart, and the field that is one's
    # constant and the other's number of addresses.
    if kind == 0x21 and len(body) == _CARP_SIZE and count == _CARP_AUTHLEN:
        detail = f"advbase {base}, advskew {rank}" + (f", demotion {demote}" if demote else "")
        return Heard(CARP, number, source, detail)
    if kind in (0x21, 0x31):
        return Heard(VRRP, number, source, f"version {kind >> 4}, priority {rank}")
    return None


def trial(path: str, token: bytes) -> bytes:
    """Return the body of a packet that tries a path; ``token`` has 8 bytes and is the sender's own."""
    return _TRIAL.pack(_TRIAL_BYTE, _TRIAL_WORD, PATHS.index(path), token)


def ip_packet(body: bytes, source: str, destination: str) -> bytes:
    """Return an IPv4 packet as CARP sends it: protocol 112, TTL 255, never split."""
    fields = (0x45, 0x10, 20 + len(body), 0, 0x4000, 255, PROTOCOL)
    ends = IPv4Address(source).packed + IPv4Address(destination).packed
    header = struct.pack("!BBHHHBBH", *fields, 0) + ends
    return struct.pack("!BBHHHBBH", *fields, _checksum(header)) + ends + body


def question(target: str, mac: bytes) -> bytes:
    """Return an ARP request that tells nothing about the asker (RFC 5227, 2.1.1), without the Ethernet header."""
    return _ARP.pack(1, 0x0800, 6, 4, 1, mac, bytes(4), bytes(6), IPv4Address(target).packed)


def read_arp(packet: bytes) -> tuple[str, str] | None:
    """Return the address and the MAC of whoever says to have an address, or None."""
    if len(packet) < _ARP.size:
        return None
    *start, _operation, mac, address, _to, _target = _ARP.unpack_from(packet)
    if start != [1, 0x0800, 6, 4] or not any(address):
        return None
    return str(IPv4Address(address)), mac.hex(":")


def question_6(target: str) -> tuple[bytes, bytes]:
    """Return a neighbour solicitation that tells nothing about the asker (RFC 4862, 5.4.2), and the MAC to send it to.

    Whoever has the address answers to all nodes.
    """
    wanted = IPv6Address(target).packed
    group = b"\xff\x02" + bytes(9) + b"\x01\xff" + wanted[13:]
    body = struct.pack("!BBHI", 135, 0, 0, 0) + wanted
    ends = bytes(16) + group
    body = body[:2] + struct.pack("!H", _checksum(ends + struct.pack("!II", len(body), _ICMP_6) + body)) + body[4:]
    return struct.pack("!IHBB", 6 << 28, len(body), _ICMP_6, 255) + ends + body, b"\x33\x33" + group[12:]


def read_advertisement_6(packet: bytes) -> tuple[str, str] | None:
    """Return the address and the MAC of whoever says to have an IPv6 address, or None."""
    body = packet[40:]
    # With a hop limit of 255, and the target's MAC as its option (RFC 4861, 7.1.2 and 4.6.1).
    if len(body) < 32 or packet[0] >> 4 != 6 or packet[6:8] != bytes([_ICMP_6, 255]):
        return None
    if body[0] != 136 or body[24:26] != b"\x02\x01":
        return None
    return str(IPv6Address(body[8:24])), body[26:32].hex(":")


def free_number(taken: set[int], wish: int) -> int:
    """Return the number nearest to a wish, from 1 to 255, that is not taken; 0 if all are."""
    free = [number for number in range(1, 256) if number not in taken]
    return sorted(free, key=lambda number: (abs(number - wish), number))[0] if free else 0


def _checksum(header: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
