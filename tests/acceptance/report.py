# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python3 -m acceptance.report begin|DISTRIBUTION...``: begin the table, or write it to acceptance.md and print it.

Where no scenario measures mail, there is none.
"""

from __future__ import annotations

import sys

from .table import FOLDER, forget, kept, told


def main(words: list[str]) -> int:
    """Do so."""
    if words == ["begin"]:
        forget(FOLDER)
        return 0
    rows = kept(FOLDER)
    if rows:
        text = told(rows, words)
        (FOLDER / "acceptance.md").write_text(text)
        print(f"\nMail, by acceptance tests:\n\n{text}", end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
