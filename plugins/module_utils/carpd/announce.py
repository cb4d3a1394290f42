# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packets that tell a segment where an address is now: gratuitous ARP and unsolicited neighbour advertisements."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address

from .packet import Address, checksum
from .typed import NamedTuple

ETH_P_IP, ETH_P_ARP, ETH_P_IPV6 = 0x0800, 0x0806, 0x86DD
ICMPV6, SOLICITATION, ADVERTISEMENT = 58, 135, 136
EVERYBODY = b"\xff" * 6
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_ARP_START = (1, ETH_P_IP, 6, 4)  # Ethernet and IPv4, and how long their addresses are
_REQUEST, _REPLY = 1, 2
_ALL_NODES = IPv6Address("ff02::1")
_IPV6 = struct.Struct("!IHBB16s16s")
_MESSAGE = struct.Struct("!BBHI16sBB6s")
_TARGET_LINK_LAYER = 2  # option
_ROUTER, _OVERRIDE = 0x80000000, 0x20000000


class Frame(NamedTuple):
    """An Ethernet frame without its source, which is the interface's."""

    ethertype: int
    destination: bytes
    payload: bytes


def announcements(address: Address, mac: bytes, router: bool = False) -> list[Frame]:
    """Return the frames that say that the address is at this MAC now.

    ``router`` tells whether this host forwards IPv6: neighbours believe it and would drop it as a router otherwise.
    """
    if isinstance(address, IPv4Address):
        return _gratuitous_arp(address, mac)
    return [_neighbour_advertisement(address, mac, router)]


def group_mac(group: Address) -> bytes:
    """Return the MAC address of an IP multicast group (RFC 1112, 6.4; RFC 2464, 7)."""
    if group.version == 4:
        return b"\x01\x00\x5e" + bytes([group.packed[1] & 0x7F]) + group.packed[2:]
    return b"\x33\x33" + group.packed[12:]


def arp_request(target: IPv4Address, source: Address, mac: bytes) -> Frame:
    """Return the frame that asks for the MAC of ``target``; with the asker's own address it is an announcement."""
    request = _ARP.pack(*_ARP_START, _REQUEST, mac, source.packed, bytes(6), target.packed)
    return Frame(ETH_P_ARP, EVERYBODY, request)


def neighbour_message(
    kind: int, flags: int, target: IPv6Address, ends: tuple[Address, Address], option: tuple[int, bytes]
) -> Frame:
    """Return a neighbour solicitation or advertisement, from one end to a multicast group, with a MAC as its option."""
    size = _MESSAGE.size
    packed = ends[0].packed + ends[1].packed
    rest = (flags, target.packed, option[0], 1, option[1])
    total = checksum(packed + struct.pack("!II", size, ICMPV6) + _MESSAGE.pack(kind, 0, 0, *rest))
    header = _IPV6.pack(0x60000000, size, ICMPV6, 255, ends[0].packed, ends[1].packed)
    return Frame(ETH_P_IPV6, group_mac(ends[1]), header + _MESSAGE.pack(kind, 0, total, *rest))


def _gratuitous_arp(address: IPv4Address, mac: bytes) -> list[Frame]:
    """As request and as reply (RFC 5227, 3): some neighbours update their caches on the one only, some on the other."""
    reply = _ARP.pack(*_ARP_START, _REPLY, mac, address.packed, EVERYBODY, address.packed)
    return [arp_request(address, address, mac), Frame(ETH_P_ARP, EVERYBODY, reply)]


def _neighbour_advertisement(address: IPv6Address, mac: bytes, router: bool) -> Frame:
    """To all nodes, and meant to replace what they know (RFC 4861, 4.4 and 7.2.6)."""
    flags = _OVERRIDE | (_ROUTER if router else 0)
    return neighbour_message(ADVERTISEMENT, flags, address, (address, _ALL_NODES), (_TARGET_LINK_LAYER, mac))
