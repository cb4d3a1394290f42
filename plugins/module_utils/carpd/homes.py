# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where addresses live: on the interface itself, or on one that was made for them, with the virtual MAC of their vhid.

That one is a macvlan. It exists as long as its virtual host is configured, and is up only while the addresses are here.
To make one and to switch it on takes the kernel less than half a millisecond; to switch it off takes 5 ms and to remove
it 20 (measured on Linux 6.18), so that this is left to a thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from contextlib import closing
from functools import partial

from .config import Vip
from .interfaces import Interfaces
from .logs import log
from .netlink import Link, LinkGone, Requests

_MAC = bytes.fromhex("00005e0001")  # and the vhid, as the BSDs do for both IP versions (OpenBSD ip_carp.c)
# Of linux/ip.h. An interface answers for its own addresses only, and asks with its own address only; else the other
# one's MAC would get into everybody's tables.
_RP_FILTER, _ARP_ANNOUNCE, _ARP_IGNORE = 8, 18, 19
_OF_THE_PARENT = {_ARP_IGNORE: 1, _ARP_ANNOUNCE: 2}
# What comes to the virtual MAC is answered by the interface itself, where strict reverse path filtering wants it.
_OF_THE_HOME = {_ARP_IGNORE: 1, _ARP_ANNOUNCE: 2, _RP_FILTER: 2}


def virtual_mac_of(vhid: int) -> bytes:
    """Return the MAC of the addresses of a virtual host that has one of its own."""
    return _MAC + bytes([vhid])


def name_of(vip: Vip, link: Link) -> str:
    """Return the name of the interface that is made for a virtual host, at most 15 characters."""
    return f"carp{link.ifindex}-{vip.vhid}"


def switch_off(home: Link) -> threading.Thread:
    """Begin to switch off an interface that was made for addresses which have just been removed."""

    def act(requests: Requests) -> None:
        requests.switch(home.ifindex, False)

    return _in_background(home.name, act)


def _remove(home: Link, requests: Requests) -> None:
    requests.remove_link(home.ifindex)


def _in_background(name: str, act: Callable[[Requests], None]) -> threading.Thread:
    def work() -> None:
        try:
            with closing(Requests()) as requests:
                act(requests)
        except OSError as error:
            log.error("%s could not be given up: %s", name, error.strerror)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


class Homes:
    """Makes interfaces for virtual hosts, and removes them."""

    def __init__(self, requests: Requests, interfaces: Interfaces) -> None:
        self._requests = requests
        self._interfaces = interfaces
        self._made: dict[str, Link] = {}
        self._removals: list[threading.Thread] = []

    def of(self, vip: Vip, link: Link) -> Link:
        """Return the interface for the addresses of a virtual host. Raises OSError when the kernel does not make it."""
        name, made = name_of(vip, link), self._made.get(vip.name)
        there = self._interfaces.find(name)
        if there is not None and made is not None and made.ifindex == there.ifindex:
            return made
        while self._removals:
            self._removals.pop().join()  # else it could be of the same name
        mac = virtual_mac_of(vip.vhid)
        index = self._requests.make_macvlan(name, link.ifindex, mac) if there is None else there.ifindex
        self._requests.configure(link.ifindex, _OF_THE_PARENT)
        self._requests.configure(index, _OF_THE_HOME)
        made = Link(index, name, mac, False)
        self._made[vip.name] = made
        if there is None:
            self._interfaces.note(made)  # at once: the kernel's notice is still to come
        return made

    def keep(self, used: Collection[str]) -> None:
        """Begin to remove all that was made but for the virtual hosts of these names."""
        for name in [name for name in self._made if name not in used]:
            home = self._made.pop(name)
            self._interfaces.note(LinkGone(home.ifindex))
            self._removals.append(_in_background(home.name, partial(_remove, home)))
