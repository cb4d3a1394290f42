# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who else says to have an address of ours: tells the ordinary course of a handover from a real conflict.

No clock and no socket here. When addresses are taken over nobody waits for duplicate address detection; instead all are
asked for at once, and whoever claims one while this host is master is watched. RFC 5227, 2.4 is about the same, but
knows no handover: there, two hosts rightly claim one address for a moment, the old master a last time and the new one
before its first advertisement. So a claim is judged a while after it was heard, and only if this host is master still.
"""

from __future__ import annotations

import math

from .neighbours import Neighbour
from .packet import Address

# A rightful claimant advertises, and this host has given up by then.
CONFIRM_TIME = 1.0
# After a takeover the old master may go on so long: a stock ucarp reads packets up to 1 s late, and a lease of 1 s ends
# up to 1.5 s after its last renewal.
GRACE_TIME = 3.0
# At most so often the addresses are announced against a rival (RFC 5227, 2.4, DEFEND_INTERVAL), and it is asked for.
DEFEND_INTERVAL = 10.0
# A rival that was not heard for so long, though it was asked for, is gone.
HEALED_TIME = 1.5 * DEFEND_INTERVAL
MOST_CLAIMS = 32  # of which the oldest is forgotten first


class Claim:
    """Somebody else's claim to one of our addresses; ``at`` is when it was heard last."""

    def __init__(self, address: Address, mac: bytes) -> None:
        self.address = address
        self.mac = mac
        self.at = -math.inf
        self.count = 0
        self.conflict = False


class Findings:
    """What is to be done: ask for addresses, announce ours, and tell of conflicts that began and ended."""

    def __init__(self) -> None:
        self.ask: list[Address] = []
        self.announce = False
        self.began: list[Claim] = []
        self.ended: list[Claim] = []


class Rivals:
    """Keeps book of the claims to the addresses of one virtual host."""

    def __init__(self) -> None:
        self._addresses: list[Address] = []
        self._claims: dict[Neighbour, Claim] = {}
        self._master_since: float | None = None
        self._asked = False
        self._announced_at = -math.inf
        self._next = math.inf

    def took_over(self, addresses: list[Address], now: float, patiently: bool = False) -> None:
        """Begin to watch: this host is master now.

        ``patiently`` asks only after the time of grace. If the addresses have a MAC of their own, an answer of the old
        master would tell the switches that this MAC is still there.
        """
        self._addresses, self._master_since, self._asked = addresses, now, False
        self._next = now + GRACE_TIME if patiently else now
        self._announced_at = -math.inf

    def gave_up(self) -> None:
        """Stop watching: others have the addresses by right."""
        self._master_since, self._next = None, math.inf
        for claim in self._claims.values():
            claim.conflict = False

    def claimed(self, neighbour: Neighbour, now: float) -> None:
        """Take in that somebody else says to have one of the addresses."""
        if neighbour not in self._claims and len(self._claims) >= MOST_CLAIMS:
            del self._claims[min(self._claims, key=lambda one: self._claims[one].at)]
        claim = self._claims.setdefault(neighbour, Claim(neighbour.address, neighbour.mac))
        claim.at, claim.count = now, claim.count + 1
        if self._master_since is not None and self._asked and not claim.conflict:
            self._next = min(self._next, max(now + CONFIRM_TIME, self._master_since + GRACE_TIME))

    def next_timer(self) -> float:
        """Return when ``due`` wants to be called; infinity if never."""
        return self._next

    def due(self, now: float) -> Findings:
        """Judge what was claimed."""
        found = Findings()
        if self._master_since is None or now < self._next:
            return found
        self._next = math.inf
        if not self._asked:
            self._asked, found.ask = True, self._addresses
            return found
        settled = self._master_since + GRACE_TIME
        for key, claim in list(self._claims.items()):
            if claim.conflict and now - claim.at >= HEALED_TIME:
                claim.conflict = False
                found.ended.append(claim)
                del self._claims[key]
            elif claim.at >= settled and not claim.conflict:
                claim.conflict = True
                found.began.append(claim)
        conflicts = [claim for claim in self._claims.values() if claim.conflict]
        # What was heard in the time of grace says nothing yet, but is worth a question.
        doubtful = [claim for claim in self._claims.values() if self._master_since <= claim.at < settled]
        found.ask = sorted({claim.address for claim in conflicts + doubtful}, key=lambda one: one.packed)
        if found.ended or (conflicts and now - self._announced_at >= DEFEND_INTERVAL):
            self._announced_at, found.announce = now, True
        if conflicts:
            self._next = now + DEFEND_INTERVAL
        return found

    def conflicts(self) -> list[Claim]:
        """Return who claims an address that is rightly here."""
        return [claim for claim in self._claims.values() if claim.conflict]

    def owner(self, address: Address) -> Claim | None:
        """Return whose claim to the address was heard last."""
        claims = [claim for claim in self._claims.values() if claim.address == address]
        return max(claims, key=lambda claim: claim.at, default=None)
