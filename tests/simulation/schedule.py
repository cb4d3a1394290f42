# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A schedule: hosts, and the faults that befall them, all drawn from one seed."""

from __future__ import annotations

import random
import traceback
from ipaddress import IPv4Interface, IPv6Interface
from typing import NamedTuple

from broken import Broken
from bsd import FreeBsd, OpenBsd
from carpd.config import Vip
from carpd.digest import Digest
from carpd.paths import BROADCAST, MULTICAST, PATHS, UNICAST
from carpd.records import replace
from carpd.trust import KnownPeer
from clients import Crowd
from faults import Faults
from host import Host
from peer import Peer, PeerVip
from promises import Promises
from segment import LONGEST_DELAY, Segment
from together import Together
from ucarp import Ucarp
from world import World

_ADDRESSES = {4: IPv4Interface("10.0.0.50/24"), 6: IPv6Interface("2001:db8::50/64")}
_PASSWORD = b"secret"
_VHID = 1
_KINDS = {
    "alike": 43,
    "two families": 6,
    "several paths": 5,
    "grouped": 7,
    "mixed": 20,
    "mistaken": 6,
    "attacked": 8,
    "fast": 9,
}
_STABLE_FOR = 4.0  # seconds
# In some schedules of every kind hosts drain: for so many seconds, and whether they reset connections.
_DRAINED = 0.12
_DRAINS = ((1.0, True), (1.0, False), (0.3, True), (0.0, True), (3.0, True), (0.0, False))
_LAST_SECONDS = 8.0


class Setting(NamedTuple):
    """What is drawn first of all.

    ``duration`` is for how many seconds there are faults; ``patient`` after how many without a new one everything must
    be in order; ``pace`` by how much the faults last longer or shorter than usual; ``step`` what advskew differs by.
    """

    advbase: int = 1
    dead_ratio: int = 3
    lowest_skew: int = 0
    step: int = 20
    duration: float = 45.0
    patient: float = 10.0
    pace: float = 1.0


class Schedule:
    """One run. ``run`` raises Broken, with the trace to read in ``world.trace``."""

    def __init__(self, seed: int, wordy: bool = False) -> None:
        self.seed = seed
        self.world = World(seed, wordy)
        self.segment = Segment(self.world)
        self.segments = [self.segment]
        self.kind = self.world.random.choices(list(_KINDS), list(_KINDS.values()))[0]
        self.setting = _setting(self.kind, self.world.random)
        self.hosts: list[Host] = []
        self.peers: list[Peer] = []
        if not self.setting.advbase:
            self.segment.longest_delay = min(LONGEST_DELAY, self.setting.lowest_skew / 256 / 4)
        self._people()
        acquainted = ", and they know each other" if self.acquainted else ""
        drained = ", and they drain" if self.drained else ""
        self.world.note("*", f"seed {seed}, {self.kind}{acquainted}{drained}")
        skeptical = self.kind == "mistaken"
        people = (self.hosts, self.peers)
        self.promises = [
            Promises(self.world, segment, *people, self.setting.patient, skeptical) for segment in self.segments
        ]
        self.together = Together(self.world, [host.together for host in self.hosts]) if len(self.segments) > 1 else None
        self.faults = Faults(self.world, self.segment, *people, self.promises, self.setting.pace)
        self._introduce()

    def run(self) -> None:
        """Let the faults happen, then peace, and look on."""
        draw, setting = self.world.random, self.setting
        choices = self.faults.of_hosts() + self.faults.of_peers()
        if self.kind == "two families":
            choices += self.faults.of_families()
        elif self.kind == "mistaken":
            choices += self.faults.of_identity() * 3
        elif self.kind == "attacked":
            choices += self.faults.of_attackers()
        elif self.kind == "several paths":
            choices += self.faults.of_paths()
        if self.drained:
            choices += self.faults.of_clients()
        moment = draw.uniform(1, 8) * setting.pace
        while moment < setting.duration:
            self.world.after(moment, draw.choice(choices))
            moment += draw.expovariate(1 / draw.choice([0.5, 3.0, 12.0])) * setting.pace
        self.world.run(setting.duration, self._check)
        self.faults.mend()
        self.world.run(setting.duration + setting.patient + 5 * setting.pace, self._check)
        self._check()

    def _check(self) -> None:
        for promises in self.promises:
            promises.check()
        if self.together is not None:
            self.together.check()

    def _people(self) -> None:
        draw, setting = self.world.random, self.setting
        preempt = draw.random() < 0.75
        stable_for = draw.choice([0.0, 0.0, 0.0, _STABLE_FOR * setting.pace]) if preempt else 0.0
        count = draw.choice([1, 1, 2]) if self.kind == "mixed" else draw.choice([2, 2, 2, 2, 2, 3, 3, 4, 5])
        skews = [setting.lowest_skew + setting.step * place for place in draw.sample(range(12), count + 1)]
        if self.kind == "alike" and draw.random() < 0.1:
            skews = skews[:1] * len(skews)  # nobody should do that, and ties have to be broken
        versions = (4, 6) if self.kind == "two families" else (4,)
        vips = [replace(_vip(setting, skew, preempt, versions), stable_for=stable_for) for skew in skews[:count]]
        for number, vip in enumerate(vips, start=1):
            self.hosts.append(Host(self.world, self.segment, vip, number))
        if self.kind == "several paths":
            self._branch()
        elif self.kind == "grouped":
            self._double(vips)
        self.segment.versions = versions
        self.acquainted = draw.random() < 0.5
        if self.kind == "mixed":
            # Sometimes as good as one of ours: then ties are to be broken.
            skew = draw.choice([*skews, skews[-1]])
            digest = Digest(_PASSWORD, _VHID, [_ADDRESSES[4].ip])
            vip = PeerVip(setting.advbase, skew, draw.random() < 0.5, _VHID, digest)
            make = draw.choice([Ucarp, Ucarp, OpenBsd, FreeBsd])
            self.peers.append(make(self.world, self.segment, vip, draw.choice([count + 1, 0x0100])))
        if self.acquainted:
            self._acquaint()
        # By a lot of its own: a schedule without drains is what it would be if there were none at all.
        self.drained = random.Random(f"{self.seed} drains").random() < _DRAINED
        if self.drained:
            self._drain()

    def _drain(self) -> None:
        """Let hosts drain, mostly all of them alike, and let clients connect."""
        draw, pace = self.world.random, self.setting.pace
        usual = draw.choice(_DRAINS[:-1])
        for host in self.hosts:
            seconds, resets = draw.choice([usual, usual, usual, draw.choice(_DRAINS)])
            host.vip = replace(host.vip, drain=seconds * pace, reset_sessions=resets)
        for segment in self.segments:
            hosts = [host for host in self.hosts if host.segment is segment]
            Crowd(self.world, hosts, draw.choice([0.3, 1.0, 3.0]) / pace)

    def _branch(self) -> None:
        """Let everybody advertise by several paths at once."""
        self.segment.paths = self.world.random.choice([PATHS, (MULTICAST, UNICAST), (UNICAST, BROADCAST)])
        for host in self.hosts:
            peers = tuple(source for one in self.hosts if one is not host for source in one.sources.values())
            host.vip = replace(host.vip, paths=self.segment.paths, peers=peers)

    def _double(self, vips: list[Vip]) -> None:
        """Give every host a second virtual host, on another segment, that moves together with the first."""
        self.segments.append(Segment(self.world))
        for number, (host, vip) in enumerate(zip(list(self.hosts), vips), start=1):
            twin = Host(self.world, self.segments[1], vip, number, f"host{number}'")
            host.together = twin.together = [host, twin]
            self.hosts.append(twin)

    def _acquaint(self) -> None:
        """Let every host of ours know its peers, and what they may advertise."""
        everyone: list[Host | Peer] = [*self.hosts, *self.peers]
        known = {
            one: [KnownPeer(source, isinstance(one, Host), one.vip.advskew) for source in one.sources.values()]
            for one in everyone
        }
        for host in self.hosts:
            peers = [
                peer for one in everyone if one.name != host.name for peer in known[one] if one.segment is host.segment
            ]
            host.vip = replace(host.vip, known_peers=tuple(peers))

    def _introduce(self) -> None:
        world, draw = self.world, self.world.random
        for one in (*self.hosts, *self.peers):
            source = " and ".join(str(address) for address in one.sources.values())
            world.note(one.name, f"{source}, {one.vip.advbase}+{one.vip.advskew}/256 s, preempt {one.vip.preempt}")
            world.after(draw.choice([0.0, draw.uniform(0, 5) * self.setting.pace]), one.start)


