# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all daemons of a lab have in common, and two of them as a pair."""

from __future__ import annotations

import abc
import signal
import time
from dataclasses import dataclass
from typing import Generic, TypeVar

from .process import Process
from .segment import INTERFACE, Lab


class Daemon(abc.ABC):
    """A failover daemon on one host of a lab."""

    def __init__(self, lab: Lab, host: str) -> None:
        self.lab = lab
        self.host = host
        self._process: Process | None = None
        self._frozen = False
        self._ending = False
        self.directory = lab.directory / f"{type(self).__name__.lower()}-{host}"
        self.directory.mkdir(exist_ok=True)

    def start(self) -> None:
        """Start it, as an administrator would."""
        self._frozen = self._ending = False
        self._process = self._launch()

    @abc.abstractmethod
    def _launch(self) -> Process:
        """Start it; return when it is at work."""

    @property
    def process(self) -> Process:
        """The latest process."""
        assert self._process is not None, f"{type(self).__name__} on {self.host} was never started"
        return self._process

    @property
    def worker(self) -> int:
        """The id of the process that takes part in the election."""
        return self.process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.running

    def send(self, number: signal.Signals) -> float:
        """Send a signal to its main process; returns the time before."""
        now = time.monotonic()
        self.lab.recorder.note(now, self.host, number.name)
        self.process.send(number)
        self._ending = self._ending or number in (signal.SIGTERM, signal.SIGINT)
        return now

    def freeze(self, helpers: bool) -> float:
        """SIGSTOP its main process, or with its helpers everything on the host; returns the time before."""
        self._frozen = True
        if not helpers:
            return self.send(signal.SIGSTOP)
        return self._send_all(signal.SIGSTOP)

    def thaw(self) -> float:
        """SIGCONT everything on the host; returns the time before."""
        self._frozen = False
        return self._send_all(signal.SIGCONT)

    def _send_all(self, number: signal.Signals) -> float:
        now = time.monotonic()
        self.lab.recorder.note(now, self.host, f"{number.name} to all")
        self.lab.hosts[self.host].send_all(number)
        return now

    def revive(self) -> float:
        """Plug it in, thaw it, start it: whatever it needs to work.  Returns when that was done, or 0 if it does."""
        if self._ending:
            self.process.wait()
        untouched = self.lab.owners.link_up(self.host, INTERFACE) and self.running and not self._frozen
        if not self.lab.owners.link_up(self.host, INTERFACE):
            self.lab.power_on(self.host)
        if not self.running:
            self.start()
        elif self._frozen:
            self.thaw()
        return 0.0 if untouched else time.monotonic()

    def stop(self) -> int:
        """End it in order and return the exit status."""
        self.send(signal.SIGTERM)
        return self.process.wait()

    def kill(self) -> float:
        """SIGKILL it and all its helpers; returns the time before."""
        now = time.monotonic()
        self.lab.recorder.note(now, self.host, "everything is killed")
        self.lab.hosts[self.host].kill_all()
        self.process.wait()
        return now


First_co = TypeVar("First_co", bound=Daemon, covariant=True)
Second_co = TypeVar("Second_co", bound=Daemon, covariant=True)


@dataclass(frozen=True)
class Pair(Generic[First_co, Second_co]):
    """Two daemons for one address; the preferred one has it in the steady state."""

    preferred: First_co
    standby: Second_co
    address: str

    @property
    def lab(self) -> Lab:
        return self.preferred.lab

    def settle(self) -> None:
        """Bring about the steady state, whatever there was before: links up, both running, the preferred one owns.

        Returns when the standby has heard the preferred one as the only owner.
        """
        since = max(daemon.revive() for daemon in (self.preferred, self.standby))
        self.lab.wait_owner(self.address, self.preferred.host)
        since = max(since, self.lab.owners.changes(self.address, 0.0)[-1][0])
        self.lab.wait_advert(self.preferred.host, since=since)
