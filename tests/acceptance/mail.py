# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of a stream of numbered mails. Pure: events in, numbers out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from drill.events import Event


@dataclass(frozen=True)
class Mail:
    """One stream: how many were accepted, how often each arrived, and what the client met with.

    ``waits`` is how many seconds each mail took. ``silent`` has the mails whose client gave up on a connection over
    which no answer came, and when the last such connection had been made.
    """

    accepted: frozenset[int]
    arrived: Counter[int]
    failures: Counter[str]
    ambiguous: int
    waits: Mapping[int, float]
    silent: Mapping[int, float]
    gap: float

    @property
    def slowest(self) -> float:
        """The longest that a mail took, in seconds."""
        return self.slowest_but(())

    def slowest_but(self, others: Collection[int]) -> float:
        """Return the same without some mails."""
        return max((wait for number, wait in self.waits.items() if number not in others), default=0.0)

    @property
    def lost(self) -> int:
        """Mails that were accepted and are nowhere."""
        return len(self.accepted - self.arrived.keys())

    @property
    def doubled(self) -> int:
        """Copies too many."""
        return sum(count - 1 for count in self.arrived.values())

    @property
    def failed(self) -> int:
        """Attempts that failed."""
        return sum(self.failures.values())

    def __str__(self) -> str:
        why = ", ".join(f"{count} {name}" for name, count in self.failures.most_common(4))
        failed = f"{self.failed} failed attempts" + (f" ({why})" if why else "")
        return (
            f"{len(self.arrived)} distinct, {self.lost} lost, {self.doubled} doubled, {failed}, "
            f"slowest {self.slowest:.2f} s, gap {self.gap:.2f} s"
        )


def judge(events: Sequence[Event], run: str, since: float) -> Mail:
    """Return what became of the stream ``run``, whose events begin at ``since``."""
    later = [event for event in events if event.at >= since]
    accepted = [event for event in later if event.kind == "accepted"]
    failed = [event for event in later if event.kind == "failed"]
    moments = sorted(event.at for event in accepted)
    return Mail(
        frozenset(_number(event) for event in accepted),
        Counter(_number(event) for event in later if event.kind == "arrived" and event.facts["run"] == run),
        Counter(str(event.facts["why"]) for event in failed),
        sum(bool(event.facts["ambiguous"]) for event in failed),
        {_number(event): event.at - float(str(event.facts["began"])) for event in accepted},
        {_number(event): float(str(event.facts["connected"])) for event in failed if _fell_silent(event)},
        max((after - before for before, after in zip(moments, moments[1:])), default=0.0),
    )


def _fell_silent(event: Event) -> bool:
    return event.facts["why"] == "TimeoutError" and event.facts["connected"] is not None


def _number(event: Event) -> int:
    return int(str(event.facts["mail"]))
