# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a drill found, and which promises that breaks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from . import analysis
from .analysis import Span
from .events import Event

TAKEOVER = 4.0
"""Three advertisements of a second each and server2's own part of a second (20/256), and what is left for a busy
machine."""
FAILBACK = 1.0
"""The address is handed over, not waited for; a second is what a lost packet costs."""
OVERLAP = 0.5
"""Two may have the address for as long as a hand-over takes, in which the old one waits for the new one's first
advertisement."""


@dataclass(frozen=True)
class Promise:
    """One thing that has to be so, whether it was, and what was measured."""

    text: str
    kept: bool
    found: str


@dataclass(frozen=True)
class Report:
    """One drill: the moments of the plug, the events, and what the mailboxes had in the end."""

    preferred: str
    standby: str
    address: str
    start: float
    pulled: float
    plugged: float
    end: float
    events: Sequence[Event]
    arrived: Mapping[str, Sequence[int]]

    @property
    def cut(self) -> Span:
        """The time without the preferred server's cable."""
        return Span(self.pulled, self.plugged)

    @property
    def after(self) -> Span:
        """The time from when the cable was back."""
        return Span(self.plugged, self.end)

    @property
    def holders(self) -> dict[str, list[Span]]:
        """Who had the address when."""
        return {name: analysis.held(self.events, name, self.end) for name in (self.preferred, self.standby)}

    @property
    def takeover(self) -> float | None:
        """Seconds from the pulled cable to the address on the standby server."""
        return analysis.gained(self.holders, self.standby, self.pulled)

    @property
    def failback(self) -> float | None:
        """Seconds from the plugged cable to the address on the preferred server."""
        return analysis.gained(self.holders, self.preferred, self.plugged)

    @property
    def overlap(self) -> float:
        """Seconds with the address on both, the longest stretch."""
        return max((span.seconds for span in analysis.overlaps(self.holders)), default=0.0)

    @property
    def silences(self) -> list[Span]:
        """When the client got no answers to its pings."""
        return analysis.silences(self.events)

    @property
    def accepted(self) -> list[Event]:
        """The mails that were accepted, in this order."""
        return [event for event in self.events if event.kind == "accepted"]

    @property
    def sent(self) -> int:
        """How many mails were begun."""
        return max((int(str(event.facts["mails"])) for event in self.events if event.kind == "sent"), default=0)

    @property
    def refusals(self) -> int:
        """How many attempts failed; each was followed by another."""
        return sum(event.kind == "refused" for event in self.events)

    @property
    def lost(self) -> list[int]:
        """The mails that were accepted and are nowhere."""
        there = set().union(*self.arrived.values())
        return sorted({int(str(event.facts["mail"])) for event in self.accepted} - there)

    @property
    def doubled(self) -> list[int]:
        """The mails that are there twice: their 250 was on its way when the cable was pulled."""
        count = Counter(number for numbers in self.arrived.values() for number in numbers)
        return sorted(number for number, times in count.items() if times > 1)

    def silence(self, within: Span) -> float:
        """The longest stretch without answers to pings."""
        return analysis.longest(self.silences, within)

    def mail_pause(self, within: Span) -> float:
        """The longest stretch without an accepted mail."""
        return analysis.longest(analysis.pauses(event.at for event in self.accepted), within)

    def promises(self) -> list[Promise]:
        """Every promise of the project that a drill can see."""
        cut, after = self.silence(self.cut), self.silence(self.after)
        return [
            Promise(
                f"{self.standby} takes the address over within {TAKEOVER:g} s, and answers",
                self.takeover is not None and max(self.takeover, cut) <= TAKEOVER,
                f"{seconds(self.takeover)} to take it, {seconds(cut)} without an answer",
            ),
            Promise(
                f"{self.preferred} gets it back, and nobody waits longer than {FAILBACK:g} s for an answer",
                self.failback is not None and after <= FAILBACK,
                f"{seconds(self.failback)} to get it, {seconds(after)} without an answer",
            ),
            Promise(
                f"never two owners for longer than {OVERLAP:g} s",
                self.overlap <= OVERLAP,
                seconds(self.overlap),
            ),
            Promise(
                "every mail is accepted",
                len(self.accepted) == self.sent > 0,
                f"{len(self.accepted)} of {self.sent}",
            ),
            Promise(
                "every accepted mail is in a mailbox or a queue",
                not self.lost,
                f"{len(self.lost)} missing" + (f": {', '.join(map(str, self.lost[:10]))}" if self.lost else ""),
            ),
        ]


def seconds(value: float | None) -> str:
    """A duration, for people."""
    if value is None:
        return "never"
    return f"{value * 1000:.0f} ms" if value < 0.1 else f"{value:.2f} s"
