# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is compared, and with which settings.

A setting is one column of the comparison: the same promise (how often the master speaks) in each daemon's own terms.
A daemon that cannot keep it has None there and is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Optional

from lab import Carpd, Daemon, Keepalived, KeepalivedOptions, Lab, Pair, Ucarp, UcarpOptions, Vip

AnyPair = Pair[Daemon, Daemon]
Both = tuple[dict[str, object], dict[str, object]]
"""``[vip]`` options of the preferred host and of the standby."""


@dataclass(frozen=True)
class Setting:
    """One speed, as each contender is told it: preferred host first, standby second."""

    name: str
    interval: float
    carpd: Both | None
    keepalived: tuple[KeepalivedOptions, KeepalivedOptions] | None
    ucarp: tuple[UcarpOptions, UcarpOptions] | None


SETTINGS = {
    setting.name: setting
    for setting in (
        Setting(
            name="1s",
            interval=1.0,
            # What the role gives to the first and the second host of a group.
            carpd=({"advbase": 1, "advskew": 0}, {"advbase": 1, "advskew": 20}),
            # The pair of priorities of keepalived's own examples.
            keepalived=(KeepalivedOptions(master=True, priority=150), KeepalivedOptions(master=False, priority=100)),
            # The classic recipe: only the first host is the ucarp-master.
            ucarp=(UcarpOptions(advskew=0, preempt=True), UcarpOptions(advskew=100)),
        ),
    )
}


def carpd(lab: Lab, address: str, setting: Setting) -> AnyPair | None:
    """Our own daemon, from this checkout."""
    if setting.carpd is None:
        return None
    first, second = (Vip("bench", (address,), options=options) for options in setting.carpd)
    return Pair(Carpd(lab, "a", [first]), Carpd(lab, "b", [second]), address)


def keepalived(lab: Lab, address: str, setting: Setting) -> AnyPair | None:
    """The distribution's keepalived."""
    if setting.keepalived is None:
        return None
    first, second = setting.keepalived
    return Pair(Keepalived(lab, "a", address, first), Keepalived(lab, "b", address, second), address)


def ucarp(lab: Lab, address: str, setting: Setting) -> AnyPair | None:
    """The distribution's ucarp."""
    if setting.ucarp is None:
        return None
    first, second = setting.ucarp
    return Pair(Ucarp(lab, "a", address, first), Ucarp(lab, "b", address, second), address)


Builder = Callable[[Lab, str, Setting], Optional[AnyPair]]
CONTENDERS: dict[str, Builder] = {
    "carpd": carpd,
    "keepalived": keepalived,
    "ucarp": ucarp,
}
OURS = "carpd"
