# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of an inventory: every mistake as a line, and for one host those that concern its virtual IPs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from ..module_utils.carpd.checkconfig import parse_check
from ..module_utils.carpd.sections import as_text

WHERE = "carp_checks"


def plan_checks(
    checks: object, names: Collection[str], own: Collection[str], tell: Callable[[str], None]
) -> list[dict[str, str]]:
    """Return the checks of a host as texts by option, in the order given.

    ``names`` are all virtual IPs, ``own`` those of the host. A check that is about others only is left out.
    """
    planned: list[dict[str, str]] = []
    seen: set[str] = set()
    for given in _dictionaries(checks, tell):
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
