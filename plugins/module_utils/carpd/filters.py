# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What wakes the daemon up: programs of classic BPF, by which the kernel sorts packets before anybody is asked.

The kernel runs one for each packet of its kind on the interface, with one comparison for each address that is looked
for. What it refuses costs nothing else. What the host itself sends is always refused. Netlink has its packets, too.
"""

from __future__ import annotations

import array
import socket
import struct
from collections.abc import Collection

from .announce import ADVERTISEMENT, ICMPV6, SOLICITATION
from .packet import PROTOCOL, Address

Line = tuple[int, int, int, int]

# The kernel pays for a filter, the old one included while it is replaced, out of net.core.optmem_max, which is 20,480
# bytes on older kernels: two times 500 addresses fit in. If there are more, those who read must sort by themselves.
MOST_ADDRESSES = 500
_SO_ATTACH_FILTER = 26
_LOAD_BYTE, _LOAD_HALF, _LOAD_WORD, _GO, _IF_EQUAL, _RETURN = 0x30, 0x28, 0x20, 0x05, 0x15, 0x06
_PACKET_TYPE, _OUTGOING = 0xFFFFF000 + 4, 4  # SKF_AD_PKTTYPE of linux/filter.h, PACKET_OUTGOING of linux/if_packet.h
_HOST, _ETHERNET_HEADER, _WHOLE = 0, 14, 0x40000  # PACKET_HOST; what the card joined may be longer than a packet
_ACCEPT, _REFUSE = (_RETURN, 0, 0, 0xFFFF), (_RETURN, 0, 0, 0)
_FARTHEST = 255  # lines that a conditional jump can pass over

NOTHING = [_REFUSE]
_FROM_OTHERS = [(_LOAD_BYTE, 0, 0, _PACKET_TYPE), (_IF_EQUAL, 0, 1, _OUTGOING), _REFUSE]


def carp_filter(protocol_offset: int) -> list[Line]:
    """Accept IP packets of protocol 112; the offset is where the header names what it carries."""
    return [*_FROM_OTHERS, (_LOAD_BYTE, 0, 0, protocol_offset), *_accept_if([PROTOCOL]), _REFUSE]


def arp_filter(addresses: Collection[Address]) -> list[Line]:
    """Accept ARP packets whose sender says to have one of these IPv4 addresses."""
    if not addresses:
        return NOTHING
    return [*_FROM_OTHERS, (_LOAD_WORD, 0, 0, 14), *_accept_ends(addresses)]


def ipv6_filter(addresses: Collection[Address]) -> list[Line]:
    """Accept IPv6 packets of protocol 112, and neighbour messages that tell of one of these IPv6 addresses.

    One program for both, since each costs all the IPv6 traffic something. It compares the last four bytes of an
    address; the reader looks at the rest.
    """
    found = [*_FROM_OTHERS, (_LOAD_BYTE, 0, 0, 6), *_accept_if([PROTOCOL])]
    if not addresses:
        return [*found, _REFUSE]
    return [
        *found,
        (_IF_EQUAL, 1, 0, ICMPV6),
        _REFUSE,
        (_LOAD_BYTE, 0, 0, 40),
        (_IF_EQUAL, 0, 2, ADVERTISEMENT),
        (_LOAD_WORD, 0, 0, 60),  # of the target
        (_GO, 0, 0, 3),
        (_IF_EQUAL, 1, 0, SOLICITATION),
        _REFUSE,
        (_LOAD_WORD, 0, 0, 20),  # of the source
        *_accept_ends(addresses),
    ]


def frame_filter(addresses: Collection[Address]) -> list[Line]:
    """Accept whole Ethernet frames, sent to this host alone, whose packet goes to one of these addresses.

    All of one IP version. It compares the last four bytes of an address; the reader looks at the rest.
    """
    header = _ETHERNET_HEADER + max((40 if address.version == 6 else 20 for address in addresses), default=0)
    ends = _accept_ends(addresses)
    whole = [(_RETURN, 0, 0, _WHOLE) if line == _ACCEPT else line for line in ends]
    for_us = [(_LOAD_BYTE, 0, 0, _PACKET_TYPE), (_IF_EQUAL, 1, 0, _HOST), _REFUSE]
    return [*for_us, (_LOAD_WORD, 0, 0, header - 4), *whole]


def echo_filter(port: int, kind: int) -> list[Line]:
    """Refuse netlink messages of this kind that tell what a request from this port has done; accept all others.

    Netlink counts in the host's order, a filter loads in the network's.
    """
    return [
        (_LOAD_HALF, 0, 0, 4),
        (_IF_EQUAL, 0, 3, socket.htons(kind)),
        (_LOAD_WORD, 0, 0, 12),
        (_IF_EQUAL, 0, 1, socket.htonl(port)),
        _REFUSE,
        _ACCEPT,
    ]


def attach(sock: socket.socket, program: list[Line]) -> None:
    """Have a socket hear no more than the program lets through, from now on. Raises OSError."""
    code = array.array("B", b"".join(struct.pack("=HBBI", *line) for line in program))
    address, _length = code.buffer_info()
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(program), address))


def _accept_ends(addresses: Collection[Address]) -> list[Line]:
    """Accept if the word that was loaded is the end of one of these addresses; the program ends here."""
    if len(addresses) > MOST_ADDRESSES:
        return [_ACCEPT]
    return [*_accept_if(sorted({int.from_bytes(address.packed[-4:], "big") for address in addresses})), _REFUSE]


def _accept_if(values: list[int]) -> list[Line]:
    """Accept if what was loaded is one of the values; else go on with the next line."""
    lines: list[Line] = []
    for start in range(0, len(values), _FARTHEST):
        part = values[start : start + _FARTHEST]
        lines += [(_IF_EQUAL, len(part) - number, 0, value) for number, value in enumerate(part)]
        lines += [(_GO, 0, 0, 1), _ACCEPT]
    return lines
