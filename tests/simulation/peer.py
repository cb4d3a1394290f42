# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the models of other implementations have in common: they speak real packets, and decide for themselves.

Nothing of our election is used here, so that a mistake in it cannot hide in its peers.
"""

from __future__ import annotations

from typing import Callable, NamedTuple

from carpd.digest import Digest
from carpd.packet import GROUPS, Advertisement, Datagram, PacketError
from computer import Computer
from segment import Segment
from world import World

_MASK = 0xFFFF_FFFF_FFFF_FFFF


class PeerVip(NamedTuple):
    """How a peer is configured. The vhid, the password and the one address are everybody's."""

    advbase: int
    advskew: int
    preempt: bool
    vhid: int
    digest: Digest


class Peer(Computer):
    """A computer with another implementation of CARP. IPv4 only, with one address: what they all share.

    ``slowness`` is how many seconds at most it takes, healthy, from a packet on the wire to its consequence.
    """

    kind = ""
    slowness = 0.0

    def __init__(self, world: World, segment: Segment, vip: PeerVip, number: int) -> None:
        super().__init__(world, segment, f"{self.kind}{number}", number)
        self.vip = vip
        self.is_master = False
        self.counter = world.random.getrandbits(64)
        self.promoted: Callable[[Peer], None] = lambda _peer: None
        self.powered = False

    @property
    def sane(self) -> bool:
        """Whether it works as it should: else it may do what no promise of ours can prevent."""
        raise NotImplementedError

    @property
    def claim(self) -> tuple[int, int, int]:
        """What its advertisements say of it, as we compare it: demotion, advbase and advskew."""
        raise NotImplementedError

    def start(self) -> None:
        """Start, or boot."""
        raise NotImplementedError

    def stop(self) -> None:
        """End in order, as far as it knows how to."""
        raise NotImplementedError

    def set_carrier(self, carrier: bool) -> None:
        """Pull or plug the cable."""
        raise NotImplementedError

    def mend(self) -> None:
        """End whatever is wrong with it."""
        raise NotImplementedError

    def advertise(self, advbase: int, advskew: int, demotion: int = 0) -> bool:
        """Send an advertisement with the present counter, and return whether it left."""
        mac = self.vip.digest.mac(self.counter)
        said = Advertisement(self.vip.vhid, advbase, advskew, demotion, self.counter, mac)
        return self.emit(Datagram(self.sources[4], GROUPS[4], said.encode()).encode())

    def understood(self, datagram: Datagram) -> Advertisement | None:
        """Return what a packet says, if it is an authentic advertisement for us."""
        if datagram.source == self.sources.get(4) or datagram.destination != GROUPS[4]:
            return None
        try:
            said = Advertisement.decode(datagram.payload)
        except PacketError:
            return None
        if said.vhid != self.vip.vhid or not self.vip.digest.accepts(said.counter, said.mac):
            return None
        return said

    def next_counter(self) -> None:
        """Count on."""
        self.counter = self.counter + 1 & _MASK
