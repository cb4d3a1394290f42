# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The promises about the clients of a master that drains, by what each host was told and what its clients see."""

from __future__ import annotations

import math

from broken import EARLY, Broken
from carpd.actions import Changed
from carpd.drain import ANSWER_TIME, COUNT_INTERVAL
from carpd.machine import HOLD_TIME
from carpd.packet import Advertisement
from carpd.transitions import State
from clients import WORK_TIME
from host import Host
from world import World

# Within which it learns that the last connection has ended: that was counted just before, and some things come first.
_LEARNT = COUNT_INTERVAL + 6 * WORK_TIME[1] + EARLY


class _Drain:
    """One of a host, from its beginning until everybody is let in. ``clock`` is the host's own time."""

    def __init__(self, host: Host, now: float) -> None:
        assert host.speaker is not None
        self.begun, self.clock = now, host.clock()
        self.seconds = host.speaker.vip.drain
        self.resets = host.speaker.vip.reset_sessions
        self.ends = self.clock + self.seconds  # by when connections may go on, by its own clock
        self.hasty = False  # for a reason that makes nobody wait
        self.sick = False  # a check demotes it, and it may stay if nobody is better
        self.quiet_since = math.inf  # since when no connection runs
        self.left_at = math.inf  # when it said goodbye

    def notice(self, host: Host) -> None:
        """Take note of what makes the host hasten."""
        self.sick = self.sick or host.hides_demotion
        if not self.hasty and (host.verdict.fault or self.sick):
            self.hasty, self.ends = True, min(self.ends, host.clock())

    def is_helpless(self, host: Host) -> bool:
        """Tell whether the kernel has not done what it was asked to, or not soon."""
        return host.clients.failed_at >= self.begun


class Parting:
    """Watches how hosts leave their clients."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._drains: dict[Host, _Drain] = {}
        self._lost: dict[Host, float] = {}  # when the address went, where connections are to end with that

    def began(self, host: Host) -> None:
        """Forget what was before, since its daemon is new."""
        self._drains.pop(host, None)
        self._lost.pop(host, None)

    def check(self, host: Host) -> None:
        """Look at a host whose daemon is neither dead nor frozen."""
        if not host.running or host.speaker is None:
            return
        state, clients = host.speaker.machine.state, host.clients
        drain = self._drains.get(host)
        is_open = not clients.held_back and not clients.is_waited_for
        if drain is not None and host.holds and is_open and state is not State.MASTER and not drain.is_helpless(host):
            raise Broken("drain", f"{host.name} has not left yet, and lets new connections begin")
        if host.busy:
            return
        if drain is not None and (state is State.MASTER or not state.holds):
            del self._drains[host]
            drain = None
        if drain is None:
            if clients.held_back and not clients.is_waited_for:
                raise Broken("held", f"{host.name} is {state.value}, and keeps new connections back")
        else:
            drain.notice(host)
            self._goes_on(host, drain, state is State.DRAINING)
        if host in self._lost:
            self._clears(host, state)

    def _goes_on(self, host: Host, drain: _Drain, drains: bool) -> None:
        now, clients = self._world.now, host.clients
        settled = max(drain.begun, host.thawed_at, host.slow_at)
        if not drains:
            if now - max(drain.left_at, settled) > HOLD_TIME + EARLY:
                raise Broken("held", f"{host.name} still waits for a successor, and keeps new connections back")
            return
        ordered = host.retired or host.stepped_down or host.asked_to_end_at is not None
        if not (ordered or host.verdict.fault or (drain.sick and host.verdict.demotion)):
            raise Broken("held", f"{host.name} keeps new connections back, and has no reason to leave")
        if host.clock() > drain.ends + ANSWER_TIME + EARLY and now > settled + EARLY:
            raise Broken("drain", f"{host.name} still drains after {now - drain.begun:.3f} s")
        drain.quiet_since = math.inf if clients.count() else min(drain.quiet_since, now)
        if now - max(drain.quiet_since, settled, clients.failed_at) > _LEARNT and not drain.sick:
            raise Broken("drain", f"{host.name} still drains, though no connection is left")

    def changed(self, host: Host, change: Changed) -> None:
        """Look at how it goes on."""
        drain = self._drains.get(host)
        if change.new is State.DRAINING:
            self._drains[host] = _Drain(host, self._world.now)
        elif change.new.leaves and change.old is State.MASTER:
            self._may_leave_at_once(host)
        elif change.new.leaves and change.old is State.DRAINING and drain is not None:
            drain.left_at = self._world.now
            drain.notice(host)
            self._was_patient(host, drain)
            self._leaves_nobody(host, drain)
        elif change.old.leaves and not change.new.holds and drain is not None:
            self._leaves_nobody(host, drain)
        if change.old.holds and not change.new.holds and host.speaker and host.speaker.vip.reset_sessions:
            self._lost[host] = self._world.now

    def said(self, host: Host, said: Advertisement) -> None:
        """Check that it tells its clients before it tells others how sick it is."""
        drain = self._drains.get(host)
        if drain is None or not host.hides_demotion or host.speaker is None or host.speaker.machine.impaired:
            return
        if said.demotion > host.known_demotion and self._is_to_reset(host, drain) and host.clients.running():
            raise Broken("drain", f"{host.name} tells others that it is sick before its connections are reset")

    @staticmethod
    def _may_leave_at_once(host: Host) -> None:
        vip = host.speaker.vip if host.speaker is not None else host.vip
        if vip.drain or vip.reset_sessions:
            raise Broken("drain", f"{host.name} leaves at once, and is to let connections end")

    @staticmethod
    def _was_patient(host: Host, drain: _Drain) -> None:
        given, running = host.clock() - drain.clock, len(host.clients.running())
        if running and given < drain.seconds - EARLY and not drain.hasty and not drain.is_helpless(host):
            raise Broken("drain", f"{host.name} leaves after {given:.3f} s, and {running} connections run")

    def _leaves_nobody(self, host: Host, drain: _Drain) -> None:
        running = len(host.clients.running())
        if running and self._is_to_reset(host, drain):
            raise Broken("drain", f"{host.name} leaves, and {running} connections run, which it should have reset")

    @staticmethod
    def _is_to_reset(host: Host, drain: _Drain) -> bool:
        """Whether it resets what is left, and nothing has kept it from that."""
        resets = host.speaker is not None and host.speaker.vip.reset_sessions
        return drain.resets and resets and host.thawed_at < drain.begun and not drain.is_helpless(host)

    def _clears(self, host: Host, state: State) -> None:
        if not host.clients.is_waited_for:
            lost_at = self._lost.pop(host)
            if host.clients.running() and not (state.holds or host.holds) and host.clients.failed_at < lost_at:
                raise Broken("cleared", f"{host.name} has lost the address, and processes go on with its connections")
