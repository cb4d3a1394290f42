# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The faults.  Each is a function that does it to a pair and waits for the end of what follows; decorators register it.

The pair advertises every 100 ms, so that what follows comes soon; with one second it is the same, but for the times.
Where a function sleeps, that is the fault: so long does it last.
"""

from __future__ import annotations

import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab import CARP, INTERFACE, MULTICAST, Carpd, Impairment, Lab, Pair, Process, Vip, with_prefix

CarpdPair = Pair[Carpd, Carpd]
INTERVALS = {"a": {"advbase": 0, "advskew": 25}, "b": {"advbase": 0, "advskew": 30}}
INJECTOR = Path(__file__).with_name("injector.py")
LASTS = 2.0
"""Seconds, or twenty intervals, for which a state of the segment lasts."""
SEEN = 0.005
"""Seconds: what two hosts do within this time may be seen in either order, for their kernels' notices have no time."""
HANDOVER = 0.05
"""Seconds for which a planned move may leave two owners: both answer then."""
SILENCE = 1.0
"""Seconds: three intervals, and as much again and more for a busy machine."""
DEFENCE = 3.5
"""Seconds: so soon after a takeover a claim may be the old master's, and is believed to be a stranger's after three."""
LEASE = 1.5
"""Seconds after which the kernel has taken an address away that nobody renews."""


@dataclass(frozen=True)
class Stage:
    """A pair in its steady state, a preferred, with a client that asks the address all the time; c is a stranger."""

    lab: Lab
    pair: CarpdPair
    impairment: Impairment
    vips: Callable[..., dict[str, list[Vip]]]

    @property
    def vip(self) -> str:
        return self.pair.address

    def wait_owner(self, host: str) -> None:
        self.lab.wait_owner(self.vip, host)

    def wait_among_owners(self, host: str) -> None:
        self.lab.wait(lambda: host in self.lab.owners.holders(self.vip), f"{self.vip} on {host}")

    def wait_adverts(self, host: str, count: int = 5) -> None:
        self.lab.wait_advert(host, count)

    def inject(self, rate: float, seconds: float, *frames: str) -> None:
        """Send from c, and wait for the end of that."""
        argv = [sys.executable, str(INJECTOR), INTERFACE, str(rate), str(seconds), *frames]
        assert self.lab.spawn("c", argv).wait() == 0

    def restart(self, host: str) -> None:
        """Kill and start the daemon of a host that is not the master, with its config file as it is now."""
        daemon = {"a": self.pair.preferred, "b": self.pair.standby}[host]
        daemon.kill()
        daemon.start()

    def equip(self, **options: object) -> None:
        """Give both daemons other options, and let them settle."""
        for daemon in (self.pair.preferred, self.pair.standby):
            if daemon.running:
                daemon.kill()
            daemon.write(self.vips(**options)[daemon.host])
        self.pair.settle()


@dataclass(frozen=True)
class Fault:
    """A fault by name, and what it may cost at most, in seconds; None where no limit can be promised."""

    name: str
    run: Callable[[Stage], None]
    outage: float | None
    overlap: float | None
    moves: int | None
    """How often the address may come to a host, None if that does not matter."""
    options: dict[str, object]
    """What both daemons have in their configuration."""


FAULTS: dict[str, Fault] = {}


def fault(
    name: str,
    outage: float | None = SILENCE,
    overlap: float | None = HANDOVER,
    moves: int | None = None,
    **options: object,
) -> Callable[[Callable[[Stage], None]], Callable[[Stage], None]]:
    """Register a function as a fault."""

    def register(run: Callable[[Stage], None]) -> Callable[[Stage], None]:
        FAULTS[name] = Fault(name, run, outage, overlap, moves, options)
        return run

    return register


def no_harm(name: str, **options: object) -> Callable[[Callable[[Stage], None]], Callable[[Stage], None]]:
    """Register a fault that changes nothing."""
    return fault(name, 0.0, 0.0, 0, **options)


# Processes.


@fault("SIGKILL of the daemon", overlap=SEEN, moves=1)
def kill_daemon(stage: Stage) -> None:
    stage.pair.preferred.send(signal.SIGKILL)
    stage.wait_owner("b")


