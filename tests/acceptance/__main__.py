# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python3 -m acceptance SUITE...``: run the tests of these suites, print a row for each, fail if one is not passed.

Suites are ``planned``, ``crash``, ``sick`` and ``client``, and ``short``, a test of each.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

from drill.machines import LabError

from . import client, crash, planned, sick
from .stage import Stage
from .table import HEAD

QUIET_TIME = float(os.environ.get("CARP_TEST_QUIET_TIME", "60"))
"""Seconds for which nothing may move in C5 and C6. Five minutes are what is promised: make test-full waits for them."""

Test = Callable[[Stage], None]
SUITES: dict[str, list[Test]] = {
    "planned": [
        planned.one_move,
        planned.fresh,
        planned.by_playbook,
        lambda stage: planned.moves_at_full_rate(stage, 5),
        planned.long_sessions,
        lambda stage: planned.there_and_back(stage, 10),
    ],
    "crash": [
        crash.cable,
        lambda stage: crash.cable(stage, 300, 3000),
        crash.frozen,
        crash.killed,
    ],
    "sick": [
        sick.hung,
        sick.stopped_and_killed,
        sick.out_of_order,
        sick.firewalled,
        lambda stage: sick.shared(stage, QUIET_TIME),
        lambda stage: sick.both_sick(stage, QUIET_TIME),
        lambda stage: sick.cost(stage, 30),
    ],
    "client": [
        lambda stage: client.planned(stage, 500),
        lambda stage: client.planned(stage, 3000, 300),
        lambda stage: client.reload(stage, 500),
        lambda stage: client.cable(stage, 500),
        lambda stage: client.restart(stage, 500),
    ],
    "short": [
        planned.one_move,
        crash.cable,
        sick.hung,
        lambda stage: client.planned(stage, 200),
    ],
}


def main(suites: list[str]) -> int:
    """Run them."""
    # So that no fault is left behind by whoever has no patience.
    signal.signal(signal.SIGTERM, lambda *_arguments: sys.exit(2))
    stage = Stage(lambda line: print(line, flush=True), os.environ.get("CARP_TEST_DISTRO", ""))
    print(HEAD, end="")
    try:
        with stage:
            for suite in suites:
                for test in SUITES[suite]:
                    test(stage)
    except LabError as error:
        print(f"the tests could not be finished: {error}", file=sys.stderr)
        return 2
    return 0 if all(row.passed for row in stage.rows) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
