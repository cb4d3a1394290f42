# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what an inventory says to what each host does: interface, prefix, vhid and advskew of every virtual IP.

Nothing here raises for bad input: every mistake becomes a line, so that a user sees all of them at once.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..module_utils.carpd import config
from ..module_utils.carpd.options import PROFILES, VIP_OPTIONS
from . import networks
from .checks import Places, plan_checks
from .entry import OWN_KEYS, WHERE, Entry, line
from .hosts import Host, Order

EXAMPLE = "{name: smtp, addresses: [172.17.0.74]}"


@dataclass
class Plan:
    """The virtual IPs of one host, without their passwords, its checks, and what is wrong with what was asked for."""

    vips: list[dict[str, Any]] = field(default_factory=list)
    checks: list[dict[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def tell(self, problem: str) -> None:
        """Note a mistake, once."""
        if problem not in self.problems:
            self.problems.append(problem)

    def patience(self) -> int:
        """Return for how many seconds a host may have to listen before it takes an address over."""
        return max((_listening_time(vip) for vip in self.vips), default=0)


def make_plan(
    vips: object,
    name: str,
    order: Order,
    hosts: Mapping[str, Host],
    passwords: Mapping[str, Any],
    checks: object = (),
    accepted: Mapping[str, Any] | None = None,
    running: Collection[str] | None = None,
) -> Plan:
    """Return what the host called ``name`` has to do for the virtual IPs in ``vips``, and which checks it makes.

    ``running`` are the hosts that run carpd, or will in a moment; None if they shall not know each other.
    """
    plan = Plan()
    for fault in order.faults(name):
        plan.tell(fault)
    for fault in hosts.get(name, Host()).faults():
        plan.tell(f"{name}: {fault}")
    parsed: list[config.Vip] = []
    names: list[str] = []
    for given in _named(vips, plan):
        names.append(str(given["name"]))
        entry = Entry(given, name, order, hosts, plan.tell)
        vip = entry.check(passwords, accepted or {}, running)
        if vip is not None:
            parsed.append(vip)
            plan.vips.append(entry.options())
    for problem in config.check_vips(parsed, WHERE):
        plan.tell(str(problem))
    places = _places(name, order, hosts, parsed)
    plan.checks = plan_checks(checks, names, [vip["name"] for vip in plan.vips], plan.tell, places)
    return plan


def _places(name: str, order: Order, hosts: Mapping[str, Host], vips: list[config.Vip]) -> Places:
    """Return the addresses of the hosts in the network of the first virtual IP, which advertisements come from."""

    def place(host: str) -> str:
        found = networks.locate(str(vips[0].addresses[0].ip), hosts.get(host, Host()).own_addresses) if vips else []
        return found[0].address if found else ""

    return Places(place(name), {host: place(host) for host in order.hosts if host != name})


def _named(vips: object, plan: Plan) -> Iterator[Mapping[str, Any]]:
    """Go through the entries that have a name of their own, and complain about the others."""
    if not isinstance(vips, (list, tuple)) or not vips:
        plan.tell(f"{WHERE}: must be a list of at least one virtual IP, such as [{EXAMPLE}]")
        return
    seen: set[str] = set()
    for number, entry in enumerate(vips, start=1):
        if not isinstance(entry, Mapping):
            plan.tell(f"{WHERE}: entry {number} must be a dictionary such as {EXAMPLE}")
        elif "name" not in entry:
            unknown = [str(key) for key in entry if key not in VIP_OPTIONS and key not in OWN_KEYS]
            near = difflib.get_close_matches("name", unknown, n=1)
            plan.tell(f"{WHERE}: entry {number} has no name" + (f"; did you mean name by {near[0]}?" if near else ""))
        elif str(entry["name"]) in seen:
            plan.tell(line(str(entry["name"]), "this name is given twice"))
        else:
            seen.add(str(entry["name"]))
            yield entry


def _listening_time(vip: Mapping[str, Any]) -> int:
    given = {**PROFILES.get(str(vip.get("profile")), {}), **vip}
    advbase, dead_ratio = (int(given.get(key, VIP_OPTIONS[key].default)) for key in ("advbase", "dead_ratio"))
    return (advbase + 1) * dead_ratio
