# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The faults.  A case is a function that does one thing to a pair in its steady state; a decorator registers it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from lab import Daemon, Lab, Pair, Probe


@dataclass(frozen=True)
class Scene:
    """A pair in its steady state with a client that asks its address a thousand times a second."""

    pair: Pair[Daemon, Daemon]
    probe: Probe
    wait_phase: float
    """Seconds to wait after an advertisement, so that faults hit every phase of the interval alike."""

    @property
    def lab(self) -> Lab:
        return self.pair.lab

    def phase(self) -> None:
        """Wait for the drawn moment between two advertisements of the owner."""
        owner = self.lab.owners.holders(self.pair.address)[0]
        advert = self.lab.wait_advert(owner)
        time.sleep(max(0.0, advert.time + self.wait_phase - time.monotonic()))

    def wait_served_by(self, host: str, alone: bool = True) -> None:
        """Wait until ``host`` owns the address, and the client has had answers after that."""
        address = self.pair.address
        if alone:
            self.lab.wait_owner(address, host)
        else:
            self.lab.wait(lambda: host in self.lab.owners.holders(address), f"{address} on {host}")
        self.probe.wait_answering(after=time.monotonic())


@dataclass(frozen=True)
class Case:
    """A fault by name; ``run`` does it, waits for the end of its effects and returns when it began."""

    name: str
    title: str
    run: Callable[[Scene], float]
    counts_overlap: bool
    """False where the former owner is off: what its kernel still holds is on no network."""


CASES: dict[str, Case] = {}


def case(name: str, title: str, counts_overlap: bool = True) -> Callable[[Callable[[Scene], float]], Case]:
    """Register a function as a case."""

    def register(run: Callable[[Scene], float]) -> Case:
        CASES[name] = Case(name, title, run, counts_overlap)
        return CASES[name]

    return register


@case("power-cut", "power cut: the owner's switch port goes down, its processes die", counts_overlap=False)
def power_cut(scene: Scene) -> float:
    scene.phase()
    began = scene.lab.power_off(scene.pair.preferred.host)
    scene.wait_served_by(scene.pair.standby.host, alone=False)
    return began


@case("planned-stop", "planned stop: SIGTERM to the owner's daemon")
def planned_stop(scene: Scene) -> float:
    scene.phase()
    began = scene.pair.preferred.send(signal.SIGTERM)
    scene.wait_served_by(scene.pair.standby.host)
    return began


@case("return", "the preferred host returns: its daemon is started again")
def preferred_returns(scene: Scene) -> float:
    scene.pair.preferred.stop()
    scene.wait_served_by(scene.pair.standby.host)
    scene.phase()
    began = time.monotonic()
    scene.pair.preferred.start()
    scene.wait_served_by(scene.pair.preferred.host)
    return began
