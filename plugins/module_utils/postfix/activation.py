# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Put a checked configuration into place, one rename for each file, and take it out if Postfix does not follow."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterable, Sequence
from typing import Callable, NamedTuple

from .. import _files
from . import changes, main_cf, tables
from .files import MODE, ManagedFile
from .staging import is_current


class Change(NamedTuple):
    """One file that is not as it shall be: ``after`` is None for one to remove, and for an index to build."""

    path: str
    before: str
    after: str | None
    action: str
    builds_index: bool = False
    mode: int = MODE
    owner: str = ""
    secret: bool = False

    def diff(self) -> dict[str, str]:
        """Return what ``--diff`` shows."""
        if self.builds_index:
            return {"prepared": f"{self.path}: the index is made anew\n"}
        if self.before == self.after:
            return {"prepared": f"{self.path}: owner and mode become those of a configuration file\n"}
        if self.secret:
            what = "is removed" if self.after is None else "changes"
            return {"prepared": f"{self.path}: the content, which is a secret, {what}\n"}
        header = {"before_header": self.path, "after_header": self.path}
        return {**header, "before": self.before, "after": self.after or ""}


def compare(files: Iterable[ManagedFile], removed: Sequence[str], owner: _files.Owner) -> list[Change]:
    """Return what differs between the live files and the wanted ones, in the order in which to change it."""
    found = []
    for file in files:
        same = file.mode, file.owner, file.secret
        differs = not _files.holds(file.path, file.text.encode(), file.mode, _owner(file.owner, owner))
        if differs:
            found.append(Change(file.path, _text(file.path), file.text, file.action, False, *same))
        if file.index and (differs or not _is_good_index(file, owner)):
            # After its source, which must not be the newer one.
            found.append(Change(file.index, "", None, file.action, True, *same))
    return found + [Change(path, _text(path), None, changes.NONE, secret=_is_secret(path)) for path in removed]


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


class Former(NamedTuple):
    """What was in place of a file: no ``data`` if there was none."""

    data: bytes | None
    mode: int
    owner: _files.Owner


def apply(todo: Iterable[Change], staged: Callable[[str], str], owner: _files.Owner) -> dict[str, Former]:
    """Bring the live files up to date, and return what was there before.

    If that fails half way, everything is put back.
    """
    before: dict[str, Former] = {}
    try:
        for change in todo:
            before[change.path] = _former(change.path, owner)
            _put(change.path, _data(change, staged), change.mode, _owner(change.owner, owner))
    except OSError:
        restore(before)
        raise
    return before


def restore(before: dict[str, Former]) -> None:
    """Put back what was there, in the order in which it was replaced."""
    for path, former in before.items():
        _put(path, *former)


def _former(path: str, owner: _files.Owner) -> Former:
    data = _files.read(path)
    if data is None:
        return Former(None, MODE, owner)
    found = os.stat(path)
    return Former(data, stat.S_IMODE(found.st_mode), _files.Owner(found.st_uid, found.st_gid))


def _is_secret(path: str) -> bool:
    return not os.stat(path).st_mode & stat.S_IROTH


def _owner(name: str, otherwise: _files.Owner) -> _files.Owner:
    """Return who a file belongs to: the group stays the same, whoever the owner is."""
    try:
        return _files.Owner(pwd.getpwnam(name).pw_uid, otherwise.gid) if name else otherwise
    except KeyError:
        raise ValueError(f"there is no user {name}") from None


def _is_good_index(file: ManagedFile, owner: _files.Owner) -> bool:
    good = _files.belongs(file.index, file.mode, _owner(file.owner, owner))
    return good and is_current(file.path, file.index)


def _put(path: str, data: bytes | None, mode: int, owner: _files.Owner) -> None:
    if data is not None:
        _files.write(path, data, mode, owner)
    elif os.path.lexists(path):
        os.unlink(path)


def _data(change: Change, staged: Callable[[str], str]) -> bytes | None:
    if change.builds_index:
        return _files.read(staged(change.path))
    return None if change.after is None else change.after.encode()


def _text(path: str) -> str:
    return (_files.read(path) or b"").decode(errors="replace")
