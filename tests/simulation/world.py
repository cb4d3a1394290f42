# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual time: everything that happens is an entry of one queue, drawn from one seed."""

from __future__ import annotations

import heapq
import random
from typing import Callable


class World:
    """The time, the queue of what is to come, and the trace of what has happened.

    ``wordy`` also traces every packet; it changes nothing else, so that a failed run can be told in full afterwards.
    """

    def __init__(self, seed: int, wordy: bool = False) -> None:
        self.random = random.Random(seed)
        self.now = 0.0
        self.wordy = wordy
        self.trace: list[tuple[float, str, str]] = []
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0

    def after(self, delay: float, happen: Callable[[], None]) -> None:
        """Let something happen ``delay`` seconds from now."""
        self._number += 1
        heapq.heappush(self._queue, (self.now + delay if delay > 0 else self.now, self._number, happen))

    def run(self, until: float, check: Callable[[], None]) -> None:
        """Let everything happen up to a moment, and look at the world after each step."""
        queue = self._queue
        while queue and queue[0][0] <= until:
            self.now, _number, happen = heapq.heappop(queue)
            happen()
            check()
        self.now = until

    def note(self, who: str, what: str) -> None:
        """Add a line to the trace."""
        self.trace.append((self.now, who, what))

    def story(self, since: float = 0.0) -> list[str]:
        """Return the lines of the trace from a moment on, as a person reads them; what preceded the start is kept."""
        return [f"{moment:10.4f}  {who:<8} {what}" for moment, who, what in self.trace if moment >= since or not moment]
