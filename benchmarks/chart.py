# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outages as a picture: bars on a logarithmic axis, in an SVG file that needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from cases import CASES
from contenders import CONTENDERS
from goals import percentile, samples
from trial import Trial

LEFT, WIDTH, RIGHT = 150, 560, 175
BAR, GAP, TITLE = 13, 12, 34
LEAST, MOST = 0.001, 10.0
TICKS = {0.001: "1 ms", 0.01: "10 ms", 0.1: "0.1 s", 1.0: "1 s", 10.0: "10 s"}
STYLE = """
svg { background: #fff } text { font: 12px sans-serif; fill: #222 } .head { font-weight: bold; font-size: 14px }
.axis { stroke: #bbb } .spread { stroke: #222; stroke-width: 1.5 }
.carpd { fill: #1565c0 } .keepalived { fill: #e08a00 } .ucarp { fill: #7b8a8b }
@media (prefers-color-scheme: dark) {
  svg { background: #16181c } text { fill: #e6e6e6 } .axis { stroke: #444 } .spread { stroke: #e6e6e6 }
  .carpd { fill: #64a8f0 } .keepalived { fill: #ffb74d } .ucarp { fill: #9fb0b1 }
}
"""


def across(seconds: float) -> float:
    """Where a time is on the axis."""
    bounded = min(max(seconds, LEAST), MOST)
    return LEFT + WIDTH * math.log(bounded / LEAST) / math.log(MOST / LEAST)


def text(x: float, y: float, words: str, anchor: str = "start", kind: str = "") -> str:
    """Words at a place."""
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" class="{kind}">{escape(words)}</text>'


def spread(y: float, contender: str, values: Sequence[float]) -> list[str]:
    """The median as a bar, up to the 99th percentile as a line, and both in figures."""
    median, high = percentile(values, 50), percentile(values, 99)
    figure = f"{median * 1000:.0f} ms" if median == high else f"{median * 1000:.0f} ({high * 1000:.0f}) ms"
    middle, length = y + BAR / 2, max(1.0, across(median) - LEFT)
    return [
        f'<rect class="{contender}" x="{LEFT}" y="{y:.0f}" width="{length:.1f}" height="{BAR - 2}"/>',
        f'<line class="spread" x1="{across(median):.1f}" x2="{across(high):.1f}" y1="{middle:.1f}" y2="{middle:.1f}"/>',
        text(across(high) + 6, y + BAR - 3, f"{contender} {figure}"),
    ]


def chart(trials: Sequence[Trial], footer: str) -> str:
    """The whole picture."""
    parts: list[str] = []
    y = 28.0
    parts.append(
        text(12, y, "How long the address did not answer: median, and 99th percentile in brackets", kind="head")
    )
    for setting in dict.fromkeys(trial.setting for trial in trials):
        rows = [
            (case, contender, found)
            for case in CASES
            for contender in CONTENDERS
            if (found := samples(trials, contender, case, setting, "outage"))
        ]
        if not rows:
            continue
        y += TITLE
        parts.append(text(12, y, f"advertisements: {setting}", kind="head"))
        top = y + 8
        last = ""
        body: list[str] = []
        for case, contender, found in rows:
            if case != last:
                y += GAP
                body.append(text(LEFT - 8, y + BAR - 3, case, "end"))
                last = case
            body += spread(y, contender, found)
            y += BAR
        for when, words in TICKS.items():
            x = across(when)
            parts.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{top:.0f}" y2="{y + 4:.0f}"/>')
            parts.append(text(x, y + 18, words, "middle"))
        parts += body
        y += 18
    y += 26
    parts.append(text(12, y, footer))
    size = f'width="{LEFT + WIDTH + RIGHT}" height="{y + 14:.0f}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n<style>{STYLE}</style>\n' + "\n".join(parts) + "\n</svg>\n"
    )
