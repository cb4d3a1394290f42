# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured.  A case is a function that does one thing to a pair in its steady state; decorators register it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from contenders import PLAIN, AnyPair, Variant
from installed import children
from lab import INTERFACE, Lab, WaitError, with_prefix

Values = dict[str, "float | None"]
FOR_GOOD = 3.0
"""Seconds after the takeover for which two owners are watched, where they may stay for ever."""
NEVER = 5.0
"""Seconds after which what has not happened is called never."""
CALM = 6.0
"""Seconds after a takeover until nothing is announced any more."""
BUSY = 8
"""Endless loops that an overloaded host runs."""
LOOP = "while True: pass"


@dataclass(frozen=True)
class Scene:
    """A pair in its steady state."""

    pair: AnyPair
    variant: Variant
    wait_phase: float
    """Seconds to wait after an advertisement, so that faults hit every phase of the interval alike."""
    seconds: float

    @property
    def lab(self) -> Lab:
        return self.pair.lab

    @property
    def addresses(self) -> list[str]:
        """All that the pair holds, the one that is probed first."""
        return list(map(self.lab.address, range(max(self.variant.addresses, self.variant.vhids))))

    def phase(self) -> None:
        """Wait for the drawn moment between two advertisements of the owner."""
        owner = self.lab.owners.holders(self.pair.address)[0]
        advert = self.lab.wait_advert(owner)
        time.sleep(max(0.0, advert.time + self.wait_phase - time.monotonic()))

    def wait_taken(self, host: str, alone: bool) -> None:
        """Wait until ``host`` has all addresses, and nobody else if that is what will be."""

        def taken() -> bool:
            holders = [self.lab.owners.holders(address) for address in self.addresses]
            return all(found == [host] if alone else host in found for found in holders)

        self.lab.wait(taken, f"the addresses on {host}")


@dataclass(frozen=True)
class Case:
    """One thing to measure; ``run`` returns what it found by the name of the measure."""

    name: str
    title: str
    run: Callable[[Scene], Values]
    settings: tuple[str, ...]
    variant: Variant = PLAIN
    runs_once: bool = False
    """For what is the same in each run, or takes long."""
    load: Callable[[], contextlib.AbstractContextManager[None]] | None = None
    """Under which all pairs are looked at together: it is the same for all of them then, and takes long but once."""


CASES: dict[str, Case] = {}
ALL = ("1s", "100ms", "fastest")


def case(
    name: str,
    title: str,
    settings: tuple[str, ...] = ALL,
    variant: Variant = PLAIN,
    runs_once: bool = False,
    load: Callable[[], contextlib.AbstractContextManager[None]] | None = None,
) -> Callable[[Callable[[Scene], Values]], Callable[[Scene], Values]]:
    """Register a function as a case."""

    def register(run: Callable[[Scene], Values]) -> Callable[[Scene], Values]:
        CASES[name] = Case(name, title, run, settings, variant, runs_once, load)
        return run

    return register


def fault(
    name: str, title: str, alone: bool = True, observe: float = 0.0, counts_overlap: bool = True
) -> Callable[[Callable[[Scene], float]], Callable[[Scene], float]]:
    """Register a function that does harm to the owner and returns when, so that the standby takes over.

    ``alone`` is False where the former owner may keep the address; that is watched for ``observe`` seconds more.
    Where the former owner is off the network, two owners do not count: what a kernel holds there, nobody meets.
    """

    def register(harm: Callable[[Scene], float]) -> Callable[[Scene], float]:
        def run(scene: Scene) -> Values:
            scene.phase()
            return moved(scene, harm, scene.pair.standby.host, alone, observe, counts_overlap)

        case(name, title)(run)
        return harm

    return register


