# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python3 -m acceptance.note NUMBER WHAT MEASURED BOUND``: a row of a scenario that tests with playbooks.

It comes after what the playbook asserts: a row is there if the test was passed.
"""

from __future__ import annotations

import os
import sys

from .table import FOLDER, NUMBERS, Row, keep


def main(number: str, what: str, measured: str, bound: str) -> int:
    """Keep the row, and say it."""
    if number not in NUMBERS:
        print(f"{number}: there is no such test", file=sys.stderr)
        return 2
    row = Row(number, what, measured, bound, True, os.environ.get("CARP_TEST_DISTRO", ""))
    keep(FOLDER, [row])
    print(row.line())
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
