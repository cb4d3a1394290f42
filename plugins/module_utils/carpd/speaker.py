# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One virtual host on the wire: its election, its digest and its counter, from packet bytes to packet bytes.

Still without any I/O: the shell hands packets in and sends what comes out, and so does a simulated network.
"""

from __future__ import annotations

from collections import Counter

from .config import Vip
from .digest import Digest
from .machine import Machine, Timing
from .packet import GROUPS, Address, Advertisement, Datagram, PacketError

_COUNTER_MASK = 0xFFFF_FFFF_FFFF_FFFF


class Speaker:
    """Speaks CARP for one virtual host.

    ``sources`` are the addresses that advertisements come from, by IP version; they may change while the daemon runs.
    ``first_counter`` (64 bits) must be random, so that no counter repeats after a restart.
    """

    def __init__(self, vip: Vip, first_counter: int, now: float) -> None:
        self.vip = vip
        self.machine = Machine(timing_of(vip), vip.preempt, now)
        self.sources: dict[int, Address] = {}
        self.refused: Counter[str] = Counter()
        self._digest = Digest(vip.password, vip.vhid, [address.ip for address in vip.addresses])
        self._counter = first_counter

    def received(self, datagram: Datagram, now: float) -> str | None:
        """Take in a datagram that arrived on our interface.

        Returns None, or in one word why it was not heeded; ``refused`` counts these. A datagram of another vhid is
        nobody's mistake and not counted.
        """
        try:
            advertisement = self._authentic(datagram)
        except PacketError as error:
            self.refused[error.reason] += 1
            return error.reason
        if advertisement is not None:
            # Of a pair that speaks both families, one family alone decides ties, since the other might say otherwise.
            version = datagram.source.version
            own = self.sources.get(version) if version == min(self.sources) else None
            self.machine.received(advertisement, datagram.source, own, now)
        return None

    def packets(self, advbase: int, advskew: int, demotion: int = 0) -> dict[int, bytes]:
        """Return our next advertisement as an IP packet for each version that we speak."""
        return {version: self._packet(source, advbase, advskew, demotion) for version, source in self.sources.items()}

    def _packet(self, source: Address, advbase: int, advskew: int, demotion: int) -> bytes:
        self._counter = self._counter + 1 & _COUNTER_MASK
        mac = self._digest.mac(self._counter)
        advertisement = Advertisement(self.vip.vhid, advbase, advskew, demotion, self._counter, mac)
        return Datagram(source, GROUPS[source.version], advertisement.encode()).encode(identification=self._counter)

    def reconfigure(self, vip: Vip, now: float) -> None:
        """Take over another timing or policy; see ``same_identity``."""
        self.vip = vip
        self.machine.reconfigure(timing_of(vip), vip.preempt, now)

    def _authentic(self, datagram: Datagram) -> Advertisement | None:
        if datagram.source in self.sources.values():
            raise PacketError("echo")  # a switch or hypervisor sent our own packet back
        if datagram.destination != GROUPS[datagram.destination.version]:
            raise PacketError("destination")
        advertisement = Advertisement.decode(datagram.payload)
        if advertisement.vhid != self.vip.vhid:
            return None
        if not self._digest.accepts(advertisement.counter, advertisement.mac):
            raise PacketError("digest")
        return advertisement


def timing_of(vip: Vip) -> Timing:
    """Return what the election needs to know of the configuration."""
    return Timing(vip.advbase, vip.advskew, vip.dead_ratio)


def same_identity(old: Vip, new: Vip) -> bool:
    """Tell whether a changed virtual host can go on in place: all but its timing and policy is as it was."""

    def identity(vip: Vip) -> tuple[object, ...]:
        return (vip.interface, vip.vhid, vip.addresses, vip.password, vip.source)

    return identity(old) == identity(new)
