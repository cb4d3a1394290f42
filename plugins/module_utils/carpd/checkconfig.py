# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of checks: ``[check NAME]`` sections, one by one and among their virtual hosts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .options import CHECK_OPTIONS, NAME_RULE, valid_name
from .packet import Address
from .records import dataclass, replace
from .sections import Problem, as_text, parse_section
from .targets import TARGETS


@dataclass(frozen=True)
class Check:
    """One check. ``weight`` None means that a virtual host must not be master while it fails.

    ``vips`` are the names of the virtual hosts that it is about, ``interface`` is where a gateway is looked for.
    ``peer`` is whose service the target is, None for this host's own.
    """

    name: str
    type: str
    target: str
    recipient: str
    interval: float
    timeout: float
    rise: int
    fall: int
    weight: int | None
    vips: tuple[str, ...]
    interface: str = ""
    peer: Address | None = None

    @property
    def probe(self) -> tuple[object, ...]:
        """Everything that decides about one look at the target, and how often it is looked at."""
        return (self.name, self.type, self.target, self.recipient, self.interface, self.interval, self.timeout)


def parse_check(name: str, options: Mapping[str, object], where: str) -> tuple[Check | None, list[Problem]]:
    """Check one check's options and return it, or None, and every mistake found.

    Values may be text or what YAML makes of it. Whether the virtual hosts exist is for ``settle`` to say.
    """
    problems: list[Problem] = []
    section = f"check {name}"
    if not valid_name(name):
        problems.append(Problem(where, section, "", "", f"a check's name must be {NAME_RULE}"))
    texts = {key: as_text(value) for key, value in options.items()}
    values = parse_section(section, CHECK_OPTIONS, texts, where, problems)
    if "type" in values and "target" in values:
        target = TARGETS[values["type"]]
        try:
            target.parse(values["target"])
        except ValueError:
            rule = f"{target.allowed}, for type {values['type']}"
            problems.append(Problem(where, section, "target", values["target"], rule))
    if values.get("type") != "smtp" and "recipient" in values and "type" in values:
        rule = f"left out: it is for type smtp, and this is type {values['type']}"
        problems.append(Problem(where, section, "recipient", values["recipient"], rule))
    if "peer" in values and values.get("weight", 0) is None:
        rule = "a number for a check of a peer's service, which says nothing about this host"
        problems.append(Problem(where, section, "weight", texts["weight"], rule))
    if problems:
        return None, problems
    return Check(name=name, **{"recipient": "", **values}), []


def settle(
    checks: Iterable[tuple[str, Check]], interfaces: Mapping[str, str]
) -> tuple[tuple[Check, ...], list[Problem]]:
    """Return the checks with the names of all virtual hosts that they are about, and every mistake found.

    Each check comes with the place that it stands in; ``interfaces`` has the interface of every virtual host by name,
    empty if that is not known. A check that is about no virtual host is left out.
    """
    settled: list[Check] = []
    problems: list[Problem] = []
    for where, check in checks:
        section, names = f"check {check.name}", check.vips or tuple(interfaces)
        given = ", ".join(check.vips) or "(all)"
        unknown = [name for name in names if name not in interfaces]
        if unknown:
            known = ", ".join(interfaces) or "there is none"
            rule = f"names of virtual hosts ({known}); {', '.join(unknown)} is none"
            problems.append(Problem(where, section, "vips", given, rule))
            continue
        found = sorted({interfaces[name] for name in names if interfaces[name]})
        if check.type == "gateway" and len(found) > 1:
            rule = f"virtual hosts of one interface, where the gateway is; these are on {' and '.join(found)}"
            problems.append(Problem(where, section, "vips", given, rule))
        elif names:
            interface = found[0] if check.type == "gateway" and found else ""
            settled.append(replace(check, vips=names, interface=interface))
    return tuple(settled), problems
