# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator has ordered: which virtual hosts this host shall leave to others, and whether all of them.

Maintenance is for the whole host and outlives the daemon: it is in force while a file is there. Orders for single
virtual hosts hold until the daemon ends.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping

from .background import Background
from .logs import log
from .typed import Any

FILE_NAME = "maintenance"


class Orders:
    """Keeps book of the orders. ``changed`` is called when the file has been written, or could not be.

    ``saved`` tells whether maintenance, as it is, outlives the daemon: None while that is not known yet. ``error`` says
    why not.
    """

    def __init__(self, folder: str, background: Background, changed: Callable[[], None]) -> None:
        self._folder = folder
        self._path = os.path.join(folder, FILE_NAME)
        self._background = background
        self._changed = changed
        self._demoted: dict[str, str] = {}
        self._writes = 0
        self.maintenance = ""  # who ordered it, empty for nobody
        self.saved: bool | None = True
        self.error = ""

    def load(self) -> None:
        """Find out, before the loop begins, whether this host is in maintenance."""
        try:
            with open(self._path, encoding="utf-8", errors="replace") as file:
                who = "".join(char for char in file.readline(200).strip() if char.isprintable())
        except FileNotFoundError:
            return
        except OSError as error:
            log.error("whether this host is in maintenance cannot be read from %s: %s", self._path, error.strerror)
            return
        self.maintenance = who or "unknown"
        log.warning(
            "this host is in maintenance, as ordered by %s: end that with carpctl maintenance off", self.maintenance
        )

    def reason(self, name: str) -> str:
        """Say why the operator's orders demote a virtual host; empty if they do not."""
        if self.maintenance:
            return f"this host is in maintenance, as ordered by {self.maintenance}"
        return f"demoted by {self._demoted[name]}" if name in self._demoted else ""

    def legacy(self) -> dict[str, str]:
        """Return what the next program of the daemon has to know, beside what is in the file."""
        return dict(self._demoted)

    def inherit(self, legacy: Mapping[str, str]) -> None:
        """Take over the ``legacy`` of an earlier program."""
        self._demoted = dict(legacy)

    def demote(self, names: Iterable[str], who: str) -> None:
        """Note that these virtual hosts shall be left to others."""
        self._demoted.update(dict.fromkeys(names, who))

    def promote(self, names: Iterable[str]) -> None:
        """Note that they need not be any more."""
        for name in names:
            self._demoted.pop(name, None)

    def maintain(self, who: str) -> None:
        """Begin maintenance as ordered by ``who``, or end it, if that is nobody."""
        self.maintenance, self.saved, self.error = who, None, ""
        self._writes += 1
        number = self._writes
        self._background.submit(lambda: self._save(who), lambda error: self._note_saved(number, error))

    def status(self) -> dict[str, Any]:
        """Return what is known of the maintenance, as JSON can carry it."""
        return {"on": bool(self.maintenance), "by": self.maintenance, "saved": self.saved, "error": self.error}

    def _save(self, who: str) -> None:
        """Write the file, or remove it, so that it is on the disk when this returns. Raises OSError."""
        if who:
            os.makedirs(self._folder, mode=0o755, exist_ok=True)
            with open(self._path + ".new", "w", encoding="utf-8") as file:
                file.write(who + "\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(self._path + ".new", self._path)
        else:
            try:
                os.unlink(self._path)
            except FileNotFoundError:
                return
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _note_saved(self, number: int, error: str) -> None:
        if number != self._writes:
            return  # of an order that another has overtaken
        self.saved, self.error = not error, error and f"{self._path} cannot be written: {error}"
        if error:
            then = "ends" if self.maintenance else "begins again"
            log.error("maintenance %s when the daemon is restarted: %s", then, self.error)
        self._changed()
