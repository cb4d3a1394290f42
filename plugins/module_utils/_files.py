# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read, compare and replace files. Private to this collection: it may change in any release."""

from __future__ import annotations

import os
import stat
import tempfile
from typing import NamedTuple


class Owner(NamedTuple):
    """Who a file belongs to. A ``gid`` of None stands for a group that does not exist yet."""

    uid: int
    gid: int | None


def read(path: str) -> bytes | None:
    """Return what the file holds, or None if there is no such file."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def names(folder: str) -> list[str]:
    """Return the sorted names of all that is in a folder; nothing if there is no such folder."""
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []


def belongs(path: str, mode: int, owner: Owner) -> bool:
    """Tell whether there is a file or folder, not a link, with this mode and owner."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return False
    right = stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)
    return right and stat.S_IMODE(found.st_mode) == mode and (found.st_uid, found.st_gid) == owner


def holds(path: str, data: bytes, mode: int, owner: Owner) -> bool:
    """Tell whether the file is just so already."""
    return belongs(path, mode, owner) and read(path) == data


def write(path: str, data: bytes, mode: int, owner: Owner) -> None:
    """Replace the file at one stroke: whoever opens it finds the old or the new one, never a part.

    Mode and owner are set before the first byte is in it, so that a secret is at no time open to others. The temporary
    file begins with a dot, which patterns such as ``*.conf`` leave out.
    """
    folder, name = os.path.split(path)
    handle, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchown(handle, owner.uid, -1 if owner.gid is None else owner.gid)
            os.fchmod(handle, mode)
            file.write(data)
            file.flush()
            os.fsync(handle)
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def make_folder(path: str, mode: int, owner: Owner) -> None:
    """Make the folder, and those above it, or give the one that is there its mode and owner."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if not os.path.isdir(path):
        # Nobody but us until it has its owner.
        os.mkdir(path, 0o700)
    os.chown(path, owner.uid, -1 if owner.gid is None else owner.gid)
    os.chmod(path, mode)
