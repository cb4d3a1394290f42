# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all computers on the virtual segment have in common, whichever implementation of CARP runs on them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from carpd.packet import Address, Datagram
from carpd.paths import MULTICAST
from segment import Segment
from world import World

_NETWORKS: dict[int, Address] = {4: IPv4Address("10.0.0.0"), 6: IPv6Address("fe80::")}


class Computer:
    """A computer with a cable. ``holds`` tells whether its kernel has the virtual address."""

    def __init__(
        self, world: World, segment: Segment, name: str, number: int, versions: tuple[int, ...] = (4,)
    ) -> None:
        self.name = name
        self.world = world
        self.segment = segment
        self.sources: dict[int, Address] = {version: _NETWORKS[version] + number for version in versions}
        self.powered = True
        self.suspended = False
        self.carrier = True
        self.sending_works = True
        self.holds = False
        segment.plug(self)

    @property
    def owns(self) -> bool:
        """Whether somebody who looks for the virtual address could find this computer."""
        return self.holds and self.powered and not self.suspended

    @property
    def recognisable(self) -> bool:
        """Whether it advertises from the MAC that the virtual address is at: ucarp does not, the others do."""
        return True

    @property
    def answers(self) -> bool:
        """Whether its kernel answers, by ARP or neighbour discovery: so it does when the daemon is frozen or dead."""
        return self.powered and not self.suspended and self.carrier and self.sending_works

    def receive(self, datagram: Datagram) -> None:
        """Take in a packet."""
        raise NotImplementedError

    def emit(self, packet: bytes, path: str = MULTICAST) -> bool:
        """Put a packet on the segment and return whether it left."""
        if not (self.carrier and self.sending_works):
            return False
        self.segment.send(self, packet, path)
        return True
