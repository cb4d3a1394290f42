# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run many schedules: ``python3 tests/simulation [--schedules N] [--first SEED]``, or one: ``--seed SEED``.

The same seed is the same schedule, on every machine and Python: a failure can be replayed and read.
"""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "plugins" / "module_utils"))

from schedule import Schedule, explain


def main() -> int:
    """Run, print what broke, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=1000, help="how many (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="run this one and print its trace")
    options = parser.parse_args()
    if options.seed is not None:
        return _one(options.seed)
    begun = time.monotonic()
    seeds = range(options.first, options.first + options.schedules)
    failed = 0
    with multiprocessing.Pool() as pool:
        for seed, story in zip(seeds, pool.imap(functools.partial(explain), seeds, chunksize=8)):
            if story is not None:
                failed += 1
                if failed == 1:
                    print(f"{story}\n\nseed {seed}: to see it again, python3 tests/simulation --seed {seed}\n")
                else:
                    print(f"seed {seed}: {story.splitlines()[-1]}")
    print(f"{options.schedules} schedules in {time.monotonic() - begun:.0f} s")
    print(f"{options.schedules - failed} passed, {failed} failed")
    return 1 if failed else 0


def _one(seed: int) -> int:
    story = explain(seed)
    if story is None:
        schedule = Schedule(seed)
        schedule.run()
        print("\n".join(schedule.world.trace))
        return 0
    print(story)
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
