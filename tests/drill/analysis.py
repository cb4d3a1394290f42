# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the events of a drill amount to. Pure: events in, spans and numbers out."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .events import Event


@dataclass(frozen=True, order=True)
class Span:
    """A stretch of time, in seconds of the monotonic clock."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end - self.start


def held(events: Iterable[Event], machine: str, end: float) -> list[Span]:
    """When ``machine`` had the address; what it has at last lasts until ``end``."""
    return _spans(((e.at, bool(e.facts["held"])) for e in events if (e.machine, e.kind) == (machine, "address")), end)


def unplugged(events: Iterable[Event], machine: str, end: float) -> list[Span]:
    """When ``machine`` had no link."""
    return _spans(((e.at, not e.facts["up"]) for e in events if (e.machine, e.kind) == (machine, "link")), end)


def _spans(changes: Iterable[tuple[float, bool]], end: float) -> list[Span]:
    found = []
    start: float | None = None
    for at, on in changes:
        if on and start is None:
            start = at
        elif not on and start is not None:
            found.append(Span(start, at))
            start = None
    if start is not None:
        found.append(Span(start, end))
    return found


def overlaps(holders: Mapping[str, Sequence[Span]]) -> list[Span]:
    """When two had the address at once."""
    found = []
    for one, other in itertools.combinations(holders.values(), 2):
        for a, b in itertools.product(one, other):
            both = Span(max(a.start, b.start), min(a.end, b.end))
            if both.seconds > 0:
                found.append(both)
    return sorted(found)


def silences(events: Iterable[Event], kind: str = "gap") -> list[Span]:
    """The holes in the answers that the prober got."""
    return [Span(float(str(e.facts["start"])), float(str(e.facts["end"]))) for e in events if e.kind == kind]


def pauses(moments: Iterable[float]) -> list[Span]:
    """The stretches between moments."""
    return [Span(start, end) for start, end in itertools.pairwise(sorted(moments))]


def longest(spans: Iterable[Span], within: Span) -> float:
    """The length of the longest of the spans that reach into ``within``, 0 if none does."""
    return max((s.seconds for s in spans if s.start < within.end and s.end > within.start), default=0.0)


def gained(holders: Mapping[str, Sequence[Span]], machine: str, after: float) -> float | None:
    """How long after ``after`` the machine got the address, None if it did not."""
    return min((span.start - after for span in holders[machine] if span.start >= after), default=None)
