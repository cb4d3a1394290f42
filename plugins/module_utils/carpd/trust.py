# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an advertisement must be, beyond having the right digest, for a host to believe it.

The digest covers neither advbase, advskew and demotion nor the sender's address, so that whoever records an
advertisement can send it again as the best of all masters. The counter, which the digest does cover, means nothing to
ucarp and the BSDs: between our own daemons it carries a sequence number that only grows, and a tag over the fields that
the digest leaves out.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from .digest import Digest
from .packet import Address, Advertisement, PacketError
from .typed import NamedTuple

TAG_BITS = 20  # of the counter's 64, the lowest: one forgery in a million, of counters that nobody has heard yet
_SEQUENCE_MASK = (1 << 64 - TAG_BITS) - 1
# A sequence begins with the time, so that it goes on after a restart: so many steps a second are more than are ever
# sent. It lasts until the year 2106.
STEPS = 4096
# A goodbye that is kept for later lies so far ahead; by then it must be signed anew.
AHEAD = 2048


class KnownPeer(NamedTuple):
    """What the configuration says of a peer.

    ``ours`` means that it runs this daemon; ``advskew`` is the lowest that it may advertise, beside our own advbase,
    and None where it may advertise anything: what one of ours says of its rank, it signs.
    """

    address: Address
    ours: bool
    advskew: int | None


def first_step(wall_clock: float, reserved: int = 0) -> int:
    """Return where the sequence of a daemon begins that starts now.

    ``wall_clock`` is in seconds since 1970; ``reserved`` is what an earlier run may have used, for a clock that was set
    back meanwhile.
    """
    return max(int(wall_clock * STEPS), reserved) & _SEQUENCE_MASK


def stamp(
    sequence: int,
    digest: Digest,
    advbase: int,
    advskew: int,
    demotion: int,
    source: Address,
    accused: Address | None = None,
) -> int:
    """Return the counter of an advertisement, or of a testimony against a peer."""
    fields = struct.pack("!QBBB", sequence & _SEQUENCE_MASK, advbase, advskew, demotion) + source.packed
    # With two addresses it has a length that no advertisement's has: neither can be taken for the other.
    tag = digest.tag(fields + (accused.packed if accused else b""))
    return (sequence & _SEQUENCE_MASK) << TAG_BITS | int.from_bytes(tag[:4], "big") >> 32 - TAG_BITS


class Trust:
    """Judges advertisements that have the right digest."""

    def __init__(self, peers: Iterable[KnownPeer], advbase: int) -> None:
        self._peers = {peer.address: peer for peer in peers}
        self._versions = {address.version for address in self._peers}
        self._advbase = advbase
        self._last: dict[Address, int] = {}
        self._last_testimony: dict[Address, int] = {}

    def take_over(self, other: Trust) -> None:
        """Remember what another one has heard."""
        self._last = {address: last for address, last in other._last.items() if address in self._peers}
        self._last_testimony = other._last_testimony

    def examine(self, advertisement: Advertisement, source: Address, digest: Digest) -> bool:
        """Return whether it is news; a second copy, which came by another path, is none.

        Raises PacketError: stranger, range, tag or replay. Where no peer of an IP version is known, every one is
        believed: ucarp and the BSDs give no more to go by.
        """
        peer = self._peers.get(source)
        if peer is None:
            if source.version in self._versions:
                raise PacketError("stranger")
            return True
        lowest = 0.0 if peer.advskew is None else self._advbase + peer.advskew / 256
        if not advertisement.is_bow_out and advertisement.interval < lowest:
            raise PacketError("range")
        return self._is_next(advertisement, source, digest) if peer.ours else True

    def examine_testimony(self, testimony: Advertisement, source: Address, accused: Address, digest: Digest) -> None:
        """Require that a testimony is what a peer of ours says now. Raises PacketError: stranger, tag or replay."""
        if self._peers and source not in self._peers:
            raise PacketError("stranger")
        sequence = _signed(testimony, source, digest, accused)
        # Before the first testimony of a peer, its advertisements tell how old one may be.
        if sequence <= max(self._last_testimony.get(source, -1), self._last.get(source, -1) - AHEAD):
            raise PacketError("replay")
        self._last_testimony[source] = sequence

    def _is_next(self, advertisement: Advertisement, source: Address, digest: Digest) -> bool:
        sequence = _signed(advertisement, source, digest)
        last = self._last.get(source, -1)
        if sequence < last:
            raise PacketError("replay")
        self._last[source] = sequence
        return sequence > last


def _signed(said: Advertisement, source: Address, digest: Digest, accused: Address | None = None) -> int:
    """Return the sequence number. Raises PacketError when the tag is not right."""
    sequence = said.counter >> TAG_BITS
    if stamp(sequence, digest, said.advbase, said.advskew, said.demotion, source, accused) != said.counter:
        raise PacketError("tag")
    return sequence
