# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""By which paths an advertisement goes to the peers, and which of those that arrive are copies of one.

The group is what CARP knows. ``ucarp -M`` keeps it as the IP destination and broadcasts the frame. The BSDs can send to
one peer instead. All paths at once are more robust than one, if whoever hears two copies counts them once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from .packet import Address, Advertisement, redirected
from .typed import NamedTuple

MULTICAST, UNICAST, BROADCAST = "multicast", "unicast", "broadcast"
PATHS = (MULTICAST, UNICAST, BROADCAST)

# Copies come within milliseconds. A later packet with the same content is no copy: a quiet OpenBSD master sends the
# same bytes again and again, its counter included.
_COPY_TIME = 0.1  # seconds, and half an interval at most
_MOST_SENDERS = 16  # of which the one that was heard first is forgotten first


class Copy(NamedTuple):
    """An IP packet, and the path that it takes."""

    packet: bytes
    path: str


def copies(packets: Iterable[bytes], paths: Collection[str], peers: Iterable[Address]) -> list[Copy]:
    """Return what is to be sent, of packets to the group, one for each IP version."""
    found = []
    for packet in packets:
        found += [Copy(packet, path) for path in (MULTICAST, BROADCAST) if path in paths]
        if UNICAST in paths:
            version = packet[0] >> 4
            found += [Copy(redirected(packet, peer), UNICAST) for peer in peers if peer.version == version]
    return found


class Copies:
    """Recognises what has been heard already, by another path."""

    def __init__(self) -> None:
        self._last: dict[Address, tuple[Advertisement, float]] = {}

    def has(self, advertisement: Advertisement, source: Address, now: float) -> bool:
        """Tell whether this is a copy of the sender's last advertisement, and remember it if not."""
        last, at = self._last.get(source, (None, 0.0))
        if advertisement == last and now - at < min(_COPY_TIME, advertisement.interval / 2):
            return True
        self._last.pop(source, None)
        if len(self._last) >= _MOST_SENDERS:
            del self._last[next(iter(self._last))]
        self._last[source] = advertisement, now
        return False
