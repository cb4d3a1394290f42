# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pair of carpd that most tests are about."""

from __future__ import annotations

from collections.abc import Callable

from lab import Carpd, Lab, Pair, Probe, Vip

SERVICE = "smtp"
"""The name of the VIP."""
STANDBY_SKEW = 20
"""What the role gives to the second host; the first has 0."""
OVERLAP = 0.05
"""Seconds for which a planned move may leave two owners: both answer then, and no packet finds none."""

RESOLUTION = 0.005
"""Seconds: what two hosts do within this time may be seen in either order, for its events have no kernel time."""

CarpdPair = Pair[Carpd, Carpd]
StartProbe = Callable[[], Probe]


def carpd_vip(vip: str, advskew: int) -> Vip:
    """The same VIP on either host but for its rank."""
    return Vip(SERVICE, (vip,), options={"advskew": advskew})


def carpd_pair(lab: Lab, vip: str) -> CarpdPair:
    """A pair with host a preferred; not started."""
    return Pair(Carpd(lab, "a", [carpd_vip(vip, 0)]), Carpd(lab, "b", [carpd_vip(vip, STANDBY_SKEW)]), vip)


def assert_moves(lab: Lab, address: str, since: float, *expected: tuple[str, str]) -> None:
    """After ``since`` the address moved as expected, in this order, and no more: (host, "+") is a gain, "-" a loss."""
    found = lab.owners.changes(address, since)
    assert sorted(change[1:] for change in found) == sorted(expected), found
    times = []
    for host, sign in expected:
        match = next(change for change in found if change[1:] == (host, sign))
        found.remove(match)
        times.append(match[0])
    for earlier, later in zip(times, times[1:]):
        assert later > earlier - RESOLUTION, (expected, times)
