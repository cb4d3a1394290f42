# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long things take in an election: intervals, patience, leases, and when a better host takes over again."""

from __future__ import annotations

import math

from .records import dataclass
from .standing import demoted_skew
from .typed import NamedTuple

# The kernel counts a lease in whole seconds and ends it up to half a second late (measured on Linux 6.18: 0.49 s).
LEASE_LATENESS = 0.5
# A master renews its lease with its advertisements; this much earlier than it could end.
LEASE_MARGIN = 0.25


@dataclass(frozen=True)
class Timing:
    """How often a host advertises and how long it waits for others.

    advbase is in seconds (0..255), advskew in 1/256 s (0..254), dead_ratio a number of intervals (2 or more).
    """

    advbase: int
    advskew: int
    dead_ratio: int = 3

    @property
    def lease(self) -> int:
        """For how many whole seconds the kernel may keep an address that nobody renews.

        With advbase 1 or more it ends before a peer's patience does. Below one second that cannot be: it is then 1 s.
        """
        return max(1, math.floor(self.dead_ratio * self.advbase - LEASE_LATENESS))

    def interval(self, advskew: int) -> float:
        """Return the time between advertisements in seconds, never so long that the lease could end between them."""
        return min(self.advbase + advskew / 256, self.lease - LEASE_MARGIN)

    def patience(self, master_interval: float, demotion: int = 0) -> float:
        """Return how many seconds of silence mean that the master is gone.

        From one second on as ucarp and FreeBSD count (carp_setrun): dead_ratio times the own advbase, plus the own
        skew. With advbase 0 the intervals that the master promised count, plus at most a fifth of one by skew: ucarp's
        rule would leave one single interval there, and flaps. Whoever is demoted waits longer: of two backups, the
        healthier one shall be first.
        """
        skew = demoted_skew(self.advskew, demotion) / 256
        if self.advbase:
            return self.dead_ratio * self.advbase + skew
        return master_interval * (self.dead_ratio + skew / 5)


class Failback(NamedTuple):
    """Whether a host takes over from a less preferred master, and how many seconds it must have been sound before."""

    preempt: bool = True
    stable_for: float = 0.0
