# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What carpd shall reach, and whether it did in this run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contenders import OURS
from trial import Trial

RESOLUTION = 0.005
"""Seconds: what two hosts do within this time may be seen in either order, for their kernels' notices have no time."""


@dataclass(frozen=True)
class Goal:
    """An upper limit for a measure of ours, in its unit, or the same measure of a peer in the same run.

    ``percent`` tells which of the repeated runs counts: 50 is the median, 100 the worst.
    """

    sentence: str
    cases: tuple[str, ...]
    settings: tuple[str, ...]
    measure: str
    percent: float
    limit: float | str


ALL, BELOW = ("1s", "100ms", "fastest"), ("100ms", "fastest")
ALL_GONE = ("kill-all", "freeze-all")
GOALS = (
    Goal("power cut at 1 s: no slower than keepalived", ("power-cut",), ("1s",), "outage", 50, "keepalived"),
    Goal("power cut, fastest: 99 % within 15 ms", ("power-cut",), ("fastest",), "outage", 99, 0.015),
    Goal("planned stop: no packet lost", ("planned-stop",), ALL, "lost", 100, 0),
    Goal("kill -9 of the daemon: the peer owns it within 50 ms", ("kill-daemon",), ALL, "taken", 99, 0.05),
    Goal("kill -9 of the daemon: never two owners", ("kill-daemon",), ALL, "overlap", 100, RESOLUTION),
    Goal("everything killed or frozen, at 1 s: never two owners", ALL_GONE, ("1s",), "overlap", 100, RESOLUTION),
    Goal("everything killed or frozen, below: two owners for 1.5 s at most", ALL_GONE, BELOW, "overlap", 100, 1.5),
    Goal("VIP deleted by others: back within 5 ms", ("deleted",), ALL, "restored", 99, 0.005),
    Goal("preferred host returns: no packet lost", ("return",), ALL, "lost", 100, 0),
    Goal("preferred host returns: two owners for 50 ms at most", ("return",), ALL, "overlap", 100, 0.05),
    Goal("255 addresses: 20 ms more than one", ("255-addresses",), ("100ms",), "spread", 99, 0.02),
    Goal("255 vhids: 20 ms more than one", ("255-vhids",), ("1s",), "spread", 99, 0.02),
    Goal("memory: 14 MB resident", ("footprint",), ALL, "rss", 100, 14e6),
    Goal("memory: the guard's own 3 MB", ("footprint",), ALL, "helper private", 100, 3e6),
    Goal("processor at 1 s: 0.05 %", ("footprint",), ("1s",), "cpu", 50, 0.0005),
    Goal("processor, fastest: 3 %", ("footprint",), ("fastest",), "cpu", 50, 0.03),
    Goal("overload with realtime: no false takeover", ("overload-with-realtime",), ALL, "false takeovers", 100, 0),
    Goal(
        "overload without, from 100 ms on: no false takeover",
        ("overload-without-realtime",),
        ("1s", "100ms"),
        "false takeovers",
        100,
        0,
    ),
)


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent of all do not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def samples(trials: Iterable[Trial], contender: str, case: str, setting: str, measure: str) -> list[float]:
    """What was measured; never is infinity."""
    found = [
        trial.values[measure]
        for trial in trials
        if (trial.contender, trial.case, trial.setting) == (contender, case, setting) and measure in trial.values
    ]
    return [math.inf if value is None else value for value in found]


def judge(goal: Goal, trials: Sequence[Trial]) -> tuple[float, float] | None:
    """The worst of all cases and settings of a goal, and its limit there; None if nothing was measured."""
    worst: tuple[float, float] | None = None
    for case in goal.cases:
        for setting in goal.settings:
            ours = samples(trials, OURS, case, setting, goal.measure)
            limit = goal.limit
            if isinstance(limit, str):
                theirs = samples(trials, limit, case, setting, goal.measure)
                limit = percentile(theirs, goal.percent) if theirs else math.nan
            if not ours or math.isnan(limit):
                continue
            value = percentile(ours, goal.percent)
            if worst is None or value - limit > worst[0] - worst[1]:
                worst = value, limit
    return worst
