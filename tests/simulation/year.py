# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A quiet pair for a simulated year: nothing may drift, wear out or happen.

The pair advertises at the longest interval that there is, so that a year has few enough packets to run it in seconds;
the addresses are announced anew every half minute all the same.
"""

from __future__ import annotations

from ipaddress import IPv4Interface

from carpd.actions import Changed
from carpd.config import Vip
from carpd.machine import REFRESH_INTERVAL
from host import USUAL_LATENESS, Host, Watcher
from segment import Segment
from world import World

YEAR = 365.25 * 86400
_ADVBASE = 255
_LATE = 2 * USUAL_LATENESS
_SETTLED = 4 * _ADVBASE  # seconds after which there is a master


class _Witness(Watcher):
    """Counts what a host does after the beginning."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.changes: list[str] = []
        self.sent_at: list[float] = []
        self.announced_at: list[float] = []

    def changed(self, host: Host, change: Changed) -> None:
        if self.world.now > _SETTLED:
            self.changes.append(f"{self.world.now:.1f} {host.name} {change.new.value}: {change.reason}")

    def sent(self, host: Host, packet: bytes) -> None:
        if self.world.now > _SETTLED:
            self.sent_at.append(self.world.now)

    def announced(self, host: Host) -> None:
        if self.world.now > _SETTLED:
            self.announced_at.append(self.world.now)


def problems(seconds: float = YEAR) -> list[str]:
    """Run it and return what went wrong, in words."""
    world = World(1)
    segment = Segment(world)
    hosts = [Host(world, segment, _vip(skew), number) for number, skew in enumerate((0, 100), start=1)]
    witness = _Witness(world)
    for host in hosts:
        host.watcher = witness
        host.start()
    world.run(seconds, lambda: None)
    found = list(witness.changes)
    if [host.is_master for host in hosts] != [True, False]:
        found.append("the first host is not the only master")
    found += _irregular("advertisements", witness.sent_at, _ADVBASE, seconds)
    found += _irregular("announcements", witness.announced_at, REFRESH_INTERVAL, seconds)
    beats = len(witness.sent_at) - 1
    drift = witness.sent_at[-1] - witness.sent_at[0] - beats * _ADVBASE if beats > 0 else 0.0
    if abs(drift) > _LATE:
        found.append(f"the advertisements drifted by {drift:.3f} s")
    return found


def _irregular(what: str, moments: list[float], interval: float, seconds: float) -> list[str]:
    """Tell whether things did not happen every so many seconds up to the end."""
    gaps = [after - before for before, after in zip(moments, moments[1:])]
    if not gaps or seconds - moments[-1] > interval + _LATE:
        return [f"the {what} ended"]
    wrong = [gap for gap in gaps if not interval - _LATE <= gap <= interval + _LATE]
    return [f"{len(wrong)} {what} did not come after {interval:g} s, but {wrong[0]:.3f} s"] if wrong else []


def _vip(advskew: int) -> Vip:
    address = (IPv4Interface("10.0.0.50/24"),)
    return Vip("vip", "eth0", 1, address, b"secret", _ADVBASE, advskew, True, 3, None)
