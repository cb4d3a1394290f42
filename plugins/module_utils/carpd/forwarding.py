# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After a handover: pass on to the new master what neighbours still send here, since they missed its announcement.

By packet sockets with a filter, so that nothing else of the host's traffic is looked at, and for a bounded time and
rate. A packet goes on with one hop less, only from a host that is not the master itself, and only to the master that is
heard: where two hosts each take the other for the master, nothing can circle.
"""

from __future__ import annotations

import math
import selectors
import socket
import struct
from collections.abc import Callable, Iterator

from .announce import ADVERTISEMENT, ETH_P_ARP, ETH_P_IP, ETH_P_IPV6, ICMPV6, SOLICITATION, announcements
from .config import Vip
from .filters import attach, frame_filter
from .logs import log
from .netlink import Link
from .packet import Address

_SOL_PACKET, _PACKET_VNET_HDR = (
    263,
    15,
)  # linux/socket.h, linux/if_packet.h: with it come unfinished checksums, and segments that the card has joined
_VNET_HEADER = 10  # bytes (linux/virtio_net.h)
_SIZE = 1 << 17
_READ_AT_ONCE = 16  # so that the loop is soon back at its timers
MOST_PACKETS = 20000  # in a second; what is more is lost, as all of it would be otherwise
MOST_NEIGHBOUR_MESSAGES = 200  # in a second, since they do not lose a hop
TELL_INTERVAL = 1.0  # seconds between two hints to the same neighbour
MOST_NEIGHBOURS = 64  # that are told in this time
_ETHERTYPES = {4: ETH_P_IP, 6: ETH_P_IPV6}


def passed_on(frame: bytes, own: bytes, master: bytes) -> bytes | None:
    """Return the frame as it goes on to the master, with one hop less; None for what does not go on."""
    ethertype = int.from_bytes(frame[12:14], "big")
    if not master or frame[6:12] in (master, own):
        return None
    packet = bytearray(frame[14:])
    if ethertype == ETH_P_IP and len(packet) >= 20 and packet[8] > 1:
        packet[8] -= 1
        # As the kernel does (RFC 1141): what the word with the time to live loses, its sum gains.
        total = int.from_bytes(packet[10:12], "big") + 0x0100
        packet[10:12] = ((total & 0xFFFF) + (total >> 16)).to_bytes(2, "big")
    elif ethertype == ETH_P_IPV6 and len(packet) >= 40 and packet[7] > 1:
        if not is_neighbour_message(frame):
            packet[7] -= 1
    else:
        return None
    return master + own + frame[12:14] + bytes(packet)


def is_neighbour_message(frame: bytes) -> bool:
    """Tell whether a frame has a message of IPv6 neighbour discovery: with one hop less it would be refused.

    The new master asks its clients for their MAC, and their answers come here, too (RFC 4861, 7.1).
    """
    icmp = frame[12:14] == b"\x86\xdd" and frame[20:21] == bytes([ICMPV6])
    return icmp and frame[54:55] in (bytes([SOLICITATION]), bytes([ADVERTISEMENT]))


def hints(frame: bytes, own: bytes, master: bytes, address: Address) -> list[bytes]:
    """Return the frames that tell the sender of this one, and nobody else, where the address is now."""
    return [
        frame[6:12] + own + struct.pack("!H", hint.ethertype) + hint.payload
        for hint in announcements(address, master)
        if hint.ethertype == ETH_P_ARP or address.version == 6
    ]


class _Passage:
    """What is passed on for one virtual host. Raises OSError when the interface cannot be used."""

    def __init__(self, vip: Vip, link: Link, until: float) -> None:
        self.vip = vip
        self.link = link
        self.until = until
        self.master = b""  # the MAC of the new one
        self.passed = 0
        self._second, self._in_second, self._messages = 0, 0, 0
        self._told: dict[tuple[bytes, Address], float] = {}
        self._addresses = {address.ip.packed: address.ip for address in vip.addresses}
        self.sockets = [self._socket(version) for version in vip.versions if not _kernel_forwards(link.name, version)]

    def _socket(self, version: int) -> socket.socket:
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0)
        try:
            attach(sock, frame_filter([address.ip for address in self.vip.addresses if address.version == version]))
            sock.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
            sock.bind((self.link.name, _ETHERTYPES[version]))
        except OSError:
            sock.close()
            raise
        return sock

    def read(self, sock: socket.socket, now: float) -> None:
        """Pass on what has arrived."""
        for _number in range(_READ_AT_ONCE):
            try:
                data = sock.recv(_SIZE)
            except OSError:
                return
            header, frame = data[:_VNET_HEADER], data[_VNET_HEADER:]
            address = self._addresses.get(frame[30:34] if frame[12:14] == b"\x08\x00" else frame[38:54])
            onward = passed_on(frame, self.link.mac, self.master)
            if address is None or onward is None or not self._may_pass(frame, now):
                continue
            self.passed += 1
            for copy in [header + onward, *self._hints(frame, address, now)]:
                try:
                    sock.send(copy)
                except OSError:
                    continue  # as lossy as a wire

    def _may_pass(self, frame: bytes, now: float) -> bool:
        if self._second != int(now):
            self._second, self._in_second, self._messages = int(now), 0, 0
        self._in_second += 1
        self._messages += is_neighbour_message(frame)
        return self._in_second <= MOST_PACKETS and self._messages <= MOST_NEIGHBOUR_MESSAGES

    def _hints(self, frame: bytes, address: Address, now: float) -> Iterator[bytes]:
        key = (frame[6:12], address)
        if now - self._told.get(key, -math.inf) < TELL_INTERVAL:
            return
        self._told = {one: at for one, at in self._told.items() if now - at < TELL_INTERVAL}
        if len(self._told) < MOST_NEIGHBOURS:
            self._told[key] = now
            for hint in hints(frame, self.link.mac, self.master, address):
                yield bytes(_VNET_HEADER) + hint


class Forwarding:
    """Passes on what still arrives for virtual hosts that this host was master of until a moment ago."""

    def __init__(self, selector: selectors.BaseSelector, clock: Callable[[], float]) -> None:
        self._selector = selector
        self._clock = clock
        self._passages: dict[str, _Passage] = {}

    def begin(self, vip: Vip, link: Link) -> None:
        """Begin to do so, for as long as the virtual host wants it, as soon as the new master is known."""
        self.end(vip.name)
        try:
            passage = _Passage(vip, link, self._clock() + vip.forward)
        except OSError as error:
            log.warning("%s: packets that still arrive are not passed on: %s", vip.name, error.strerror)
            return
        if not passage.sockets:
            log.info("%s: packets that still arrive are passed on by the kernel", vip.name)
            return
        self._passages[vip.name] = passage
        for sock in passage.sockets:
            self._selector.register(sock, selectors.EVENT_READ, lambda sock=sock: passage.read(sock, self._clock()))

    def aim(self, name: str, master: bytes) -> None:
        """Take note of the MAC of the new master."""
        if name in self._passages:
            self._passages[name].master = master

    def end(self, name: str) -> None:
        """Pass nothing on any more."""
        passage = self._passages.pop(name, None)
        if passage is not None:
            for sock in passage.sockets:
                self._selector.unregister(sock)
                sock.close()
            if passage.passed:
                log.info("%s: passed %d packets on to the new master", name, passage.passed)

    def next_timer(self) -> float:
        """Return when ``due`` wants to be called; infinity if never."""
        return min((passage.until for passage in self._passages.values()), default=math.inf)

    def due(self) -> None:
        """End what has lasted long enough."""
        for name, passage in list(self._passages.items()):
            if passage.until <= self._clock():
                self.end(name)

    def close(self) -> None:
        """End all."""
        for name in list(self._passages):
            self.end(name)


def _kernel_forwards(interface: str, version: int) -> bool:
    """Tell whether the kernel passes packets on by itself: then they would go on twice."""
    try:
        with open(f"/proc/sys/net/ipv{version}/conf/{interface}/forwarding", encoding="ascii") as file:
            return file.read().strip() != "0"
    except OSError:
        return False
