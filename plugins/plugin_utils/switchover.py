# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where addresses can be moved to on purpose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .text import listed, nearest

Vip = Mapping[str, Any]


@dataclass
class Move:
    """What to move, and where to. ``home`` tells whether that is the preferred host."""

    to: str = ""
    vips: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    home: bool = False
    problems: list[str] = field(default_factory=list)


def choose(found: Mapping[str, Iterable[Vip]], to: str = "", names: Iterable[str] = ()) -> Move:
    """Return the move of the virtual IPs called ``names``, or of all, to the host ``to``, or to where it makes sense.

    ``found`` has what each host's daemon says. Without a host that is the preferred one, or from there the next best.
    """
    hosts = {host: {str(vip["name"]): vip for vip in vips} for host, vips in found.items()}
    known = list(dict.fromkeys(name for vips in hosts.values() for name in vips))
    move = Move(vips=list(names) or known)
    unknown = [name for name in move.vips if name not in known]
    if unknown or not known:
        why = f"; {nearest(unknown[0], known)}" if unknown and known else ""
        move.problems.append(f"there is no virtual IP {listed(unknown)}{why}" if unknown else "there is no virtual IP")
        return move
    sharing = [host for host in hosts if all(name in hosts[host] for name in move.vips)]
    sharing.sort(key=lambda host: sum(int(hosts[host][name]["advskew"]) for name in move.vips))
    if len(sharing) < 2:
        move.problems.append(
            f"{listed(move.vips)}: no two of {listed(hosts)} share them: say which by carp_switch_vips"
        )
        return move
    masters = {
        host for host in hosts for name in move.vips if name in hosts[host] and hosts[host][name]["state"] == "MASTER"
    }
    if to and to not in sharing:
        move.problems.append(f"{to} is not one of {listed(sharing)}, which share {listed(move.vips)}")
        return move
    move.to = to or _next(sharing, masters)
    move.home = move.to == sharing[0]
    move.addresses = [
        str(address).partition("/")[0] for name in move.vips for address in hosts[move.to][name]["addresses"]
    ]
    move.problems += [problem for name in move.vips for problem in _unfit(move.to, hosts[move.to][name])]
    return move


def _next(sharing: list[str], masters: set[str]) -> str:
    """Return the preferred host, or, if that holds something already and no other does, the one after it."""
    return sharing[1] if masters == {sharing[0]} else sharing[0]


def _unfit(host: str, vip: Vip) -> Iterable[str]:
    name = vip["name"]
    if vip["state"] == "INIT":
        yield f"{host} cannot take {name}: {vip['reason']}"
    elif vip["demotion"] and not vip.get("operator"):
        yield f"{host} is not fit for {name}: {vip['reason']}"
    elif vip["state"] == "BACKUP" and not vip.get("master"):
        yield f"{host} hears no master of {name}: wait until it does, or look why not"
