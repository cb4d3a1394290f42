# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stretches of time. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Span:
    """A stretch of time, in seconds."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end - self.start

    def within(self, other: Span) -> Span | None:
        """Return what of it lies in another; None if nothing does."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Span(start, end) if end > start else None


def spans(changes: Iterable[tuple[float, bool]], end: float) -> list[Span]:
    """Return when something was on; what is on at last lasts until ``end``."""
    found = []
    start: float | None = None
    for at, is_on in changes:
        if is_on and start is None:
            start = at
        elif not is_on and start is not None:
            found.append(Span(start, at))
            start = None
    if start is not None:
        found.append(Span(start, max(start, end)))
    return found


def without(some: Iterable[Span], holes: Sequence[Span]) -> list[Span]:
    """Return what is left of ``some`` without ``holes``."""
    left = list(some)
    for hole in holes:
        left = [
            part
            for span in left
            for part in (Span(span.start, min(span.end, hole.start)), Span(max(span.start, hole.end), span.end))
            if part.end > part.start
        ]
    return left


def overlaps(owners: Mapping[str, Sequence[Span]]) -> list[Span]:
    """Return when two owned at once."""
    found = [
        both
        for one, other in itertools.combinations(owners.values(), 2)
        for a, b in itertools.product(one, other)
        if (both := a.within(b)) is not None
    ]
    return sorted(found)


def longest(some: Iterable[Span], window: Span) -> float:
    """Return the length of the longest of the spans that reach into ``window``, as a whole; 0 if none does."""
    return max((span.seconds for span in some if span.within(window) is not None), default=0.0)
