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
from .drain import Drain
from .machine import Machine
from .packet import BOW_OUT, GROUPS, TTL, Address, Advertisement, Datagram, PacketError, redirected
from .paths import Copies
from .testimony import Testimony
from .timing import Failback, Timing
from .trust import AHEAD, Trust, stamp

# What somebody does who shares our password or our number, but not our configuration; and an attacker, too.
_OPPOSITION = ("digest", "stranger", "range", "tag", "replay")


class Speaker:
    """Speaks CARP for one virtual host.

    ``sources`` are the addresses that advertisements come from, by IP version; they may change while the daemon runs.
    ``sequence`` is where the sequence of its counters begins, beyond all that it has used before.
    """

    def __init__(self, vip: Vip, sequence: int, now: float) -> None:
        self.vip = vip
        self.machine = Machine(timing_of(vip), failback_of(vip), now, drain_of(vip))
        self.sources: dict[int, Address] = {}
        self.refused: Counter[str] = Counter()
        self.sequence = sequence
        self.testimony = Testimony()
        self._digests = _digests_of(vip)
        self._trust = Trust(vip.known_peers, vip.advbase)
        self._copies = Copies()

    def received(self, datagram: Datagram, now: float) -> str | None:
        """Take in a datagram that arrived on our interface.

        Returns None, or in one word why it was not heeded; ``refused`` counts these. A datagram of another vhid is
        nobody's mistake and not counted.
        """
        try:
            if datagram.is_testimony:
                self._take_testimony(datagram, now)
                return None
            advertisement = self._believed(datagram, now)
        except PacketError as error:
            self.refused[error.reason] += 1
            if error.reason in _OPPOSITION:
                self.machine.opposed(datagram.source, now)
            return error.reason
        if advertisement is not None:
            # Of a pair that speaks both families, one family alone decides ties, since the other might say otherwise.
            version = datagram.source.version
            own = self.sources.get(version) if version == min(self.sources) else None
            self.machine.received(advertisement, datagram.source, own, now)
        return None

    def packets(self, advbase: int, advskew: int, demotion: int = 0) -> dict[int, bytes]:
        """Return our next advertisement as an IP packet for each version that we speak."""
        self.sequence += 1
        return self._packets(self.sequence, advbase, advskew, demotion)

    def testify(self, accused: Address) -> bytes | None:
        """Return our next testimony against a peer as an IP packet; None if we have no address to send it from."""
        source = self.sources.get(accused.version)
        if source is None:
            return None
        self.sequence += 1
        digest, fields = self._digests[0], (self.vip.advbase, self.machine.advskew, self.machine.demotion)
        counter = stamp(self.sequence, digest, *fields, source, accused)
        payload = Advertisement(self.vip.vhid, *fields, counter, digest.mac(counter)).encode_as_testimony()
        return redirected(Datagram(source, GROUPS[source.version], payload).encode(self.sequence), accused)

    def goodbyes(self) -> dict[int, bytes]:
        """Return packets to say goodbye with later, within the next AHEAD advertisements."""
        return self._packets(self.sequence + AHEAD, *BOW_OUT, 0)

    def skip_goodbyes(self) -> None:
        """Go on behind goodbyes that may have been sent: what peers know that we sign, they take in order only."""
        self.sequence += AHEAD

    def _packets(self, sequence: int, *fields: int) -> dict[int, bytes]:
        return {version: self._packet(sequence, source, *fields) for version, source in self.sources.items()}

    def _packet(self, sequence: int, source: Address, advbase: int, advskew: int, demotion: int) -> bytes:
        digest = self._digests[0]
        counter = stamp(sequence, digest, advbase, advskew, demotion, source)
        advertisement = Advertisement(self.vip.vhid, advbase, advskew, demotion, counter, digest.mac(counter))
        return Datagram(source, GROUPS[source.version], advertisement.encode()).encode(identification=sequence)

    def reconfigure(self, vip: Vip, now: float) -> None:
        """Take over another configuration of the same virtual host, see ``same_identity``."""
        self.vip = vip
        self._digests = _digests_of(vip)
        trust = Trust(vip.known_peers, vip.advbase)
        trust.take_over(self._trust)
        self._trust = trust
        self.machine.reconfigure(timing_of(vip), failback_of(vip), now, drain_of(vip))

    def _take_testimony(self, datagram: Datagram, now: float) -> None:
        said = Advertisement.decode(datagram.payload)
        if said.vhid != self.vip.vhid:
            return
        accused = self.sources.get(datagram.source.version)
        if accused is None or datagram.destination != accused:
            raise PacketError("destination")
        for digest in self._digests:
            if digest.accepts(said.counter, said.mac):
                self._trust.examine_testimony(said, datagram.source, accused, digest)
                self.testimony.heard(datagram.source, now)
                return
        raise PacketError("digest")

    def _believed(self, datagram: Datagram, now: float) -> Advertisement | None:
        if datagram.source in self.sources.values():
            raise PacketError("echo")  # a switch or hypervisor sent our own packet back
        # Whatever our own paths are: hosts that are changed one after the other shall hear each other all the time.
        if datagram.destination not in (GROUPS[datagram.destination.version], *self.sources.values()):
            raise PacketError("destination")
        if datagram.ttl != TTL and not (self.vip.routed_peers and datagram.source in self.vip.peers):
            raise PacketError("ttl")
        advertisement = Advertisement.decode(datagram.payload)
        if advertisement.vhid != self.vip.vhid:
            return None
        for digest in self._digests:
            if digest.accepts(advertisement.counter, advertisement.mac):
                is_news = self._trust.examine(advertisement, datagram.source, digest)
                is_copy = self._copies.has(advertisement, datagram.source, now)
                return advertisement if is_news and not is_copy else None
        raise PacketError("digest")


def _digests_of(vip: Vip) -> list[Digest]:
    """Return the digest that we sign with, and after it those that are accepted too, while the hosts are changed."""
    return [
        Digest(password, vip.vhid, [address.ip for address in addresses])
        for password in dict.fromkeys((vip.password, vip.accept_password or vip.password))
        for addresses in dict.fromkeys((vip.addresses, vip.accept_addresses or vip.addresses))
    ]


def timing_of(vip: Vip) -> Timing:
    """Return what the election needs to know of the configuration."""
    return Timing(vip.advbase, vip.advskew, vip.dead_ratio)


def failback_of(vip: Vip) -> Failback:
    """Return what the configuration says of taking over again."""
    return Failback(vip.preempt, vip.stable_for)


def drain_of(vip: Vip) -> Drain:
    """Return what the configuration says of connections before the addresses are given up."""
    return Drain(vip.drain, vip.reset_sessions)


def same_identity(old: Vip, new: Vip) -> bool:
    """Tell whether a changed virtual host can go on in place.

    All but its place, its number and its kind of MAC may change: a change of the password or the addresses is made in
    steps, in each of which the hosts understand each other, and none of which may move the addresses.
    """
    return (old.interface, old.vhid, old.virtual_mac) == (new.interface, new.vhid, new.virtual_mac)
