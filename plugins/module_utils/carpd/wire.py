# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wire of one interface and IP family: sends and hears advertisements, announces addresses, asks who has one.

Packet sockets rather than raw IP sockets: they work whatever the firewall, the routes and reverse path filtering say,
and leave the header to us. Frames go out with the interface's real MAC address, so that hypervisors and clouds need no
permission for forged transmits. Only what is sent to one peer takes a raw IP socket: the kernel knows its MAC, or the
router on the way there.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Collection, Iterator
from contextlib import ExitStack

from .announce import ETH_P_ARP, ETH_P_IP, ETH_P_IPV6, EVERYBODY, ICMPV6, announcements, group_mac
from .filters import NOTHING, Line, arp_filter, attach, carp_filter, ipv6_filter
from .neighbours import Neighbour, question, read_arp, read_neighbour_message
from .netlink import Link
from .packet import GROUPS, PROTOCOL, Address, Datagram, PacketError
from .paths import BROADCAST, UNICAST, Copy
from .typed import Union

Arrival = Union[Datagram, Neighbour, PacketError]

_ETHERTYPES = {4: ETH_P_IP, 6: ETH_P_IPV6}
_GROUP_MACS = {version: group_mac(group) for version, group in GROUPS.items()}
_PACKET_SIZE = 2048
_READ_AT_ONCE = 64
_IPV6_HDRINCL = 36


class Wire:
    """Sends and receives on one interface by one IP version. Raises OSError when the interface cannot be used.

    Of ARP and neighbour messages, only those are let in that tell of addresses which are watched or were asked for.
    With IPv6 they come by the same socket as the advertisements, with IPv4 by a second one, ``ear``.
    """

    def __init__(self, name: str, ifindex: int, mac: bytes, version: int) -> None:
        self.name = name
        self.ifindex = ifindex
        self.mac = mac
        self.version = version
        self._watched: frozenset[Address] = frozenset()
        self._sockets = ExitStack()
        self._unicast: socket.socket | None = None
        try:
            self._socket = self._packet_socket()
            self.ear = self._packet_socket() if version == 4 else None
            attach(self._socket, carp_filter(9) if version == 4 else self._neighbour_filter())
            self._socket.bind((name, _ETHERTYPES[version]))
            if self.ear is not None:
                attach(self.ear, self._neighbour_filter())
                self.ear.bind((name, ETH_P_ARP))
            family = socket.AF_INET if version == 4 else socket.AF_INET6
            membership = self._sockets.enter_context(socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC))
            _join(membership, GROUPS[version], ifindex)
        except OSError:
            self.close()
            raise

    def _packet_socket(self) -> socket.socket:
        # Protocol 0 until the filter is in place, else packets of all kinds would already queue up.
        flags = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        return self._sockets.enter_context(socket.socket(socket.AF_PACKET, flags, 0))

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._socket.fileno()

    def read(self) -> Iterator[Arrival]:
        """Yield what has arrived, without waiting; what is no proper datagram comes as its error.

        Not more than a flood can fill a moment with: the loop has timers to look after, and comes back.
        """
        for packet, mac in _packets(self._socket):
            if self.version == 6 and packet[6:7] == bytes([ICMPV6]):
                yield from self._known(read_neighbour_message(packet))
                continue
            try:
                yield Datagram.decode(packet)._replace(mac=mac)
            except PacketError as error:
                yield error

    def read_ear(self) -> Iterator[Neighbour]:
        """Yield what ARP tells of the watched addresses and those that were asked for, as ``read`` does."""
        if self.ear is not None:
            for packet, _mac in _packets(self.ear):
                yield from self._known(read_arp(packet))

    def open_unicast(self) -> None:
        """Get ready to send to single peers, and to be sent to; see ``_unicast_socket``. Raises OSError."""
        if self._unicast is None:
            self._unicast = self._sockets.enter_context(_unicast_socket(self.name, self.version))

    def send(self, copy: Copy) -> None:
        """Send an IP packet by its path. Raises OSError; BlockingIOError when the queue is full."""
        if copy.path == UNICAST:
            self.open_unicast()
            if self._unicast is not None:
                self._unicast.sendto(copy.packet, (_peer_of(copy.packet), 0))
        else:
            self._socket.sendto(copy.packet, _group_address(self.name, self.version, copy.path))

    def announce(self, address: Address, home: Link | None = None) -> None:
        """Tell the segment that the address is at our MAC, or at that of an interface made for it. Raises OSError."""
        name, mac = (self.name, self.mac) if home is None else (home.name, home.mac)
        for frame in announcements(address, mac, router=self.version == 6 and _forwards(self.name)):
            self._socket.sendto(frame.payload, (name, frame.ethertype, 0, 0, frame.destination))

    def watch(self, addresses: Collection[Address]) -> None:
        """Hear who says to have these addresses, and no longer those of the last call. Raises OSError."""
        watched = frozenset(address for address in addresses if address.version == self.version)
        if watched != self._watched:
            self._watched = watched
            self._tune()

    def ask(self, target: Address, source: Address) -> None:
        """Ask everybody who has ``target``; see ``question``. Answers come by ``read`` and ``read_ear``.

        Raises OSError.
        """
        frame = question(target, source, self.mac)
        self._socket.sendto(frame.payload, (self.name, frame.ethertype, 0, 0, frame.destination))

    def close(self) -> None:
        """Leave the group and close the sockets."""
        self._sockets.close()

    def _tune(self) -> None:
        attach(self.ear or self._socket, self._neighbour_filter())

    def _neighbour_filter(self) -> list[Line]:
        return arp_filter(self._watched) if self.version == 4 else ipv6_filter(self._watched)

    def _known(self, neighbour: Neighbour | None) -> Iterator[Neighbour]:
        if neighbour is not None and neighbour.address in self._watched:
            yield neighbour


