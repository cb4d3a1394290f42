# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the configuration, and the files with passwords that it names, beside the daemon's loop: a disk may hang."""

from __future__ import annotations

import selectors
import sys
from collections.abc import Callable

from .background import Background
from .config import Config, ConfigError, load

# To parse a long configuration takes tens of milliseconds, in which no file is waited for. So long, in seconds, one
# thread of Python lets the loop wait for its turn; by default it is ten times as long.
_TURN = 0.0005


class Reading:
    """Reads the configuration anew as often as it is asked to, one time after the other, in a thread of its own.

    The thread is not the one that writes files: what hangs here holds up nothing but a reload.
    """

    def __init__(self, path: str, selector: selectors.BaseSelector) -> None:
        self._path = path
        self._selector = selector
        self._background: Background | None = None

    def read(self, done: Callable[[Config | None, str], None]) -> None:
        """Call ``done`` in the loop, with the configuration, or with None and every mistake that is in it."""
        if self._background is None:
            sys.setswitchinterval(_TURN)
            self._background = Background(self._selector)
        found: list[Config] = []
        wrong: list[str] = []

        def work() -> None:
            try:
                found.append(load(self._path))
            except ConfigError as error:
                wrong.append(str(error))

        def told(error: str) -> None:
            if found:
                done(found[0], "")
            else:
                done(None, "\n".join([*wrong, *([f"{self._path}: {error}"] if error else [])]))

        self._background.submit(work, told)

    def leave(self) -> None:
        """End without waiting for anything; nobody hears of what is still read."""
        if self._background is not None:
            self._background.leave()
