# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The promises, checked after every step of every schedule."""

from __future__ import annotations

import itertools

from carpd.actions import Changed
from carpd.machine import HOLD_TIME
from carpd.packet import BOW_OUT, Advertisement, Datagram
from carpd.standing import demoted_skew
from carpd.timing import LEASE_LATENESS
from carpd.transitions import State
from host import Host
from world import LONGEST_DELAY, Segment, World

EXCHANGE = 4 * LONGEST_DELAY  # two packets there, two back, at their slowest
LATE = 0.1
RECENT = 6.0  # faults that are less apart may add up
PATIENT = 10.0  # after so long without a new fault, everything must be in order; for advbase 1


class Broken(AssertionError):
    """A promise was not kept."""


class Promises:
    """Watches a world and raises Broken as soon as an invariant does not hold."""

    def __init__(self, world: World, segment: Segment, hosts: list[Host]) -> None:
        self._world = world
        self._segment = segment
        self._hosts = hosts
        self._together: dict[tuple[str, str], float] = {}
        self._unjust: dict[tuple[str, str], float] = {}
        self._network_trouble = 0.0
        self._any_trouble = 0.0
        self._troubles: list[float] = []
        self._counters: set[tuple[str, int]] = set()
        self._last_better: dict[str, float] = {}
        self._may_rise: dict[str, bool] = {}
        for host in hosts:
            host.on_change, host.on_send, host.on_hear = self._changed, self._sent, self._heard

    def trouble(self, network: bool) -> None:
        """Take note of a fault that begins or ends now; ``network`` if hosts may not hear each other because of it."""
        self._any_trouble = self._world.now
        self._troubles = [moment for moment in self._troubles if self._world.now - moment < RECENT]
        self._troubles.append(self._world.now)
        if network:
            self._network_trouble = self._world.now

    def check(self) -> None:
        """Look at the world."""
        now = self._world.now
        unheard = any(not (host.carrier and host.sending_works) for host in self._hosts)
        if unheard or self._segment.cuts or self._segment.loss:
            self.trouble(network=True)
        self._one_owner(now)
        self._no_ghost(now)
        self._ends(now)
        self._healthy(now)
        if now - self._any_trouble > PATIENT:
            self._someone(now)
        else:
            self._unjust.clear()

    def _one_owner(self, now: float) -> None:
        """I1 and I4: never two holders for longer than an exchange; after healing, one more interval."""
        for one, other in itertools.combinations(self._hosts, 2):
            pair = (one.name, other.name)
            if not (one.holds and other.holds):
                self._together.pop(pair, None)
                continue
            since = self._together.setdefault(pair, now)
            # When two faults coincide, the lease is what bounds how long a dead or deaf host can hold on.
            bound = EXCHANGE if len(self._troubles) < 2 else 3 * one.vip.advbase + EXCHANGE
            healed = self._network_trouble + one.vip.advbase + max(one.vip.advskew, other.vip.advskew) / 256
            if now > max(since, healed) + bound:
                raise Broken(f"I1: {one.name} and {other.name} both hold the address for {now - since:.3f} s")

    def _no_ghost(self, now: float) -> None:
        """I3: no address on a host whose daemon is dead or frozen beyond the lease."""
        for host in self._hosts:
            gone = host.died_at if host.speaker is None else host.frozen_at
            if host.holds and gone is not None and now - gone > 3 * host.vip.advbase:
                raise Broken(f"I3: {host.name} holds the address although its daemon works no more")

    def _ends(self, now: float) -> None:
        """A daemon that is asked to end does, whatever state it is in."""
        for host in self._hosts:
            if host.running and host.asked_to_end_at is not None and now - host.asked_to_end_at > HOLD_TIME + LATE:
                raise Broken(f"{host.name} was asked to end {now - host.asked_to_end_at:.1f} s ago")

    def _healthy(self, now: float) -> None:
        """Whoever must not be master hands over, or lets go."""
        for host in self._hosts:
            if host.running and host.holds and host.faulty_since is not None:
                since = max(host.faulty_since, host.thawed_at)
                if now - since > HOLD_TIME + LATE:
                    raise Broken(f"{host.name} holds the address, and must not be master since {now - since:.1f} s")

    def _someone(self, now: float) -> None:
        """I2: someone holds the address, if anyone can; and of those who can, one of the least demoted."""
        able = [host for host in self._hosts if host.running and host.faulty_since is None]
        holders = [host for host in self._hosts if host.holds]
        if able and not holders:
            raise Broken(f"I2: after {PATIENT} s of peace nobody holds the address")
        for holder, other in itertools.product(holders, able):
            pair = (holder.name, other.name)
            if _demotion(other) >= _demotion(holder):
                self._unjust.pop(pair, None)
            elif now - self._unjust.setdefault(pair, now) > 2 * holder.vip.advbase + 1:
                raise Broken(f"{holder.name} holds the address, and {other.name} is healthier")

    def _changed(self, host: Host, change: Changed) -> None:
        """I5: no promotion without silence for the full time, or a goodbye, or a worse master."""
        if change.old is State.BACKUP and change.new is State.MASTER:
            silence = self._world.now - self._last_better.get(host.name, -1e9)
            if silence < 3 * host.vip.advbase - LEASE_LATENESS / 100 and not self._may_rise.get(host.name):
                raise Broken(f"I5: {host.name} rises {silence:.3f} s after it heard a better host")

    def _heard(self, host: Host, datagram: Datagram) -> None:
        advertisement = Advertisement.decode(datagram.payload)
        values = (advertisement.advbase, advertisement.advskew)
        # Failed sends may rank it lower; but that can end at any time.
        ours = (host.known_demotion, host.vip.advbase, demoted_skew(host.vip.advskew, host.known_demotion))
        if values == BOW_OUT or (advertisement.demotion, *values) > ours:
            self._may_rise[host.name] = True
        else:
            self._may_rise[host.name] = False
            self._last_better[host.name] = self._world.now

    def _sent(self, host: Host, packet: bytes) -> None:
        """I7: a counter never repeats."""
        counter = Advertisement.decode(Datagram.decode(packet).payload).counter
        if (host.name, counter) in self._counters:
            raise Broken(f"I7: {host.name} used the counter {counter} twice")
        self._counters.add((host.name, counter))


def _demotion(host: Host) -> int:
    """Return by how much a host is demoted, sends that failed included."""
    return host.speaker.machine.demotion if host.speaker is not None else 0
