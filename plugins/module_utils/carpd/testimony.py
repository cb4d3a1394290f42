# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host cannot see of itself, and another one tells it: that its service is not to be reached from there.

A firewall between the two is the plain case: on the host itself all is well. Whoever finds a peer's service failing,
and is sound itself, testifies against the peer; the peer then ranks lower for as long as that goes on. It believes only
a host whose own service it has just found good: where both see the other fail, be it for a resolver that both use or
for a switch between them, it is of no use to move anything.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from .packet import Address
from .typed import NamedTuple

INTERVAL = 1.0  # seconds from one testimony to the next
LASTS = 3.5  # seconds for which one is believed: three may be lost
# Seconds for which a host must have been sound before it testifies: what it last saw of a peer is newer than its own
# recovery by then. Two hosts that recover from one fault would else accuse each other of it.
SETTLED = 10.0


class View(NamedTuple):
    """How a check that looks at a peer is.

    ``weight`` is by how much a testimony of that peer demotes this host; ``good`` means without any doubt.
    """

    peer: Address
    weight: int
    good: bool
    failing: bool


class Testimony:
    """Keeps book, for one virtual host, of who testifies against this host and against whom it has to testify."""

    def __init__(self) -> None:
        self._views: tuple[View, ...] = ()
        self._sound = False
        self._may_speak_at = math.inf
        self._believed: dict[Address, float] = {}  # until when
        self._speak_at = math.inf

    def judge(self, views: Iterable[View], sound: bool, now: float) -> None:
        """Take in how the peers look from here, and whether this host would be a better master than they."""
        if sound and not self._sound:
            self._may_speak_at = now + SETTLED
        self._views, self._sound = tuple(views), sound
        known = {view.peer for view in self._views}
        self._believed = {peer: until for peer, until in self._believed.items() if peer in known}
        if not self.accused():
            self._speak_at = math.inf
        elif self._speak_at == math.inf:
            self._speak_at = max(now, self._may_speak_at)

    def heard(self, source: Address, now: float) -> bool:
        """Take in a testimony against this host, and return whether it is believed.

        It goes on being believed whatever becomes of the witness: a second fault moves nothing back.
        """
        trusted = any(view.peer == source and view.good for view in self._views)
        if trusted or now < self._believed.get(source, -math.inf):
            self._believed[source] = now + LASTS
            return True
        return False

    def accused(self) -> list[Address]:
        """Return the peers that this host testifies against."""
        return sorted({view.peer for view in self._views if view.failing}, key=str) if self._sound else []

    def witnesses(self, now: float) -> list[Address]:
        """Return who testifies against this host, and is believed."""
        return sorted((peer for peer, until in self._believed.items() if now < until), key=str)

    def demotion(self, now: float) -> int:
        """Return by how much the testimony of others demotes this host."""
        witnesses = self.witnesses(now)
        return max((view.weight for view in self._views if view.peer in witnesses), default=0)

    def due(self, now: float) -> list[Address]:
        """Return against whom a testimony is due, and forget what is no longer said."""
        self._believed = {peer: until for peer, until in self._believed.items() if now < until}
        if now < self._speak_at:
            return []
        self._speak_at = now + INTERVAL
        return self.accused()

    def next_timer(self) -> float:
        """Return when ``due`` wants to be called; infinity if never."""
        return min(self._speak_at, *self._believed.values(), math.inf)
