# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python3 -m drill``: hold one drill, say what was promised and what was found, and fail if the two differ."""

from __future__ import annotations

import sys

from .failover import Failover
from .machines import LabError


def main() -> int:
    """Run it."""
    try:
        report = Failover(tell=print).run()
    except LabError as error:
        print(f"the drill could not be finished: {error}", file=sys.stderr)
        return 2
    promises = report.promises()
    for promise in promises:
        print(f"{'kept' if promise.kept else 'BROKEN'}: {promise.text} ({promise.found})")
    return 0 if all(promise.kept for promise in promises) else 1


if __name__ == "__main__":
    raise SystemExit(main())
