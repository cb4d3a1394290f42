# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of an inventory: every mistake as a line, and for one host those that concern its virtual IPs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..module_utils.carpd.checkconfig import parse_check
from ..module_utils.carpd.sections import as_text

WHERE = "carp_checks"
ADDRESS, PEER = "{address}", "{peer}"
"""What stands in a target for the host's own address, and for that of each of the other hosts."""


@dataclass(frozen=True)
class Places:
    """The address of a host, and those of the others by name, in the network of the virtual IPs; empty if not known."""

    own: str = ""
    others: Mapping[str, str] = field(default_factory=dict)


def plan_checks(
    checks: object,
    names: Collection[str],
    own: Collection[str],
    tell: Callable[[str], None],
    places: Places | None = None,
) -> list[dict[str, str]]:
    """Return the checks of a host as texts by option, in the order given.

    ``names`` are all virtual IPs, ``own`` those of the host. A check that is about others only is left out. One whose
    target has PEER in it becomes one for each of the other hosts, with a number behind its name if they are several.
    """
    planned: list[dict[str, str]] = []
    seen: set[str] = set()
    for given in _located(_dictionaries(checks, tell), places or Places(), tell):
        options = {key: value for key, value in given.items() if key != "name"}
        name = as_text(given.get("name", ""))
        if name in seen:
            tell(f"{WHERE}: [check {name}] this name is given twice")
        seen.add(name)
        check, problems = parse_check(name, options, WHERE)
        for problem in problems:
            tell(str(problem))
        if check is None:
            continue
        for unknown in sorted(set(check.vips) - set(names)):
            tell(f"{WHERE}: [check {name}] vips = {unknown}: must be names from carp_vips: {', '.join(names)}")
        about = [vip for vip in check.vips or own if vip in own]
        if about:
            texts = {key: as_text(value) for key, value in options.items()}
            planned.append({"name": name, **texts, **({"vips": ", ".join(about)} if check.vips else {})})
    return planned


def _located(
    checks: Iterator[Mapping[str, Any]], places: Places, tell: Callable[[str], None]
) -> Iterator[Mapping[str, Any]]:
    """Put addresses into the targets."""
    for check in checks:
        name, target = as_text(check.get("name", "")), as_text(check.get("target", ""))
        if PEER in target:
            for number, (host, address) in enumerate(places.others.items(), start=1):
                if address:
                    mark = f"-{number}" if len(places.others) > 1 else ""
                    about = {"name": name + mark, "target": target.replace(PEER, _in_target(address))}
                    yield {**check, **about, "peer": address}
                else:
                    tell(_unknown(name, target, host))
        elif ADDRESS in target and not places.own:
            tell(_unknown(name, target, "this host"))
        elif ADDRESS in target:
            yield {**check, "target": target.replace(ADDRESS, _in_target(places.own))}
        else:
            yield check


def _in_target(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _unknown(name: str, target: str, host: str) -> str:
    return (
        f"{WHERE}: [check {name}] target = {target}: {host} needs one address in the network of the virtual IPs, and "
        "none is known; gather its facts, or write the address"
    )


def _dictionaries(checks: object, tell: Callable[[str], None]) -> Iterator[Mapping[str, Any]]:
    if not isinstance(checks, (list, tuple)):
        tell(f"{WHERE}: must be a list of checks, such as [{{name: web, type: tcp, target: '127.0.0.1:80'}}]")
        return
    for number, check in enumerate(checks, start=1):
        if isinstance(check, Mapping):
            yield check
        else:
            tell(
                f"{WHERE}: entry {number} must be a dictionary such as {{name: web, type: tcp, target: '127.0.0.1:80'}}"
            )
