# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual time and a virtual segment: everything that happens is an entry of one queue, drawn from one seed."""

from __future__ import annotations

import heapq
import random
from typing import Callable

USUAL_DELAY = (0.00005, 0.001)
LONGEST_DELAY = 0.05  # seconds; packets that overtake each other differ by at most this


class World:
    """The time, the queue of what is to come, and the trace of what has happened."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = 0.0
        self.trace: list[str] = []
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0

    def after(self, delay: float, happen: Callable[[], None]) -> None:
        """Let something happen ``delay`` seconds from now."""
        self._number += 1
        heapq.heappush(self._queue, (self.now + max(0.0, delay), self._number, happen))

    def run(self, until: float, check: Callable[[], None]) -> None:
        """Let everything happen up to a moment, and look at the world after each step."""
        while self._queue and self._queue[0][0] <= until:
            self.now, _number, happen = heapq.heappop(self._queue)
            happen()
            check()
        self.now = until

    def note(self, who: str, what: str) -> None:
        """Add a line to the trace."""
        self.trace.append(f"{self.now:10.4f}  {who:<8} {what}")


class Segment:
    """Carries packets between ports; can lose, delay, repeat and reorder them, and be cut, each way by itself."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ports: dict[str, Callable[[bytes], None]] = {}
        self.cuts: set[tuple[str, str]] = set()
        self.loss = 0.0
        self.duplication = 0.0
        self.reorder = 0.0

    def plug(self, name: str, receive: Callable[[bytes], None]) -> None:
        """Add a port."""
        self._ports[name] = receive

    def send(self, sender: str, packet: bytes) -> None:
        """Carry a packet to every other port, or not."""
        draw = self._world.random
        for name, receive in self._ports.items():
            if name == sender or (sender, name) in self.cuts:
                continue
            for _copy in range(2 if draw.random() < self.duplication else 1):
                if draw.random() >= self.loss:
                    slow = draw.random() < self.reorder
                    delay = draw.uniform(0, LONGEST_DELAY) if slow else draw.uniform(*USUAL_DELAY)
                    self._world.after(delay, lambda receive=receive: receive(packet))  # type: ignore[misc]
