# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two servers, the client that sends, and the server that counts: what every test needs."""

from __future__ import annotations

import json
import os
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from drill.events import Event
from drill.failover import ADDRESS, CLIENT, PREFERRED, STANDBY, owned
from drill.machines import INTERFACE, LabError, Machine
from drill.recorder import Agent, Recorder

from .mail import Mail, judge
from .table import FOLDER, Row, keep

RECIPIENT = "drill@sink.example.com"
SINK_PORT = "2525"
SERVERS = (PREFERRED, STANDBY)
PROJECT = Path(__file__).resolve().parents[2]
READ_TIMEOUT = 10.0
"""Seconds after which the client gives a silent server up; a real one waits for five minutes."""
ENDLESS = 100_000
"""More mails than a test can last for."""

Tell = Callable[[str], None]


class Stream:
    """A stream of numbered mails under way."""

    def __init__(self, stage: Stage, rate: float, count: int, mode: str = "conn") -> None:
        self._stage = stage
        self.run = uuid.uuid4().hex[:12]
        self.count = count
        self.began = time.monotonic()
        self._told = False
        arguments = (ADDRESS, RECIPIENT, self.run, mode, str(rate), str(count), str(READ_TIMEOUT))
        self._agent = stage.recorder.start(CLIENT, "stream", *arguments)

    def wait_accepted(self, share: float) -> None:
        """Wait until this part of the mails is accepted."""
        wanted = int(self.count * share)
        self._stage.wait(
            f"{wanted} mails accepted",
            lambda events: sum(e.kind == "accepted" and e.at >= self.began for e in events) >= wanted,
            120,
        )

    def end(self) -> int:
        """Begin no new mails; return how many there are."""
        self._agent.stop()
        self._told = True
        self._stage.wait("the end of the stream", self._has_ended, 180)
        events = self._stage.recorder.events()
        self.count = int(str(next(e.facts["streamed"] for e in events if "streamed" in e.facts and e.at > self.began)))
        return self.count

    def _has_ended(self, events: list[Event]) -> bool:
        return any("streamed" in e.facts and e.at > self.began for e in events)

    def finish(self, seconds: float = 120) -> Mail:
        """Wait until all are accepted and the servers have none left to deliver, and count."""
        self._stage.wait("the end of the stream", self._has_ended, 180)
        if not self._told:
            self._agent.stop()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            mail = judge(self._stage.recorder.events(), self.run, self.began)
            if not mail.lost and not any(self._stage.queued(server) for server in SERVERS):
                break
            time.sleep(0.5)
        return judge(self._stage.recorder.events(), self.run, self.began)


class Stage:
    """Where the tests play. Use as a context manager; leaves the lab as it should be found."""

    def __init__(self, tell: Tell, where: str) -> None:
        self.tell = tell
        self.recorder = Recorder()
        self.rows: list[Row] = []
        self._where = where
        self._watches: dict[str, Agent] = {}
        self._sink: Agent | None = None

    def __enter__(self) -> Stage:
        for server in SERVERS:
            self.watch(server)
        self.count_mail()
        self.settle()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.recorder.__exit__(kind, error, trace)

    def row(self, number: str, what: str, measured: str, bound: str, passed: bool) -> None:
        """Note, keep and print what was measured."""
        row = Row(number, what, measured, bound, passed, self._where)
        self.rows.append(row)
        keep(FOLDER, [row])
        self.tell(row.line())

    def wait(self, what: str, condition: Callable[[list[Event]], bool], seconds: float) -> None:
        """Wait for a condition over all events."""
        self.recorder.wait(what, condition, seconds)

    def watch(self, server: Machine) -> None:
        """Begin to watch the address on a server."""
        self._watches[server.name] = self.recorder.start(server, "watch", INTERFACE, ADDRESS)

    def watch_no_more(self, server: Machine) -> None:
        """Let the watch on a server end, since the server is about to."""
        self._watches[server.name].stop()

    def count_mail(self, delay: float = 0.0) -> None:
        """Start the server that counts, in the place of the one before."""
        if self._sink is not None:
            self._sink.stop()
            self._sink.close()
        began = time.monotonic()
        self._sink = self.recorder.start(CLIENT, "sink", SINK_PORT, str(delay))
        self.wait("the sink", lambda events: any(e.kind == "listening" and e.at >= began for e in events), 15)

    def settle(self) -> None:
        """Wait until the preferred server alone has the address and both servers are sound."""
        self.wait_owner(PREFERRED, STANDBY, 60)
        self.until("both servers are sound", lambda: all(self.sound(server) for server in SERVERS), 60)

    def wait_owner(self, owner: Machine, other: Machine, seconds: float) -> None:
        """Wait until one has the address alone."""
        self.wait(f"{ADDRESS} on {owner.name} alone", owned(owner, other), seconds)

    def until(self, what: str, condition: Callable[[], bool], seconds: float) -> float:
        """Ask again and again until it is so; return when it was. For what no event tells of."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if condition():
                return time.monotonic()
            time.sleep(0.1)
        raise LabError(f"in vain after {seconds:.0f} s: {what}")

    def moves(self, since: float) -> int:
        """Return how often a server got the address since then."""
        return sum(e.kind == "address" and bool(e.facts["held"]) and e.at >= since for e in self.recorder.events())

    def got(self, server: Machine, since: float) -> float | None:
        """Return how many seconds after ``since`` a server got the address."""
        moments = [
            e.at - since
            for e in self.recorder.events()
            if (e.machine, e.kind) == (server.name, "address") and e.facts["held"] and e.at >= since
        ]
        return min(moments, default=None)

    def status(self, server: Machine) -> dict[str, Any]:
        """Return what carpctl says on a server."""
        found: dict[str, Any] = json.loads(server.run("carpctl", "status", "--json"))[0]
        return found

    def sound(self, server: Machine) -> bool:
        """Whether nothing demotes a server, and all its checks are good."""
        status = self.status(server)
        return not status["demotion"] and all(check["state"] == "good" for check in status["checks"])

    def failing(self, server: Machine) -> str:
        """Return what the failing checks of a server say; empty if none fails."""
        checks = self.status(server)["checks"]
        return "; ".join(f"{check['name']}: {check['detail']}" for check in checks if check["state"] == "failing")

    def queued(self, server: Machine) -> int:
        """Return how many mails a server has in its queue."""
        return server.run("postqueue", "-j").count("\n")

    def move_away(self) -> None:
        """Have the address moved from the preferred server to the other."""
        PREFERRED.run("carpctl", "demote")
        self.wait_owner(STANDBY, PREFERRED, 20)

    def move_back(self) -> None:
        """Have it moved back, as the playbook switchover does: the server that has it says goodbye."""
        STANDBY.run("carpctl", "demote")
        self.wait_owner(PREFERRED, STANDBY, 20)
        for server in SERVERS:
            # It says so, with an error, where the other is the better one; all the same the order has ended.
            server.run("sh", "-c", "carpctl promote || :")

    def play(self, playbook: str, *arguments: str) -> tuple[bool, str]:
        """Run a playbook as its users do; return whether it ended well, and what it said."""
        inventories = ["--inventory=inventories/example", "--inventory=molecule/shared/inventory"]
        done = subprocess.run(
            ["ansible-playbook", *inventories, playbook, *arguments],
            check=False,
            cwd=PROJECT,
            env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        return done.returncode == 0, done.stdout + done.stderr

    def must_play(self, playbook: str, *arguments: str) -> None:
        """Run a playbook that must end well."""
        well, said = self.play(playbook, *arguments)
        if not well:
            raise LabError(f"{playbook} failed:\n{said[-3000:]}")
