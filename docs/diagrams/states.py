# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The states of a virtual host as a drawing and as a table, from the daemon's own table of transitions."""

from __future__ import annotations

import math
from collections.abc import Iterator

import svg
from carpd.transitions import TRANSITIONS, Event, State

# Where each state is, and what it is in three words.
PLACES = {
    "INIT": (90, 250, "interface not usable"),
    "BACKUP": (350, 90, "ready to take over"),
    "MASTER": (800, 90, "has the addresses"),
    "DRAINING": (1030, 90, "lets connections end"),
    "LEAVING": (580, 250, "handing over"),
    "FAULTY": (350, 410, "must not be master"),
    "FAILING": (800, 410, "handing over, sick"),
    "CLOSING": (1030, 250, "handing over, ending"),
    "ENDED": (1030, 560, "no longer there"),
}
# What leads away from nearly everywhere is faint, so that the election can be seen.
ASIDE = {Event.DOWN: "down", Event.STOP: "stop"}
WIDTH, HEIGHT, HALF, TALL, BEND = 1130, 620, 78, 22, 0.13
FAR = 560  # the label of a longer arrow is beyond its middle, where there is room


def draw() -> str:
    """Return the drawing."""
    shapes: list[str] = []
    labels: list[str] = []
    for (source, target), events in _arrows().items():
        aside = all(event in ASIDE for event in events)
        points = _path(source, target)
        shapes.append(svg.curve(points, svg.FAINT if aside else svg.INK, "4 4" if aside else ""))
        shown = [event.value for event in events if not (event in ASIDE and not aside)]
        (x1, y1), (x2, y2), (x3, y3) = points
        at = 0.5 if math.hypot(x3 - x1, y3 - y1) < FAR else 0.6
        x = (1 - at) ** 2 * x1 + 2 * at * (1 - at) * x2 + at**2 * x3
        y = (1 - at) ** 2 * y1 + 2 * at * (1 - at) * y2 + at**2 * y3
        for row, what in enumerate(shown):
            where = y + 4 + 12 * (row - (len(shown) - 1) / 2)
            width = 6 * len(what) + 4
            labels.append(svg.box(x - width / 2, where - 10, width, 13, svg.PAPER))
            labels.append(svg.text(x, where, what, 11, "middle", svg.FAINT if aside else svg.INK))
    for state in State:
        x, y, words = PLACES[state.value]
        fill = svg.HELD if state.holds else svg.PAPER
        ink = svg.PAPER if state.holds else svg.INK
        labels.append(svg.box(x - HALF, y - TALL, 2 * HALF, 2 * TALL, fill, svg.INK, 8))
        labels.append(svg.text(x, y - 3, state.value, 14, "middle", ink))
        labels.append(svg.text(x, y + 13, words, 10, "middle", ink))
    labels.append(svg.text(14, HEIGHT - 12, "Green: the addresses are here. Dashed: the interface, or the end."))
    return svg.page(WIDTH, HEIGHT, "The states of a virtual host and what leads from one to another", shapes + labels)


def table() -> str:
    """Return a page with every transition that changes something."""
    lines = [
        "# Every transition",
        "",
        "<!-- Written by docs/diagrams/draw.py from carpd/transitions.py: change it there. -->",
        "",
        "What each event does in each state. An event that is not listed for a state changes nothing there.",
    ]
    for state in State:
        rows = [(event, outcome) for (where, event), outcome in TRANSITIONS.items() if where is state]
        rows = [(event, outcome) for event, outcome in rows if outcome.state is not state or outcome.reactions]
        if not rows:
            continue
        lines += ["", f"## {state.value}: {PLACES[state.value][2]}", "", "| event | next state | what is done |"]
        lines.append("| --- | --- | --- |")
        for event, outcome in rows:
            done = ", ".join(reaction.value for reaction in outcome.reactions) or "nothing"
            lines.append(f"| {event.value} | {outcome.state.value} | {done} |")
    return "\n".join(lines) + "\n"


def _arrows() -> dict[tuple[State, State], list[Event]]:
    """Return the events that lead from one state to another, for each pair that has any."""
    found: dict[tuple[State, State], list[Event]] = {}
    for (state, event), outcome in TRANSITIONS.items():
        if outcome.state is not state:
            found.setdefault((state, outcome.state), []).append(event)
    return found


def _path(source: State, target: State) -> tuple[tuple[float, float], tuple[float, float], tuple[float, float]]:
    """Return where an arrow begins, where it bends to, and where it ends; there and back do not lie on each other."""
    (x1, y1, _here), (x2, y2, _there) = PLACES[source.value], PLACES[target.value]
    length = math.hypot(x2 - x1, y2 - y1)
    across = (y1 - y2) / length, (x2 - x1) / length
    reach = BEND * length + 14
    bend = (x1 + x2) / 2 + across[0] * reach, (y1 + y2) / 2 + across[1] * reach
    return _edge((x1, y1), bend), bend, _edge((x2, y2), bend)


def _edge(centre: tuple[float, float], towards: tuple[float, float]) -> tuple[float, float]:
    """Return where the line from a state's centre leaves its box."""
    dx, dy = towards[0] - centre[0], towards[1] - centre[1]
    scale = min(HALF / abs(dx) if dx else math.inf, TALL / abs(dy) if dy else math.inf)
    return centre[0] + dx * scale, centre[1] + dy * scale


def names() -> Iterator[str]:
    """Yield the names of all states and events that the drawing must have."""
    yield from (state.value for state in State)
    yield from (event.value for events in _arrows().values() for event in events)
