# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A move of the address as a drawing: one lane for each host and one for a client, time runs downwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import svg

Event = Mapping[str, Any]
LANES = {"a": 190, "b": 470, "client": 690}
NAMES = {"a": "host a, advskew 0", "b": "host b, advskew 20", "client": "client, 1000 probes a second"}
WIDTH, TOP, ROW, BAR = 800, 44, 34, 10
_WORDS = {"gets it": "adds the address", "gives it up": "removes the address"}
PAUSE = 0.5  # seconds without any event that the eye should see


def draw(title: str, record: Mapping[str, Any]) -> str:
    """Return the drawing of a record as capture.py makes it."""
    rows = list(_rows(_relevant(record["events"])))
    bottom = TOP + ROW * (len(rows) + 1)
    shapes = [svg.line(x, TOP, x, bottom, svg.FAINT) for x in LANES.values()]
    shapes += [svg.text(x, TOP - 14, NAMES[lane], anchor="middle") for lane, x in LANES.items()]
    shapes += _bars(record["holder"], rows, bottom)
    cut = False
    for number, row in enumerate(rows):
        y = _y(number)
        if number and row[0]["at"] - rows[number - 1][-1]["at"] > PAUSE:
            shapes.append(svg.line(20, y - ROW * 0.62, WIDTH - 20, y - ROW * 0.62, svg.FAINT, "2 6"))
        cut = cut or "cut" in str(row[0]["text"])
        clock = f"{row[0]['at']:.3f} s".replace("-0.000", "0.000")
        shapes += [svg.text(72, y + 4, clock, anchor="end"), *_row(row, y, cut)]
    return svg.page(WIDTH, bottom + 14, title, shapes)


def _y(row: int) -> float:
    return TOP + ROW * (row + 1)


def _relevant(events: Sequence[Event]) -> Iterator[Event]:
    """Leave out how the old master announced itself, as it does beside each of its first advertisements."""
    for event in events:
        if event["kind"] != "announcement" or event["at"] > 0.001:
            yield event


def _rows(events: Sequence[Event]) -> Iterator[list[Event]]:
    """Put announcements that follow one another into one row: there are many."""
    for (_host, kind), found in groupby(events, key=lambda event: (event["host"], event["kind"])):
        together = list(found)
        yield from [together] if kind == "announcement" else [[event] for event in together]


def _bars(holder: str, rows: Sequence[Sequence[Event]], bottom: float) -> Iterator[str]:
    """Draw who has the address when, and when the client gets no answer."""
    since: dict[str, float] = {holder: TOP}
    for number, row in enumerate(rows):
        event, y = row[0], _y(number)
        if event["kind"] == "gap" or event["text"] == "gets it":
            since[event["host"]] = y
        elif event["kind"] in ("address", "answered"):
            yield _bar(event["host"], since.pop(event["host"], TOP), y)
    for host, start in since.items():
        yield _bar(host, start, bottom)


def _bar(host: str, start: float, end: float) -> str:
    fill = svg.BAD if host == "client" else svg.HELD
    return svg.box(LANES[host] - BAR / 2, start, BAR, end - start, fill)


def _row(row: Sequence[Event], y: float, cut: bool) -> Iterator[str]:
    event, x = row[0], LANES[row[0]["host"]]
    if event["kind"] == "advert":
        other = LANES["b" if event["host"] == "a" else "a"]
        end = (x + 2 * other) / 3 if cut else other
        yield svg.line(x, y, end, y, svg.INK, arrow=True)
        yield svg.text((x + other) / 2, y - 5, event["text"], anchor="middle")
        if cut:
            yield svg.text(end - 14, y + 5, "\u00d7", 16, "middle", svg.BAD)
    elif event["kind"] == "announcement":
        yield svg.line(x, y, LANES["client"], y, svg.HELD, "5 3", arrow=True)
        times = f"ARP, {len(row)} times in {row[-1]['at'] - event['at']:.1f} s" if len(row) > 2 else "ARP"
        yield svg.text((LANES["b"] + LANES["client"]) / 2, y - 5, f"announces it by {times}", 11, "middle")
    elif event["kind"] == "gap":
        yield svg.text(x - 12, y + 4, f"{event['text']} probes without answer", 12, "end", svg.BAD)
    else:
        words = _WORDS.get(event["text"], event["text"]) or "answered again"
        colour = {"address": svg.HELD, "answered": svg.INK, "act": svg.BAD}[event["kind"]]
        side = ("end", -12) if event["host"] != "a" else ("start", 12)
        yield svg.text(x + side[1], y + 4, words, 12, side[0], colour)
