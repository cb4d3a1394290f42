# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Agent on a server: tell when an address appears or vanishes, and when the link goes down or up.

It hears the kernel itself (rtnetlink), not the daemon that it watches. Usage: ``watch.py INTERFACE ADDRESS``.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator

from agent import emit, listen

# linux/rtnetlink.h, linux/if_addr.h, linux/if.h
RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR = 0x1, 0x10, 0x100
RTM_NEWLINK, RTM_NEWADDR, RTM_DELADDR = 16, 20, 21
IFA_ADDRESS, IFA_LOCAL = 1, 2
IFF_RUNNING = 0x40


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Split what one read gave into (type, body)."""
    while len(data) >= 16:
        length, kind = struct.unpack_from("=IH", data)
        if length < 16:
            return
        yield kind, data[16:length]
        data = data[(length + 3) & ~3 :]


def attribute(data: bytes, wanted: int) -> bytes:
    """Return one of a message's attributes, empty if it has none such."""
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            break
        if kind == wanted:
            return data[4:length]
        data = data[(length + 3) & ~3 :]
    return b""


def present(interface: str, address: str) -> tuple[bool, set[int]]:
    """Whether the link is up, and with which prefix lengths the address is there, as ip(8) sees it."""
    shown = subprocess.run(
        ["ip", "-json", "address", "show", "dev", interface], check=True, capture_output=True, text=True
    )
    found = json.loads(shown.stdout)[0]
    lengths = {entry["prefixlen"] for entry in found["addr_info"] if entry.get("local") == address}
    return "LOWER_UP" in found["flags"], lengths


class Watch:
    """Keeps the last known state and reports only what differs: a renewed lease is no news.

    To the kernel, one address with two prefix lengths is two, of which one is enough to answer.
    """

    def __init__(self, index: int, address: str, lengths: Iterable[int] = ()) -> None:
        self._index = index
        # An IPv6 address has no IFA_LOCAL of its own.
        family, self._attribute = (socket.AF_INET6, IFA_ADDRESS) if ":" in address else (socket.AF_INET, IFA_LOCAL)
        self._address = socket.inet_pton(family, address)
        self._lengths = set(lengths)
        self.link: bool | None = None
        self.held: bool | None = None

    def message(self, kind: int, body: bytes, at: float) -> None:
        """Take in one message of the kernel."""
        if kind == RTM_NEWLINK:
            index, flags = struct.unpack_from("=4xiI", body)
            if index == self._index:
                self.see(at, link=bool(flags & IFF_RUNNING))
        elif kind in (RTM_NEWADDR, RTM_DELADDR):
            length, index = struct.unpack_from("=xB2xI", body)
            if index == self._index and attribute(body[8:], self._attribute) == self._address:
                (self._lengths.add if kind == RTM_NEWADDR else self._lengths.discard)(length)
                self.see(at, held=bool(self._lengths))

    def see(self, at: float, link: bool | None = None, held: bool | None = None) -> None:
        """Report a change."""
        if link is not None and link != self.link:
            self.link = link
            emit("link", at, up=link)
        if held is not None and held != self.held:
            self.held = held
            emit("address", at, held=held)


def main(interface: str, address: str) -> None:
    """Watch until the driver is gone."""
    listen(stop=lambda: None, gone=lambda: os._exit(0))
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        # Subscribed before the first look, so that no change falls between the two.
        kernel.bind((0, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR))
        link, lengths = present(interface, address)
        watch = Watch(socket.if_nametoindex(interface), address, lengths)
        watch.see(time.monotonic(), link, bool(lengths))
        while True:
            data = kernel.recv(65536)
            at = time.monotonic()
            for kind, body in messages(data):
                watch.message(kind, body, at)


if __name__ == "__main__":
    main(*sys.argv[1:])
