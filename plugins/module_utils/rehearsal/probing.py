# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client sees of an address: requests at an even pace, of which each is answered or not."""

from __future__ import annotations

import array
import select
import time
from typing import Any

from . import echo
from .leave import hurry

_LATE = 0.02
"""A sender that was not woken for so many seconds leaves out what was due, rather than to send it all at once."""
_CLOCK_INTERVAL = 0.1
_PATIENCE = 1.0
"""Seconds after the last request in which a reply still counts."""


class Prober:
    """Sends ``rate`` requests a second to ``address``, and ten a second to each of ``clocks``, hosts by name.

    All times are in seconds of the monotonic clock.
    """

    def __init__(self, address: str, rate: float, run: bytes, clocks: dict[str, str]) -> None:
        self._address = address
        self._interval = 1 / rate
        self._run = run
        self._hosts = clocks
        self._sockets = {family: echo.EchoSocket(family) for family in map(echo.family_of, [address, *clocks.values()])}
        self.sent = array.array("d")
        self.answered = bytearray()
        self.repeated = 0
        self.stalls: list[dict[str, float]] = []
        self._clock_sent: list[tuple[str, float]] = []
        self._clock_best: dict[tuple[str, int], tuple[float, int, float, float]] = {}

    def run(self, leave: object) -> None:
        """Work as long as ``leave`` is true, and then wait for the last replies."""
        hurry()
        due = clock_due = time.monotonic()
        while leave:
            now = time.monotonic()
            if now - due > _LATE:
                self.stalls.append({"start": due, "end": now})
                due = now
            if now >= due:
                self._probe(now)
                due += self._interval
            if now >= clock_due:
                self._ask_clocks()
                clock_due = now + _CLOCK_INTERVAL
            self._wait(min(due, clock_due))
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            self._wait(end)

    def close(self) -> None:
        """Close the sockets."""
        for each in self._sockets.values():
            each.close()

    def _probe(self, now: float) -> None:
        number = len(self.sent)
        self.sent.append(now)
        self.answered.append(0)
        self._sockets[echo.family_of(self._address)].send(self._address, echo.PROBE, self._run, number)

    def _ask_clocks(self) -> None:
        for host, address in self._hosts.items():
            number = len(self._clock_sent)
            self._clock_sent.append((host, time.monotonic()))
            self._sockets[echo.family_of(address)].send(address, echo.CLOCK, self._run, number)

    def _wait(self, until: float) -> None:
        # Not by poll(), which counts whole milliseconds: asking for the rest of one again and again would take a whole
        # core away from the hosts, where those are containers or virtual machines of the same computer.
        for source in select.select(list(self._sockets.values()), [], [], max(0.0, until - time.monotonic()))[0]:
            self._take(source)

    def _take(self, source: echo.EchoSocket) -> None:
        while True:
            try:
                reply = source.receive()
            except BlockingIOError:
                return
            if reply is not None and reply.run == self._run:
                self.reply(reply.purpose, reply.number, time.monotonic())

    def reply(self, purpose: int, number: int, now: float) -> None:
        """Take in a reply."""
        if purpose == echo.PROBE and number < len(self.answered):
            self.repeated += self.answered[number]
            self.answered[number] = 1
        elif purpose == echo.CLOCK and number < len(self._clock_sent):
            host, sent = self._clock_sent[number]
            # The quickest of each second says most about the clocks.
            key = (host, int(sent))
            sample = (now - sent, number, sent, now)
            self._clock_best[key] = min(self._clock_best.get(key, sample), sample)

    def result(self) -> dict[str, Any]:
        """Return what was found, as JSON can carry it."""
        return {
            "sent": len(self.sent),
            "answered": sum(self.answered),
            "repeated": self.repeated,
            "start": self.sent[0] if self.sent else 0.0,
            "end": self.sent[-1] if self.sent else 0.0,
            "interval": self._interval,
            "lost": lost(self.sent, self.answered),
            "stalls": self.stalls,
            "clocks": [
                {"host": host, "number": number, "sent": sent, "received": received}
                for (host, _second), (_took, number, sent, received) in sorted(self._clock_best.items())
            ],
        }


def lost(sent: array.array[float], answered: bytearray) -> list[dict[str, float]]:
    """Return the runs of requests without reply: when the first was sent, when the next answered one, and how many.

    A run that nothing follows ends with its last request.
    """
    runs: list[dict[str, float]] = []
    number = 0
    while number < len(sent):
        if answered[number]:
            number += 1
            continue
        first = number
        while number < len(sent) and not answered[number]:
            number += 1
        end = sent[min(number, len(sent) - 1)]
        runs.append({"start": sent[first], "end": end, "count": number - first})
    return runs
