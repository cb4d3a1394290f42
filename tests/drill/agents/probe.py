# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Agent on the client: ping an address, a hundred times a second by default, and tell when answers stay away.

Usage: ``probe.py ADDRESS [INTERVAL]``. It is the prober of the playbook ``drill``: the program ping keeps a whole core
busy at a thousand a second, which the servers of the lab would miss.
"""

from __future__ import annotations

import os
import sys
import threading

from agent import emit, listen

from plugins.module_utils.rehearsal.probing import Prober

INTERVAL = 0.01
# Longer without an answer than two lost ones take at a hundred a second is reported.
GAP = 3.5 * INTERVAL


class Pings(Prober):
    """Also tells of the first answer, and of each hole in the stream of them, with the answer that ends it."""

    _last: float | None = None

    def reply(self, purpose: int, number: int, now: float) -> None:
        """Take in an answer."""
        super().reply(purpose, number, now)
        if self._last is None:
            emit("answer", now)
        elif now - self._last > GAP:
            emit("gap", now, start=self._last, end=now)
        self._last = now


class Leave(threading.Event):
    """Permission to go on, until it is set."""

    def __bool__(self) -> bool:
        """Tell whether to go on."""
        return not self.is_set()


def main(address: str, interval: str = str(INTERVAL)) -> None:
    """Ping until the driver says stop or is gone."""
    leave = Leave()
    listen(stop=leave.set, gone=lambda: os._exit(0))
    pings = Pings(address, 1 / float(interval), os.urandom(8), {})
    pings.run(leave)
    answers = sum(pings.answered)
    emit("finished", answers=answers, lost=len(pings.sent) - answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
