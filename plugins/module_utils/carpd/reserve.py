# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the sequence of a virtual host's counters may begin: beyond all that was used before, whatever the clock says.

A sequence begins with the time of day. A clock that was set back, or that forgot the time with the power, would let it
begin among numbers that the peers have heard already, and they would believe nothing until it has caught up. So a file
keeps a number beyond those that will be used until it is written next.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from .background import Background
from .logs import log
from .trust import first_step

FILE_NAME = "sequence"
_AHEAD = 1 << 24  # more than are used until the next look, at the shortest interval and with both IP versions
_INTERVAL = 1800.0  # seconds between two looks


class Reserve:
    """Keeps the number.

    ``clock`` returns monotonic seconds, ``wall_clock`` those since 1970, and ``highest`` what was used last.
    """

    def __init__(
        self,
        folder: str,
        background: Background,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        highest: Callable[[], int],
    ) -> None:
        self._folder = folder
        self._path = os.path.join(folder, FILE_NAME)
        self._background = background
        self._clock = clock
        self._wall_clock = wall_clock
        self._highest = highest
        self._floor = 0
        self._complained = False
        self._look_at = clock() + _INTERVAL

    def load(self) -> None:
        """Find out, before the loop begins, what earlier runs have used. Without the file, the clock has to do."""
        try:
            with open(self._path, encoding="ascii", errors="replace") as file:
                text = file.readline(32).strip()
        except OSError:
            return
        self._floor = int(text) if text.isascii() and text.isdigit() else 0

    def first(self) -> int:
        """Return where new sequences begin."""
        first = first_step(self._wall_clock(), self._floor)
        self._keep(first)
        return first

    def next_timer(self) -> float:
        """Return when ``due`` wants to be called."""
        return self._look_at

    def due(self) -> None:
        """Take note of the highest number that was used, and keep what comes next for this run."""
        self._keep(self._highest())

    def _keep(self, sequence: int) -> None:
        self._look_at = self._clock() + _INTERVAL
        self._floor = floor = max(self._floor, sequence + _AHEAD)
        self._background.submit(lambda: self._save(floor), self._note_saved)

    def _save(self, floor: int) -> None:
        os.makedirs(self._folder, mode=0o755, exist_ok=True)
        with open(self._path + ".new", "w", encoding="ascii") as file:
            file.write(f"{floor}\n")
            file.flush()
            os.fsync(file.fileno())  # a power cut that empties it may also take the time from the clock
        os.replace(self._path + ".new", self._path)

    def _note_saved(self, error: str) -> None:
        if error and not self._complained:
            log.warning("%s cannot be written (%s): after a restart, the clock must not be set back", self._path, error)
        self._complained = bool(error)
