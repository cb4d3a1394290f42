# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python3 -m drill.watched [--lost MOST] LONGEST_GAP LONGEST_OVERLAP COMMAND...``: run a command in the lab.

While it runs, the client pings the address a hundred times a second and both servers tell when they have it. Fails if
the command does, if answers stayed away for longer than LONGEST_GAP seconds, or if both servers had the address for
longer than LONGEST_OVERLAP seconds. With --lost, the client pings a thousand times a second, and the address must stay
where it is, and not more than MOST pings may be without an answer.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

from .analysis import Span, held, overlaps, silences
from .events import Event
from .failover import ADDRESS, CLIENT, PREFERRED, STANDBY, finished
from .machines import INTERFACE, LabError
from .recorder import Recorder

SERVERS = (PREFERRED, STANDBY)


class Seen(NamedTuple):
    """What was seen: the command's exit code, gaps in the answers, times of two owners, pings, and the owners in turn.

    An owner that lost the address and had it again stands there twice.
    """

    code: int
    gaps: list[Span]
    both: list[Span]
    answers: int
    lost: int
    owners: list[str]


def watched(command: Sequence[str], interval: float) -> Seen:
    """Run the command, with so many seconds between two pings."""
    with Recorder() as recorder:
        for server in SERVERS:
            recorder.start(server, "watch", INTERFACE, ADDRESS)
        probe = recorder.start(CLIENT, "probe", ADDRESS, str(interval))
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
    pings = next(event.facts for event in events if event.kind == "finished" and "lost" in event.facts)
    owners = [event.machine for event in events if event.kind == "address" and event.facts["held"]]
    answers, lost = int(str(pings["answers"])), int(str(pings["lost"]))
    return Seen(code, silences(events), overlaps(holders), answers, lost, owners)


def _owned(events: Sequence[Event]) -> bool:
    last = {event.machine: bool(event.facts["held"]) for event in events if event.kind == "address"}
    return any(last.values())


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog="drill.watched")
    parser.add_argument("--lost", type=int)
    parser.add_argument("gap", type=float)
    parser.add_argument("overlap", type=float)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    try:
        seen = watched(given.command, 0.01 if given.lost is None else 0.001)
    except LabError as error:
        print(f"the address could not be watched: {error}", file=sys.stderr)
        return 2
    gap = max((span.seconds for span in seen.gaps), default=0.0)
    both = max((span.seconds for span in seen.both), default=0.0)
    print(
        f"longest gap {gap:.3f} s of {len(seen.gaps)}, longest time of two owners {both:.3f} s of {len(seen.both)}; "
        f"{seen.lost} of {seen.answers + seen.lost} pings lost; it was with {', '.join(seen.owners)}"
    )
    stayed = given.lost is None or (seen.lost <= given.lost and len(seen.owners) == 1)
    return seen.code or int(gap > given.gap or both > given.overlap or not stayed)


if __name__ == "__main__":
    raise SystemExit(main())
