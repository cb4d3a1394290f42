# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lookup tables: their text, their index files, and where a configuration refers to them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .main_cf import HEADER, as_text

#: Types that Postfix reads from an index, and how the index file's name ends.
INDEXED = {"btree": ".db", "cdb": ".cdb", "hash": ".db", "lmdb": ".lmdb"}
#: Types that Postfix reads from the file itself, once, when a process starts.
PLAIN = ("cidr", "pcre", "regexp", "texthash")
TYPES = tuple(sorted((*INDEXED, *PLAIN)))

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*\Z")
#: Files that Debian's package keeps in the configuration directory and that have no dot in their name.
_TAKEN = (
    "post-install",
    "postfix-files",
    "postfix-script",
    "postfix-tls-script",
    "postfix-wrapper",
    "sasl",
    "tls_chain",
)
_REFERENCE = re.compile(r"(?:(?<=[\s,{=])|\A)([a-z0-9_]+):(/[^\s,;{}]+)")
#: Parameters whose values are lookup tables: there, a type that Postfix does not know is a mistake.
_TABLE_PARAMETER = re.compile(r"_(maps?|checks|database|table)\Z")
#: Caches that Postfix makes by itself, the first time that it needs them.
_OWN_CACHE = re.compile(r"(_cache_database|_cache_map|\Aaddress_verify_map)\Z")


class Reference(NamedTuple):
    """A parameter that names a table."""

    parameter: str
    type: str
    path: str


def name_fault(name: str) -> str:
    """Say what is wrong with a table's name, or return nothing."""
    if _NAME.match(name) and name not in _TAKEN:
        return ""
    return f"map {name}: the name has letters, digits, _ and - only, and is not one of {', '.join(_TAKEN)}"


def render(entries: Mapping[str, object], where: str, separator: str = "  ") -> tuple[str, list[str]]:
    """Return a table's text, one entry a line, in the order given, and what cannot be an entry."""
    lines: list[str] = []
    problems: list[str] = []
    for key, value in entries.items():
        text = as_text(value)
        if text is None:
            problems.append(f"{where}: {key}: the value must be text, a whole number, or a list of these")
        elif not key.strip() or key != key.strip() or key.startswith("#") or "\n" in key:
            problems.append(f"{where}: {key}: a key is not empty, does not start with #, and has no blanks around it")
        else:
            lines.append(f"{key}{separator}{text}".rstrip() + "\n")
    return HEADER + "".join(lines), problems


def blanks_in_keys(entries: Mapping[str, object], where: str) -> list[str]:
    """Find keys that an indexed table would cut at the first blank."""
    return [f"{where}: {key}: a key of an indexed table has no blanks" for key in entries if len(key.split()) > 1]


def index_path(kind: str, path: str) -> str:
    """Return the index file of a table, or nothing for a type that has none."""
    return path + INDEXED[kind] if kind in INDEXED else ""


def references(settings: Mapping[str, str]) -> list[Reference]:
    """Find every ``type:/path`` in the values of some settings, but for those that are no table of ours to check."""
    found = []
    for parameter, value in settings.items():
        if not _OWN_CACHE.search(parameter):
            found += [Reference(parameter, kind, path) for kind, path in _REFERENCE.findall(value)]
    return sorted(set(found))


def unknown_types(found: Iterable[Reference], known: Iterable[str]) -> list[str]:
    """Find tables of a type that this Postfix does not have."""
    types = sorted(set(known))
    return [
        f"{ref.parameter}: {ref.type}:{ref.path}: no such table type; this Postfix has {', '.join(types)}"
        for ref in found
        if ref.type not in types and (ref.type in TYPES or _TABLE_PARAMETER.search(ref.parameter))
    ]
