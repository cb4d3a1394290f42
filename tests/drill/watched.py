# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python3 -m drill.watched LONGEST_GAP LONGEST_OVERLAP COMMAND...``: run a command that moves the lab's address.

While it runs, the client pings the address a hundred times a second, or as ``--interval`` says, and both servers tell
when they have it. Fails if the command does, if answers stayed away for longer than LONGEST_GAP seconds, if both
servers had the address for longer than LONGEST_OVERLAP seconds, or if more pings than ``--lost`` had no answer; with
``--stays`` also if the address was with more than one server, one after the other.

With ``--service`` the client also asks a service, a URL or a command, again and again. Then it fails, too, if more
requests than ``--failed`` failed, if for longer than ``--unserved`` seconds none succeeded, or if the last one failed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .analysis import Span, held, overlaps, silences
from .events import Event
from .failover import ADDRESS, CLIENT, PREFERRED, STANDBY, finished
from .machines import INTERFACE, LabError
from .recorder import Recorder

SERVERS = (PREFERRED, STANDBY)
RATE = "50"
"""Requests a second."""
AFTERWARDS = 2.0
"""For how many seconds all is watched after the command has ended."""


@dataclass
class Seen:
    """What was seen while the command ran; of a service nothing if none was asked."""

    code: int
    gaps: list[Span]
    both: list[Span]
    owners: list[str]
    answers: int
    lost: int
    requests: int = 0
    failed: int = 0
    serving: bool = True
    unserved: list[Span] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def told(self) -> str:
        """Say it in a line, and what the first requests failed of."""
        text = (
            f"longest gap {longest(self.gaps):.3f} s of {len(self.gaps)}, "
            f"longest time of two owners {longest(self.both):.3f} s of {len(self.both)}; "
            f"{self.lost} of {self.answers + self.lost} pings lost; it was with {', '.join(self.owners)}"
        )
        if self.requests:
            text += (
                f"; {self.failed} of {self.requests} requests failed, longest {longest(self.unserved):.3f} s unserved"
            )
        return "\n".join([text, *self.reasons[:5]])


def longest(spans: Sequence[Span]) -> float:
    """The length of the longest, 0 if there is none."""
    return max((span.seconds for span in spans), default=0.0)


def watched(wanted: argparse.Namespace) -> Seen:
    """Run the command and return what was seen meanwhile."""
    with Recorder() as recorder:
        for server in SERVERS:
            recorder.start(server, "watch", INTERFACE, wanted.address)
        agents = [recorder.start(CLIENT, "probe", wanted.address, wanted.interval)]
        recorder.wait("the first answer to a ping", _any("answer"), 30)
        if wanted.service:
            agents.append(recorder.start(CLIENT, "service", wanted.service, wanted.rate))
            recorder.wait("the first answer of the service", _any("served"), 30)
        code = subprocess.run(wanted.command, check=False).returncode
        # A gap is told with the answer that ends it, and one that began with the command's end must not be missed.
        end = time.monotonic()
        recorder.wait("someone with the address", _owned, 15)
        time.sleep(max(0.0, end + AFTERWARDS - time.monotonic()))
        for agent in agents:
            agent.stop()
        recorder.wait("the end of the pings", lambda events: finished(events, "answers"), 10)
        if wanted.service:
            recorder.wait("the end of the requests", lambda events: finished(events, "requests"), 30)
        events = recorder.events()
    holders = {server.name: held(events, server.name, end) for server in SERVERS}
    counts: dict[str, Any] = {}
    for event in events:
        if event.kind == "finished":
            counts.update(event.facts)
    return Seen(
        code,
        silences(events),
        overlaps(holders),
        # One that lost it and had it again stands there twice.
        [event.machine for event in events if event.kind == "address" and event.facts["held"]],
        **counts,
        unserved=silences(events, "unserved"),
        reasons=[str(event.facts["why"]) for event in events if event.kind == "failed"],
    )


def _any(kind: str) -> Callable[[Sequence[Event]], bool]:
    return lambda events: any(event.kind == kind for event in events)


def _owned(events: Sequence[Event]) -> bool:
    last = {event.machine: bool(event.facts["held"]) for event in events if event.kind == "address"}
    return any(last.values())


def arguments() -> argparse.ArgumentParser:
    """What can be asked for."""
    parser = argparse.ArgumentParser(prog="drill.watched")
    parser.add_argument("--address", default=ADDRESS)
    parser.add_argument("--interval", default="0.01", help="seconds between pings")
    parser.add_argument("--lost", type=int, default=sys.maxsize)
    parser.add_argument("--stays", action="store_true")
    parser.add_argument("--service", default="")
    parser.add_argument("--rate", default=RATE, help="requests a second")
    parser.add_argument("--failed", type=int, default=sys.maxsize)
    parser.add_argument("--unserved", type=float, default=float("inf"))
    parser.add_argument("gap", type=float)
    parser.add_argument("overlap", type=float)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    return parser


def kept(seen: Seen, wanted: argparse.Namespace) -> bool:
    """Whether all was within the limits."""
    return (
        longest(seen.gaps) <= wanted.gap
        and longest(seen.both) <= wanted.overlap
        and longest(seen.unserved) <= wanted.unserved
        and seen.lost <= wanted.lost
        and not (wanted.stays and len(seen.owners) != 1)
        and seen.failed <= wanted.failed
        and seen.serving
    )


def main() -> int:
    """Run it."""
    wanted = arguments().parse_args()
    try:
        seen = watched(wanted)
    except LabError as error:
        print(f"the address could not be watched: {error}", file=sys.stderr)
        return 2
    print(seen.told())
    return seen.code or int(not kept(seen, wanted))


if __name__ == "__main__":
    raise SystemExit(main())
