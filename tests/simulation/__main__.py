# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run many schedules: ``python3 tests/simulation [--schedules N] [--first SEED]``; with N = 1 the trace is printed.

The same seed is the same schedule, on every machine and Python: a failure can be replayed and read.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import pathlib
import sys
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "plugins" / "module_utils"))

from schedule import explain, tell
from year import problems


def main() -> int:
    """Run, print what broke, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=1000, help="how many (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default: %(default)s)")
    parser.add_argument("--year", action="store_true", help="instead, let a quiet pair run for a year")
    options = parser.parse_args()
    if options.year:
        return _year()
    if options.schedules == 1:
        passed, story = tell(options.first, math.inf)
        print("\n".join(story))
        return 0 if passed else 1
    return _many(range(options.first, options.first + options.schedules))


def _year() -> int:
    begun = time.monotonic()
    found = problems()
    print("\n".join(found or ["nothing happened"]))
    print(f"a year in {time.monotonic() - begun:.0f} s")
    return 1 if found else 0


def _many(seeds: range) -> int:
    begun = time.monotonic()
    failed = 0
    with multiprocessing.Pool() as pool:
        for seed, story in zip(seeds, pool.imap(explain, seeds, chunksize=8)):
            if story is not None:
                failed += 1
                if failed == 1:
                    print(f"{story}\n\nThese were its last seconds; for all of it: make simulate N=1 FIRST={seed}\n")
                else:
                    print(f"seed {seed}: {story.splitlines()[-1]}")
    print(f"{len(seeds)} schedules in {time.monotonic() - begun:.0f} s")
    print(f"{len(seeds) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