@fault("SIGKILL of all processes", LEASE + SILENCE, LEASE, moves=1)
def kill_all(stage: Stage) -> None:
    stage.pair.preferred.kill()
    stage.wait_among_owners("b")
    stage.wait_owner("b")


@fault("SIGSTOP of the daemon, until the peer has taken over", moves=2)
def stop_daemon(stage: Stage) -> None:
    stage.pair.preferred.freeze(helpers=False)
    stage.wait_owner("b")
    stage.pair.preferred.thaw()
    stage.wait_owner("a")


def stop_all(seconds: float) -> None:
    """Register a stop of all processes."""

    @fault(f"SIGSTOP of all processes for {seconds:g} s", LEASE + SILENCE, LEASE)
    def run(stage: Stage) -> None:
        stage.pair.preferred.freeze(helpers=True)
        time.sleep(seconds)
        stage.pair.preferred.thaw()
        stage.wait_adverts("a")
        stage.wait_owner("a")


for _seconds in (0.2, 1.0, 5.0):
    stop_all(_seconds)


@no_harm("SIGSTOP of the standby's processes for 1 s")
def stop_standby(stage: Stage) -> None:
    stage.pair.standby.freeze(helpers=True)
    time.sleep(1.0)
    stage.pair.standby.thaw()
    stage.wait_adverts("a")


@no_harm("log reader blocked, and very much to log")
def blocked_log(stage: Stage) -> None:
    daemon = stage.pair.preferred
    with daemon.process.unread():
        for _number in range(2000):
            daemon.process.send(signal.SIGUSR1)
        stage.wait_adverts("a", 10)


@fault("disk of the runtime directory full, planned stop", 0.0, moves=1)
def full_disk(stage: Stage) -> None:
    daemon = stage.pair.preferred
    with (daemon.runtime / "filler").open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            stage.lab.recorder.note(time.monotonic(), "a", "disk full")
    daemon.send(signal.SIGTERM)
    stage.wait_owner("b")


@fault("hook hangs, planned stop", 0.0, moves=1, on_master="/bin/sleep 60", on_backup="/bin/sleep 60")
def hanging_hook(stage: Stage) -> None:
    stage.pair.preferred.send(signal.SIGTERM)
    stage.wait_owner("b")


@fault("hook hangs, daemon killed", overlap=SEEN, moves=1, on_master="/bin/sleep 60", on_backup="/bin/sleep 60")
def hanging_hook_and_kill(stage: Stage) -> None:
    kill_daemon(stage)


@fault("rolling restart of both", 0.0, moves=2)
def rolling_restart(stage: Stage) -> None:
    for daemon in (stage.pair.standby, stage.pair.preferred):
        daemon.stop()
        stage.wait_owner({"a": "b", "b": "a"}[daemon.host])
        daemon.start()
    stage.wait_owner("a")


@fault("both hosts boot together", None, HANDOVER)
def boot_together(stage: Stage) -> None:
    stage.lab.clear()
    stage.pair.preferred.start()
    stage.pair.standby.start()
    stage.wait_owner("a")
    stage.wait_adverts("a")


# Addresses and interfaces.


@fault("VIP deleted 100 times", overlap=0.0, moves=100)
def deleted(stage: Stage) -> None:
    owners = stage.lab.owners
    for _number in range(100):
        began = time.monotonic()
        stage.lab.hosts["a"].ip("addr", "del", with_prefix(stage.vip), "dev", INTERFACE)
        stage.lab.wait(lambda began=began: len(owners.changes(stage.vip, began)) == 2, "gone and back")  # type: ignore[misc]


@fault("interface down, then up", moves=2)
def interface_down(stage: Stage) -> None:
    stage.lab.hosts["a"].ip("link", "set", "dev", INTERFACE, "down")
    stage.wait_owner("b")
    stage.lab.hosts["a"].ip("link", "set", "dev", INTERFACE, "up")
    stage.wait_owner("a")


