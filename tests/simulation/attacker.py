# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody on the segment who does not know the password: records advertisements and sends them again, altered or not.

The protocol's digest does not cover advbase, advskew, demotion and the sender's address, so that these can be anything.
"""

from __future__ import annotations

from carpd.packet import BOW_OUT, Address, Advertisement, Datagram
from segment import Segment
from world import World

_MEMORY = 50  # packets


class Attacker:
    """Is not plugged in like the others: its packets reach everyone, whatever is cut, and nobody hears about it."""

    name = "attacker"

    def __init__(self, world: World, segment: Segment, patient: bool) -> None:
        """Make one; ``patient`` means that it sends nothing which a host that has just started could take for news.

        Such a host believes the first that it hears of each peer, as docs/configuration.md says: it has heard nothing
        of it yet that could be newer.
        """
        self.sources: dict[int, Address] = {}
        self.owns = self.answers = self.recognisable = False
        self._world = world
        self._segment = segment
        self._recorded: list[bytes] = []
        self._until = 0.0
        self._pause = 0.0
        segment.ear = self._record
        if patient:
            segment.listener_began = self._forget

    def attack(self, duration: float, pause: float) -> None:
        """Send for ``duration`` seconds, at random moments that are ``pause`` seconds apart on average."""
        self._until, self._pause = max(self._until, self._world.now + duration), pause
        self._strike()

    def end(self) -> None:
        """Stop it."""
        self._until = self._world.now

    def receive(self, datagram: Datagram) -> None:
        """Nothing is plugged in here: recording is done by the ear."""

    def _record(self, packet: bytes) -> None:
        if self._world.random.random() < 0.2:
            self._recorded = [*self._recorded[1 - _MEMORY :], packet]

    def _forget(self) -> None:
        self._recorded = []

    def _strike(self) -> None:
        if self._world.now >= self._until:
            return
        if self._recorded:
            self._segment.send(self, self._forge(self._world.random.choice(self._recorded)))
        self._world.after(self._world.random.expovariate(1 / self._pause), self._strike)

    def _forge(self, packet: bytes) -> bytes:
        draw = self._world.random
        datagram = Datagram.decode(packet)
        said = Advertisement.decode(datagram.payload)
        kind = draw.choice(["as it was", "goodbye", "best", "worst", "any"])
        if kind == "goodbye":
            said = said._replace(advbase=BOW_OUT[0], advskew=BOW_OUT[1])
        elif kind == "best":
            said = said._replace(advbase=0, advskew=draw.choice([0, 1]), demotion=0)
        elif kind == "worst":
            said = said._replace(advskew=254, demotion=255)
        elif kind == "any":
            said = said._replace(advskew=draw.randrange(256), demotion=draw.choice([0, 1, 255]))
        if draw.random() < 0.5:
            datagram = datagram._replace(source=Datagram.decode(draw.choice(self._recorded)).source)
        return datagram._replace(payload=said.encode()).encode()
