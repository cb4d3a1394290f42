# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of what was measured, printed and kept from run to run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

HEAD = "| # | scenario | measured | bound | passed | on |\n| --- | --- | --- | --- | --- | --- |\n"


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


def keep(folder: Path, rows: list[Row]) -> None:
    """Put the rows into the table that is kept, each in the place of what an earlier run measured of the same."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "acceptance.json"
    known = [Row(**row) for row in json.loads(kept.read_text())] if kept.exists() else []
    table = {(row.number, row.where, row.what): row for row in [*known, *rows]}
    ordered = [table[key] for key in sorted(table)]
    kept.write_text(json.dumps([asdict(row) for row in ordered], indent=1))
    (folder / "acceptance.md").write_text(HEAD + "".join(row.line() + "\n" for row in ordered))
