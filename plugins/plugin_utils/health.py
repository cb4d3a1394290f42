# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a group of hosts is, for a person: a table, what is wrong with it, and what is worth knowing.

Only from what the daemons say: no plan and no secret is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .text import listed
from .verdict import Answer

Vip = Mapping[str, Any]
_HEADER = ("virtual IP", "host", "state", "for", "rank")


@dataclass
class Health:
    """What there is to say of a group."""

    table: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def examine(answers: Mapping[str, Answer]) -> Health:
    """Return how the hosts are that were asked."""
    health = Health()
    shared: dict[str, dict[str, Vip]] = {}
    for host, answer in answers.items():
        if answer.fault:
            health.problems.append(f"{host}: {answer.fault}")
        elif not answer.vips:
            health.problems.append(f"{host}: its daemon has no virtual IP")
        for vip in answer.vips:
            shared.setdefault(str(vip["name"]), {})[host] = vip
    rows = [_HEADER]
    for name, by_host in shared.items():
        rows += [_row(name, host, vip) for host, vip in by_host.items()]
        health.problems += [f"{name}: {text}" for text in _wrong(by_host)]
        health.notes += [f"{name}: {text}" for text in _noteworthy(by_host)]
    reasons = [
        f"{name} on {host}: {vip['reason']}" for name, by_host in shared.items() for host, vip in by_host.items()
    ]
    health.table = [*_aligned(rows), *reasons]
    return health


def _row(name: str, host: str, vip: Vip) -> tuple[str, ...]:
    state = f"{vip['state']}, leaving" if vip["leaving"] else str(vip["state"])
    rank = f"{vip['advbase']} + {vip['advskew']}/256 s"
    if vip["demotion"]:
        rank += f", demoted by {vip['demotion']}"
    return name, host, state, duration(float(vip["since"])), rank


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows)]
    widths[-1] = 0  # nothing follows it
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]


def _wrong(by_host: Mapping[str, Vip]) -> Iterable[str]:
    masters = [host for host, vip in by_host.items() if vip["state"] == "MASTER"]
    if len(masters) > 1:
        yield f"{listed(masters)} hold it at once: they do not hear each other, or have different passwords"
    elif not masters:
        heard = {str(vip["master"]["source"]) for vip in by_host.values() if vip.get("master")}
        yield f"none of these hosts holds it, and they hear {listed(heard)}" if heard else "no host holds it"
    for option in ("vhid", "addresses", "advbase"):
        if len({str(vip[option]) for vip in by_host.values()}) > 1:
            told = listed(f"{_text(vip[option])} on {host}" for host, vip in by_host.items())
            yield f"the hosts differ in {option}: {told}"
    ranks: dict[int, list[str]] = {}
    for host, vip in by_host.items():
        ranks.setdefault(int(vip["advskew"]), []).append(host)
    for advskew, hosts in ranks.items():
        if len(hosts) > 1:
            yield f"{listed(hosts)} have the same advskew, {advskew}, so neither is preferred"
    for host, vip in by_host.items():
        if vip["state"] == "INIT":
            yield f"{host} cannot take it over: {vip['reason']}"
        elif vip["state"] == "BACKUP" and not vip.get("master"):
            yield f"{host} hears no master"
        for check in vip.get("checks") or ():
            if check["state"] not in ("good", "unknown"):
                yield f"{host}: check {check['name']} fails: {check.get('detail') or 'it does not say why'}"
        for rival in vip.get("rivals") or ():
            yield f"{host} sees that {rival['mac']} has {rival['address']}, too"
        if vip.get("alarm"):
            yield f"{host}: {vip['alarm']}"


def _noteworthy(by_host: Mapping[str, Vip]) -> Iterable[str]:
    if len(by_host) == 1:
        yield f"only {listed(by_host)} was found to share it: there is none to take it over"
    for host, vip in by_host.items():
        if vip.get("operator"):
            yield f"{host} leaves it to others: {vip['operator']}"
        if vip.get("refused"):
            counts = listed(f"{count} by {reason}" for reason, count in sorted(vip["refused"].items()))
            yield f"{host} has refused advertisements: {counts}"


def _text(value: Any) -> str:
    return listed(value) if isinstance(value, (list, tuple)) else str(value)


def duration(seconds: float) -> str:
    """Return a length of time in its two greatest units."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    parts = [(whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    shown = [f"{number} {unit}" for number, unit in parts if number]
    return " ".join(shown[:2])
