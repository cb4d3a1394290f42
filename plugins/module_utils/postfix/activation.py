# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Put a checked configuration into place, one rename for each file, and take it out if Postfix does not follow."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Callable, NamedTuple

from .. import _files
from . import changes, main_cf, tables
from .files import ManagedFile
from .staging import MODE, is_current


class Change(NamedTuple):
    """One file that is not as it shall be: ``after`` is None for one to remove, and for an index to build."""

    path: str
    before: str
    after: str | None
    action: str
    builds_index: bool = False

    def diff(self) -> dict[str, str]:
        """Return what ``--diff`` shows."""
        if self.builds_index:
            return {"prepared": f"{self.path}: the index is made anew\n"}
        if self.before == self.after:
            return {"prepared": f"{self.path}: owner and mode become those of a configuration file\n"}
        header = {"before_header": self.path, "after_header": self.path}
        return {**header, "before": self.before, "after": self.after or ""}


def compare(files: Iterable[ManagedFile], removed: Sequence[str], owner: _files.Owner) -> list[Change]:
    """Return what differs between the live files and the wanted ones, in the order in which to change it."""
    found = []
    for file in files:
        differs = not _files.holds(file.path, file.text.encode(), MODE, owner)
        if differs:
            found.append(Change(file.path, _text(file.path), file.text, file.action))
        if file.index and (differs or not _is_good_index(file, owner)):
            # After its source, which must not be the newer one.
            found.append(Change(file.index, "", None, file.action, builds_index=True))
    return found + [Change(path, _text(path), None, changes.NONE) for path in removed]


def stale(config_dir: str, wanted: Iterable[str]) -> list[str]:
    """Return tables that an earlier run wrote and nobody wants any more, each with its indexes."""
    keep = set(wanted)
    names = _files.names(config_dir)
    header = main_cf.HEADER.encode()
    found = []
    for path in (os.path.join(config_dir, name) for name in names if "." not in name):
        if path not in keep and os.path.isfile(path) and (_files.read(path) or b"").startswith(header):
            indexes = sorted({path + ending for ending in tables.INDEXED.values()})
            found += [path, *(index for index in indexes if os.path.exists(index))]
    return found


def apply(todo: Iterable[Change], staged: Callable[[str], str], owner: _files.Owner) -> dict[str, bytes | None]:
    """Bring the live files up to date, and return what was there before.

    If that fails half way, everything is put back.
    """
    before: dict[str, bytes | None] = {}
    try:
        for change in todo:
            before[change.path] = _files.read(change.path)
            _put(change.path, _data(change, staged), owner)
    except OSError:
        restore(before, owner)
        raise
    return before


def restore(before: dict[str, bytes | None], owner: _files.Owner) -> None:
    """Put back what was there, in the order in which it was replaced."""
    for path, data in before.items():
        _put(path, data, owner)


def _is_good_index(file: ManagedFile, owner: _files.Owner) -> bool:
    return is_current(file.path, file.index) and _files.belongs(file.index, MODE, owner)


def _put(path: str, data: bytes | None, owner: _files.Owner) -> None:
    if data is not None:
        _files.write(path, data, MODE, owner)
    elif os.path.lexists(path):
        os.unlink(path)


def _data(change: Change, staged: Callable[[str], str]) -> bytes | None:
    if change.builds_index:
        return _files.read(staged(change.path))
    return None if change.after is None else change.after.encode()


def _text(path: str) -> str:
    return (_files.read(path) or b"").decode(errors="replace")
