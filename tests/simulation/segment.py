# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A virtual network segment that carries advertisements and the question whether an address is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Callable, Protocol, Union

from carpd.packet import GROUPS, Address, Advertisement, Datagram, redirected
from carpd.paths import MULTICAST, UNICAST
from world import World

USUAL_DELAY = (0.00005, 0.001)
LONGEST_DELAY = 0.05  # seconds; packets that overtake each other differ by at most this

# From whom, to whom, and which packets: all, those of one IP version, or those that take one path.
Only = Union[int, str]
ALL = 0
Cut = tuple[str, str, Only]


class Port(Protocol):
    """What can be plugged in."""

    name: str
    sources: dict[int, Address]

    def receive(self, datagram: Datagram) -> None:
        """Take in a packet."""

    @property
    def answers(self) -> bool:
        """Whether the kernel behind the port would answer, by ARP or neighbour discovery."""

    @property
    def owns(self) -> bool:
        """Whether it has the virtual address."""

    @property
    def recognisable(self) -> bool:
        """Whether it advertises from the MAC that the virtual address is at."""


class Segment:
    """Carries packets between ports; can lose, delay, repeat and reorder them, and be cut, each way by itself."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ports: list[Port] = []
        self._cuts: Counter[Cut] = Counter()
        self.versions: tuple[int, ...] = (4,)  # that hosts speak
        self.paths: tuple[str, ...] = (MULTICAST,)  # that packets take
        self.loss = 0.0
        self.duplication = 0.0
        self.reorder = 0.0
        self.longest_delay = LONGEST_DELAY
        self.lag = 0.0  # every packet takes up to so long, in seconds
        self.forgers = 0  # so many send what nobody can tell from the truth
        self.ear: Callable[[bytes], None] | None = None  # somebody who hears every packet
        self.listener_began: Callable[[], None] = lambda: None  # called when a host begins to listen

    @property
    def disturbed(self) -> bool:
        """Whether advertisements may be missing, false or late; that those of one IP version are missing is no loss."""
        if self.loss or self.lag or self.forgers:
            return True
        cuts = self._cuts
        return bool(cuts) and any(self._is_deaf(a, b) for a, b, _only in cuts)

    def _is_deaf(self, sender: str, receiver: str) -> bool:
        """Tell whether nothing gets from one to the other."""
        cuts = self._cuts
        return (
            (sender, receiver, ALL) in cuts
            or all((sender, receiver, version) in cuts for version in self.versions)
            or all((sender, receiver, path) in cuts for path in self.paths)
        )

    def plug(self, port: Port) -> None:
        """Add a port."""
        self._ports.append(port)

    def cut(self, paths: Iterable[tuple[str, str]], only: Only = ALL) -> None:
        """Cut these paths, from one to another, for all packets or ``only`` some."""
        for sender, receiver in paths:
            self._cuts[sender, receiver, only] += 1

    def heal(self, paths: Iterable[tuple[str, str]], only: Only = ALL) -> None:
        """End a cut; a path may have been cut more than once."""
        for sender, receiver in paths:
            self._cuts[sender, receiver, only] -= 1
        self._cuts = +self._cuts

    def _is_cut(self, sender: Port, receiver: Port, *kinds: Only) -> bool:
        cuts = self._cuts
        return bool(cuts) and any((sender.name, receiver.name, kind) in cuts for kind in (ALL, *kinds))

    def mend(self) -> None:
        """End everything that is wrong."""
        self._cuts.clear()
        self.loss = self.duplication = self.reorder = self.lag = 0.0
        self.forgers = 0

    def send(self, sender: Port, packet: bytes, path: str = MULTICAST) -> None:
        """Carry a packet to every other port, or by unicast to one, or not."""
        datagram = Datagram.decode(packet)
        version = datagram.source.version
        if self._world.wordy:
            self._world.note(sender.name, f"sends {_in_words(datagram)}, by {path}")
        if self.ear is not None and sender in self._ports:
            self.ear(packet if path != UNICAST else redirected(packet, GROUPS[version]))
        chance = self._world.random.random
        for port in self._ports:
            if port is sender or self._is_cut(sender, port, version, path):
                continue
            if path == UNICAST and datagram.destination not in port.sources.values():
                continue
            for _copy in range(2 if self.duplication and chance() < self.duplication else 1):
                if not self.loss or chance() >= self.loss:
                    self._deliver(port, datagram)

    def ask(self, asker: Port, answered: Callable[[Collection[Address]], None]) -> None:
        """Ask who has the virtual address; call ``answered`` for each who says so, with its own addresses, if known."""
        version = min(asker.sources)

        def reach(port: Port) -> None:
            if port.owns:
                self._carry(port, asker, version, lambda: answered(port.sources.values() if port.recognisable else ()))

        for port in self._ports:
            if port is not asker:
                self._carry(asker, port, version, lambda port=port: reach(port))  # type: ignore[misc]

    def _carry(self, sender: Port, receiver: Port, version: int, arrive: Callable[[], None]) -> None:
        lost = self.loss and self._world.random.random() < self.loss
        if sender.answers and not lost and not self._is_cut(sender, receiver, version):
            self._world.after(self._delay(), arrive)

    def _deliver(self, port: Port, datagram: Datagram) -> None:
        self._world.after(self._delay(), lambda: port.receive(datagram))

    def _delay(self) -> float:
        draw = self._world.random
        if self.lag:
            return draw.uniform(0, self.lag)
        if self.reorder and draw.random() < self.reorder:
            return draw.uniform(0, self.longest_delay)
        return USUAL_DELAY[0] + (USUAL_DELAY[1] - USUAL_DELAY[0]) * draw.random()


def _in_words(datagram: Datagram) -> str:
    said = Advertisement.decode(datagram.payload)
    if said.is_bow_out:
        return f"goodbye, from {datagram.source}"
    demoted = f", demoted by {said.demotion}" if said.demotion else ""
    return f"an advertisement from {datagram.source}: vhid {said.vhid}, {said.advbase}+{said.advskew}/256 s{demoted}"
