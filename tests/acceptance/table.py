# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of what was measured: every scenario puts rows into it, and the run of all of them ends with it."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

HEAD = "| # | scenario | measured | bound | passed | on |\n| --- | --- | --- | --- | --- | --- |\n"
FOLDER = Path(__file__).resolve().parents[2] / ".cache" / "molecule"
COUNTS = {"A": 5, "B": 5, "C": 7, "D": 8, "E": 5, "F": 1}
NUMBERS = [f"{letter}{number}" for letter, count in COUNTS.items() for number in range(1, count + 1)]
"""All tests that there are: planned moves, crashes, sick services, changes, mail of the servers, a real client."""


@dataclass(frozen=True)
class Row:
    """One thing that was measured, and whether it is within its bound."""

    number: str
    what: str
    measured: str
    bound: str
    passed: bool
    where: str = ""

    def line(self) -> str:
        """Return it as a line of a table in Markdown."""
        cells = (self.number, self.what, self.measured, self.bound, "yes" if self.passed else "**NO**", self.where)
        return "| " + " | ".join(cells) + " |"


def keep(folder: Path, rows: Iterable[Row]) -> None:
    """Put the rows into the table that is kept, each in the place of what an earlier run measured of the same.

    Scenarios on several distributions may do so at the same time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "acceptance.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        table = {(row.number, row.where, row.what): row for row in [*kept(folder), *rows]}
        new = folder / "acceptance.new"
        new.write_text(json.dumps([asdict(table[key]) for key in sorted(table)], indent=1))
        os.replace(new, folder / "acceptance.json")


def kept(folder: Path) -> list[Row]:
    """Return the rows that are kept, in order."""
    file = folder / "acceptance.json"
    return [Row(**row) for row in json.loads(file.read_text())] if file.exists() else []


def forget(folder: Path) -> None:
    """Begin a new table."""
    (folder / "acceptance.json").unlink(missing_ok=True)


def told(rows: Sequence[Row], distributions: Iterable[str]) -> str:
    """Return the table as Markdown, and below it which tests showed nothing on which distribution."""
    text = HEAD + "".join(row.line() + "\n" for row in rows)
    for where in distributions:
        here = [row for row in rows if row.where == where]
        broken = sum(not row.passed for row in here)
        missing = [number for number in NUMBERS if number not in {row.number for row in here}]
        text += f"\n{where}: {len(here)} measurements, {broken} out of their bounds; nothing was measured of "
        text += (", ".join(missing) or "none of the tests") + ".\n"
    return text