@fault("interface renamed, then back", SILENCE, moves=2)
def renamed(stage: Stage) -> None:
    """Without an interface there is no goodbye, and nobody answers for the address."""
    rename(stage.lab, INTERFACE, "other0")
    stage.wait_owner("b")
    rename(stage.lab, "other0", INTERFACE)
    stage.wait_owner("a")


def rename(lab: Lab, old: str, new: str) -> None:
    """Older kernels do that with an interface only while it is down."""
    for words in (["down"], ["name", new]):
        lab.hosts["a"].ip("link", "set", "dev", old, *words)
    lab.hosts["a"].ip("link", "set", "dev", new, "up")


@fault("network card replaced", moves=2)
def card_replaced(stage: Stage) -> None:
    stage.lab.remove_card("a")
    stage.wait_owner("b")
    stage.lab.insert_card("a")
    stage.wait_owner("a")


@fault("owner's cable pulled, then plugged in", moves=2)
def cable(stage: Stage) -> None:
    stage.lab.cut("a")
    stage.wait_owner("b")
    stage.lab.heal("a")
    stage.wait_owner("a")


@fault("carrier of the owner flaps, 10 Hz for 2 s", 3.0, LEASE)
def flapping(stage: Stage) -> None:
    for _number in range(20):
        stage.lab.cut("a")
        time.sleep(0.05)
        stage.lab.heal("a")
        time.sleep(0.05)
    stage.wait_owner("a")


@no_harm("standby's cable pulled, then plugged in")
def standby_cable(stage: Stage) -> None:
    stage.lab.cut("b")
    stage.wait_adverts("a", 10)
    stage.lab.heal("b")
    stage.wait_adverts("a")


# The segment.


@fault("standby hears nothing of the owner", None, None)
def deaf_standby(stage: Stage) -> None:
    """Not even that its kernel answers. Nobody can know then; what is promised is that it heals."""
    stage.impairment.drop("a", "b")
    time.sleep(LASTS)
    stage.impairment.mend()
    stage.wait_adverts("a")
    stage.wait_owner("a")


@no_harm("owner hears nothing of the standby")
def deaf_owner(stage: Stage) -> None:
    stage.impairment.drop("b", "a")
    time.sleep(LASTS)
    stage.impairment.mend()
    stage.wait_adverts("a")


def blocked(name: str, match: str, *directions: tuple[str, str]) -> None:
    """Register a filter that only CARP suffers from: the standby sees who has the address, and raises an alarm."""

    @no_harm(name)
    def run(stage: Stage) -> None:
        for sender, receiver in directions:
            stage.impairment.drop(sender, receiver, match)
        time.sleep(LASTS)
        assert stage.pair.standby.status()["alarm"]
        stage.impairment.mend()
        stage.wait_adverts("a")


blocked("protocol 112 blocked from owner to standby", CARP, ("a", "b"))
blocked("protocol 112 blocked both ways", CARP, ("a", "b"), ("b", "a"))
blocked("multicast blocked both ways", MULTICAST, ("a", "b"), ("b", "a"))


def lossy(percent: int, outage: float | None, overlap: float | None, moves: int | None) -> None:
    """Register the loss of advertisements at random."""

    @fault(f"{percent} % of the owner's advertisements lost", outage, overlap, moves)
    def run(stage: Stage) -> None:
        stage.impairment.drop("a", "b", CARP, percent)
        time.sleep(LASTS)
        stage.impairment.mend()
        stage.wait_adverts("a")
        stage.wait_owner("a")


lossy(10, 0.0, SEEN, 0)
lossy(30, 0.0, SEEN, 0)
lossy(50, 0.0, SEEN, 0)


@no_harm("every frame of the owner twice")
def duplicates(stage: Stage) -> None:
    stage.impairment.duplicate("a", "b")
    stage.wait_adverts("a", 10)


# Strangers.


@no_harm("10,000 packets a second of garbage, protocol 112")
def garbage(stage: Stage) -> None:
    stage.inject(10000, LASTS, "random")