def moved(
    scene: Scene, act: Callable[[Scene], float], to: str, alone: bool, observe: float, counts_overlap: bool
) -> Values:
    """Let something happen that moves the address, and tell what a client and the kernels saw of it."""
    address = scene.pair.address
    with scene.lab.probe(address) as probe:
        probe.wait_answering()
        began = act(scene)
        scene.wait_taken(to, alone)
        probe.wait_answering(after=time.monotonic())
        if observe:
            wait_alone(scene, to, observe)
        until = time.monotonic()
    gains = [when for when, host, sign in scene.lab.owners.changes(address, began) if (host, sign) == (to, "+")]
    found = probe.result
    values: Values = {
        "outage": found.outage_after(began),
        "lost": float(found.lost_after(began)),
        "taken": gains[0] - began,
    }
    if counts_overlap:
        values["overlap"] = scene.lab.owners.overlap(address, began, until)
    return values


def wait_alone(scene: Scene, host: str, seconds: float) -> None:
    """Wait until a host owns the address alone, if that comes to be in so many seconds."""
    try:
        scene.lab.wait_owner(scene.pair.address, host, timeout=seconds)
    except WaitError:
        return


@fault(
    "power-cut", "power cut: the owner's switch port goes down, its processes die", alone=False, counts_overlap=False
)
def power_cut(scene: Scene) -> float:
    return scene.lab.power_off(scene.pair.preferred.host)


@fault("planned-stop", "planned stop: SIGTERM to the owner's daemon")
def planned_stop(scene: Scene) -> float:
    return scene.pair.preferred.send(signal.SIGTERM)


@fault("kill-daemon", "kill -9 of the owner's daemon (of keepalived, the process that speaks VRRP)", False, FOR_GOOD)
def kill_daemon(scene: Scene) -> float:
    began = time.monotonic()
    os.kill(scene.pair.preferred.worker, signal.SIGKILL)
    return began


@fault("kill-all", "kill -9 of all the owner's processes", alone=False, observe=FOR_GOOD)
def kill_all(scene: Scene) -> float:
    return scene.pair.preferred.kill()


@fault("freeze-daemon", "SIGSTOP of the owner's daemon (of keepalived, the process that speaks VRRP)", False, FOR_GOOD)
def freeze_daemon(scene: Scene) -> float:
    began = time.monotonic()
    os.kill(scene.pair.preferred.worker, signal.SIGSTOP)
    return began


@fault("freeze-all", "SIGSTOP of all the owner's processes", alone=False, observe=FOR_GOOD)
def freeze_all(scene: Scene) -> float:
    return scene.pair.preferred.freeze(helpers=True)


@fault("link-loss", "the owner's cable is pulled, and it notices", alone=False, counts_overlap=False)
def link_loss(scene: Scene) -> float:
    return scene.lab.cut(scene.pair.preferred.host)


@case("return", "the preferred host returns: its daemon is started again")
def preferred_returns(scene: Scene) -> Values:
    preferred = scene.pair.preferred
    preferred.stop()
    scene.lab.wait_owner(scene.pair.address, scene.pair.standby.host)
    scene.phase()

    def start(_scene: Scene) -> float:
        began = time.monotonic()
        preferred.start()
        return began

    return moved(scene, start, preferred.host, alone=True, observe=0.0, counts_overlap=True)


@case("deleted", "somebody deletes the owner's address")
def deleted(scene: Scene) -> Values:
    """How long until it is somewhere again."""
    lab, address, host = scene.lab, scene.pair.address, scene.pair.preferred.host
    began = time.monotonic()
    lab.hosts[host].ip("addr", "del", with_prefix(address), "dev", INTERFACE)

    def gains() -> list[float]:
        return [when for when, _host, sign in lab.owners.changes(address, began) if sign == "+"]

    try:
        lab.wait(gains, f"{address} is back", timeout=NEVER)
    except WaitError:
        return {"restored": None}
    gone = next(when for when, _host, sign in lab.owners.changes(address, began) if sign == "-")
    return {"restored": gains()[0] - gone}


