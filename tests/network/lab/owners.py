# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who held which address when, from the kernel's own notifications."""

from __future__ import annotations

import ipaddress
import socket
import struct
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .namespaces import Namespace
from .recorder import Recorder

RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR = 0x1, 0x10, 0x100
RTM_NEWLINK, RTM_NEWADDR, RTM_DELADDR = 16, 20, 21
IFA_ADDRESS, IFA_LOCAL, IFA_CACHEINFO = 1, 2, 6
IFLA_IFNAME = 3
IFF_RUNNING = 0x40
FOREVER = 0xFFFFFFFF
SO_RCVBUFFORCE = 33


@dataclass
class Holding:
    """An address on a host from ``start`` to ``end`` (None: still there)."""

    host: str
    address: str
    start: float
    end: float | None = None
    lifetime: int | None = None
    """The valid lifetime of the latest addition or renewal, None if without end."""
    renewals: int = 0


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Split a netlink attribute list."""
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            return
        yield kind, data[4:length]
        data = data[(length + 3) & ~3 :]


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Split a netlink datagram into (type, body)."""
    while len(data) >= 16:
        length, kind = struct.unpack_from("=IH", data)
        if length < 16:
            return
        yield kind, data[16:length]
        data = data[(length + 3) & ~3 :]


class Owners:
    """Follows addresses and link states in any number of namespaces, each watched from before its first address."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._sockets: list[socket.socket] = []
        self._holdings: list[Holding] = []
        self._running: set[tuple[str, str]] = set()

    def watch(self, namespace: Namespace) -> None:
        """Follow the namespace, whose label is then the host's name here."""
        sock = namespace.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
        sock.bind((0, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR))
        sock.setblocking(False)
        self._sockets.append(sock)

        def readable(now: float) -> bool:
            for kind, body in messages(sock.recv(65536)):
                if kind in (RTM_NEWADDR, RTM_DELADDR):
                    self._address(now, namespace.label, kind == RTM_NEWADDR, body)
                elif kind == RTM_NEWLINK:
                    self._link(now, namespace.label, body)
            return True

        self._recorder.add(sock, readable)

    def close(self) -> None:
        """Stop following; the history stays."""
        for sock in self._sockets:
            self._recorder.remove(sock)
            sock.close()
        self._sockets.clear()

    def _link(self, now: float, host: str, body: bytes) -> None:
        flags = struct.unpack_from("=BxHiII", body)[3]
        name = next(value for kind, value in attributes(body[16:]) if kind == IFLA_IFNAME).rstrip(b"\0").decode()
        running = bool(flags & IFF_RUNNING)
        if running != ((host, name) in self._running):
            self._running ^= {(host, name)}
            self._recorder.note(now, host, f"link {name} {'up' if running else 'down'}")

    def _address(self, now: float, host: str, new: bool, body: bytes) -> None:
        found = dict(attributes(body[8:]))
        raw = found.get(IFA_LOCAL) or found[IFA_ADDRESS]
        address = str(ipaddress.ip_address(raw))
        lifetime = struct.unpack_from("=II", found[IFA_CACHEINFO])[1] if IFA_CACHEINFO in found else FOREVER
        current = self._current(host, address)
        if new and current is None:
            current = Holding(host, address, now)
            self._holdings.append(current)
            self._recorder.note(now, host, f"+ {address} (lifetime {'forever' if lifetime == FOREVER else lifetime})")
        elif new and current is not None:
            current.renewals += 1
        elif current is not None:
            current.end = now
            self._recorder.note(now, host, f"- {address}")
        if new and current is not None:
            current.lifetime = None if lifetime == FOREVER else lifetime

    def _current(self, host: str, address: str) -> Holding | None:
        for holding in reversed(self._holdings):
            if holding.host == host and holding.address == address and holding.end is None:
                return holding
        return None

    def link_up(self, host: str, interface: str) -> bool:
        """Whether the interface has carrier."""
        return (host, interface) in self._running

    def link_local(self, host: str) -> str | None:
        """The host's present link-local IPv6 address."""
        return next((h.address for h in self._holdings if h.host == host and h.end is None and is_link_local(h)), None)

    def holding(self, host: str, address: str) -> Holding | None:
        """The present holding of ``address`` by ``host``."""
        return self._current(host, address)

    def holders(self, address: str) -> list[str]:
        """The hosts that have ``address`` now."""
        return sorted(holding.host for holding in self._holdings if holding.address == address and holding.end is None)

    def holdings(self, address: str, since: float = 0.0) -> list[Holding]:
        """All holdings of ``address`` that reach beyond ``since``, oldest first."""
        return [h for h in self._holdings if h.address == address and (h.end is None or h.end > since)]

    def changes(self, address: str, since: float) -> list[tuple[float, str, str]]:
        """(time, host, "+" or "-") of each gain and loss of ``address`` after ``since``."""
        found = [(h.start, h.host, "+") for h in self.holdings(address, since) if h.start > since]
        found += [(h.end, h.host, "-") for h in self.holdings(address, since) if h.end is not None]
        return sorted(found)

    def overlap(self, address: str, since: float, until: float | None = None) -> float:
        """Seconds after ``since`` during which two or more hosts had ``address``."""
        return multiple(self.holdings(address, since), since, time.monotonic() if until is None else until)


def is_link_local(holding: Holding) -> bool:
    """Whether it is of a link-local IPv6 address."""
    return ":" in holding.address and ipaddress.ip_address(holding.address).is_link_local


def multiple(holdings: Iterable[Holding], since: float, until: float) -> float:
    """Total time between ``since`` and ``until`` with more than one holder."""
    edges: list[tuple[float, int]] = []
    for holding in holdings:
        start, end = max(holding.start, since), min(holding.end or until, until)
        if end > start:
            edges += [(start, 1), (end, -1)]
    total, depth, last = 0.0, 0, since
    for when, step in sorted(edges):
        if depth > 1:
            total += when - last
        depth += step
        last = when
    return total
