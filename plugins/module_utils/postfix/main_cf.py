# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write and read ``main.cf``: one dictionary of settings, one line for each."""

from __future__ import annotations

import re
from collections.abc import Mapping

HEADER = "# Managed by Ansible (failover.carp.postfix_config). Edits made here are overwritten.\n"

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*\Z")
_NAME_RULE = "a parameter's name has letters, digits, _, - and . only, and starts with a letter"
_VALUE_RULE = "must be text, a whole number, true, false, or a list of these (quote a number that has a point)"


def as_text(value: object) -> str | None:
    """Return how Postfix writes a value, or None for a value that has no such form."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        # A line that begins with '#' would be a comment inside the value, so there is one line only.
        return " ".join(line.strip() for line in value.splitlines()).strip()
    if isinstance(value, (list, tuple)):
        items = [None if isinstance(item, (list, tuple)) else as_text(item) for item in value]
        texts = [item for item in items if item is not None]
        return ", ".join(texts) if len(texts) == len(items) else None
    return None


def as_settings(values: Mapping[str, object], where: str = "main.cf") -> tuple[dict[str, str], list[str]]:
    """Turn values as Ansible has them into settings as Postfix has them, and say what cannot be one."""
    settings: dict[str, str] = {}
    problems: list[str] = []
    for name, value in values.items():
        text = as_text(value)
        if not _NAME.match(name):
            problems.append(f"{where}: {name}: {_NAME_RULE}")
        elif text is None:
            problems.append(f"{where}: {name} = {value}: {_VALUE_RULE}")
        else:
            settings[name] = text
    return settings, problems


def render(settings: Mapping[str, str]) -> str:
    """Return the text of a whole ``main.cf``, in an order that does not depend on who gave the settings."""
    lines = [f"{name} = {settings[name]}".rstrip() for name in sorted(settings)]
    return HEADER + "".join(line + "\n" for line in lines)


def parse(text: str) -> dict[str, str]:
    """Read ``name = value`` lines, as in ``main.cf`` and in the output of postconf; the last one of a name counts."""
    settings: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line[0].isspace() and name:
            settings[name] = f"{settings[name]} {line.strip()}".strip()
            continue
        name, _sep, value = (part.strip() for part in line.partition("="))
        settings[name] = value
    return settings