def address_of(interface: str, copy: Copy) -> tuple[str, int, int, int, bytes] | tuple[str, str]:
    """Return where a packet goes: a packet socket's address, or with unicast the interface and the peer."""
    if copy.path == UNICAST:
        return interface, _peer_of(copy.packet)
    return _group_address(interface, copy.packet[0] >> 4, copy.path)


def _unicast_socket(interface: str, version: int) -> socket.socket:
    """Return a raw IP socket that sends whole packets by the interface, and hears nothing.

    As long as it is open the kernel tells no peer that protocol 112 is unknown here.
    """
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    sock = socket.socket(family, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, PROTOCOL)
    try:
        attach(sock, NOTHING)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
        if version == 4:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_HDRINCL, 1)
    except OSError:
        sock.close()
        raise
    return sock


def _peer_of(packet: bytes) -> str:
    """Return the destination of an IP packet."""
    if packet[0] >> 4 == 4:
        return socket.inet_ntop(socket.AF_INET, packet[16:20])
    return socket.inet_ntop(socket.AF_INET6, packet[24:40])


def _packets(sock: socket.socket) -> Iterator[tuple[bytes, bytes]]:
    """Yield packets and the Ethernet addresses that they came from."""
    for _number in range(_READ_AT_ONCE):
        try:
            packet, address = sock.recvfrom(_PACKET_SIZE)
            yield packet, address[4]
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno not in (errno.ENETDOWN, errno.ENODEV, errno.ENXIO):
                raise
            return  # the link watch tells of it


def _group_address(interface: str, version: int, path: str) -> tuple[str, int, int, int, bytes]:
    destination = EVERYBODY if path == BROADCAST else _GROUP_MACS[version]
    return (interface, _ETHERTYPES[version], 0, 0, destination)


def _join(sock: socket.socket, group: Address, ifindex: int) -> None:
    """Join like any group, so that the interface lets it in and switches that snoop IGMP or MLD know."""
    if group.version == 4:
        request = struct.pack("=4s4si", group.packed, bytes(4), ifindex)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
    else:
        request = struct.pack("=16si", group.packed, ifindex)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)


def _forwards(interface: str) -> bool:
    try:
        with open(f"/proc/sys/net/ipv6/conf/{interface}/forwarding", encoding="ascii") as file:
            return file.read().strip() != "0"
    except OSError:
        return False
