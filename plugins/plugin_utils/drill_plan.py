# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a drill will do, and what is promised for it: from what the daemons say of themselves. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from .text import listed, nearest

Vip = Mapping[str, Any]

TITLES = {
    "power": "Power loss",
    "daemon": "Daemon killed",
    "hang": "Daemon hangs",
    "link": "Link loss",
    "service": "Service failure",
    "switchover": "Planned switchover",
}
STALE_LEASE = 1.5
"""The shortest lease of the kernel, a second, and how late that ends an address."""
AFTER = 1.5
"""For how many seconds a fault lasts beyond the time in which the address must have been taken over."""
BACK_WITHIN = 3.0
"""Seconds that a daemon may take to start and to find its place, beyond the time for which it listens first."""


@dataclass
class Wish:
    """What was asked for. ``margin`` is what a busy machine may take beyond the daemon's own times, in seconds."""

    faults: Sequence[str] = ()
    vip: str = ""
    service: bool = False
    service_within: float = 15.0
    margin: float = 0.5
    prober: str = "localhost"


@dataclass
class Planned:
    """One fault: for how long, within which time the address must answer again, and when it must be back."""

    kind: str
    title: str
    seconds: float
    outage: float
    back: float


@dataclass
class Plan:
    """The whole drill. ``own`` has an address of its own for each host, by which clocks are compared."""

    vip: str = ""
    address: str = ""
    preferred: str = ""
    returns: bool = True
    interfaces: dict[str, str] = field(default_factory=dict)
    own: dict[str, str] = field(default_factory=dict)
    faults: list[Planned] = field(default_factory=list)
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


def make(found: Mapping[str, Iterable[Vip]], addresses: Mapping[str, Sequence[str]], wish: Wish) -> Plan:
    """Return the drill for the virtual IP that is wished for. ``addresses`` are those of each host's interfaces."""
    hosts = {host: {str(vip["name"]): vip for vip in vips} for host, vips in found.items()}
    known = list(dict.fromkeys(name for vips in hosts.values() for name in vips))
    plan = Plan(vip=wish.vip or next(iter(known), ""))
    kinds = list(wish.faults) or [kind for kind in TITLES if kind != "service" or wish.service]
    plan.problems += [
        f"{kind}: there is no such fault; {nearest(kind, list(TITLES))}" for kind in kinds if kind not in TITLES
    ]
    if "service" in kinds and not wish.service:
        plan.problems.append("service: say what to stop by carp_drill_service, or carp_drill_service_break and _mend")
    if wish.prober in hosts:
        plan.problems.append(f"{wish.prober} can hold the address itself: name another host by carp_drill_from")
    by_host = {host: vips[plan.vip] for host, vips in hosts.items() if plan.vip in vips}
    if not by_host:
        plan.problems.append(
            f"there is no virtual IP {plan.vip}; {nearest(plan.vip, known)}" if known else "no virtual IP"
        )
        return plan
    if len(by_host) < 2:
        plan.problems.append(f"only {listed(by_host)} was found to share {plan.vip}: there is none to take it over")
        return plan
    ranked = sorted(by_host, key=lambda host: int(by_host[host]["advskew"]))
    plan.preferred = ranked[0]
    first = by_host[plan.preferred]
    if first["state"] != "MASTER":
        plan.problems.append(
            f"{plan.preferred} is the preferred host of {plan.vip}, and does not hold it: {first['reason']}; see "
            "failover.carp.switchover"
        )
    if "service" in kinds and not first.get("checks"):
        plan.problems.append(f"service: no check looks at it on {plan.preferred}, so {plan.vip} would not move")
    plan.address = str(first["addresses"][0]).partition("/")[0]
    plan.interfaces = {host: str(vip["interface"]) for host, vip in by_host.items()}
    virtual = {
        str(address).partition("/")[0]
        for vips in hosts.values()
        for vip in vips.values()
        for address in vip["addresses"]
    }
    version = ip_address(plan.address).version
    for host in by_host:
        own = [a for a in addresses.get(host, ()) if a not in virtual and ip_address(a).version == version]
        if own:
            plan.own[host] = own[0]
        else:
            plan.problems.append(f"{host} has no IPv{version} address of its own on {plan.interfaces[host]}")
    patience = min(float(by_host[host]["election"]["patience"]) for host in ranked[1:])
    stable_for = float(first["election"]["stable_for"])
    plan.returns = bool(first["election"]["preempt"])
    for kind in kinds:
        if kind in TITLES:
            plan.faults.append(_planned(kind, patience, stable_for, wish))
    plan.seconds = sum(each.seconds + each.back for each in plan.faults)
    return plan


def _planned(kind: str, patience: float, stable_for: float, wish: Wish) -> Planned:
    takeover = {
        # The goodbye of the guard is heard at once.
        "daemon": wish.margin,
        "hang": max(patience, STALE_LEASE) + wish.margin,
        # The address is handed over.
        "service": wish.margin,
        "switchover": 0.0,
    }.get(kind, patience + wish.margin)
    moved = {"service": wish.service_within, "daemon": 1.0, "switchover": 1.0}.get(kind, takeover)
    back = stable_for + patience + BACK_WITHIN + (wish.service_within if kind == "service" else 0.0)
    return Planned(kind, TITLES[kind], round(moved + AFTER, 3), round(takeover, 3), round(back, 3))
