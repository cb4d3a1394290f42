# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collects what the agents report, and waits for it."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from types import TracebackType

from .events import Event
from .machines import LabError, Machine

AGENTS = "/usr/local/lib/failover-drill"
"""Where molecule/shared/create.yml mounts the agents in each machine."""
COLLECTION = "/usr/local/lib/drill-collection"
"""And where the collection's plugins, of which they use some."""


class Agent:
    """An agent at work in a machine. It ends with its input, so it cannot outlive the driver."""

    def __init__(self, machine: Machine, name: str, arguments: tuple[str, ...], take: Callable[[Event], None]) -> None:
        self.label = f"{machine.name}: agent {name}"
        self._machine = machine
        self._take = take
        self._asked = False
        self._process = subprocess.Popen(
            machine.command("env", f"PYTHONPATH={COLLECTION}", "python3", f"{AGENTS}/{name}.py", *arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # Ctrl-C is for the driver, which then ends its agents in order.
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name=self.label, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._take(Event.parse(self._machine.name, line))

    def stop(self) -> None:
        """Ask the agent to come to its end."""
        self._asked = True
        assert self._process.stdin is not None
        self._process.stdin.write("stop\n")
        self._process.stdin.flush()

    def failed(self) -> bool:
        """Whether it ended without having been asked to."""
        return not self._asked and self._process.poll() is not None

    def close(self) -> None:
        """End it now."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(timeout=10)


class Recorder:
    """Starts agents, keeps their events, and lets the drill wait for a condition over them."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._agents: list[Agent] = []
        self._changed = threading.Condition()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for agent in self._agents:
            agent.close()

    def start(self, machine: Machine, name: str, *arguments: str) -> Agent:
        """Start an agent in a machine."""
        agent = Agent(machine, name, arguments, self.note)
        self._agents.append(agent)
        return agent

    def note(self, event: Event) -> None:
        """Add an event."""
        with self._changed:
            self._events.append(event)
            self._changed.notify_all()

    def events(self) -> list[Event]:
        """All events so far, in the order of their times."""
        with self._changed:
            return sorted(self._events, key=lambda event: event.at)

    def wait(self, what: str, condition: Callable[[list[Event]], bool], seconds: float) -> None:
        """Wait until ``condition`` holds for the events; ``what`` says in words what did not come."""
        until = time.monotonic() + seconds
        with self._changed:
            while not condition(self._events):
                failed = [agent.label for agent in self._agents if agent.failed()]
                if failed:
                    raise LabError(f"{', '.join(failed)} failed, while waiting for: {what}")
                left = until - time.monotonic()
                if left <= 0:
                    raise LabError(f"in vain after {seconds:.0f} s: {what}; last heard: {self._last()}")
                # Woken by each event; the bound lets the end of an agent be seen, which is not one.
                self._changed.wait(min(left, 1.0))

    def _last(self) -> str:
        if not self._events:
            return "nothing"
        event = self._events[-1]
        return f"{event.machine}, {event.kind}" + "".join(f", {name} {fact}" for name, fact in event.facts.items())
