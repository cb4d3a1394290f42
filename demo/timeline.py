# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws a drill: one lane for each of what happened, one column for each stretch of time. Pure: report in, text out."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from drill import analysis
from drill.analysis import Span
from drill.report import Report, seconds

LABEL = 10
"""Columns left of the lanes."""


@dataclass(frozen=True)
class Style:
    """The marks of the lanes."""

    pointer: str
    holds: str
    holds_unplugged: str
    unplugged: str
    waits: str
    answer: str
    bars: str


UNICODE = Style(pointer="▼", holds="█", holds_unplugged="▓", unplugged="░", waits="·", answer="▪", bars="▁▂▃▄▅▆▇█")
ASCII = Style(pointer="v", holds="#", holds_unplugged="?", unplugged="x", waits=".", answer="+", bars="1234567")


def covered(spans: Iterable[Span], cell: Span) -> bool:
    """Whether the spans fill more than half of the cell."""
    return sum(max(0.0, min(s.end, cell.end) - max(s.start, cell.start)) for s in spans) > cell.seconds / 2


class Timeline:
    """A report on so many columns."""

    def __init__(self, report: Report, columns: int, style: Style = UNICODE) -> None:
        self._report = report
        self._style = style
        self._columns = max(20, columns - LABEL)
        self._step = (report.end - report.start) / self._columns

    def draw(self) -> str:
        """The lanes, then the same in words."""
        return "\n".join([*self.lanes(), "", *self.story(), "", *self.measured()]) + "\n"

    def lanes(self) -> list[str]:
        """Who had the address, and what the client saw of it."""
        report = self._report
        return [
            self._pointers(),
            self._ruler(),
            *(self._lane(name, self._owner(name)) for name in report.holders),
            self._lane("ping", lambda cell: " " if covered(report.silences, cell) else self._style.answer),
            self._lane("mail", self._mails()),
            self._legend(),
        ]

    def story(self) -> list[str]:
        """Each change, with its time."""
        report = self._report
        lines = [
            (report.pulled, f"the cable of {report.preferred} is pulled"),
            (report.plugged, f"the cable of {report.preferred} is plugged in again"),
        ]
        for name, spans in report.holders.items():
            for span in spans:
                # What was so at the start and is so at the end did not happen.
                if span.start > report.start:
                    lines.append((span.start, f"{name} takes {report.address}"))
                if span.end < report.end:
                    lines.append((span.end, f"{name} gives {report.address} up"))
        return [f"{at - report.start:{LABEL - 3}.2f} s  {text}" for at, text in sorted(lines)]

    def measured(self) -> list[str]:
        """The numbers."""
        report = self._report
        rows = [
            ("", "take-over", "fail-back"),
            ("no answer to ping", *self._both(report.silence)),
            ("no mail accepted", *self._both(report.mail_pause)),
        ]
        mail = f"{report.sent} sent, {len(report.accepted)} accepted, {len(report.lost)} lost"
        again = f"{len(report.doubled)} arrived twice, {report.refusals} attempts had to be repeated"
        return [
            *(f"{name:<20}{out:<12}{back}".rstrip() for name, out, back in rows),
            f"{'two owners at once':<20}{seconds(report.overlap)}",
            f"{'mail':<20}{mail} ({again})",
        ]

    def _both(self, measure: Callable[[Span], float]) -> tuple[str, str]:
        return seconds(measure(self._report.cut)), seconds(measure(self._report.after))

    def _cell(self, at: float) -> int:
        return min(self._columns - 1, max(0, int((at - self._report.start) / self._step)))

    def _lane(self, label: str, mark: Callable[[Span], str]) -> str:
        start = self._report.start
        cells = (Span(start + n * self._step, start + (n + 1) * self._step) for n in range(self._columns))
        return f"{label:<{LABEL}}{''.join(map(mark, cells))}".rstrip()

    def _owner(self, name: str) -> Callable[[Span], str]:
        held = self._report.holders[name]
        unplugged = analysis.unplugged(self._report.events, name, self._report.end)
        style = self._style

        def mark(cell: Span) -> str:
            if covered(unplugged, cell):
                return style.holds_unplugged if covered(held, cell) else style.unplugged
            return style.holds if covered(held, cell) else style.waits

        return mark

    def _mails(self) -> Callable[[Span], str]:
        """How many mails were accepted: half of the full height is the usual number, full is twice that or more."""
        counts = Counter(self._cell(event.at) for event in self._report.accepted)
        usual = statistics.median(counts.values()) if counts else 1
        bars = self._style.bars

        def mark(cell: Span) -> str:
            count = counts[self._cell((cell.start + cell.end) / 2)]
            height = math.ceil(count / usual * len(bars) / 2)
            return bars[min(height, len(bars)) - 1] if count else " "

        return mark

    def _pointers(self) -> str:
        report, pointer = self._report, self._style.pointer
        out, back = f"{pointer} cable of {report.preferred} pulled", f"{pointer} plugged in"
        line = " " * (LABEL + self._cell(report.pulled)) + out
        return f"{line:<{LABEL + self._cell(report.plugged)}}{back}" if self._apart(out) else line

    def _apart(self, text: str) -> bool:
        """Whether there is room for both pointers on one line."""
        return self._cell(self._report.plugged) - self._cell(self._report.pulled) > len(text)

    def _ruler(self) -> str:
        """A number every so many seconds, so that they do not touch."""
        every = next(step for step in (1, 2, 5, 10, 30, 60, 600) if step >= 8 * self._step or step == 600)
        line = ""
        for second in range(0, int(self._report.end - self._report.start) + 1, every):
            text = f"{line:<{LABEL + round(second / self._step)}}{second} s"
            if len(text) <= LABEL + self._columns:
                line = text
        return line

    def _legend(self) -> str:
        style = self._style
        marks = {
            style.holds: "owner",
            style.waits: "standby",
            style.unplugged: "no cable",
            style.holds_unplugged: "no cable, owner",
        }
        return " " * LABEL + "   ".join(f"{mark} {meaning}" for mark, meaning in marks.items())
