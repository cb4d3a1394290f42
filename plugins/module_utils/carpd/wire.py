# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wire of one interface and IP family: a packet socket that hears and sends advertisements and announces addresses.

A packet socket rather than a raw IP socket: it works whatever the firewall, the routes and reverse path filtering say,
and it leaves the header to us. Frames go out with the interface's real MAC address, so that hypervisors and clouds need
no permission for forged transmits.
"""

from __future__ import annotations

import array
import errno
import socket
import struct
from collections.abc import Iterator

from .announce import ETH_P_IP, ETH_P_IPV6, announcements, group_mac
from .packet import GROUPS, PROTOCOL, Address, Datagram, PacketError

_ETHERTYPES = {4: ETH_P_IP, 6: ETH_P_IPV6}
_PROTOCOL_OFFSET = {4: 9, 6: 6}  # where the header names what it carries
_SO_ATTACH_FILTER = 26
_PACKET_SIZE = 2048
_READ_AT_ONCE = 64


class Wire:
    """Sends and receives on one interface by one IP version. Raises OSError when the interface cannot be used."""

    def __init__(self, name: str, ifindex: int, mac: bytes, version: int) -> None:
        self.name = name
        self.ifindex = ifindex
        self.mac = mac
        self.version = version
        # Protocol 0 until the filter is in place, else packets of all kinds would already queue up.
        flags = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self._socket = socket.socket(socket.AF_PACKET, flags, 0)
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        self._membership = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        try:
            _attach_filter(self._socket, _PROTOCOL_OFFSET[version])
            self._socket.bind((name, _ETHERTYPES[version]))
            _join(self._membership, GROUPS[version], ifindex)
        except OSError:
            self.close()
            raise

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._socket.fileno()

    def read(self) -> Iterator[Datagram | PacketError]:
        """Yield packets that have arrived, without waiting; what is no proper datagram comes as its error.

        Not more than a flood can fill a moment with: the loop has timers to look after, and comes back.
        """
        for _number in range(_READ_AT_ONCE):
            try:
                packet = self._socket.recv(_PACKET_SIZE)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in (errno.ENETDOWN, errno.ENODEV, errno.ENXIO):
                    raise
                return  # the link watch tells of it
            try:
                yield Datagram.decode(packet)
            except PacketError as error:
                yield error

    def send(self, packet: bytes) -> None:
        """Send an IP packet to the group. Raises OSError; BlockingIOError when the queue is full."""
        self._socket.sendto(packet, group_address(self.name, self.version))

    def announce(self, address: Address) -> None:
        """Tell the segment that the address is at our MAC. Raises OSError."""
        for frame in announcements(address, self.mac, router=self.version == 6 and _forwards(self.name)):
            self._socket.sendto(frame.payload, (self.name, frame.ethertype, 0, 0, frame.destination))

    def close(self) -> None:
        """Leave the group and close the sockets."""
        self._socket.close()
        self._membership.close()


def group_address(interface: str, version: int) -> tuple[str, int, int, int, bytes]:
    """Return where a packet socket sends what is for the group of an IP version."""
    return (interface, _ETHERTYPES[version], 0, 0, group_mac(GROUPS[version]))


def _join(sock: socket.socket, group: Address, ifindex: int) -> None:
    """Join like any group, so that the interface lets it in and switches that snoop IGMP or MLD know."""
    if group.version == 4:
        request = struct.pack("=4s4si", group.packed, bytes(4), ifindex)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
    else:
        request = struct.pack("=16si", group.packed, ifindex)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)


def _attach_filter(sock: socket.socket, protocol_offset: int) -> None:
    """Wake up for protocol 112 only, and not for what this host sends itself, by classic BPF.

    Load the packet's type; if it is outgoing (4), refuse; load the header's protocol; if it is 112, accept.
    """
    lines = [
        (0x30, 0, 0, 0xFFFFF000 + 4),
        (0x15, 2, 0, 4),
        (0x30, 0, 0, protocol_offset),
        (0x15, 1, 0, PROTOCOL),
        (0x06, 0, 0, 0),
        (0x06, 0, 0, 0xFFFF),
    ]
    program = array.array("B", b"".join(struct.pack("=HBBI", *line) for line in lines))
    address, _length = program.buffer_info()
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(lines), address))


def _forwards(interface: str) -> bool:
    try:
        with open(f"/proc/sys/net/ipv6/conf/{interface}/forwarding", encoding="ascii") as file:
            return file.read().strip() != "0"
    except OSError:
        return False