def captured(stage: Stage, host: str, skew: int | None = None) -> str:
    """The latest advertisement of a host as a frame, as it was or with another advskew and a right checksum."""
    advert = stage.lab.capture.after(0.0, host)[-1]
    payload = bytearray(advert.payload)
    if skew is not None:
        payload[2] = skew
        payload[6:8] = bytes(2)
        payload[6:8] = internet_checksum(bytes(payload)).to_bytes(2, "big")
    header = bytearray(b"\x45\x00\x00\x00\x00\x00\x00\x00\xff\x70\x00\x00")
    header[2:4] = (20 + len(payload)).to_bytes(2, "big")
    header += socket.inet_aton(advert.source) + socket.inet_aton(advert.destination)
    header[10:12] = internet_checksum(bytes(header)).to_bytes(2, "big")
    macs = bytes.fromhex("01005e000012" + stage.lab.mac("c").replace(":", ""))
    return (macs + b"\x08\x00" + bytes(header) + bytes(payload)).hex()


def internet_checksum(data: bytes) -> int:
    """RFC 1071, of an even number of bytes."""
    total = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def standby_advert(stage: Stage) -> None:
    """Have the standby advertise once, so that there is something to replay."""
    if not stage.lab.capture.after(0.0, "b"):
        stage.pair.preferred.stop()
        stage.wait_adverts("b")
        stage.pair.preferred.start()
        stage.wait_owner("a")
        stage.wait_adverts("a")


KNOWN = {"known_peers": "10.77.0.1 carpd 25, 10.77.0.2 carpd 30"}


@no_harm("owner's old advertisements replayed, peers known", **KNOWN)
def replayed(stage: Stage) -> None:
    stage.inject(200, LASTS, captured(stage, "a"))


@no_harm("owner's advertisements forged with advskew 0, peers known", **KNOWN)
def forged(stage: Stage) -> None:
    stage.inject(200, LASTS, captured(stage, "a", skew=0))


@fault("standby's old advertisements forged with advskew 0, peers known", 0.0, HANDOVER, **KNOWN)
def forged_standby(stage: Stage) -> None:
    standby_advert(stage)
    stage.inject(200, LASTS, captured(stage, "b", skew=0))
    stage.wait_owner("a")


@fault("stranger claims the VIP by gratuitous ARP", DEFENCE, 0.0, 0)
def stranger(stage: Stage) -> None:
    mac, address = stage.lab.mac("c").replace(":", ""), socket.inet_aton(stage.vip).hex()
    claim = f"ffffffffffff{mac}08060001080006040002{mac}{address}ffffffffffff{address}"
    stage.inject(1, 1.0, claim)


@no_harm("second pair with the same vhid")
def second_pair(stage: Stage) -> None:
    other = Carpd(stage.lab, "c", [Vip("other", (stage.lab.address(9),), password="theirs", options=INTERVALS["a"])])
    other.start()
    stage.lab.wait_owner(stage.lab.address(9), "c")
    stage.wait_adverts("a", 10)
    other.kill()


def misfit(name: str, password: str | None, *more: int) -> None:
    """Register a standby whose configuration is not the owner's."""

    @fault(name, 0.0, SEEN, 0)
    def run(stage: Stage) -> None:
        addresses = tuple(map(stage.lab.address, (0, *more)))
        stage.pair.standby.write([Vip("smtp", addresses, password=password, options=INTERVALS["b"])])
        stage.restart("b")
        time.sleep(LASTS)
        stage.pair.standby.write(stage.vips()["b"])
        stage.restart("b")
        stage.wait_adverts("a")


misfit("standby starts with another password", "another")
misfit("standby starts with one address more", "lab secret", 1)


# Load.


@no_harm("8 busy loops for 2 s")
def overload(stage: Stage) -> None:
    loops = [
        Process(stage.lab.recorder, stage.lab.client, [sys.executable, "-c", "while 1: pass"]) for _number in range(8)
    ]
    time.sleep(LASTS)
    for loop in loops:
        loop.close()


@fault("power cut with 255 addresses", overlap=None, moves=1, addresses=255)
def many_addresses(stage: Stage) -> None:
    stage.lab.power_off("a")
    last = stage.lab.address(254)
    stage.lab.wait(lambda: "b" in stage.lab.owners.holders(last), "the last address on b")
