# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring the mail in one server's queue to another, so that each mail is in one queue only at any time.

At the source the files are moved aside first, so that a Postfix that starts there finds an empty queue. At the target
each mail is noted before Postfix can see it, so that a second run adds nothing. Queue files carry their names along,
which is safe with long queue IDs only: a short one is the number of an inode, and somebody else's at the target.
"""

from __future__ import annotations

import os
import re
import stat
import tarfile
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

#: Folders with mail, and those with what is known of failed deliveries, which comes first.
MAIL = ("incoming", "active", "deferred", "hold")
NOTES = ("defer", "bounce")

# Consonants and digits, and a z between time and inode: the manual page postconf(5), enable_long_queue_ids.
_LONG = re.compile(r"[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-y]{10,}z[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-y]+\Z")
#: Postfix itself gives a mail this mode when it is complete.
_COMPLETE = 0o700
_INCOMPLETE = 0o600


class Item(NamedTuple):
    """A file of a queue: ``path`` begins with the name of its folder."""

    path: str
    size: int

    @property
    def queue_id(self) -> str:
        """Return the ID of the mail."""
        return os.path.basename(self.path)

    @property
    def is_mail(self) -> bool:
        """Tell whether this is the mail itself."""
        return self.path.split("/", 1)[0] in MAIL


def items(directory: str) -> list[Item]:
    """Return the complete mails in a queue, and what belongs to them."""
    found = [Item(path, size) for path, size, mode in _walk(directory, MAIL) if stat.S_IMODE(mode) == _COMPLETE]
    ids = {item.queue_id for item in found}
    notes = [Item(path, size) for path, size, _mode in _walk(directory, NOTES) if os.path.basename(path) in ids]
    return notes + found


def short_ids(found: Iterable[Item]) -> list[str]:
    """Return the mails that cannot take their names along."""
    return [item.queue_id for item in found if item.is_mail and not _LONG.match(item.queue_id)]


def is_in_use(directory: str, proc: str = "/proc") -> bool:
    """Tell whether a Postfix runs with this queue: its master is at home there."""
    home = os.path.realpath(directory)
    for pid in filter(str.isdigit, os.listdir(proc)):
        try:
            with open(os.path.join(proc, pid, "comm"), encoding="utf-8") as file:
                if file.read().strip() == "master" and os.path.realpath(os.path.join(proc, pid, "cwd")) == home:
                    return True
        except (FileNotFoundError, ProcessLookupError):
            continue
    return False


def move_aside(directory: str, aside: str, found: Iterable[Item]) -> None:
    """Move files out of a queue, within its file system."""
    for item in found:
        target = os.path.join(aside, item.path)
        os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
        os.rename(os.path.join(directory, item.path), target)


def pack(directory: str, found: Iterable[Item], archive: str) -> None:
    """Put files into an archive that only its owner can read."""
    handle = os.open(archive, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as packed:
        for item in found:
            packed.add(os.path.join(directory, item.path), item.path, recursive=False)


def forget(journal: str, ids: Iterable[str]) -> None:
    """Note that mails have left this host: they may come back."""
    try:
        with open(journal, encoding="utf-8") as file:
            noted = file.read().split()
    except FileNotFoundError:
        return
    gone = set(ids)
    with open(f"{journal}.new", "w", encoding="utf-8") as file:
        file.write("".join(f"{queue_id}\n" for queue_id in noted if queue_id not in gone))
    os.rename(f"{journal}.new", journal)


class Target:
    """A queue that mails are added to while Postfix runs with it; ``journal`` has those that were added before."""

    def __init__(self, directory: str, journal: str, uid: int, gid: int) -> None:
        self.directory = directory
        self._journal = journal
        self._owner = uid, gid

    def known(self) -> set[str]:
        """Return the mails that are there, or were brought once."""
        there = {os.path.basename(path) for path, _size, _mode in _walk(self.directory, MAIL)}
        try:
            with open(self._journal, encoding="utf-8") as file:
                return there | set(file.read().split())
        except FileNotFoundError:
            return there

    def missing(self, archive: str) -> list[str]:
        """Return the mails in an archive that are not there yet."""
        known = self.known()
        with tarfile.open(archive) as packed:
            names = [Item(member.name, member.size) for member in packed if member.isfile()]
        return [item.queue_id for item in names if item.is_mail and item.queue_id not in known]

    def add(self, archive: str) -> list[str]:
        """Add the mails that are not there yet, and return their IDs."""
        wanted = set(self.missing(archive))
        os.makedirs(os.path.dirname(self._journal), mode=0o755, exist_ok=True)
        added = []
        with tarfile.open(archive) as packed, open(self._journal, "a", encoding="utf-8") as journal:
            for member in packed:
                item = Item(member.name, member.size)
                folder = member.name.split("/", 1)[0]
                data = packed.extractfile(member) if member.isfile() and _is_inside(member.name) else None
                if data is None or item.queue_id not in wanted or folder not in MAIL + NOTES:
                    continue
                # A mail that was on its way out has to be picked up anew.
                path = f"incoming/{item.queue_id}" if folder == "active" else member.name
                self._write(path, data.read())
                if item.is_mail:
                    journal.write(f"{item.queue_id}\n")
                    journal.flush()
                    os.fsync(journal.fileno())
                    os.chmod(os.path.join(self.directory, path), _COMPLETE)
                    added.append(item.queue_id)
        return added

    def _write(self, path: str, data: bytes) -> None:
        """Write a file as Postfix does: not complete until its mode says so."""
        target = os.path.join(self.directory, path)
        folder = os.path.dirname(target)
        if not os.path.isdir(folder):
            os.mkdir(folder, 0o700)
            os.chown(folder, *self._owner)
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _INCOMPLETE)
        with os.fdopen(handle, "wb") as file:
            os.fchown(handle, *self._owner)
            file.write(data)
            file.flush()
            os.fsync(handle)
        # For a deferred mail this is when it is due.
        now = time.time()
        os.utime(target, (now, now))


def _walk(directory: str, folders: Iterable[str]) -> Iterator[tuple[str, int, int]]:
    for folder in folders:
        for place, _folders, names in os.walk(os.path.join(directory, folder)):
            for name in sorted(names):
                path = os.path.join(place, name)
                try:
                    about = os.lstat(path)
                except FileNotFoundError:
                    continue  # Postfix was faster
                if stat.S_ISREG(about.st_mode):
                    yield os.path.relpath(path, directory), about.st_size, about.st_mode


def _is_inside(path: str) -> bool:
    return not path.startswith("/") and ".." not in path.split("/")
