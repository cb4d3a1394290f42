# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has this address? The question and the answers: ARP and IPv6 neighbour discovery (RFC 826, RFC 4861).

Pure functions. Whatever the bytes are, reading them returns what they say or None.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address

from .announce import ADVERTISEMENT, ICMPV6, SOLICITATION, Frame, arp_request, neighbour_message
from .packet import Address, checksum
from .typed import NamedTuple

_ARP = struct.Struct("!HHBBH6s4s")  # as far as its sender
_ARP_SIZE = 28
_ARP_OF_ETHERNET_AND_IPV4 = (1, 0x0800, 6, 4)
_REQUEST_OR_REPLY = (1, 2)
_IPV6 = struct.Struct("!IHBB16s16s")
_MESSAGE = struct.Struct("!BBHI16s")
_HOPS = 255  # whoever looks at it wants 255: the message never passed a router (RFC 4861, 7.1)
_SOLICITED_NODE = IPv6Address("ff02::1:ff00:0")  # and the last three bytes of the address (RFC 4291, 2.7.1)
_SOURCE_LINK_LAYER, _TARGET_LINK_LAYER = 1, 2  # options


class Neighbour(NamedTuple):
    """Somebody with this MAC says to have this address."""

    address: Address
    mac: bytes


def question(target: Address, source: Address, mac: bytes) -> Frame:
    """Return the frame that asks everybody who has ``target``.

    ``source`` and ``mac`` are the asker's. A source of 0.0.0.0 makes it a probe, which nobody takes the asker's address
    from (RFC 5227, 2.1.1); with IPv6 the asker's link-local address serves for both.
    """
    if isinstance(target, IPv4Address):
        return arp_request(target, source, mac)
    group = IPv6Address(int(_SOLICITED_NODE) | int(target) & 0xFFFFFF)
    return neighbour_message(SOLICITATION, 0, target, (source, group), (_SOURCE_LINK_LAYER, mac))


def read_arp(packet: bytes) -> Neighbour | None:
    """Return who the sender of an ARP packet says to be; None for a probe, which does not say, or no proper ARP."""
    if len(packet) < _ARP_SIZE:
        return None
    *kind, operation, mac, address = _ARP.unpack_from(packet)
    if tuple(kind) != _ARP_OF_ETHERNET_AND_IPV4 or operation not in _REQUEST_OR_REPLY or address == bytes(4):
        return None
    return Neighbour(IPv4Address(address), mac)


def read_neighbour_message(packet: bytes) -> Neighbour | None:
    """Return whom an IPv6 packet, the header included, tells of, if it is a neighbour advertisement or solicitation.

    An advertisement tells of its target, a solicitation of its source; each only if it has the MAC in an option.
    """
    if len(packet) < _IPV6.size + _MESSAGE.size:
        return None
    _first, length, protocol, hops, source, destination = _IPV6.unpack_from(packet)
    message = packet[_IPV6.size : _IPV6.size + length]
    if (protocol, hops) != (ICMPV6, _HOPS) or len(message) != length or length < _MESSAGE.size:
        return None
    if checksum(source + destination + struct.pack("!II", length, ICMPV6) + message) != 0:
        return None
    kind, code, _sum, _flags, target = _MESSAGE.unpack_from(message)
    if code != 0 or kind not in (ADVERTISEMENT, SOLICITATION):
        return None
    address, wanted = (target, _TARGET_LINK_LAYER) if kind == ADVERTISEMENT else (source, _SOURCE_LINK_LAYER)
    mac = _option(message[_MESSAGE.size :], wanted)
    return Neighbour(IPv6Address(address), mac) if mac is not None else None


def _option(options: bytes, wanted: int) -> bytes | None:
    """Return the MAC in the first option of this kind; lengths count units of 8 bytes (RFC 4861, 4.6)."""
    while len(options) >= 8 and options[1] > 0:
        if options[0] == wanted:
            return options[2:8]
        options = options[options[1] * 8 :]
    return None
