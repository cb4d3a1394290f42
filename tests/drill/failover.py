# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drill itself: plug out, take-over, plug in, fail-back, under a stream of mail."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence

from .events import Event
from .machines import INTERFACE, LabError, Machine
from .recorder import AGENTS, Recorder
from .report import Report, seconds

PREFERRED = Machine("server1", "carp-server1")
STANDBY = Machine("server2", "carp-server2")
CLIENT = Machine("client", "carp-client")
ADDRESS = "172.17.0.74"
USER = "carptest"
RECIPIENT = f"{USER}@example.com"
RATE = 20
"""Mails a second."""
STEADY = 3 * RATE
"""Mails that make a stretch of normal work."""

Tell = Callable[[str], None]


class Failover:
    """One drill. ``tell`` gets a line for each step."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._run = uuid.uuid4().hex[:12]

    def run(self) -> Report:
        """Do it all and report; the cable is back in any case."""
        try:
            with Recorder() as recorder:
                return self._drill(recorder)
        finally:
            PREFERRED.plug()

    def _drill(self, recorder: Recorder) -> Report:
        for server in (PREFERRED, STANDBY):
            recorder.start(server, "watch", INTERFACE, ADDRESS)
        recorder.wait(f"{ADDRESS} on {PREFERRED.name} alone", owned(PREFERRED, STANDBY), 60)
        start = time.monotonic()
        self._tell(f"{PREFERRED.name} holds {ADDRESS}")

        probe = recorder.start(CLIENT, "probe", ADDRESS)
        mail = recorder.start(CLIENT, "mail", ADDRESS, RECIPIENT, self._run, str(RATE))
        recorder.wait("the first answer to a ping", lambda events: any(e.kind == "answer" for e in events), 10)
        self._steady(recorder)
        self._tell(f"the client sends {RATE} mails and 100 pings a second to {ADDRESS}")

        self._tell(f"pulling the cable of {PREFERRED.name}")
        PREFERRED.unplug()
        pulled = self._link(recorder, up=False)
        recorder.wait(f"{ADDRESS} on {STANDBY.name} alone", owned(STANDBY, PREFERRED), 15)
        self._tell(f"{STANDBY.name} took the address over, {seconds(time.monotonic() - pulled)} after the cut")
        self._steady(recorder)

        self._tell(f"plugging the cable of {PREFERRED.name} in again")
        PREFERRED.plug()
        plugged = self._link(recorder, up=True)
        recorder.wait(f"{ADDRESS} on {PREFERRED.name} alone again", owned(PREFERRED, STANDBY), 30)
        self._tell(f"{PREFERRED.name} has the address back, {seconds(time.monotonic() - plugged)} after that")
        self._steady(recorder)

        mail.stop()
        recorder.wait("the end of the mail", lambda events: finished(events, "mails"), 60)
        probe.stop()
        recorder.wait("the end of the pings", lambda events: finished(events, "answers"), 10)
        end = time.monotonic()

        self._tell("looking for the mails on both servers")
        return Report(
            preferred=PREFERRED.name,
            standby=STANDBY.name,
            address=ADDRESS,
            start=start,
            pulled=pulled,
            plugged=plugged,
            end=end,
            events=recorder.events(),
            arrived={server.name: self._arrivals(server) for server in (PREFERRED, STANDBY)},
        )

    def _link(self, recorder: Recorder, up: bool) -> float:
        """Wait until the preferred server sees its link so, and return since when it does."""

        def seen() -> list[Event]:
            return [e for e in recorder.events() if (e.machine, e.kind) == (PREFERRED.name, "link")]

        recorder.wait(f"the link of {PREFERRED.name}", lambda _: seen()[-1].facts["up"] is up, 10)
        return seen()[-1].at

    def _steady(self, recorder: Recorder) -> None:
        """Wait for a stretch of normal work."""
        since = time.monotonic()
        recorder.wait(
            f"{STEADY} new mails accepted",
            lambda events: sum(e.kind == "accepted" and float(str(e.facts["began"])) > since for e in events) >= STEADY,
            30,
        )

    def _arrivals(self, server: Machine) -> list[int]:
        """The numbers of the mails that reached a server, once it has nothing left to deliver."""
        until = time.monotonic() + 30
        while True:
            line = server.run("python3", f"{AGENTS}/arrivals.py", USER, self._run)
            facts = Event.parse(server.name, line).facts
            if not facts["queued"] or time.monotonic() > until:
                return [int(str(n)) for kind in ("queued", "delivered") for n in _list(facts[kind])]


def _list(value: object) -> Sequence[object]:
    if not isinstance(value, list):
        raise LabError(f"not a list of numbers: {value!r}")
    return value


def owned(owner: Machine, other: Machine) -> Callable[[Sequence[Event]], bool]:
    """A condition: the one has the address, and the other has not."""

    def condition(events: Sequence[Event]) -> bool:
        last = {event.machine: bool(event.facts["held"]) for event in events if event.kind == "address"}
        return last.get(owner.name) is True and last.get(other.name) is False

    return condition


def finished(events: Sequence[Event], fact: str) -> bool:
    """Whether the agent whose last event has ``fact`` came to its end."""
    return any(event.kind == "finished" and fact in event.facts for event in events)
