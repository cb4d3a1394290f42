# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A virtual host computer: the real speaker, with a shell and a kernel that are modelled.

The shell does what daemon.py and virtualhost.py do: packets before timers, actions in their order. The kernel keeps
addresses on a lease and removes them up to half a second late, whatever becomes of the daemon.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Callable

from carpd.actions import Advertise, Changed, Hold, Release
from carpd.config import Vip
from carpd.packet import Datagram
from carpd.records import replace
from carpd.speaker import Speaker
from carpd.transitions import Event, State
from world import Segment, World

KERNEL_LATENESS = 0.49
USUAL_LATENESS = 0.0005  # of the daemon's wake-ups, in seconds


class Host:
    """One computer. ``watcher`` is told of every change of state and every packet sent."""

    def __init__(self, world: World, segment: Segment, vip: Vip, number: int) -> None:
        self.name = f"host{number}"
        self.world = world
        self.segment = segment
        self.vip = vip
        self.address = IPv4Address("10.0.0.0") + number
        self.speaker: Speaker | None = None
        self.frozen_at: float | None = None
        self.died_at: float | None = 0.0
        self.asked_to_end_at: float | None = None
        self.carrier = True
        self.sending_works = True
        self.demotion = 0
        self.known_demotion = 0  # a frozen daemon has not heard of the latest yet
        self.faulty_since: float | None = None
        self.thawed_at = 0.0
        self.holds = False
        self.on_change: Callable[[Host, Changed], None] = lambda _host, _change: None
        self.on_send: Callable[[Host, bytes], None] = lambda _host, _packet: None
        self.on_hear: Callable[[Host, Datagram], None] = lambda _host, _datagram: None
        self._inbox: list[Callable[[Speaker], None]] = []
        self._lease = 0
        self._wake = 0
        # Every host's monotonic clock counts from a moment of its own.
        self._epoch = world.random.uniform(0, 1e6)
        segment.plug(self.name, self._receive)

    @property
    def running(self) -> bool:
        """Whether the daemon works."""
        return self.speaker is not None and self.frozen_at is None

    def clock(self) -> float:
        """Return the host's monotonic time."""
        return self.world.now + self._epoch

    def start(self) -> None:
        """Start the daemon, as the service manager does after a crash, too."""
        if self.speaker is not None:
            return
        self.world.note(self.name, "starts")
        self._drop()  # the real daemon removes what a dead one left
        self.speaker = Speaker(self.vip, self.world.random.getrandbits(64), self.clock())
        self.speaker.sources = {4: self.address}
        self.died_at = self.frozen_at = self.asked_to_end_at = None
        self._inbox.clear()
        self._tell_health()
        if self.carrier:
            self.tell(Event.UP)

    def kill(self) -> None:
        """Kill the daemon: nobody tidies up."""
        if self.speaker is not None:
            self.world.note(self.name, "is killed")
            self.speaker, self.died_at = None, self.world.now

    def freeze(self) -> None:
        """Stop the daemon as SIGSTOP does."""
        if self.running:
            self.world.note(self.name, "is frozen")
            self.frozen_at = self.world.now

    def thaw(self) -> None:
        """Let it go on."""
        if self.speaker is not None and self.frozen_at is not None:
            self.world.note(self.name, "thaws")
            self.frozen_at, self.thawed_at = None, self.world.now
            self._work()

    def set_carrier(self, carrier: bool) -> None:
        """Pull or plug the cable."""
        if carrier != self.carrier:
            self.world.note(self.name, "is plugged in" if carrier else "is unplugged")
            self.carrier = carrier
            self.tell(Event.UP if carrier else Event.DOWN)

    def stop(self) -> None:
        """Ask the daemon to end, as SIGTERM does."""
        if self.running and self.asked_to_end_at is None:
            self.asked_to_end_at = self.world.now
        self.tell(Event.STOP)

    def lose_address(self) -> None:
        """Let somebody else remove the address."""
        if self.holds:
            self.world.note(self.name, "loses its address to somebody else")
            self._drop()
            self.tell(Event.ADDRESS_LOST)

    def demote(self, demotion: int, doubts: int = 0) -> None:
        """Let checks fail that demote the host by so much, and others be in doubt."""
        self.world.note(self.name, f"is demoted by {demotion}, and perhaps by {doubts} more")
        self.demotion = demotion
        self._tell_demotion(doubts)

    def set_fault(self, faulty: bool) -> None:
        """Let a check fail because of which the host must not be master, or let it heal."""
        if faulty != (self.faulty_since is not None):
            self.world.note(self.name, "must not be master" if faulty else "may be master again")
            self.faulty_since = self.world.now if faulty else None
            self.tell(Event.FAULT if faulty else Event.HEALED)

    def _tell_health(self) -> None:
        """What the checks have found out outlives a restart of the daemon here; a real one finds it out anew."""
        self._tell_demotion(0)
        if self.faulty_since is not None:
            self.tell(Event.FAULT)

    def _tell_demotion(self, doubts: int) -> None:
        demotion = self.demotion

        def take(speaker: Speaker) -> None:
            self.known_demotion = demotion
            speaker.machine.demote(demotion, doubts, self.clock())

        self._tell(take)

    def reconfigure(self, **changes: int) -> None:
        """Change timing or policy in the running daemon."""
        self.vip = replace(self.vip, **changes)
        vip = self.vip
        self._tell(lambda speaker: speaker.reconfigure(vip, self.clock()))

    def tell(self, event: Event) -> None:
        """Bring an event to the daemon, as soon as it can take it."""
        self._tell(lambda speaker: speaker.machine.event(event, self.clock(), event.value))

    def _tell(self, message: Callable[[Speaker], None]) -> None:
        if self.speaker is not None:
            self._inbox.append(message)
            self._work()

    def _receive(self, packet: bytes) -> None:
        if self.carrier:
            datagram = Datagram.decode(packet)

            def take(speaker: Speaker) -> None:
                self.on_hear(self, datagram)
                speaker.received(datagram, self.clock())

            self._tell(take)

    def _work(self) -> None:
        """One turn of the daemon's loop."""
        if not self.running or self.speaker is None:
            return
        speaker, inbox = self.speaker, self._inbox
        self._inbox = []
        for message in inbox:
            message(speaker)
            self._perform(speaker)
        speaker.machine.due(self.clock())
        self._perform(speaker)
        if speaker.machine.state is State.ENDED:
            self.speaker, self.died_at = None, self.world.now
            return
        self._wake += 1
        wake, wait = self._wake, speaker.machine.next_timer() - self.clock()
        if wait < 1e9:
            self.world.after(wait + self.world.random.uniform(0, USUAL_LATENESS), lambda: self._wake_up(wake))

    def _wake_up(self, wake: int) -> None:
        if wake == self._wake:
            self._work()

    def _perform(self, speaker: Speaker) -> None:
        actions = speaker.machine.actions()
        while actions:
            for action in actions:
                if isinstance(action, Advertise):
                    packets = speaker.packets(action.advbase, action.advskew, action.demotion)
                    left = self.carrier and self.sending_works
                    for packet in packets.values() if left else []:
                        self.on_send(self, packet)
                        self.segment.send(self.name, packet)
                    speaker.machine.sent(left, self.clock())
                elif isinstance(action, Hold):
                    self._hold(action.lease)
                elif isinstance(action, Release):
                    self._drop()
                elif isinstance(action, Changed):
                    self.world.note(self.name, f"{action.old.value} -> {action.new.value}: {action.reason}")
                    self.on_change(self, action)
            actions = speaker.machine.actions()

    def _hold(self, seconds: int) -> None:
        self._lease += 1
        self.holds = True
        lease, late = self._lease, self.world.random.uniform(0, KERNEL_LATENESS)
        self.world.after(seconds + late, lambda: self._expire(lease))

    def _expire(self, lease: int) -> None:
        if lease == self._lease and self.holds:
            self.world.note(self.name, "the kernel ends the lease")
            self._drop()
            self.tell(Event.ADDRESS_LOST)

    def _drop(self) -> None:
        self._lease += 1
        self.holds = False
