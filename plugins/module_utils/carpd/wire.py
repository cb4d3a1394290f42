# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wire of one interface: a packet socket that hears and sends advertisements and announces addresses.

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
from ipaddress import IPv4Address

from .arp import BROADCAST, announcements
from .packet import GROUP, PROTOCOL, Datagram, PacketError

_ETH_P_IP, _ETH_P_ARP = 0x0800, 0x0806
_SO_ATTACH_FILTER = 26
_PACKET_SIZE = 2048
# Every IPv4 group 224.x.y.z has the MAC address 01:00:5e plus its lower 23 bits (RFC 1112, 6.4).
_GROUP_MAC = b"\x01\x00\x5e" + bytes([GROUP.packed[1] & 0x7F]) + GROUP.packed[2:]

# Classic BPF, so that the daemon wakes up for protocol 112 only, and not for what this host sends itself:
#   load the packet's type; if it is outgoing (4), refuse; load the IP header's protocol; if it is 112, accept
_BPF = [
    (0x30, 0, 0, 0xFFFFF000 + 4),
    (0x15, 2, 0, 4),
    (0x30, 0, 0, 9),
    (0x15, 1, 0, PROTOCOL),
    (0x06, 0, 0, 0),
    (0x06, 0, 0, 0xFFFF),
]


class Wire:
    """Sends and receives on one interface. Raises OSError when the interface cannot be used."""

    def __init__(self, name: str, index: int, mac: bytes) -> None:
        self.name = name
        self.index = index
        self.mac = mac
        # Protocol 0 until the filter is in place, else packets of all kinds would already queue up.
        flags = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self._socket = socket.socket(socket.AF_PACKET, flags, 0)
        self._membership = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        try:
            _attach_filter(self._socket)
            self._socket.bind((name, _ETH_P_IP))
            # Joined like any group, so that the interface lets it in and switches that snoop IGMP know.
            request = struct.pack("=4s4si", GROUP.packed, bytes(4), index)
            self._membership.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
        except OSError:
            self.close()
            raise

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._socket.fileno()

    def read(self) -> Iterator[Datagram | PacketError]:
        """Yield every packet that has arrived, without waiting; what is no proper datagram comes as its error."""
        while True:
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
        """Send an IPv4 packet to the group. Raises OSError; BlockingIOError when the queue is full."""
        self._socket.sendto(packet, (self.name, _ETH_P_IP, 0, 0, _GROUP_MAC))

    def announce(self, address: IPv4Address) -> None:
        """Tell the segment that the address is at our MAC. Raises OSError."""
        for frame in announcements(address, self.mac):
            self._socket.sendto(frame, (self.name, _ETH_P_ARP, 0, 0, BROADCAST))

    def close(self) -> None:
        """Leave the group and close the sockets."""
        self._socket.close()
        self._membership.close()


def send_once(interface: str, packet: bytes) -> None:
    """Send one IPv4 packet to the group, from a process that has no wire. Raises OSError."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, 0) as sock:
        sock.sendto(packet, (interface, _ETH_P_IP, 0, 0, _GROUP_MAC))


def _attach_filter(sock: socket.socket) -> None:
    program = array.array("B", b"".join(struct.pack("=HBBI", *line) for line in _BPF))
    address, _length = program.buffer_info()
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(_BPF), address))
