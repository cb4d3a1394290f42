# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon's guard process, modelled: it gives the addresses up when the daemon has died or hangs."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Callable

DEATH_NOTICED = (0.0005, 0.005)  # seconds until it has acted on the end of the daemon
# In parts of its patience: the last beat was up to one ago, and then it waits half as long for one that was promised.
HANG_NOTICED = (0.5, 1.5)


class Guard:
    """Watches one daemon. ``later`` runs something on this computer after so many seconds; ``give_up`` removes the
    addresses and sends the goodbyes that it is called with.
    """

    def __init__(
        self,
        draw: random.Random,
        later: Callable[[float, Callable[[], None]], None],
        give_up: Callable[[Iterable[bytes]], None],
        send: Callable[[bytes], object],
    ) -> None:
        self.acted = False
        self.alive = True
        self._draw = draw
        self._later = later
        self._give_up = give_up
        self._send = send
        self._held: tuple[list[bytes], float] | None = None
        self._frozen = False
        self._orphaned = False
        self._hang = 0

    def hold(self, bow_outs: Iterable[bytes], patience: float) -> None:
        """Take note that the addresses are here, and for how many seconds the daemon may then be silent."""
        self._held = list(bow_outs), patience

    def release(self) -> None:
        """Take note that they are gone."""
        self._held = None

    def daemon_died(self) -> None:
        """Act, soon."""
        self._orphaned = True
        if not self._frozen:
            self._later(self._draw.uniform(*DEATH_NOTICED), self._act)

    def daemon_froze(self) -> None:
        """Act, unless the daemon works again before the patience ends."""
        if self._held is not None:
            self._hang += 1
            hang = self._hang
            self._later(self._held[1] * self._draw.uniform(*HANG_NOTICED), lambda: self._act_on_hang(hang))

    def daemon_thawed(self) -> None:
        """See it work again."""
        self._hang += 1

    def stand_in(self, seconds: float, interval: float, turns: list[list[bytes]]) -> None:
        """Advertise in the daemon's place until dismissed, or give up after so many seconds."""
        self._hang += 1
        hang = self._hang
        self._later(seconds, lambda: self._act_on_hang(hang))
        for number, turn in enumerate(turns, start=1):
            self._later(number * interval, lambda turn=turn: self._take_turn(turn))  # type: ignore[misc]

    def _take_turn(self, packets: list[bytes]) -> None:
        if self.alive and not self._frozen:
            for packet in packets:
                self._send(packet)

    def freeze(self) -> None:
        """Stop as with SIGSTOP; it then begins to count anew."""
        self._frozen = True
        self._hang += 1

    def thaw(self) -> None:
        """Go on."""
        self._frozen = False
        if self._orphaned:
            self._later(self._draw.uniform(*DEATH_NOTICED), self._act)

    def end(self) -> None:
        """End, by its dismissal or by kill -9."""
        self.alive = False

    def _act_on_hang(self, hang: int) -> None:
        if hang == self._hang and not self._frozen:
            self._act()

    def _act(self) -> None:
        if self.alive and not self._frozen:
            self.alive = False
            if self._held is not None:
                self.acted = True
                self._give_up(self._held[0])
