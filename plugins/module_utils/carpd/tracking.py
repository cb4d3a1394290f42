# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the results of the checks mean: which check fails, and by how much that demotes which virtual host.

There is no clock and no process here: results and the time go in, verdicts come out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from .checkconfig import Check
from .options import FAULT
from .standing import MOST_DEMOTION
from .testimony import View
from .typed import Any, NamedTuple

# So much longer than it may take is waited for a result before the checker itself is at fault, in seconds.
MARGIN = 2.0
# If the time for that was missed by more than this, it was this process that slept; the checker may have, too.
OVERSLEPT = 1.0


class Verdict(NamedTuple):
    """What the checks say about one virtual host.

    ``demotion`` is the weight of the failing checks and ``doubts`` that of those which may soon fail; ``fault`` says
    why it must not be master, if so, and ``reason`` what demotes it. ``views`` tell of the peers' services instead.
    """

    demotion: int = 0
    doubts: int = 0
    fault: str = ""
    reason: str = ""
    views: tuple[View, ...] = ()


class Tracker:
    """Keeps book of every check. A check of which nothing is known yet counts as good."""

    def __init__(self) -> None:
        self._tracks: dict[str, _Track] = {}

    def configure(self, checks: Iterable[Check], now: float) -> None:
        """Track these checks; one that still looks at the same target keeps what is known of it."""
        old, self._tracks = self._tracks, {}
        for check in checks:
            track = old.get(check.name)
            if track is None or not track.continues_as(check):
                track = _Track(check, now)
            track.check = check
            track.expect(now)
            self._tracks[check.name] = track

    def report(self, name: str, ok: bool, detail: str, now: float) -> str:
        """Take in a result, and return what is now different, in words for the log; empty if nothing is."""
        track = self._tracks.get(name)
        return track.report(ok, detail, now) if track is not None else ""

    def due(self, now: float) -> list[str]:
        """Let checks fail whose results do not come; return what is now different."""
        return [line for line in (track.due(now) for track in self._tracks.values()) if line]

    def next_timer(self) -> float:
        """Return when ``due`` wants to be called; infinity if never."""
        return min((track.expected_by for track in self._tracks.values()), default=math.inf)

    def verdict(self, vip: str) -> Verdict:
        """Return what the checks say about a virtual host."""
        every = [track for track in self._tracks.values() if vip in track.check.vips]
        tracks = [track for track in every if track.check.peer is None]
        failing = [track for track in tracks if track.failing]
        doubtful = [track for track in tracks if track.streak and not track.failing]
        return Verdict(
            sum(track.check.weight or 0 for track in failing),
            sum(track.check.weight or MOST_DEMOTION for track in doubtful),
            _because(track for track in failing if track.check.weight is None),
            _because(track for track in failing if track.check.weight is not None),
            tuple(
                View(track.check.peer, track.check.weight or 0, track.is_sure, track.failing)
                for track in every
                if track.check.peer is not None
            ),
        )

    def status(self, vip: str, now: float) -> list[dict[str, Any]]:
        """Return how the checks of a virtual host are, as JSON can carry it."""
        return [track.status(now) for track in self._tracks.values() if vip in track.check.vips]


class _Track:
    """What is known of one check. ``streak`` counts results in a row that say otherwise than ``failing``."""

    def __init__(self, check: Check, now: float) -> None:
        self.check = check
        self.failing = False
        self.known = False
        self.streak = 0
        self.since = now
        self.detail = ""
        self.expected_by = math.inf

    @property
    def _patience(self) -> float:
        return self.check.interval + self.check.timeout + MARGIN

    @property
    def is_sure(self) -> bool:
        """Whether it is good, and the last look said so, too."""
        return self.known and not self.failing and not self.streak

    def continues_as(self, check: Check) -> bool:
        def subject(one: Check) -> tuple[object, ...]:
            return one.type, one.target, one.recipient, one.interface, one.peer

        return subject(check) == subject(self.check)

    def expect(self, now: float) -> None:
        self.expected_by = now + self._patience

    def report(self, ok: bool, detail: str, now: float) -> str:
        self.expect(now)
        self.detail = detail
        if not self.known:
            self.known, self.since = True, now
        self.streak = self.streak + 1 if ok is self.failing else 0
        if self.streak < (self.check.rise if self.failing else self.check.fall):
            return ""
        return self._turn(now)

    def due(self, now: float) -> str:
        if now < self.expected_by:
            return ""
        if now - self.expected_by > OVERSLEPT:
            self.expect(now)
            return ""
        self.expected_by = math.inf
        self.detail = f"no result for {self._patience:g} s: the checker hangs"
        self.known = True
        self.streak = 0
        return "" if self.failing else self._turn(now)

    def _turn(self, now: float) -> str:
        lasted, self.since = now - self.since, now
        self.failing, self.streak = not self.failing, 0
        if self.failing:
            return f"check {self.check.name} fails: {self.detail}"
        return f"check {self.check.name} is good again, after {lasted:.1f} s"

    def status(self, now: float) -> dict[str, Any]:
        good = "good" if self.known else "unknown"
        return {
            "name": self.check.name,
            "type": self.check.type,
            "state": "failing" if self.failing else good,
            "since": round(now - self.since, 3),
            "detail": self.detail,
            "weight": FAULT if self.check.weight is None else self.check.weight,
            "peer": str(self.check.peer) if self.check.peer else "",
        }


def _because(tracks: Iterable[_Track]) -> str:
    return "; ".join(f"check {track.check.name} fails: {track.detail}" for track in tracks)
