# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws a drill as SVG: a lane for each host, for the probes and for the service. Pure: the record in, text out.

What is drawn has classes; the page that holds it says what they look like.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

WIDTH = 960
LABEL = 120
TOP = 44
LANE = 26
GAP = 10
RULER = 26
THIN = 0.8
"""No mark is narrower: one lost probe of a long drill must be seen."""
STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)

Facts = Mapping[str, Any]


class Picture:
    """A stretch of a drill, from ``start`` to ``end``, in seconds since it began."""

    def __init__(self, record: Facts, start: float, end: float) -> None:
        self._record = record
        self._start, self._end = start, max(end, start + 0.001)
        self._scale = (WIDTH - LABEL - 10) / (self._end - self._start)
        self._parts: list[str] = []
        self._lanes = [*record["owners"], "probes", *(["service"] if record["service"] is not None else [])]
        self._height = TOP + len(self._lanes) * (LANE + GAP) + RULER

    def draw(self) -> str:
        """Return the picture."""
        self._faults()
        self._ruler()
        for host, facts in self._record["owners"].items():
            self._host(host, facts)
        self._probes()
        if self._record["service"] is not None:
            self._service(self._record["service"])
        title = f"From {self._start:.1f} s to {self._end:.1f} s"
        return (
            f'<svg viewBox="0 0 {WIDTH} {self._height}" role="img" xmlns="http://www.w3.org/2000/svg">'
            f"<title>{title}</title>{''.join(self._parts)}</svg>"
        )

    def _x(self, at: float) -> float:
        return round(LABEL + (min(max(at, self._start), self._end) - self._start) * self._scale, 2)

    def _y(self, lane: str) -> float:
        return TOP + self._lanes.index(lane) * (LANE + GAP)

    def _is_seen(self, start: float, end: float) -> bool:
        return end >= self._start and start <= self._end

    def _bar(self, kind: str, lane: str, start: float, end: float, words: str, inset: float = 0) -> None:
        if self._is_seen(start, end):
            x = self._x(start)
            width = max(self._x(end) - x, THIN)
            y, height = self._y(lane) + inset, LANE - 2 * inset
            self._parts.append(
                f'<rect class="{kind}" x="{x}" y="{y}" width="{round(width, 2)}" height="{height}">'
                f"<title>{escape(words)}</title></rect>"
            )

    def _label(self, lane: str, words: str, small: str = "") -> None:
        y = self._y(lane) + LANE / 2 + 4
        self._parts.append(f'<text class="lane" x="0" y="{y}">{escape(words)}</text>')
        if small:
            self._parts.append(f'<text class="note" x="{LABEL - 8}" y="{y}" text-anchor="end">{escape(small)}</text>')

    def _faults(self) -> None:
        bottom = self._height - RULER
        written = 0.0
        for fault in self._record["faults"]:
            if not fault["done"] or not self._is_seen(fault["began"], fault["mended"]):
                continue
            # Where titles would touch, one stands above the other.
            raised = 14 if self._x(fault["began"]) < written else 0
            written = 0.0 if raised else self._x(fault["began"]) + 7.5 * len(fault["title"])
            x, until = self._x(fault["began"]), self._x(fault["mending"])
            self._parts.append(
                f'<rect class="fault" x="{x}" y="{TOP - 6}" width="{round(until - x, 2)}" height="{bottom - TOP + 2}"/>'
                f'<line class="edge" x1="{x}" x2="{x}" y1="{TOP - 12}" y2="{bottom}"/>'
                f'<text class="event" x="{x}" y="{TOP - 16 - raised}">{escape(fault["title"])}</text>'
            )

    def _ruler(self) -> None:
        step = next((each for each in STEPS if (self._end - self._start) / each <= 14), STEPS[-1])
        bottom = self._height - RULER
        number = int(self._start / step)
        while number * step <= self._end:
            at = number * step
            if at >= self._start:
                x = self._x(at)
                text = f"{at:.1f}" if step < 1 else f"{at:.0f}"
                self._parts.append(
                    f'<line class="grid" x1="{x}" x2="{x}" y1="{TOP - 6}" y2="{bottom}"/>'
                    f'<text class="tick" x="{x}" y="{bottom + 16}" text-anchor="middle">{text} s</text>'
                )
            number += 1

    def _host(self, host: str, facts: Facts) -> None:
        self._label(host, host)
        self._bar("idle", host, self._start, self._end, f"{host} does not have the address", inset=9)
        for start, end in facts["held"]:
            self._bar("held", host, start, end, f"{host} has the address from {start:.3f} s to {end:.3f} s")
        for fault in self._record["faults"]:
            if fault["done"] and fault["host"] == host and fault["kind"] in ("power", "link"):
                words = f"{host} is cut off from {fault['broken_at']:.3f} s to {fault['mending']:.3f} s"
                self._bar("cut", host, fault["broken_at"], fault["mending"], words)

    def _probes(self) -> None:
        probe = self._record["probe"]
        lost = [run for run in probe["lost"] if self._is_seen(run["start"], run["end"])]
        self._label("probes", "probes", f"{sum(run['count'] for run in lost)} lost" if lost else "")
        self._bar("answered", "probes", probe["start"], probe["end"], "answered", inset=6)
        for run in lost:
            words = f"{run['count']} lost from {run['start']:.3f} s to {run['end']:.3f} s"
            self._bar("lost", "probes", run["start"], run["end"], words)
        for stall in probe["stalls"]:
            self._bar("stall", "probes", stall["start"], stall["end"], "nothing was sent: the prober was too busy", 6)

    def _service(self, service: Facts) -> None:
        what = "mail" if service["mails"] else "connection"
        self._label("service", f"{what}s")
        self._ticks("done", service["done"], lambda each: f"{what} {each['number']} done at {each['at']:.3f} s", 4)
        self._ticks("failed", service["failures"], lambda each: f"{what} {each['number']}: {each['why']}", 0)

    def _ticks(self, kind: str, some: Iterable[Facts], words: Any, inset: float) -> None:
        for each in some:
            if self._is_seen(each["at"], each["at"]):
                self._bar(kind, "service", each["at"], each["at"], words(each), inset)


