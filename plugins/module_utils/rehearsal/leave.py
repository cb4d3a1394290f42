# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For how long something runs in the background: as long as a file exists, and never longer than so many seconds."""

from __future__ import annotations

import contextlib
import os
import time


class Leave:
    """Permission to go on. The file is looked at every tenth of a second; ``seconds`` counts from now."""

    INTERVAL = 0.1

    def __init__(self, path: str, seconds: float) -> None:
        self._path = path
        self._end = time.monotonic() + seconds
        self._look_at = 0.0
        self._over = False

    def __bool__(self) -> bool:
        """Tell whether to go on."""
        now = time.monotonic()
        if not self._over and now >= self._look_at:
            self._look_at = now + self.INTERVAL
            self._over = now >= self._end or not os.path.exists(self._path)
        return not self._over


def hurry() -> None:
    """Be woken before all that is not urgent, where this process may ask for that."""
    # What cannot be had is not needed: then the moments are less exact, and the report says by how much.
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def clocks() -> dict[str, float]:
    """Return the same moment by the monotonic clock and by the clock on the wall, both in seconds."""
    return {"monotonic": time.monotonic(), "real": time.time()}
