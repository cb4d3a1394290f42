# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has an address: what the kernel of a host says (rtnetlink), and not the daemon that is rehearsed.

The same process notes when requests arrive by which clocks are compared: each lies between its sending and the arrival
of its reply by the clock of the sender.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Iterator
from typing import Any

from . import echo
from .leave import Leave, hurry

# linux/rtnetlink.h, linux/if_addr.h, linux/if.h
RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR = 0x1, 0x10, 0x100
RTM_NEWLINK, RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 16, 20, 21, 22
NLM_F_REQUEST, NLM_F_DUMP = 0x1, 0x300
NLMSG_DONE = 3
IFA_ADDRESS, IFA_LOCAL = 1, 2
IFF_RUNNING = 0x40
# asm-generic/socket.h
SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@ll")


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Split what one read gave into (type, body)."""
    while len(data) >= 16:
        length, kind = struct.unpack_from("=IH", data)
        if length < 16:
            return
        yield kind, data[16:length]
        data = data[(length + 3) & ~3 :]


def attributes(data: bytes) -> dict[int, bytes]:
    """Return a message's attributes."""
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            break
        found[kind] = data[4:length]
        data = data[(length + 3) & ~3 :]
    return found


class Watch:
    """Keeps the last known state and notes only what differs: a renewed lease is no news. Times are monotonic.

    ``index`` is the interface whose link is watched. The address may be on any.
    """

    def __init__(self, index: int, address: str) -> None:
        self._index = index
        self._address = socket.inet_pton(echo.family_of(address), address)
        self._where: set[int] = set()
        self._link: bool | None = None
        self._held: bool | None = None
        self.events: list[dict[str, Any]] = []

    def message(self, kind: int, body: bytes, at: float) -> None:
        """Take in one message of the kernel."""
        if kind == RTM_NEWLINK:
            index, flags = struct.unpack_from("=4xiI", body)
            if index == self._index:
                self.link(at, bool(flags & IFF_RUNNING))
        elif kind in (RTM_NEWADDR, RTM_DELADDR):
            (index,) = struct.unpack_from("=4xI", body)
            found = attributes(body[8:])
            if found.get(IFA_LOCAL, found.get(IFA_ADDRESS)) == self._address:
                (self._where.add if kind == RTM_NEWADDR else self._where.discard)(index)
                self.held(at)

    def link(self, at: float, is_up: bool) -> None:
        """Note whether the link is up."""
        if is_up != self._link:
            self._link = is_up
            self.events.append({"at": at, "what": "link", "is": is_up})

    def held(self, at: float) -> None:
        """Note whether the address is on any interface."""
        if bool(self._where) != self._held:
            self._held = bool(self._where)
            self.events.append({"at": at, "what": "address", "is": self._held})


def is_running(interface: str) -> bool:
    """Tell whether the link is up now. Raises OSError where there is no such interface."""
    with open(f"/sys/class/net/{interface}/operstate", encoding="ascii") as file:
        return file.read().strip() in ("up", "unknown")


def watch(interface: str, address: str, run: bytes, leave: Leave) -> dict[str, Any]:
    """Watch as long as there is leave; return the events, and when which request for comparing clocks arrived."""
    hurry()
    watched = Watch(socket.if_nametoindex(interface), address)
    arrivals: list[list[float]] = []
    family = echo.family_of(address)
    protocol = socket.IPPROTO_ICMPV6 if family == socket.AF_INET6 else socket.IPPROTO_ICMP
    with (
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel,
        socket.socket(family, socket.SOCK_RAW, protocol) as wire,
    ):
        # Subscribed before the first look, so that no change falls between the two.
        kernel.bind((0, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR))
        kernel.settimeout(Leave.INTERVAL)
        wire.setblocking(False)
        wire.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        kernel.send(struct.pack("=IHHIIB3x", 20, RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, 1, 0, family))
        watched.link(time.monotonic(), is_running(interface))
        _read(kernel, watched, until=NLMSG_DONE)
        watched.held(time.monotonic())
        poll = _poll_of(kernel, wire)
        while leave:
            for descriptor, _event in poll.poll(int(Leave.INTERVAL * 1000)):
                if descriptor == kernel.fileno():
                    _read(kernel, watched)
                else:
                    _hear(wire, family, run, arrivals)
    return {"events": watched.events, "clocks": arrivals}


def _poll_of(*sockets: socket.socket) -> select.poll:
    poll = select.poll()
    for each in sockets:
        poll.register(each.fileno(), select.POLLIN)
    return poll


def _read(kernel: socket.socket, watched: Watch, until: int | None = None) -> None:
    """Take in what one read gives, or all up to a message of the type ``until``."""
    while True:
        data = kernel.recv(1 << 17)
        at = time.monotonic()
        for kind, body in messages(data):
            if kind == until:
                return
            watched.message(kind, body, at)
        if until is None:
            return


def _age(ancillary: list[tuple[int, int, bytes]]) -> float:
    """Return how many seconds ago the kernel received a packet: this process may have been woken late."""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS) and len(data) == _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack(data)
            return max(0.0, time.time() - int(seconds) - int(nanoseconds) / 1e9)
    return 0.0


def _hear(wire: socket.socket, family: int, run: bytes, arrivals: list[list[float]]) -> None:
    try:
        data, ancillary, _flags, _source = wire.recvmsg(2048, 128)
    except BlockingIOError:
        return
    at = time.monotonic() - _age(ancillary)
    heard = echo.parse(family, data, with_header=True)
    if heard is not None and heard.is_request and heard.purpose == echo.CLOCK and heard.run == run:
        arrivals.append([heard.number, at])
