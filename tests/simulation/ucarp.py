# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ucarp as Debian ships it, modelled after what its source says and what was measured of it (UCarp src/carp.c).

Its traps are part of the model: packets that it reads up to a second late, timers by the time of day that a backup
looks at only when it wakes, a penalty for send errors that a backup cannot lose, addresses that stay when it is killed.
"""

from __future__ import annotations

from carpd.packet import Advertisement, Datagram
from peer import Peer, PeerVip
from segment import Segment
from world import World

DEAD_RATIO = 3
_RING_TIME = 1.0  # seconds after which the kernel hands a block of packets over that is not full (libpcap's timeout)
_EARLY = 0.001  # it compares rounded milliseconds
_STEP_DOWN_SLEEP = 3.0
_NO_CARRIER_SLEEP = 10.0
_SEND_ERRORS = 3
_PENALTY_SKEW = 240


class Ucarp(Peer):
    """A computer with ucarp, started with -z or without, with -P or without."""

    kind = "ucarp"
    slowness = _RING_TIME + 0.1

    def __init__(self, world: World, segment: Segment, vip: PeerVip, number: int, tidy: bool = True) -> None:
        super().__init__(world, segment, vip, number)
        draw = world.random
        self.powered = True
        self.running = False
        self.frozen = False
        self._tidy = tidy  # -z: run the down script at the end
        self._script_time = draw.uniform(0.002, 0.05)
        self._ring_phase = draw.uniform(0, _RING_TIME)
        self._ring: list[Datagram] = []
        self._readable: list[Datagram] = []
        self._clock_offset = 0.0
        self._blocked_until = 0.0  # a script or a sleep: nothing is read, sent or timed
        self._wake = 0
        self._advertise_at = self._master_down_at = 0.0
        self._heard_anyone = False
        self._errors = 0
        self._penalty = False
        self._to_stop = self._to_step_down = False

    @property
    def recognisable(self) -> bool:
        """Its advertisements come from a MAC of their own, and the address is at the real one."""
        return False

    @property
    def sane(self) -> bool:
        """Whether it runs, is awake, can be heard and does not wait for its clock."""
        awake = self.running and not self.frozen and self.world.now >= self._blocked_until
        wait = (self._advertise_at if self.is_master else self._master_down_at) - self._time_of_day()
        misled = wait > (self._interval if self.is_master else self._patience) + self._script_time
        return awake and self.carrier and self.sending_works and not misled

    @property
    def claim(self) -> tuple[int, int, int]:
        """It knows nothing of demotion."""
        return 0, self.vip.advbase, self._skew

    @property
    def _skew(self) -> int:
        return max(self.vip.advskew, _PENALTY_SKEW) if self._penalty else self.vip.advskew

    @property
    def _interval(self) -> float:
        return self.vip.advbase + self._skew / 256

    @property
    def _patience(self) -> float:
        return DEAD_RATIO * self.vip.advbase + self.vip.advskew / 256

    def start(self) -> None:
        """Begin as backup; the down script removes what may be there."""
        if not self.running:
            self.world.note(self.name, "starts")
            self.running, self.frozen, self.is_master, self.holds = True, False, False, False
            self._heard_anyone = self._penalty = self._to_stop = self._to_step_down = False
            self._errors = 0
            self._readable.clear()
            self._blocked_until = self.world.now + self._script_time
            self._count_silence()
            self._sleep()

    def kill(self) -> None:
        """Kill it with -9: the address stays where it is, for good."""
        if self.running:
            self.world.note(self.name, "is killed" + (" and its kernel keeps the address" if self.holds else ""))
            self.running = self.is_master = False

    def stop(self) -> None:
        """Ask it to end; without -z it dies as if it were killed, and without a carrier it does not listen."""
        if not self._tidy:
            self.kill()
        else:
            self._to_stop = True
            self._wake_soon()

    def step_down(self) -> None:
        """Send SIGUSR2."""
        self._to_step_down = True
        self._wake_soon()

    def freeze(self) -> None:
        """Send SIGSTOP."""
        if self.running:
            self.world.note(self.name, "is frozen")
            self.frozen = True

    def thaw(self) -> None:
        """Send SIGCONT."""
        if self.frozen:
            self.world.note(self.name, "thaws")
            self.frozen = False
            self._work()

    def set_carrier(self, carrier: bool) -> None:
        """Pull or plug the cable; it finds out by itself."""
        if carrier != self.carrier:
            self.world.note(self.name, "is plugged in" if carrier else "is unplugged")
            self.carrier = carrier

    def step_clock(self, seconds: float) -> None:
        """Set its time of day forth or back."""
        self.world.note(self.name, f"its clock is set by {seconds:+g} s")
        self._clock_offset += seconds

    def mend(self) -> None:
        """End whatever is wrong with it, and restart it if it still waits for its clock."""
        self.set_carrier(True)
        self.sending_works = True
        self.thaw()
        if not self.sane:
            self.kill()
        self.start()

    def receive(self, datagram: Datagram) -> None:
        """Take in a packet: it is read when the ring's timer fires."""
        if self.carrier and self.running:
            if not self._ring:
                self.world.after(_RING_TIME - (self.world.now - self._ring_phase) % _RING_TIME, self._hand_over)
            self._ring.append(datagram)

    def _hand_over(self) -> None:
        self._readable += self._ring
        self._ring = []
        self._work()

    def _time_of_day(self) -> float:
        return self.world.now + self._clock_offset

    def _wake_soon(self) -> None:
        """A signal interrupts the poll, if there is one."""
        self.world.after(0.0, self._work)

    def _work(self) -> None:
        """One turn of its loop: signals, carrier, packets, timers."""
        if not self.running or self.frozen or self.world.now < self._blocked_until:
            return
        if not self.carrier:
            if self.is_master:
                self._retire("it has no carrier")
            self._blocked_until = max(self._blocked_until, self.world.now + _NO_CARRIER_SLEEP)
        elif self._to_stop:
            if self.is_master:
                self._retire("it ends")
            self.world.note(self.name, "ends")
            self.running = False
            return
        elif self._to_step_down:
            self._to_step_down = False
            if self.is_master:
                self._retire("it is asked to step down")
                self._blocked_until += _STEP_DOWN_SLEEP
        else:
            self._read()
            self._look_at_timers()
        self._sleep()

    def _sleep(self) -> None:
        """A master sleeps until its next advertisement, a backup as long as it would be between two."""
        wait = self._advertise_at - self._time_of_day() if self.is_master else self._interval
        wait = max(0.0, wait - _EARLY * self.world.random.random(), self._blocked_until - self.world.now)
        self._wake += 1
        wake = self._wake
        self.world.after(wait, lambda: self._work() if wake == self._wake else None)

    def _read(self) -> None:
        while self._readable and self.world.now >= self._blocked_until:
            datagram = self._readable.pop(0)
            said = self.understood(datagram)
            if said is not None:
                self.counter, self._heard_anyone = said.counter, True
                self._compare(said, datagram)

    def _compare(self, said: Advertisement, datagram: Datagram) -> None:
        theirs, ours = said.advbase + said.advskew / 256, self._interval
        if self.is_master:
            # The words of the addresses as they stand in the packet, read by a little-endian computer.
            others, own = (int.from_bytes(one.packed, "little") for one in (datagram.source, self.sources[4]))
            if theirs < ours or (theirs == ours and others < own):
                self._advertise()
                self._retire(f"{datagram.source} is better")
        elif theirs > self._patience:
            self._rise(f"{datagram.source} is going to time out")
        elif theirs > ours and self.vip.preempt:
            self._rise(f"{datagram.source} is worse")
        else:
            self._count_silence()

    def _look_at_timers(self) -> None:
        if self.world.now < self._blocked_until:
            return
        now = self._time_of_day()
        if self.is_master:
            if now >= self._advertise_at - _EARLY:
                self._advertise()
        elif now >= self._master_down_at:
            self._rise("it has heard nothing")

    def _count_silence(self) -> None:
        self._master_down_at = self._time_of_day() + self._patience

    def _rise(self, reason: str) -> None:
        """Run the up script to its end, and then advertise."""
        self.world.note(self.name, f"-> MASTER: {reason}")
        self.holds = True
        self._blocked_until = self.world.now + self._script_time
        self.promoted(self)
        self.is_master = True
        self._advertise_at = self._time_of_day() + self._script_time

    def _retire(self, reason: str) -> None:
        self.world.note(self.name, f"-> BACKUP: {reason}")
        self.is_master = False
        self._blocked_until = self.world.now + self._script_time
        self._count_silence()
        self._master_down_at += self._script_time
        self.world.after(self._script_time, self._drop)

    def _drop(self) -> None:
        """The down script has done its work, unless there is a new up script already."""
        if not self.is_master:
            self.holds = False

    def _advertise(self) -> None:
        if self._heard_anyone:
            self.next_counter()
        else:
            self.counter = self.world.random.getrandbits(64)
        if self.advertise(self.vip.advbase, self._skew):
            self._errors = max(0, self._errors - 1)
            self._penalty = self._penalty and self._errors > 0
        else:
            self._errors = min(_SEND_ERRORS, self._errors + 1)
            self._penalty = self._penalty or self._errors == _SEND_ERRORS
        self._advertise_at = self._time_of_day() + self._interval
