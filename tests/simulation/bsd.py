# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CARP as the kernels of OpenBSD and FreeBSD do it, modelled after their ip_carp.c.

There is no daemon that could die alone: a kernel works, is silent (``ifconfig down``) or has no power. The address is
always configured; ``holds`` tells whether the kernel answers for it.
"""

from __future__ import annotations

import math
from typing import Callable

from carpd.packet import BOW_OUT, Advertisement, Datagram
from peer import Peer, PeerVip
from segment import Segment
from world import World

_TICK = 0.01  # the kernel's timers count ticks of so many seconds
_SEND_ERRORS = 3


class Bsd(Peer):
    """A computer with CARP in its kernel. ``preempt`` is the sysctl."""

    slowness = 0.05

    def __init__(self, world: World, segment: Segment, vip: PeerVip, number: int) -> None:
        super().__init__(world, segment, vip, number)
        self.up = False  # ifconfig
        self.demotion = 0  # by the administrator
        self._timer = 0
        self._errors = 0
        self._cannot_send = False
        self._faults = 0  # what demotes it by itself

    @property
    def sane(self) -> bool:
        """Whether it works and can be heard."""
        return self.powered and self.up and self.carrier and self.sending_works

    @property
    def patience(self) -> float:
        """How many seconds of silence make it master."""
        raise NotImplementedError

    def heard_as_master(self, said: Advertisement) -> bool:
        """Tell whether it gives way."""
        raise NotImplementedError

    def heard_as_backup(self, said: Advertisement) -> bool:
        """Tell whether it takes over."""
        raise NotImplementedError

    def start(self) -> None:
        """Boot, and ``ifconfig up``."""
        if not (self.powered and self.up):
            self.world.note(self.name, "starts")
            self.powered = self.up = True
            self._errors, self._cannot_send = 0, False
            self._listen()

    def stop(self) -> None:
        """``ifconfig down``."""
        if self.powered and self.up:
            self.world.note(self.name, "goes down")
            was_master, self.up = self.is_master, False
            self._retire("")
            if was_master:
                self.leave()

    def leave(self) -> None:
        """Say goodbye, if it knows how to."""

    def power_off(self) -> None:
        """Cut the power."""
        self.world.note(self.name, "loses its power")
        self.powered = self.is_master = self.holds = False

    def set_carrier(self, carrier: bool) -> None:
        """Pull or plug the cable, which the kernel sees at once."""
        if carrier != self.carrier:
            self.world.note(self.name, "is plugged in" if carrier else "is unplugged")
            self.carrier = carrier
            self._faults += -1 if carrier else 1
            if not carrier:
                self._retire("it has no carrier")
            elif self.powered and self.up:
                self._listen()

    def demote(self, demotion: int) -> None:
        """Demote it; a master tells of it at once."""
        self.world.note(self.name, f"is demoted by {demotion}")
        self.demotion = demotion
        if self.is_master:
            self._advertise()

    def mend(self) -> None:
        """End whatever is wrong with it."""
        self.set_carrier(True)
        self.sending_works = True
        self.demote(0)
        self.start()

    def receive(self, datagram: Datagram) -> None:
        """Take in a packet."""
        if not (self.powered and self.up and self.carrier):
            return
        said = self.understood(datagram)
        if said is None or self.is_own(said):
            return
        self.adopt(said)
        if self.is_master:
            if self.heard_as_master(said):
                self._retire(f"{datagram.source} is better")
                self._listen()
        elif self.heard_as_backup(said) or said.interval > 3 * self.vip.advbase > 0:
            self._rise(f"{datagram.source} is worse")
        else:
            self._listen()

    def is_own(self, said: Advertisement) -> bool:
        """Tell whether it takes the packet for its own."""
        return False

    def adopt(self, said: Advertisement) -> None:
        """Take over the counter, where it does that."""

    @property
    def troubles(self) -> int:
        """How many things are wrong that demote it by themselves."""
        return self._faults + self._cannot_send

    def _listen(self) -> None:
        self._set_timer(self.patience, lambda: self._rise("it has heard nothing"))

    def _set_timer(self, wait: float, happen: Callable[[], None]) -> None:
        self._timer += 1
        timer = self._timer
        ticks = math.ceil(wait / _TICK) * _TICK + self.world.random.uniform(0, _TICK / 10)

        def expire() -> None:
            if timer == self._timer and self.powered and self.up and self.carrier:
                happen()

        self.world.after(ticks, expire)

    def _rise(self, reason: str) -> None:
        self.world.note(self.name, f"-> MASTER: {reason}")
        self.is_master = self.holds = True
        self.promoted(self)
        self._advertise()

    def _retire(self, reason: str) -> None:
        if self.is_master:
            self.world.note(self.name, f"-> BACKUP: {reason}")
        self.is_master = self.holds = False
        self._timer += 1

    def _advertise(self) -> None:
        if not self.is_master:
            return
        demotion, advbase, advskew = self.claim
        self.next_of_own()
        if self.advertise(advbase, advskew, demotion):
            self._errors = max(0, self._errors - 1)
            self._cannot_send = self._cannot_send and self._errors > 0
        else:
            self._errors = min(_SEND_ERRORS, self._errors + 1)
            self._cannot_send = self._cannot_send or self._errors == _SEND_ERRORS
        self._set_timer(advbase + advskew / 256, self._advertise)

    def next_of_own(self) -> None:
        """Choose the counter of the next advertisement."""


class OpenBsd(Bsd):
    """Compares the demotion first, repeats one counter for ever, and says goodbye."""

    kind = "openbsd"

    @property
    def claim(self) -> tuple[int, int, int]:
        """As configured; the demotion goes beside it."""
        return self._count, self.vip.advbase, self.vip.advskew

    @property
    def patience(self) -> float:
        """Three of its own intervals, skew and all."""
        return 3 * (self.vip.advbase + self.vip.advskew / 256)

    @property
    def _count(self) -> int:
        return min(255, self.demotion + self.troubles)

    @property
    def _interval(self) -> float:
        return self.vip.advbase + self.vip.advskew / 256

    def heard_as_master(self, said: Advertisement) -> bool:
        """Gives way to an equal, too, but to nobody who is more demoted; and to whoever is less."""
        return (said.interval <= self._interval and said.demotion <= self._count) or said.demotion < self._count

    def heard_as_backup(self, said: Advertisement) -> bool:
        """Takes over from whoever is more demoted, preempting or not."""
        worse = said.interval > self._interval and said.demotion >= self._count
        return (self.vip.preempt and worse) or said.demotion > self._count

    def is_own(self, said: Advertisement) -> bool:
        """Its counter is a cookie by which it knows its own."""
        return said.counter == self.counter

    def leave(self) -> None:
        """Send what every peer understands as the end."""
        self.advertise(*BOW_OUT, demotion=self._count)


class FreeBsd(Bsd):
    """Adds the demotion to its skew, counts on from whatever it heard, and leaves without a word."""

    kind = "freebsd"

    _heard_anyone = False

    @property
    def claim(self) -> tuple[int, int, int]:
        """The skew with the demotion in it, at most 240."""
        return 0, self.vip.advbase, self._skew

    @property
    def patience(self) -> float:
        """Three times the base and the skew once, without the demotion."""
        return 3 * self.vip.advbase + self.vip.advskew / 256

    @property
    def _skew(self) -> int:
        return min(240, max(0, self.vip.advskew + self.demotion + 240 * self.troubles))

    @property
    def _interval(self) -> float:
        return self.vip.advbase + self._skew / 256

    def heard_as_master(self, said: Advertisement) -> bool:
        """Gives way to an equal, too."""
        return said.interval <= self._interval

    def heard_as_backup(self, said: Advertisement) -> bool:
        """Takes over from a worse one only if it may preempt."""
        return self.vip.preempt and said.interval > self._interval

    def adopt(self, said: Advertisement) -> None:
        """Go on counting from what was heard."""
        self.counter, self._heard_anyone = said.counter, True

    def next_of_own(self) -> None:
        """Count on, or as long as nobody was heard draw anew."""
        if self._heard_anyone:
            self.next_counter()
        else:
            self.counter = self.world.random.getrandbits(64)
