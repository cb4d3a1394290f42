# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python3 -m drill.watched LONGEST_GAP LONGEST_OVERLAP COMMAND...``: run a command that moves the lab's address.

While it runs, the client pings the address a hundred times a second and both servers tell when they have it. Fails if
the command does, if answers stayed away for longer than LONGEST_GAP seconds, or if both servers had the address for
longer than LONGEST_OVERLAP seconds.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence

from .analysis import Span, held, overlaps, silences
from .events import Event
from .failover import ADDRESS, CLIENT, PREFERRED, STANDBY, finished
from .machines import INTERFACE, LabError
from .recorder import Recorder

SERVERS = (PREFERRED, STANDBY)


def watched(command: Sequence[str]) -> tuple[int, list[Span], list[Span]]:
    """Run the command and return its exit code, the gaps in the answers, and the times of two owners."""
    with Recorder() as recorder:
        for server in SERVERS:
            recorder.start(server, "watch", INTERFACE, ADDRESS)
        probe = recorder.start(CLIENT, "probe", ADDRESS)
        recorder.wait("the first answer to a ping", lambda events: any(e.kind == "answer" for e in events), 30)
        code = subprocess.run(command, check=False).returncode
        # A gap is told with the answer that ends it, and one that began with the command's end must not be missed.
        end = time.monotonic()
        recorder.wait("someone with the address", _owned, 15)
        time.sleep(max(0.0, end + 2.0 - time.monotonic()))
        probe.stop()
        recorder.wait("the end of the pings", lambda events: finished(events, "answers"), 10)
        events = recorder.events()
    holders = {server.name: held(events, server.name, end) for server in SERVERS}
    return code, silences(events), overlaps(holders)


def _owned(events: Sequence[Event]) -> bool:
    last = {event.machine: bool(event.facts["held"]) for event in events if event.kind == "address"}
    return any(last.values())


def main() -> int:
    """Run it."""
    longest_gap, longest_overlap, *command = sys.argv[1:]
    try:
        code, gaps, both = watched(command)
    except LabError as error:
        print(f"the address could not be watched: {error}", file=sys.stderr)
        return 2
    worst_gap = max((span.seconds for span in gaps), default=0.0)
    worst_overlap = max((span.seconds for span in both), default=0.0)
    print(
        f"longest gap {worst_gap:.3f} s of {len(gaps)}, longest time of two owners {worst_overlap:.3f} s of {len(both)}"
    )
    return code or int(worst_gap > float(longest_gap) or worst_overlap > float(longest_overlap))


if __name__ == "__main__":
    raise SystemExit(main())
