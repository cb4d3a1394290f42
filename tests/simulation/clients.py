# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The TCP connections of a virtual address, and what a daemon of ours does about them before it gives that up.

Modelled on connections.py: beside the daemon's loop a thread does one thing after the other. It may hang in the kernel,
or be told by it that something cannot be done.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Union

from carpd.actions import Count, HoldBack, LetIn, Reset
from carpd.speaker import Speaker
from world import World

if TYPE_CHECKING:
    from host import Host

WORK_TIME = (0.0003, 0.004)  # seconds that the thread takes for one thing
_LASTING = (0.01, 0.2, 1.0, 4.0, 60.0)  # seconds for which connections go on, about

AboutClients = Union[HoldBack, LetIn, Count, Reset]
ABOUT_CLIENTS = (HoldBack, LetIn, Count, Reset)


class Connection(NamedTuple):
    """A client's: when it began, and when it ends by itself."""

    began: float
    ends: float


class Clients:
    """Those of one virtual host on one computer, the daemon's thread, and its table in the firewall."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._world = host.world
        self._connections: list[Connection] = []
        self._waiting: deque[AboutClients] = deque()
        self._turn = 0  # of the thread
        self.held_back = False
        self._hangs = self._unable = False
        self._failed_at = -math.inf

    @property
    def busy(self) -> bool:
        """Whether new connections are held back, or something is not done yet."""
        return self.held_back or bool(self._waiting)

    @property
    def is_waited_for(self) -> bool:
        """Whether something is not done yet."""
        return bool(self._waiting)

    @property
    def failed_at(self) -> float:
        """When the kernel did last not do what it was asked to, or not soon."""
        return self._world.now if self._hangs or self._unable else self._failed_at

    def running(self) -> list[Connection]:
        """Return the connections that have not ended."""
        now = self._world.now
        self._connections = [one for one in self._connections if one.ends > now]
        return self._connections

    def count(self) -> int:
        """Return how many connections run, those of others included that leave together with this one."""
        others = [one for one in self._host.together if one is not self._host and one.clients.held_back]
        return sum(len(one.clients.running()) for one in (self._host, *others))

    def connect(self, lasts: float) -> None:
        """Let a client begin a connection, unless that is held back."""
        if not self.held_back:
            self.running().append(Connection(self._world.now, self._world.now + lasts))

    def act(self, action: AboutClients) -> None:
        """Have the thread do what the election asks for."""
        self._waiting.append(action)
        if len(self._waiting) == 1:
            self._begin()

    def hang(self, hangs: bool) -> None:
        """Let the thread hang from now on, or go on."""
        self._hangs, self._failed_at = hangs, self._world.now
        if self._waiting:
            self._begin()

    def fail(self, unable: bool) -> None:
        """Let the kernel be unable to do anything about connections, or able again."""
        self._unable, self._failed_at = unable, self._world.now

    def go_on(self) -> None:
        """Let the thread run again, as its daemon does."""
        if self._waiting:
            self._begin()

    def close(self) -> None:
        """Do what is still to be done, since the daemon ends in order."""
        while self._waiting and not self._hangs:
            self._do(self._waiting.popleft())
        self.end()

    def end(self) -> None:
        """End with the daemon: the table goes with its socket, and the connections are those of others."""
        self._turn += 1
        self._waiting.clear()
        self.held_back = False

    def lose_power(self) -> None:
        """End everything."""
        self._connections.clear()
        self.end()

    def _begin(self) -> None:
        self._turn += 1
        turn = self._turn
        self._host.later(self._world.random.uniform(*WORK_TIME), lambda: self._work(turn))

    def _work(self, turn: int) -> None:
        if turn != self._turn or self._hangs or not self._host.running:
            return
        action = self._waiting.popleft()
        self._do(action)
        if self._waiting:
            self._begin()
        if not isinstance(action, LetIn):
            self._answer(action, self.count(), self._unable)

    def _do(self, action: AboutClients) -> None:
        if isinstance(action, LetIn):
            self.held_back = False
        elif isinstance(action, HoldBack):
            self.held_back = not self._unable
        elif isinstance(action, Reset) and not self._unable:
            self._connections.clear()

    def _answer(self, action: AboutClients, count: int, unable: bool) -> None:
        def tell(speaker: Speaker) -> None:
            machine, now = speaker.machine, self._host.clock()
            if isinstance(action, Reset):
                machine.was_reset(now)
            elif unable:
                machine.cannot_drain(now)
            elif isinstance(action, Count):
                machine.counted(count, now)
            if isinstance(action, Reset) or (isinstance(action, Count) and not unable and not count):
                self._host.clients_know()

        self._host.tell_speaker(tell)


class Crowd:
    """Clients that connect to whoever has the address, ``rate`` in a second."""

    def __init__(self, world: World, hosts: Sequence[Host], rate: float) -> None:
        self._world = world
        self._hosts = hosts
        self._rate = rate
        self._wait()

    def _wait(self) -> None:
        self._world.after(self._world.random.expovariate(self._rate), self._connect)

    def _connect(self) -> None:
        draw = self._world.random
        lasts = draw.choice(_LASTING) * draw.uniform(0.5, 1.5)
        for host in self._hosts:
            if host.owns and host.carrier:
                host.clients.connect(lasts)
        self._wait()
