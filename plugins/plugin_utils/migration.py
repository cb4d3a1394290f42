# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what ucarp, or keepalived, does on each host of a group to the inventory that does the same by carpd.

Nothing here raises for bad input: what cannot be carried over becomes a line, so that a user sees all of it at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..module_utils.carpd.options import VIP_OPTIONS
from .hosts import ADVSKEW_MAX
from .text import listed

Entry = Mapping[str, Any]
_STEP = 20


@dataclass
class Migration:
    """What replaces the old configuration. ``hosts`` are in order of preference, ``masters`` those that hold something.

    ``problems`` keep hosts from being changed, ``notes`` are for a person to read.
    """

    vips: list[dict[str, Any]] = field(default_factory=list)
    passwords: dict[str, str] = field(default_factory=dict, repr=False)
    hosts: list[str] = field(default_factory=list)
    masters: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def from_ucarp(found: Mapping[str, Entry], names: Mapping[str, str]) -> Migration:
    """Return what replaces ucarp. ``found`` has module migration_info's result by host, ``names`` has names by vhid."""
    migration = Migration()
    shared: dict[tuple[int, str], dict[str, Entry]] = {}
    for host, result in found.items():
        migration.problems.extend(f"{host}: {problem}" for problem in result.get("problems") or [])
        for virtual in result.get("ucarp") or []:
            same = shared.setdefault((int(virtual["vhid"]), str(virtual["address"])), {})
            if host in same:
                migration.problems.append(f"{host}: {virtual['origin']} and {same[host]['origin']} are the same")
            same[host] = virtual
            migration.notes.extend(f"{host}: {virtual['origin']}: {note}" for note in virtual["notes"])
    if not shared:
        migration.problems.append(f"no ucarp was found on {listed(found)}")
    taken: set[str] = set()
    for (vhid, address), by_host in sorted(shared.items()):
        name = str(names.get(str(vhid)) or f"vip{vhid}")
        if name in taken:
            name = f"{name}-{address.rpartition('.')[2]}"
        taken.add(name)
        _carry_over(migration, name, vhid, address, by_host, list(found))
    ranks = {host: _rank(host, migration.vips) for host in found}
    migration.hosts = sorted(found, key=lambda host: ranks[host])
    holders = [host for host, result in found.items() if any(each["held"] for each in result.get("ucarp") or [])]
    migration.masters = [host for host in migration.hosts if host in holders]
    return migration


def _carry_over(
    migration: Migration, name: str, vhid: int, address: str, by_host: Mapping[str, Entry], everyone: list[str]
) -> None:
    where = f"[vip {name}] vhid {vhid}, {address}:"
    if len(by_host) < 2:
        others = listed(host for host in everyone if host not in by_host) or "no other host"
        migration.problems.append(f"{where} is on {listed(by_host)} only, and on {others} nothing was found")
    first = next(iter(by_host.values()))
    for key in ("password", "advbase", "dead_ratio", "broadcast"):
        if len({str(entry.get(key)) for entry in by_host.values()}) > 1:
            told = (
                "" if key == "password" else ": " + listed(f"{entry[key]} on {host}" for host, entry in by_host.items())
            )
            migration.problems.append(f"{where} the hosts differ in {key.replace('_', ' ')}{told}")
    holders = [host for host, entry in by_host.items() if entry["held"]]
    if len(holders) > 1:
        migration.problems.append(f"{where} {listed(holders)} have the address at once: end that first")
    skews = _distinct(migration, where, by_host)
    preferred = min(skews, key=lambda host: skews[host])
    vip: dict[str, Any] = {"name": name, "vhid": vhid, "addresses": address, "advskew": skews}
    if set(by_host) != set(everyone):
        vip["hosts"] = sorted(by_host, key=lambda host: skews[host])
    if first["advbase"] != 1:
        vip["advbase"] = first["advbase"]
    if first["dead_ratio"] != 3:
        vip["dead_ratio"] = max(2, int(first["dead_ratio"]))
    if not by_host[preferred]["preempt"]:
        vip["preempt"] = False
    if first["broadcast"]:
        if "paths" in VIP_OPTIONS:
            vip["paths"] = "broadcast"
        else:
            migration.problems.append(f"{where} uses broadcast (-M)")
    for option in ("up_script", "down_script", "xparam"):
        value = first.get(option)
        if value and option in VIP_OPTIONS:
            vip[option] = value
    migration.vips.append(vip)
    migration.addresses.append(address)
    if first.get("password"):
        migration.passwords[name] = str(first["password"])


def _distinct(migration: Migration, where: str, by_host: Mapping[str, Entry]) -> dict[str, int]:
    """Return each host's advskew; where two had the same, whoever has the address is preferred."""
    order = sorted(by_host, key=lambda host: (int(by_host[host]["advskew"]), not by_host[host]["held"]))
    skews: dict[str, int] = {}
    for host in order:
        wanted = min(int(by_host[host]["advskew"]), ADVSKEW_MAX)
        if skews and wanted <= max(skews.values()):
            wanted = max(skews.values()) + _STEP
            migration.notes.append(
                f"{where} no host was preferred, since {host} had advskew {by_host[host]['advskew']} as another had; "
                f"it becomes {wanted} there"
            )
        skews[host] = wanted
    if max(skews.values()) > ADVSKEW_MAX:
        migration.problems.append(f"{where} the hosts' advskew cannot be told apart: lower it on one of them")
    return skews


def _rank(host: str, vips: Iterable[Entry]) -> tuple[int, str]:
    """Return where a host comes in the order of preference."""
    return sum(vip["advskew"].get(host, ADVSKEW_MAX) for vip in vips), host


def from_keepalived(found: Mapping[str, Entry], names: Mapping[str, str]) -> Migration:
    """Return an inventory in place of keepalived's; nothing of it can be done while keepalived still runs."""
    migration = Migration()
    shared: dict[int, dict[str, Entry]] = {}
    for host, result in found.items():
        for instance in result.get("keepalived") or []:
            shared.setdefault(int(instance["vhid"]), {})[host] = instance
            migration.notes.extend(f"{host}: {instance['origin']}: {note}" for note in instance["notes"])
    order = sorted(found, key=lambda host: (-_priority(found[host]), host))
    migration.hosts = order
    for vhid, by_host in sorted(shared.items()):
        first = by_host[min(by_host, key=order.index)]
        name = str(names.get(str(vhid)) or first["name"])
        if len({tuple(sorted(entry["addresses"])) for entry in by_host.values()}) > 1:
            migration.problems.append(f"[vip {name}] vhid {vhid}: the hosts have different addresses")
        vip: dict[str, Any] = {"name": name, "vhid": vhid, "addresses": list(first["addresses"])}
        if set(by_host) != set(found):
            vip["hosts"] = [host for host in order if host in by_host]
        if first["interval"] >= 1 and first["interval"] != 1:
            vip["advbase"] = round(first["interval"])
        if not first["preempt"]:
            vip["preempt"] = False
        migration.vips.append(vip)
        migration.passwords[name] = str(first.get("password") or "")
    return migration


def _priority(result: Entry) -> int:
    return sum(int(instance["priority"]) for instance in result.get("keepalived") or [])
