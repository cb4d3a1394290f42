# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that make up a configuration, as text."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from . import changes, main_cf, master_cf, tables

#: RFC 5321, section 4.5.1: every domain has a postmaster. Bounces come from mailer-daemon.
ALIASES = {"mailer-daemon": "postmaster", "postmaster": "root"}


#: The mode of a file of the configuration, and of one with a secret in it.
MODE = 0o644
SECRET_MODE = 0o600

#: Where key, certificate and chain are, in one file, so that no process ever finds a key and another one's certificate.
TLS_CHAIN = "tls_chain"


@dataclass(frozen=True)
class ManagedFile:
    """A file with the text that it shall have. ``table`` is the type of a lookup table.

    A file without ``owner`` belongs to root. The text of a secret one is never shown.
    """

    path: str
    text: str
    table: str = ""
    indexer: str = "postmap"
    mode: int = MODE
    owner: str = ""
    secret: bool = False

    @property
    def index(self) -> str:
        """Return the path of the index that Postfix reads instead, or nothing."""
        return tables.index_path(self.table, self.path)

    @property
    def action(self) -> str:
        """Return what a running Postfix needs when this file changes."""
        return changes.POSTMAP if self.index else changes.RELOAD


@dataclass(frozen=True)
class Wanted:
    """A complete configuration: its files, and the settings in them."""

    files: tuple[ManagedFile, ...]
    settings: Mapping[str, str]
    services: Mapping[master_cf.Key, master_cf.Service]

    @property
    def paths(self) -> list[str]:
        """Return the paths of the files and of their indexes."""
        return [path for file in self.files for path in (file.path, file.index) if path]


def wanted(
    config_dir: str,
    settings: Mapping[str, object],
    packaged: str | None,
    services: Sequence[Mapping[str, object]],
    process_limit: int | None,
    maps: Sequence[Mapping[str, object]],
    aliases: Mapping[str, object] | None,
    aliases_path: str,
    map_type: str,
    tls_content: str = "",
) -> tuple[Wanted, list[str]]:
    """Build the whole configuration, and say what is wrong with what it was to be built from.

    ``packaged`` is the ``master.cf`` of the package, or None where Postfix is not installed yet.
    """
    texts, problems = main_cf.as_settings(settings)
    files = [_map_file(config_dir, entry, map_type, problems) for entry in maps]
    names = [str(entry["name"]) for entry in maps]
    problems += [f"map {name}: this name is given twice" for name in sorted(set(names)) if names.count(name) > 1]
    if tls_content:
        text = main_cf.HEADER + tls_content.strip() + "\n"
        path = os.path.join(config_dir, TLS_CHAIN)
        files.append(ManagedFile(path, text, mode=SECRET_MODE, secret=True))
    if aliases is not None:
        text, faults = tables.render({**ALIASES, **aliases}, aliases_path, ": ")
        files.append(ManagedFile(aliases_path, text, map_type, "postalias"))
        problems += faults
    merged: Mapping[master_cf.Key, master_cf.Service] = {}
    if packaged is not None:
        merged, faults = master_cf.merge(master_cf.parse(packaged), services, process_limit)
        problems += faults
        files.append(ManagedFile(os.path.join(config_dir, "master.cf"), master_cf.render(merged)))
    # Last, because it refers to the others.
    files.append(ManagedFile(os.path.join(config_dir, "main.cf"), main_cf.render(texts)))
    return Wanted(tuple(files), texts, merged), problems


def _map_file(config_dir: str, entry: Mapping[str, object], map_type: str, problems: list[str]) -> ManagedFile:
    name, kind = str(entry["name"]), str(entry.get("type") or map_type)
    fault = tables.name_fault(name)
    problems += [fault] if fault else []
    entries = entry.get("entries")
    if isinstance(entries, Mapping):
        text, faults = tables.render(entries, f"map {name}")
        problems += faults + (tables.blanks_in_keys(entries, f"map {name}") if kind in tables.INDEXED else [])
    else:
        content = str(entry.get("content") or "")
        text = main_cf.HEADER + content + ("" if content.endswith("\n") or not content else "\n")
    secret = bool(entry.get("secret"))
    mode, fault = _mode(entry.get("mode"), SECRET_MODE if secret else MODE)
    problems += [f"map {name}: {fault}"] if fault else []
    owner = str(entry.get("owner") or "")
    return ManagedFile(os.path.join(config_dir, name), text, kind, mode=mode, owner=owner, secret=secret)


def _mode(given: object, default: int) -> tuple[int, str]:
    if not given:
        return default, ""
    if not re.match(r"0?[0-7]{3}\Z", str(given)):
        return default, f"mode = {given}: must be three octal digits in quotes, such as '0640'"
    return int(str(given), 8), ""
