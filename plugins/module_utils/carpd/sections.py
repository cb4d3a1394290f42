# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One section of the configuration, whatever it is about: its texts are parsed by a table of options."""

from __future__ import annotations

from collections.abc import Mapping

from .options import Option
from .records import dataclass
from .typed import Any

HIDDEN = "(hidden)"


@dataclass(frozen=True)
class Problem:
    """One mistake: where it stands, what stands there and what is allowed instead."""

    where: str
    section: str
    option: str
    value: str
    allowed: str

    def __str__(self) -> str:
        place = f"{self.where}: [{self.section}]" if self.section else f"{self.where}:"
        text = (
            f"{place} {self.option} = {self.value}: must be {self.allowed}"
            if self.option
            else f"{place} {self.allowed}"
        )
        return _one_line(text)


def as_text(value: object) -> str:
    """Return a value as it is written in the file; YAML's booleans and lists become ``yes`` and ``a, b``."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(as_text(item) for item in value)
    return str(value)


def parse_section(
    section: str, table: Mapping[str, Option], values: Mapping[str, str], where: str, problems: list[Problem]
) -> dict[str, Any]:
    """Return the values of a section's options, and add every mistake to ``problems``."""
    parsed: dict[str, Any] = {}
    for key in values:
        if key not in table:
            problems.append(Problem(where, section, "", "", unknown("option", key, list(table))))
    for option in table.values():
        text = values.get(option.name, option.default)
        if text is None:
            if not option.optional:
                problems.append(Problem(where, section, "", "", f"{option.name} is missing: {option.allowed}"))
            continue
        try:
            parsed[option.name] = option.parse(text.strip() if not option.secret else text)
        except ValueError:
            shown = HIDDEN if option.secret else text or "(nothing)"
            problems.append(Problem(where, section, option.name, shown, option.allowed))
    return parsed


def unknown(kind: str, name: str, known: list[str]) -> str:
    """Say that there is no such thing, and which one may have been meant."""
    import difflib  # here, since a right configuration has no need of it

    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else "known are: " + ", ".join(known)
    return f"there is no {kind} {name}; {hint}"


def _one_line(text: str) -> str:
    """Return a text that cannot do more to a terminal or a journal than stand there."""
    return "".join(char if char.isprintable() else " " if char.isspace() else ascii(char)[1:-1] for char in text)