def explain(seed: int) -> str | None:
    """Run one schedule and return None, or the broken promise with what a person needs to understand it."""
    passed, _story = tell(seed, wordy=False)
    return None if passed else "\n".join(tell(seed)[1])


def broken_promise(seed: int) -> str:
    """Run one schedule and return the name of the promise that broke, if one did."""
    try:
        Schedule(seed).run()
    except Broken as broken:
        return broken.promise
    except Exception as error:
        return f"an error, {error!r}"
    return ""


def tell(seed: int, last_seconds: float = _LAST_SECONDS, wordy: bool = True) -> tuple[bool, list[str]]:
    """Run one schedule; return whether it passed, and the story of its last seconds, with every packet in it."""
    schedule = Schedule(seed, wordy)
    world = schedule.world
    try:
        schedule.run()
    except Broken as broken:
        world.note("BROKEN", str(broken))
    except Exception:
        world.note("BROKEN", f"the daemon's code raised an error:\n{traceback.format_exc()}")
    else:
        return True, world.story(world.now - last_seconds)
    return False, world.story(world.now - last_seconds)


def _setting(kind: str, draw: random.Random) -> Setting:
    if kind == "mixed":
        return Setting(patient=22.0)  # a ucarp without a cable sleeps for 10 s, and then reads and counts slowly
    if kind == "fast":
        lowest = draw.choice([2, 5, 10, 26, 26, 64, 64, 128])
        # As many advertisements as elsewhere take more time; but leases count whole seconds.
        duration = min(15.0, 5.0 + 40 * lowest / 256)
        return Setting(0, draw.choice([3, 3, 3, 4]), lowest, draw.choice([1, 4]), duration, 4.5, 0.3)
    if kind == "alike" and draw.random() < 0.2:
        advbase, dead_ratio = draw.choice([(1, 2), (1, 5), (2, 3)])
        return Setting(advbase, dead_ratio, patient=4.0 * advbase * dead_ratio)
    return Setting()


def _vip(setting: Setting, advskew: int, preempt: bool, versions: tuple[int, ...]) -> Vip:
    addresses = tuple(_ADDRESSES[version] for version in versions)
    timing = (setting.advbase, advskew, preempt, setting.dead_ratio)
    return Vip("vip", "eth0", _VHID, addresses, _PASSWORD, *timing, None)
