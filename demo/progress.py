# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines that show how far the demo is, each with the time since its start."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO


class Progress:
    """Prints the steps; what goes on inside a step is shown on one line that the next one replaces."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self._out = out
        self._began = time.monotonic()
        self._fleeting = 0

    def step(self, text: str) -> None:
        """A line that stays."""
        self._clear()
        self._out.write(f"[{time.monotonic() - self._began:4.0f} s] {text}\n")
        self._out.flush()

    def detail(self, text: str) -> None:
        """A line that the next one replaces; only where somebody is looking."""
        if not self._out.isatty():
            return
        self._clear()
        shown = f"         {text}"[: shutil.get_terminal_size().columns - 1]
        self._fleeting = len(shown)
        self._out.write(shown)
        self._out.flush()

    def _clear(self) -> None:
        if self._fleeting:
            self._out.write("\r" + " " * self._fleeting + "\r")
            self._fleeting = 0
