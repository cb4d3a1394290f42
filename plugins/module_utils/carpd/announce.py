# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packets that tell a segment where an address is now: gratuitous ARP and unsolicited neighbour advertisements."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from .packet import Address, checksum

ETH_P_IP, ETH_P_ARP, ETH_P_IPV6 = 0x0800, 0x0806, 0x86DD
_BROADCAST = b"\xff" * 6
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_ETHERNET = 1
_REQUEST, _REPLY = 1, 2
_ALL_NODES = IPv6Address("ff02::1")
_IPV6 = struct.Struct("!IHBB16s16s")
_ADVERTISEMENT = struct.Struct("!BBHI16sBB6s")
_ICMPV6, _NEIGHBOUR_ADVERTISEMENT, _TARGET_LINK_LAYER = 58, 136, 2
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


def _gratuitous_arp(address: IPv4Address, mac: bytes) -> list[Frame]:
    """As request and as reply (RFC 5227, 3): some neighbours update their caches on the one only, some on the other."""
    start, ours = (_ETHERNET, ETH_P_IP, 6, 4), (mac, address.packed)
    request = _ARP.pack(*start, _REQUEST, *ours, bytes(6), address.packed)
    reply = _ARP.pack(*start, _REPLY, *ours, _BROADCAST, address.packed)
    return [Frame(ETH_P_ARP, _BROADCAST, request), Frame(ETH_P_ARP, _BROADCAST, reply)]


def _neighbour_advertisement(address: IPv6Address, mac: bytes, router: bool) -> Frame:
    """To all nodes, and meant to replace what they know (RFC 4861, 4.4 and 7.2.6)."""
    flags = _OVERRIDE | (_ROUTER if router else 0)
    ends = address.packed + _ALL_NODES.packed
    option = (_TARGET_LINK_LAYER, 1, mac)
    size = _ADVERTISEMENT.size
    pseudo_header = ends + struct.pack("!II", size, _ICMPV6)
    unsummed = _ADVERTISEMENT.pack(_NEIGHBOUR_ADVERTISEMENT, 0, 0, flags, address.packed, *option)
    total = checksum(pseudo_header + unsummed)
    message = _ADVERTISEMENT.pack(_NEIGHBOUR_ADVERTISEMENT, 0, total, flags, address.packed, *option)
    header = _IPV6.pack(0x60000000, size, _ICMPV6, 255, address.packed, _ALL_NODES.packed)
    return Frame(ETH_P_IPV6, group_mac(_ALL_NODES), header + message)
