# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables: each contender beside its peers, and our goals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from cases import CASES
from contenders import OURS
from goals import GOALS, judge, percentile, samples
from trial import Trial

MEMORY = ("rss", "pss of all", "helper rss", "helper private")
SHARES = ("cpu", "standby cpu")
COUNTS = ("lost", "false takeovers", "realtime")


def shown(measure: str, value: float) -> str:
    """A value in the unit that the heading names."""
    if math.isinf(value):
        return "never"
    if measure in MEMORY:
        return f"{value / 1e6:.1f}"
    if measure in SHARES:
        return f"{value * 100:.3f}"
    if measure in COUNTS:
        return f"{value:.0f}"
    return f"{value * 1000:.1f}" if value < 0.1 else f"{value * 1000:.0f}"


def heading(measure: str) -> str:
    """The measure and its unit."""
    if measure in COUNTS:
        return measure
    unit = "MB" if measure in MEMORY else "%" if measure in SHARES else "ms"
    return f"{measure} {unit}"


def cell(measure: str, values: Sequence[float]) -> str:
    """Median and, of more than one, the 99th percentile, which of a few is the worst."""
    if not values:
        return "-"
    median, high = (shown(measure, percentile(values, percent)) for percent in (50, 99))
    return median if len(values) == 1 else f"{median} / {high}"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """Our median as a part of a peer's."""
    if not ours or not theirs or percentile(theirs, 50) in (0, math.inf):
        return "-"
    return f"{percentile(ours, 50) / percentile(theirs, 50):.2f}"


def table(lines: Sequence[Sequence[str]]) -> str:
    """Align: the first column to the left, the others to the right."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.rjust(width) if column else cell.ljust(width) for column, (cell, width) in enumerate(pairs))
        for pairs in (zip(line, widths) for line in lines)
    )


def comparison(trials: Sequence[Trial], case: str, setting: str) -> str:
    """One case with one setting."""
    here = [trial for trial in trials if (trial.case, trial.setting) == (case, setting)]
    measures = list(dict.fromkeys(measure for trial in here for measure in trial.values))
    lines = [["", "runs", *map(heading, measures), *(["ours / theirs"] if measures else [])]]
    for contender in dict.fromkeys(trial.contender for trial in here):
        found = {measure: samples(here, contender, case, setting, measure) for measure in measures}
        count = max(map(len, found.values()), default=0)
        line = [contender, str(count), *(cell(measure, found[measure]) for measure in measures)]
        if measures:
            ours = samples(here, OURS, case, setting, measures[0])
            line.append("" if contender == OURS else ratio(ours, found[measures[0]]))
        lines.append(line)
    return f"{CASES[case].title}; advertisements: {setting}\n{table(lines)}"


def verdicts(trials: Sequence[Trial]) -> str:
    """Our goals: limit, the worst that was measured, and whether that is reached."""
    lines = [["goal", "limit", "measured", "verdict"]]
    for goal in GOALS:
        found = judge(goal, trials)
        if found is None:
            lines.append([goal.sentence, "-", "-", "not measured"])
            continue
        value, limit = found
        told = shown(goal.measure, limit), shown(goal.measure, value)
        lines.append([goal.sentence, *told, "reached" if value <= limit else "MISSED"])
    if not realtime_was_permitted(trials):
        lines.append(["(this machine gave no realtime priority: those goals are not proven here)", "", "", ""])
    return table(lines)


def realtime_was_permitted(trials: Iterable[Trial]) -> bool:
    """Whether ours had it, wherever it was asked for."""
    asked = [trial for trial in trials if (trial.contender, trial.case) == (OURS, "overload-with-realtime")]
    return all(trial.values.get("realtime") != 0 for trial in asked)


def report(trials: Sequence[Trial]) -> str:
    """All tables, in the order of the cases, what failed, and the goals."""
    settings = list(dict.fromkeys(trial.setting for trial in trials))
    measured = {(trial.case, trial.setting) for trial in trials}
    parts = [comparison(trials, case, setting) for case in CASES for setting in settings if (case, setting) in measured]
    parts.append(verdicts(trials))
    parts += [
        f"FAILED {trial.contender} {trial.case} {trial.setting} run {trial.run}: {trial.error}"
        for trial in trials
        if trial.error
    ]
    return "\n\n".join(parts)
