# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is compared, and with which settings.

A setting is one column of the comparison: the same promise (how often the master speaks) in each daemon's own terms.
A daemon that cannot keep it has None there and is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Optional

from installed import InstalledCarpd
from lab import Daemon, Keepalived, KeepalivedOptions, Lab, Pair, Ucarp, UcarpOptions, Vip

AnyPair = Pair[Daemon, Daemon]
Both = tuple[dict[str, object], dict[str, object]]
"""``[vip]`` options of the preferred host and of the standby."""
PRIORITY = 50
"""Of the realtime variants; carpd's own default."""


@dataclass(frozen=True)
class Setting:
    """One speed, as each contender is told it: preferred host first, standby second."""

    name: str
    interval: float
    repeat: int
    """How often a case is measured in one run: the faster, the cheaper."""
    carpd: Both
    keepalived: tuple[KeepalivedOptions, KeepalivedOptions]
    ucarp: tuple[UcarpOptions, UcarpOptions] | None
    """None below one second: ucarp's smallest advbase is 0, with which a pair changes its mind all the time."""


def vrrp(interval: float, version: int) -> tuple[KeepalivedOptions, KeepalivedOptions]:
    """The pair of priorities of keepalived's own examples."""
    first = KeepalivedOptions(master=True, priority=150, interval=interval, version=version)
    return first, replace(first, master=False, priority=100)


SETTINGS = {
    setting.name: setting
    for setting in (
        Setting(
            name="1s",
            interval=1.0,
            repeat=1,
            # What the role gives to the first and the second host of a group.
            carpd=({"advbase": 1, "advskew": 0}, {"advbase": 1, "advskew": 20}),
            keepalived=vrrp(1.0, 2),
            # The classic recipe: only the first host is the ucarp-master.
            ucarp=(UcarpOptions(advskew=0, preempt=True), UcarpOptions(advskew=100)),
        ),
        Setting(
            name="100ms",
            interval=0.1,
            repeat=2,
            carpd=({"advbase": 0, "advskew": 25}, {"advbase": 0, "advskew": 30}),
            keepalived=vrrp(0.1, 3),
            ucarp=None,
        ),
        Setting(
            name="fastest",
            # 1/256 s for carpd, 10 ms for keepalived, whose documentation allows no less.
            interval=0.004,
            repeat=4,
            carpd=({"advbase": 0, "advskew": 1}, {"advbase": 0, "advskew": 2}),
            keepalived=vrrp(0.01, 3),
            ucarp=None,
        ),
    )
}


@dataclass(frozen=True)
class Variant:
    """What a case may ask of a contender beside a setting."""

    realtime: bool | None = None
    """None: as each daemon does by itself."""
    addresses: int = 1
    """In one virtual host."""
    vhids: int = 1
    """Virtual hosts, each with one address."""


PLAIN = Variant()


def carpd(lab: Lab, setting: Setting, variant: Variant) -> AnyPair | None:
    """Our own daemon, from this checkout, as it is installed."""
    priority = None if variant.realtime is None else PRIORITY * variant.realtime
    daemons = []
    for host, options in zip("ab", setting.carpd):
        if variant.vhids > 1:
            vips = [
                Vip(f"bench{number}", (lab.address(number),), vhid=number + 1, options=options)
                for number in range(variant.vhids)
            ]
        else:
            vips = [Vip("bench", tuple(map(lab.address, range(variant.addresses))), options=options)]
        daemons.append(InstalledCarpd(lab, host, vips, priority))
    return Pair(daemons[0], daemons[1], lab.address(0))


def keepalived(lab: Lab, setting: Setting, variant: Variant) -> AnyPair | None:
    """The distribution's keepalived."""
    if variant.vhids > 1:
        return None
    first, *more = map(lab.address, range(variant.addresses))
    daemons = []
    for host, options in zip("ab", setting.keepalived):
        chosen = replace(options, realtime=PRIORITY) if variant.realtime else options
        daemons.append(Keepalived(lab, host, first, chosen, *more))
    return Pair(daemons[0], daemons[1], first)


def ucarp(lab: Lab, setting: Setting, variant: Variant) -> AnyPair | None:
    """The distribution's ucarp."""
    if setting.ucarp is None or variant != PLAIN:
        return None
    first, second = setting.ucarp
    address = lab.address(0)
    return Pair(Ucarp(lab, "a", address, first), Ucarp(lab, "b", address, second), address)


Builder = Callable[[Lab, Setting, Variant], Optional[AnyPair]]
CONTENDERS: dict[str, Builder] = {
    "carpd": carpd,
    "keepalived": keepalived,
    "ucarp": ucarp,
}
OURS = "carpd"
