# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All wires of the daemon: one for each interface and IP version in use, shared by the virtual hosts on it."""

from __future__ import annotations

import selectors
from collections.abc import Callable, Collection, Iterable

from .netlink import Link
from .wire import Arrival, Wire


class Wires:
    """Opens wires as they are needed and has ``reader`` called, with the wire and what it heard, when there is such."""

    def __init__(self, selector: selectors.BaseSelector, reader: Callable[[Wire, Iterable[Arrival]], None]) -> None:
        self._selector = selector
        self._reader = reader
        self._wires: dict[tuple[int, int], Wire] = {}

    def get(self, link: Link, version: int) -> Wire:
        """Return the wire of an interface and IP version. Raises OSError when there can be none."""
        old = self._wires.get((link.ifindex, version))
        if old is not None and old.name == link.name:
            old.mac = link.mac
            return old
        new = Wire(link.name, link.ifindex, link.mac, version)
        self._selector.register(new, selectors.EVENT_READ, lambda: self._reader(new, new.read()))
        if new.ear is not None:
            self._selector.register(new.ear, selectors.EVENT_READ, lambda: self._reader(new, new.read_ear()))
        if old is not None:  # the interface has another name now
            self._close(old)
        self._wires[link.ifindex, version] = new
        return new

    def keep(self, used: Collection[Wire]) -> None:
        """Close all wires but these."""
        for key, wire in list(self._wires.items()):
            if wire not in used:
                self._close(wire)
                del self._wires[key]

    def _close(self, wire: Wire) -> None:
        self._selector.unregister(wire)
        if wire.ear is not None:
            self._selector.unregister(wire.ear)
        wire.close()
