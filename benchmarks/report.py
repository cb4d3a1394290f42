# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of medians, each beside its peers."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from cases import CASES
from contenders import OURS
from trial import Trial

HEADINGS = (
    "",
    "outage ms: median",
    "min",
    "max",
    "lost: median",
    "max",
    "two owners ms: median",
    "max",
    "ours / theirs",
)


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f}"


def ratio(ours: float | None, theirs: float) -> str:
    """Our median outage as a part of a peer's."""
    if ours is None or theirs == 0:
        return "-"
    return f"{ours / theirs:.2f}"


def row(name: str, trials: Sequence[Trial], ours: float | None) -> list[str]:
    """One contender's line of one table."""
    outages = [trial.outage for trial in trials if trial.outage is not None]
    losses = [trial.lost for trial in trials if trial.lost is not None]
    overlaps = [trial.overlap for trial in trials if trial.overlap is not None]
    if not outages or not losses:
        return [name, "failed", *[""] * (len(HEADINGS) - 2)]
    median = statistics.median(outages)
    both = [milliseconds(statistics.median(overlaps)), milliseconds(max(overlaps))] if overlaps else ["-", "-"]
    return [
        name,
        milliseconds(median),
        milliseconds(min(outages)),
        milliseconds(max(outages)),
        f"{statistics.median(losses):g}",
        str(max(losses)),
        *both,
        "" if name == OURS else ratio(ours, median),
    ]


def table(rows: Iterable[Sequence[str]]) -> str:
    """Align: the first column to the left, numbers to the right."""
    lines = [list(HEADINGS), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(cell.rjust(width) if column else cell.ljust(width) for column, (cell, width) in enumerate(pairs))
        for pairs in (zip(line, widths) for line in lines)
    )


def report(trials: Sequence[Trial]) -> str:
    """All tables, in the order of the cases, and what failed."""
    parts = []
    for setting in dict.fromkeys(trial.setting for trial in trials):
        for name, case in CASES.items():
            here = [trial for trial in trials if (trial.case, trial.setting) == (name, setting)]
            if not here:
                continue
            by_contender: dict[str, list[Trial]] = {}
            for trial in here:
                by_contender.setdefault(trial.contender, []).append(trial)
            ours = [trial.outage for trial in by_contender.get(OURS, []) if trial.outage is not None]
            reference = statistics.median(ours) if ours else None
            count = max(len(list_) for list_ in by_contender.values())
            parts.append(
                f"{case.title}; advertisements every {setting}; {count} runs each\n"
                + table(row(contender, list_, reference) for contender, list_ in by_contender.items())
            )
    failed = [trial for trial in trials if trial.error]
    parts += [f"FAILED {trial.contender} {trial.case} run {trial.run}: {trial.error}" for trial in failed]
    return "\n\n".join(parts)
