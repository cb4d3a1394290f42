# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Agent on the client: ping an address, a hundred times a second by default, and tell when answers stay away.

Usage: ``probe.py ADDRESS [INTERVAL]``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time

from agent import emit, listen

INTERVAL = 0.01
# Longer without an answer than two lost ones take at a hundred a second is reported.
GAP = 3.5 * INTERVAL
# As `ping -D` prints it: [1763812801.123456] 64 bytes from 192.0.2.1: icmp_seq=3 ttl=64 time=0.05 ms
ANSWER = re.compile(r"\[(?P<at>[\d.]+)\] \d+ bytes from .* icmp_seq=(?P<number>\d+) ")


class Gaps:
    """Finds the holes in a stream of answers, and counts the pings that had none."""

    def __init__(self) -> None:
        self.answers = 0
        self.lost = 0
        self._last: float | None = None
        self._number = 0

    def answer(self, at: float, number: int) -> None:
        """Take in the answer to ping ``number``, of 16 bits; the end of a gap is reported with it."""
        ahead = (number - self._number) & 0xFFFF
        if 0 < ahead < 0x8000:
            self._number = number
            self.lost += ahead - 1
        elif ahead:
            # It is late, and was counted as lost when the one after it came.
            self.lost -= 1
        if self._last is None:
            emit("answer", at)
        elif at - self._last > GAP:
            emit("gap", at, start=self._last, end=at)
        self._last = at
        self.answers += 1


def main(address: str, interval: str = str(INTERVAL)) -> None:
    """Ping until the driver says stop or is gone."""
    ping = subprocess.Popen(["ping", "-n", "-D", "-i", interval, address], stdout=subprocess.PIPE, text=True)
    assert ping.stdout is not None

    def gone() -> None:
        ping.kill()
        os._exit(0)

    listen(stop=ping.terminate, gone=gone)
    # ping knows the time of day only.
    offset = time.monotonic() - time.time()
    gaps = Gaps()
    for line in ping.stdout:
        found = ANSWER.match(line)
        if found:
            gaps.answer(float(found["at"]) + offset, int(found["number"]))
    emit("finished", answers=gaps.answers, lost=gaps.lost)


if __name__ == "__main__":
    main(*sys.argv[1:])
