# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host knows of another master."""

from __future__ import annotations

from .packet import Address, Advertisement, promised_interval
from .records import dataclass

# For so many of its intervals after its last advertisement, a better master counts for more than a worse one's claim.
FRESH = 1.5


@dataclass(frozen=True)
class Heard:
    """The last advertisement of another master; ``at`` is when, in monotonic seconds."""

    source: Address
    advbase: int
    advskew: int
    demotion: int
    superior: bool
    at: float

    @property
    def interval(self) -> float:
        """The promised time between its advertisements, in seconds."""
        return promised_interval(self.advbase, self.advskew)

    @property
    def rank(self) -> tuple[int, int, int]:
        """What hosts compare, the lowest first."""
        return self.demotion, self.advbase, self.advskew

    def is_fresh(self, now: float) -> bool:
        """Tell whether this is a better host than we are, and surely still master."""
        return self.superior and now - self.at < FRESH * self.interval


def describe(what: Advertisement | Heard, source: Address) -> str:
    """Say for a person how good a master a host advertises to be."""
    demoted = f" and is demoted by {what.demotion}" if what.demotion else ""
    return f"{source} advertises {what.advbase}+{what.advskew}/256 s{demoted}"
