# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first line against two owners: a small process that gives the addresses up when the daemon cannot any more.

The daemon tells its guard what it holds, with a goodbye that is signed in advance. When the daemon dies, the kernel
closes its end of their socket; when it hangs, its heartbeat stops. Either way the guard removes the addresses and says
goodbye, so that a peer takes over within milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Collection

from .config import Vip
from .netlink import Link, removal, switching_off
from .paths import Copy
from .sentry import Sentry
from .typed import TYPE_CHECKING, NamedTuple
from .wire import address_of

if TYPE_CHECKING:
    from .sentry import Duty


class Turns(NamedTuple):
    """What is sent for a virtual host at an interval in seconds, turn by turn."""

    interface: str
    interval: float
    copies: list[list[Copy]]


class Guard:
    """Keeps book of what the guard's process has to know."""

    def __init__(self, sentry: Sentry) -> None:
        self.sentry = sentry
        self._duties: dict[str, Duty] = {}

    @property
    def patience(self) -> float:
        """How many seconds the daemon may let pass between beats, half as many late; infinity while nothing is held."""
        return min((patience for patience, _removals, _goodbyes in self._duties.values()), default=math.inf)

    @property
    def pid(self) -> int:
        """The process of the guard."""
        return self.sentry.pid

    @property
    def acted(self) -> bool:
        """Whether the guard has given everything up, since it thought that the daemon hung."""
        return self.sentry.acted

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when the guard has gone."""
        return self.sentry.fileno()

    def beat(self, until: float) -> None:
        """Show that the daemon works, and will show it again until then, which is within the patience."""
        self.sentry.beat(until)

    def hold(self, vip: Vip, link: Link, bow_outs: Collection[Copy], patience: float, made: Link | None = None) -> None:
        """Tell that the addresses of a virtual host are here now, and which packets say goodbye for them.

        ``made`` is the interface that was made for the addresses, if so.
        """
        removals = [removal((made or link).ifindex, address) for address in vip.addresses]
        if made is not None:
            removals.append(switching_off(made.ifindex))
        goodbyes = [(address_of(link.name, copy), copy.packet) for copy in bow_outs]
        self._duties[vip.name] = (patience, removals, goodbyes)
        self.sentry.tell(vip.name, self._duties[vip.name])

    def release(self, name: str) -> None:
        """Tell that these addresses are gone."""
        if self._duties.pop(name, None) is not None:
            self.sentry.tell(name, None)

    def stand_in(self, seconds: float, turns: Collection[Turns]) -> int:
        """Let the guard advertise while the daemon's program is replaced; see Sentry."""
        shifts = []
        for interface, interval, copies in turns:
            sends = [[(address_of(interface, copy), copy.packet) for copy in turn] for turn in copies]
            shifts.append((interval, sends))
        return self.sentry.stand_in(seconds, shifts)

    def replace(self) -> None:
        """Put a new guard in the place of one that has gone."""
        self.sentry.replace()
        for name, duty in self._duties.items():
            self.sentry.tell(name, duty)

    def close(self) -> None:
        """Dismiss the guard and wait for its end."""
        self.sentry.close()
