# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Agent on the client: ask a service again and again at an even pace, and tell what failed and when nobody answered.

Usage: ``service.py SERVICE RATE``. SERVICE is a URL that begins with ``http://``, or a command that succeeds if the
service does. Each request is a connection of its own, and begins when it is due, whatever became of those before it.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import threading
import time
import urllib.request

from agent import emit, listen

TIMEOUT = 2.0
# To start a command takes longer than to connect.
COMMAND_TIMEOUT = 5.0
# Longer without a good answer is reported.
UNSERVED = 0.2


def ask(service: str) -> None:
    """Make one request; raises if it has no good answer."""
    if service.startswith("http://"):
        with urllib.request.urlopen(service, timeout=TIMEOUT) as answer:
            answer.read()
    else:
        subprocess.run(shlex.split(service), check=True, timeout=COMMAND_TIMEOUT, capture_output=True)


class Stream:
    """Paces the requests, and counts what came of them."""

    def __init__(self, service: str, rate: float) -> None:
        self._service = service
        self._interval = 1 / rate
        self._stopped = threading.Event()
        self._noting = threading.Lock()
        self._last: float | None = None
        self.requests = 0
        self.failed = 0
        self.serving = False

    def stop(self) -> None:
        """Begin no more requests."""
        self._stopped.set()

    def run(self) -> None:
        """Ask until stopped, then until all have ended."""
        under_way: list[threading.Thread] = []
        due = time.monotonic()
        while not self._stopped.wait(max(0.0, due - time.monotonic())):
            due += self._interval
            under_way = [thread for thread in under_way if thread.is_alive()]
            under_way.append(threading.Thread(target=self.one))
            under_way[-1].start()
        for thread in under_way:
            thread.join()

    def one(self) -> None:
        """Make one request and note what came of it."""
        began = time.monotonic()
        why = ""
        try:
            ask(self._service)
        except (OSError, subprocess.SubprocessError) as error:
            why = f"{type(error).__name__}: {error}"
        with self._noting:
            self.requests += 1
            self.serving = not why
            if why:
                self.failed += 1
                emit("failed", began=began, why=why)
            else:
                self._served(time.monotonic())

    def _served(self, at: float) -> None:
        if self._last is None:
            emit("served", at)
        elif at - self._last > UNSERVED:
            emit("unserved", at, start=self._last, end=at)
        self._last = at


def main(service: str, rate: str) -> None:
    """Ask until the driver says stop or is gone."""
    stream = Stream(service, float(rate))
    listen(stop=stream.stop, gone=lambda: os._exit(0))
    stream.run()
    emit("finished", requests=stream.requests, failed=stream.failed, serving=stream.serving)


if __name__ == "__main__":
    main(*sys.argv[1:])
