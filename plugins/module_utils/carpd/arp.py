# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gratuitous ARP: the packets that tell a segment where an address is now (RFC 5227, section 3; RFC 826)."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address

BROADCAST = b"\xff" * 6
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_ETHERNET, _IPV4 = 1, 0x0800
_REQUEST, _REPLY = 1, 2


def announcements(address: IPv4Address, mac: bytes) -> tuple[bytes, bytes]:
    """Return the announcement of an address as request and as reply.

    Both, since some neighbours update their caches on the one only, some on the other.
    """
    request = _ARP.pack(_ETHERNET, _IPV4, 6, 4, _REQUEST, mac, address.packed, bytes(6), address.packed)
    reply = _ARP.pack(_ETHERNET, _IPV4, 6, 4, _REPLY, mac, address.packed, BROADCAST, address.packed)
    return request, reply
