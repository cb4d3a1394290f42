# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Before a master leaves on purpose: let the connections that run end by themselves, and hold new ones back.

No clock and no I/O here. While it drains, a host is the master to all others, and knows what it will do then.
"""

from __future__ import annotations

import math

from .transitions import Event
from .typed import Any, NamedTuple

# How often connections are counted, in seconds: what is held back waits for the last one to end.
COUNT_INTERVAL = 0.02
# Counting and resetting are done beside the loop, within milliseconds. If not so soon, they are not waited for.
ANSWER_TIME = 1.0


class Drain(NamedTuple):
    """For how many seconds connections may go on at most, and whether those are reset that remain."""

    seconds: float = 0.0
    resets: bool = False

    @property
    def wanted(self) -> bool:
        """Whether there is anything to do before an address is given up."""
        return self.seconds > 0 or self.resets


NO_DRAIN = Drain()


class Departure(NamedTuple):
    """Why a master leaves; it may have several reasons when it does."""

    event: Event
    reason: str


class Draining:
    """Keeps book of one drain. Times are in seconds of the machine's clock, infinity for never."""

    def __init__(self) -> None:
        self.connections: int | None = None  # that still run, as far as is known
        self.departures: list[Departure] = []
        self.told: int | None = None  # the demotion that others are told, as long as they must not know the true one
        self.parted = False  # from the clients: now a better host may take over
        self.ends_at = self.count_at = self._give_up_at = math.inf

    def begin(self, seconds: float, now: float) -> None:
        """Connections have so long from now on."""
        self.connections, self.told, self.parted = None, None, False
        self.ends_at = now + seconds
        self._give_up_at = self.ends_at + ANSWER_TIME

    def leave(self, event: Event, reason: str) -> None:
        """Take note of a reason to leave when it is over; beside one, nothing is a reason to stay."""
        self.stay(Event.STAY)
        if not self.is_for(event):
            self.departures.append(Departure(event, reason))

    def is_for(self, event: Event) -> bool:
        """Tell whether that is a reason to leave when it is over."""
        return any(departure.event is event for departure in self.departures)

    def stay(self, event: Event) -> bool:
        """Take note that such a reason is none any more; tell whether none is left."""
        self.departures = [departure for departure in self.departures if departure.event is not event]
        return not self.departures

    def cut_short(self, now: float) -> None:
        """Wait for connections no longer."""
        if now < self.ends_at < math.inf:
            self.ends_at, self._give_up_at = now, now + ANSWER_TIME

    def counted(self, connections: int, now: float) -> None:
        """Take in how many connections there were just now; they are counted again soon."""
        self.connections = connections
        if self.ends_at < math.inf:
            self.count_at = now + COUNT_INTERVAL

    def counts(self, now: float) -> bool:
        """Tell whether it is time to count, and then not before that was answered."""
        due = now >= self.count_at
        if due:
            self.count_at = math.inf
        return due

    def resets(self, now: float) -> bool:
        """Tell whether it is time to reset what remains; once."""
        due = now >= self.ends_at
        if due:
            self.ends_at = self.count_at = math.inf
        return due

    def awaits_successor(self, now: float) -> bool:
        """Wait only for a better host to take over, and tell whether there is time left for that."""
        self.ends_at = self.count_at = math.inf
        if self.is_over(now):
            return False
        self.told, self.parted = None, True
        return True

    def is_over(self, now: float) -> bool:
        """Tell whether an answer is waited for no longer."""
        return now >= self._give_up_at

    def next_timer(self) -> float:
        """Return when there is something to do."""
        return min(self.count_at, self.ends_at, self._give_up_at)

    def end(self) -> list[Departure]:
        """Drain no longer, and return why that was begun."""
        departures, self.departures = self.departures, []
        self.told, self.parted = None, False
        self.ends_at = self.count_at = self._give_up_at = math.inf
        return departures

    def status(self, since: float, now: float) -> dict[str, Any]:
        """Return how far it is, as JSON can carry it; times in seconds."""
        left = max(0.0, min(self.ends_at, self._give_up_at) - now)
        return {"since": round(now - since, 3), "connections": self.connections, "left": round(left, 3)}
