# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One time for all hosts of a drill, from requests of which both ends noted the moment. Pure.

A request arrives after it was sent and before its reply is there. So the clocks differ by the arrival less the middle
of the two, give or take half of the time between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DRIFT = 0.0005
"""By how much two monotonic clocks can run apart in a second: a time service slews each by so much at most."""


@dataclass(frozen=True)
class Sample:
    """At ``at`` of the prober's clock the host's was ahead of it by ``offset``, give or take ``error`` seconds."""

    at: float
    offset: float
    error: float


@dataclass(frozen=True)
class Moment:
    """A time by the prober's clock, give or take ``error`` seconds."""

    at: float
    error: float


class HostClock:
    """The clock of a host, as the samples tell."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self.samples = list(samples)

    @classmethod
    def compared(cls, host: str, asked: Iterable[Mapping[str, Any]], arrived: Iterable[Sequence[float]]) -> HostClock:
        """Return the clock of ``host`` from what the prober asked and when that arrived, by number."""
        arrivals = {int(number): float(at) for number, at in arrived}
        return cls(
            Sample(
                at=(each["sent"] + each["received"]) / 2,
                offset=arrivals[each["number"]] - (each["sent"] + each["received"]) / 2,
                error=(each["received"] - each["sent"]) / 2,
            )
            for each in asked
            if each["host"] == host and each["number"] in arrivals
        )

    def read(self, at: float) -> Moment | None:
        """Return when ``at`` of the host's clock was by the prober's; None if they were never compared."""
        found = [
            Moment(at - sample.offset, sample.error + DRIFT * abs(at - sample.offset - sample.at))
            for sample in self.samples
        ]
        return min(found, key=lambda moment: moment.error, default=None)

    @property
    def offset(self) -> float | None:
        """By how much the host's clock was ahead, by the best sample."""
        best = min(self.samples, key=lambda sample: sample.error, default=None)
        return None if best is None else best.offset
