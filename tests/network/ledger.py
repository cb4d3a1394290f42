# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the faults cost, collected over the tests and printed as one table at their end."""

from __future__ import annotations

from dataclasses import dataclass

HEADINGS = ("fault", "outage ms", "promised", "two owners ms", "promised", "moves")
FOOT = """\
Outage: the longest time for which a client had no answer. Moves: how often the address came to a host.
Elsewhere: a stranger who has the address (test_rivals.py), reload with a broken file (test_reload.py), ucarp in both
roles (test_ucarp.py), IPv6 alone (test_ipv6.py), vectors of OpenBSD and FreeBSD packets (unit tests).
Not to be had in namespaces of one machine, and left to the simulation: clocks that are set, machines that are paused or
migrated, memory pressure, a switch that forgets or snoops. Reordering needs tc-netem, which not every kernel has."""


@dataclass(frozen=True)
class Entry:
    """One fault: what it cost, and what it may cost at most, in seconds; None where that is not the question."""

    fault: str
    outage: float | None
    outage_limit: float | None
    overlap: float
    overlap_limit: float | None
    moves: int

    def line(self) -> tuple[str, ...]:
        def shown(seconds: float | None) -> str:
            return "-" if seconds is None else f"{seconds * 1000:.0f}"

        limits = shown(self.outage_limit), shown(self.overlap_limit)
        return self.fault, shown(self.outage), limits[0], shown(self.overlap), limits[1], str(self.moves)


class Ledger:
    """The entries of one run."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def table(self) -> str:
        """All entries in the order in which they came, and what is not among them."""
        lines = [HEADINGS, *(entry.line() for entry in self.entries)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
        rows = [
            "  ".join(cell.rjust(width) if column else cell.ljust(width) for column, (cell, width) in enumerate(pairs))
            for pairs in (zip(line, widths) for line in lines)
        ]
        return "\n".join([*rows, "", FOOT])