def many(kind: str, count: int) -> None:
    """Register a power cut with many addresses."""
    variant = Variant(addresses=count) if kind == "addresses" else Variant(vhids=count)
    # Each vhid advertises by itself: with 255 of them at 100 ms, that would be a measure of packets, not of addresses.
    setting = "100ms" if kind == "addresses" else "1s"

    @case(f"{count}-{kind}", f"power cut with {count} {kind}", (setting,), variant)
    def run(scene: Scene) -> Values:
        footprint = process_memory(scene.pair.preferred.worker)
        scene.phase()
        began = power_cut(scene)
        host = scene.pair.standby.host
        scene.wait_taken(host, alone=False)
        vhids = range(1, scene.variant.vhids + 1)
        last = {vhid: scene.lab.capture.after(0.0, scene.pair.preferred.host, vhid)[-1].time for vhid in vhids}
        # Each vhid counts the silence from its own last advertisement.
        took = [
            when - last[number + 1 if scene.variant.vhids > 1 else 1]
            for number, address in enumerate(scene.addresses)
            for when, who, sign in scene.lab.owners.changes(address, began)
            if (who, sign) == (host, "+")
        ]
        return {"silence": min(took), "spread": max(took) - min(took), "rss": footprint["Rss"]}


for _count in (1, 16, 64, 255):
    many("addresses", _count)
for _count in (16, 64, 255):
    many("vhids", _count)


@case("footprint", "memory and processor time in the steady state", ("1s", "100ms", "fastest"), runs_once=True)
def footprint(scene: Scene) -> Values:
    """Of the owner; ``guard`` is what its helper processes have for themselves."""
    daemon = scene.pair.preferred
    main, helpers = daemon.process.pid, children(daemon.process.pid)
    standby = scene.pair.standby.worker
    time.sleep(CALM)
    before, began = processor_time(main, *helpers), time.monotonic()
    standby_before = processor_time(standby)
    time.sleep(scene.seconds)
    took = time.monotonic() - began
    values: Values = {
        "cpu": (processor_time(main, *helpers) - before) / took,
        "standby cpu": (processor_time(standby) - standby_before) / took,
        "rss": process_memory(main)["Rss"],
        "pss of all": sum(process_memory(pid)["Pss"] for pid in (main, *helpers)),
    }
    if helpers:
        memories = [process_memory(pid) for pid in helpers]
        values["helper rss"] = sum(memory["Rss"] for memory in memories)
        values["helper private"] = sum(memory["Private_Dirty"] + memory["Private_Clean"] for memory in memories)
    return values


@contextlib.contextmanager
def overloaded() -> Iterator[None]:
    """Keep all processors busy."""
    busy = [subprocess.Popen([sys.executable, "-c", LOOP]) for _number in range(BUSY)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def overload(realtime: bool) -> None:
    """Register the case of hosts with too much to do."""
    kind = "with" if realtime else "without"

    @case(
        f"overload-{kind}-realtime",
        f"{BUSY} busy loops on {os.cpu_count()} processors, {kind} realtime priority",
        variant=Variant(realtime=realtime),
        runs_once=True,
        load=overloaded,
    )
    def run(scene: Scene) -> Values:
        lab, pair = scene.lab, scene.pair
        began = time.monotonic()
        time.sleep(scene.seconds)
        until = time.monotonic()
        gains = [change for change in lab.owners.changes(pair.address, began) if change[0] < until and change[2] == "+"]
        policy = os.sched_getscheduler(pair.preferred.worker) & ~os.SCHED_RESET_ON_FORK
        scheduled = policy in (os.SCHED_FIFO, os.SCHED_RR)
        return {
            "false takeovers": float(len(gains)),
            "overlap": lab.owners.overlap(pair.address, began, until),
            "realtime": float(scheduled),
        }


overload(realtime=False)
overload(realtime=True)


def process_memory(pid: int) -> dict[str, float]:
    """What the kernel says about a process's memory, in bytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {line.split(":")[0]: float(line.split()[1]) * 1024 for line in lines}


def processor_time(*pids: int) -> float:
    """The seconds that these processes have had a processor, all their threads together."""
    files = [file for pid in pids for file in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    return sum(int(file.read_text().split()[0]) for file in files) / 1e9
