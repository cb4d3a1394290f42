# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which password belongs to which virtual IP, and whether it can be used. No message ever shows one."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from ..module_utils import _password


def find(entry: Mapping[str, Any], passwords: Mapping[str, Any]) -> str | None:
    """Return the password for an entry of carp_vips, from itself or from carp_passwords."""
    inside, apart = entry.get("password"), passwords.get(str(entry.get("name")))
    found = revealed(apart if inside is None else inside)
    return found if isinstance(found, str) else None


def fault(entry: Mapping[str, Any], passwords: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the password for an entry, or None."""
    name = str(entry.get("name"))
    inside, apart = entry.get("password"), passwords.get(name)
    for elsewhere in ("password_file", "password_credential"):
        if entry.get(elsewhere) is not None:
            both = inside is not None or apart is not None
            return f"give a password or {elsewhere}, not both" if both else None
    if inside is not None and apart is not None:
        return "the password is given twice, in carp_vips and in carp_passwords"
    if inside is None and apart is None:
        near = difflib.get_close_matches(name, [str(key) for key in passwords], n=1)
        hint = f"; there is one for {near[0]}" if near else ""
        return f"the password is missing: put it into carp_passwords, under {name}{hint}"
    wrong = _password.fault(revealed(apart if inside is None else inside))
    return f"password {wrong}" if wrong else None


def find_accepted(entry: Mapping[str, Any], accepted: Mapping[str, Any]) -> str | None:
    """Return the other password that is accepted for an entry, if there is one."""
    inside, apart = entry.get("accept_password"), accepted.get(str(entry.get("name")))
    found = revealed(apart if inside is None else inside)
    return found if isinstance(found, str) else None


def accepted_fault(entry: Mapping[str, Any], accepted: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the other password that is accepted for an entry, or None."""
    inside, apart = entry.get("accept_password"), accepted.get(str(entry.get("name")))
    elsewhere = [entry.get(f"accept_password_{way}") for way in ("file", "credential")]
    given = [each for each in (inside, apart, *elsewhere) if each is not None]
    if len(given) > 1:
        return "the other password to accept is given more than once"
    if inside is None and apart is None:
        return None
    wrong = _password.fault(revealed(given[0]))
    return f"the other password to accept {wrong}" if wrong else None


def revealed(password: Any) -> Any:
    """Return a value that Ansible keeps encrypted until it is used as the text that it stands for."""
    plain = password is None or isinstance(password, (bool, int, float, list, tuple, Mapping))
    return password if plain else str(password)