def pictures(record: Facts, before: float = 1.0, after: float = 1.0) -> dict[str, Any]:
    """Return a picture of the whole drill, and one of each fault, from a little before to a little after it."""
    probe = record["probe"]
    return {
        "whole": Picture(record, probe["start"], probe["end"]).draw(),
        "faults": [_close(record, fault, before, after) for fault in record["faults"]],
        "changes": changes(record),
    }


def _close(record: Facts, fault: Facts, before: float, after: float) -> str:
    if not fault["done"]:
        return ""
    back = fault["mending"] + (fault["back"] or 0.0)
    end = min(max(fault["mended"], back) + after, record["probe"]["end"])
    return Picture(record, max(fault["began"] - before, 0.0), end).draw()


def changes(record: Facts) -> Sequence[dict[str, Any]]:
    """Return what happened, in its order: each with ``at`` and ``what``."""
    address = record["address"]
    found = [
        {"at": at, "what": f"{host} {verb} {address}"}
        for host, facts in record["owners"].items()
        for start, end in facts["held"]
        for at, verb in ((start, "takes"), (end, "gives up"))
        # What was so in the beginning or at the end did not happen then.
        if record["probe"]["start"] < at < record["probe"]["end"]
    ]
    for fault in record["faults"]:
        if fault["done"]:
            found.append({"at": fault["began"], "what": f"{fault['title']} begins on {fault['host']}"})
            found.append({"at": fault["mending"], "what": f"{fault['title']} ends on {fault['host']}"})
    found += [{"at": run["start"], "what": f"{run['count']} probes without answer"} for run in record["probe"]["lost"]]
    return sorted(found, key=lambda each: each["at"])
