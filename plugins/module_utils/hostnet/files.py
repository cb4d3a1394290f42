# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of others' services that this collection adds to, with a record of what is changed."""

from __future__ import annotations

import os
from typing import Callable

from ansible_collections.failover.carp.plugins.module_utils import _files

Run = Callable[[list[str]], "tuple[int, str, str]"]


class Ledger:
    """Writes and removes files; in check mode it only says what it would do."""

    def __init__(self, check: bool, owner: _files.Owner, root: str = "/") -> None:
        self.check = check
        self.diff: list[dict[str, str]] = []
        self._owner = owner
        self._root = root

    @property
    def changed(self) -> bool:
        """Whether anything was not as it should be."""
        return bool(self.diff)

    def path(self, path: str) -> str:
        """Return where a path of the host is."""
        return os.path.join(self._root, path.lstrip("/"))

    def read(self, path: str) -> str | None:
        """Return what a file holds, None if there is none."""
        data = _files.read(self.path(path))
        return None if data is None else data.decode(errors="surrogateescape")

    def put(self, path: str, text: str) -> bool:
        """Let a file hold a text, and tell whether it did not."""
        old, mode = self.read(path), 0o644
        if old == text:
            return False
        if old is not None:
            mode = os.stat(self.path(path)).st_mode & 0o777
        self.record(path, old or "", text)
        if not self.check:
            os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
            _files.write(self.path(path), text.encode(errors="surrogateescape"), mode, self._owner)
        return True

    def drop(self, path: str) -> bool:
        """Remove a file, and its folder if that is empty then; tell whether there was one."""
        old = self.read(path)
        if old is None:
            return False
        self.record(path, old, "")
        if not self.check:
            os.unlink(self.path(path))
            folder = os.path.dirname(self.path(path))
            if folder.endswith(".d") and not os.listdir(folder):
                os.rmdir(folder)
        return True

    def record(self, what: str, before: str, after: str) -> None:
        """Note a change, of a file or of something that a command changes."""
        self.diff.append({"before_header": what, "after_header": what, "before": before, "after": after})
