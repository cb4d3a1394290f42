# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A schedule: hosts, and the faults that befall them, all drawn from one seed."""

from __future__ import annotations

from ipaddress import IPv4Interface
from typing import Callable

from carpd.config import Vip
from carpd.transitions import Event
from host import Host
from promises import Broken, Promises
from world import Segment, World

DURATION = 90.0  # seconds of faults
PEACE = 15.0  # and then none


class Schedule:
    """One run. ``run`` raises Broken, with the trace to read in ``world.trace``."""

    def __init__(self, seed: int) -> None:
        self.world = world = World(seed)
        self.segment = Segment(world)
        draw = world.random
        preempt = draw.random() < 0.8
        skews = draw.sample(range(0, 240, 20), draw.choice([2, 2, 2, 3, 4, 5]))
        self.hosts = [
            Host(world, self.segment, _vip(skew, preempt), number) for number, skew in enumerate(skews, start=1)
        ]
        self.promises = Promises(world, self.segment, self.hosts)
        for host in self.hosts:
            world.note(host.name, f"{host.address}, advskew {host.vip.advskew}, preempt {host.vip.preempt}")
            world.after(draw.choice([0.0, draw.uniform(0, 5)]), host.start)

    def run(self) -> None:
        """Let the faults happen, then peace, and look on."""
        draw = self.world.random
        moment = draw.uniform(1, 8)
        while moment < DURATION:
            self.world.after(moment - self.world.now, draw.choice(self._faults()))
            moment += draw.expovariate(1 / draw.choice([0.5, 3.0, 12.0]))
        self.world.run(DURATION, self.promises.check)
        self._mend()
        self.world.run(DURATION + PEACE, self.promises.check)
        self.promises.check()

    def _faults(self) -> list[Callable[[], None]]:
        return [
            self._kill,
            self._freeze,
            self._unplug,
            self._cut,
            self._lossy,
            self._disorder,
            self._mute,
            self._stop,
            self._step_down,
            self._delete,
            self._reload,
            self._demote,
            self._demote_all,
            self._fault,
        ]

    def _begin(self, what: str, network: bool = False) -> None:
        self.world.note("*", what)
        self.promises.trouble(network)

    def _end(self, delay: float, network: bool, *ends: Callable[[], None]) -> None:
        def end() -> None:
            for each in ends:
                each()
            self.promises.trouble(network)

        self.world.after(delay, end)

    def _some(self) -> Host:
        """One of the hosts, and most often the one that matters."""
        draw = self.world.random
        holders = [host for host in self.hosts if host.holds]
        return draw.choice(holders) if holders and draw.random() < 0.7 else draw.choice(self.hosts)

    def _short(self) -> float:
        return self.world.random.choice([0.05, 0.5, 1.5, 2.2, 2.9, 3.5, 6.0, 20.0]) * self.world.random.uniform(
            0.8, 1.2
        )

    def _kill(self) -> None:
        host = self._some()
        self._begin(f"kill -9 on {host.name}")
        host.kill()
        self._end(self._short(), False, host.start)

    def _freeze(self) -> None:
        host = self._some()
        self._begin(f"SIGSTOP on {host.name}")
        host.freeze()
        self._end(self._short(), False, host.thaw)

    def _unplug(self) -> None:
        host = self._some()
        self._begin(f"the cable of {host.name}", network=True)
        host.set_carrier(False)
        self._end(self._short(), True, lambda: host.set_carrier(True))

    def _cut(self) -> None:
        """Cut a host off from the others in one direction or both, without it noticing."""
        host = self._some()
        others = [other for other in self.hosts if other is not host]
        out = {(host.name, other.name) for other in others}
        inward = {(other.name, host.name) for other in others}
        cuts = self.world.random.choice([out, inward, out | inward])
        self._begin(f"{host.name} is cut off: {len(cuts)} of {2 * len(others)} paths", network=True)
        self.segment.cuts |= cuts
        self._end(self._short(), True, lambda: self.segment.cuts.difference_update(cuts))

    def _lossy(self) -> None:
        self.segment.loss = self.world.random.choice([0.1, 0.3, 0.5])
        self._begin(f"{self.segment.loss:.0%} of the packets are lost", network=True)
        self._end(self._short(), True, lambda: setattr(self.segment, "loss", 0.0))

    def _disorder(self) -> None:
        self.segment.duplication = self.segment.reorder = 0.3
        self._begin("packets are repeated and reordered")
        self._end(
            self._short(),
            False,
            lambda: setattr(self.segment, "duplication", 0.0),
            lambda: setattr(self.segment, "reorder", 0.0),
        )

    def _mute(self) -> None:
        host = self._some()
        self._begin(f"{host.name} cannot send", network=True)
        host.sending_works = False
        self._end(self._short(), True, lambda: setattr(host, "sending_works", True))

    def _stop(self) -> None:
        host = self._some()
        self._begin(f"SIGTERM on {host.name}")
        host.stop()
        self._end(self._short(), False, host.start)

    def _step_down(self) -> None:
        host = self._some()
        self._begin(f"{host.name} is asked to step down")
        host.tell(Event.STEP_DOWN)
        if self.world.random.random() < 0.3:
            self.world.after(self.world.random.uniform(0, 2), host.stop)
            self._end(self._short() + 2, False, host.start)

    def _delete(self) -> None:
        host = self._some()
        self._begin(f"somebody deletes the address on {host.name}")
        host.lose_address()

    def _reload(self) -> None:
        host = self._some()
        self._begin(f"{host.name} reloads the other policy")
        host.reconfigure(preempt=not host.vip.preempt)

    def _demote(self) -> None:
        """Let a check fail on one host; some fail for sure only after a time of doubt."""
        host = self._some()
        weight, doubt = self.world.random.choice([1, 10, 50, 254]), self.world.random.choice([0.0, 0.0, 1.0, 2.0])
        self._begin(f"a check of weight {weight} fails on {host.name}")
        if doubt:
            host.demote(host.demotion, weight)
            self._end(doubt, False, lambda: host.demote(weight))
        else:
            host.demote(weight)
        self._end(doubt + self._short(), False, lambda: host.demote(0))

    def _demote_all(self) -> None:
        """Let something fail that all hosts need; each finds out in its own time."""
        self._begin("a check fails on all hosts")
        for host in self.hosts:
            self._end(self.world.random.uniform(0, 2), False, lambda host=host: host.demote(100))  # type: ignore[misc]
            self._end(self._short() + 2, False, lambda host=host: host.demote(0))  # type: ignore[misc]

    def _fault(self) -> None:
        """Let a check fail because of which a host must not be master."""
        host = self._some()
        self._begin(f"{host.name} must not be master")
        host.set_fault(True)
        self._end(self._short(), False, lambda: host.set_fault(False))

    def _mend(self) -> None:
        """End every fault."""
        self.world.note("*", "everything is mended")
        self.segment.cuts.clear()
        self.segment.loss = self.segment.duplication = self.segment.reorder = 0.0
        for host in self.hosts:
            host.sending_works = True
            host.set_carrier(True)
            host.thaw()
            host.set_fault(False)
            host.demote(0)
            host.start()
        self.promises.trouble(network=True)


def _vip(advskew: int, preempt: bool) -> Vip:
    addresses = (IPv4Interface("10.0.0.50/24"),)
    return Vip("vip", "eth0", 1, addresses, b"secret", 1, advskew, preempt, 3, None)


def explain(seed: int) -> str | None:
    """Run one schedule and return None, or the broken promise with the trace that led to it."""
    schedule = Schedule(seed)
    try:
        schedule.run()
    except Broken as broken:
        return "\n".join([*schedule.world.trace, f"{schedule.world.now:10.4f}  BROKEN   {broken}"])
    return None
