# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A schedule: hosts, and the faults that befall them, all drawn from one seed."""

from __future__ import annotations

import traceback
from ipaddress import IPv4Interface, IPv6Interface

from bsd import FreeBsd, OpenBsd
from carpd.config import Vip
from carpd.digest import Digest
from carpd.records import replace
from carpd.trust import KnownPeer
from faults import Faults
from host import Host
from peer import Peer, PeerVip
from promises import Broken, Promises
from segment import Segment
from ucarp import Ucarp
from world import World

_ADDRESSES = {4: IPv4Interface("10.0.0.50/24"), 6: IPv6Interface("2001:db8::50/64")}
_PASSWORD = b"secret"
_VHID = 1
_DURATION = 60.0  # seconds of faults
_PATIENT = 10.0  # after so long without a new fault everything must be in order
_PATIENT_OF_PEERS = 22.0  # a ucarp without a cable sleeps for 10 s, and then reads and counts slowly
_KINDS = {"alike": 50, "two families": 10, "mixed": 30, "mistaken": 10}
_LAST_SECONDS = 8.0


class Schedule:
    """One run. ``run`` raises Broken, with the trace to read in ``world.trace``."""

    def __init__(self, seed: int, wordy: bool = False) -> None:
        self.world = World(seed, wordy)
        self.segment = Segment(self.world)
        self.kind = self.world.random.choices(list(_KINDS), list(_KINDS.values()))[0]
        self.hosts: list[Host] = []
        self.peers: list[Peer] = []
        self._people()
        acquainted = ", and they know each other" if self.acquainted else ""
        self.world.note("*", f"seed {seed}, {self.kind}{acquainted}")
        patient = _PATIENT_OF_PEERS if self.peers else _PATIENT
        skeptical = self.kind == "mistaken"
        self.promises = Promises(self.world, self.segment, self.hosts, self.peers, patient, skeptical)
        self.faults = Faults(self.world, self.segment, self.hosts, self.peers, self.promises, pace=1.0)
        self._peace = patient + 5
        self._introduce()

    def run(self) -> None:
        """Let the faults happen, then peace, and look on."""
        draw = self.world.random
        choices = self.faults.of_hosts() + self.faults.of_peers()
        if self.kind == "two families":
            choices += self.faults.of_families()
        elif self.kind == "mistaken":
            choices += self.faults.of_identity() * 3
        moment = draw.uniform(1, 8)
        while moment < _DURATION:
            self.world.after(moment, draw.choice(choices))
            moment += draw.expovariate(1 / draw.choice([0.5, 3.0, 12.0]))
        self.world.run(_DURATION, self.promises.check)
        self.faults.mend()
        self.world.run(_DURATION + self._peace, self.promises.check)
        self.promises.check()

    def _people(self) -> None:
        draw = self.world.random
        preempt = draw.random() < 0.8
        count = draw.choice([1, 1, 2]) if self.kind == "mixed" else draw.choice([2, 2, 2, 3, 4, 5])
        skews = draw.sample(range(0, 240, 20), count + 1)
        versions = (4, 6) if self.kind == "two families" else (4,)
        for number, skew in enumerate(skews[:count], start=1):
            self.hosts.append(Host(self.world, self.segment, _vip(skew, preempt, versions), number))
        self.acquainted = draw.random() < 0.5
        if self.kind == "mixed":
            # Sometimes as good as one of ours: then ties are to be broken.
            skew = draw.choice([*skews, skews[-1]])
            digest = Digest(_PASSWORD, _VHID, [_ADDRESSES[4].ip])
            vip = PeerVip(1, skew, draw.random() < 0.5, _VHID, digest)
            make = draw.choice([Ucarp, Ucarp, OpenBsd, FreeBsd])
            self.peers.append(make(self.world, self.segment, vip, draw.choice([count + 1, 0x0100])))
        if self.acquainted:
            self._acquaint()

    def _acquaint(self) -> None:
        """Let every host of ours know its peers, and what they may advertise."""
        everyone: list[Host | Peer] = [*self.hosts, *self.peers]
        known = {
            one: [KnownPeer(source, isinstance(one, Host), one.vip.advskew) for source in one.sources.values()]
            for one in everyone
        }
        for host in self.hosts:
            peers = [peer for one in everyone if one is not host for peer in known[one]]
            host.vip = replace(host.vip, known_peers=tuple(peers))

    def _introduce(self) -> None:
        world, draw = self.world, self.world.random
        for one in (*self.hosts, *self.peers):
            source = " and ".join(str(address) for address in one.sources.values())
            world.note(one.name, f"{source}, {one.vip.advbase}+{one.vip.advskew}/256 s, preempt {one.vip.preempt}")
            world.after(draw.choice([0.0, draw.uniform(0, 5)]), one.start)


def explain(seed: int) -> str | None:
    """Run one schedule and return None, or the broken promise with what a person needs to understand it."""
    passed, _story = tell(seed, wordy=False)
    return None if passed else "\n".join(tell(seed)[1])


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


def _vip(advskew: int, preempt: bool, versions: tuple[int, ...]) -> Vip:
    addresses = tuple(_ADDRESSES[version] for version in versions)
    return Vip("vip", "eth0", _VHID, addresses, _PASSWORD, 1, advskew, preempt, 3, None)
