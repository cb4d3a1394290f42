# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One thread that waits for everything a lab can observe, and stamps it.

Address changes, packets, log lines and ends of processes arrive on file descriptors.  One epoll loop reads them all, so
the times of different sources are comparable (all CLOCK_MONOTONIC) and a test can wait for any condition over them
without polling and without sleeping.
"""

from __future__ import annotations

import collections
import contextlib
import os
import select
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, TypeVar

T = TypeVar("T")

PRIORITY = 60
HISTORY = 400
"""Events kept for the message of a failed wait."""


class HasFileno(Protocol):
    def fileno(self) -> int:
        """The number of the file descriptor."""


class WaitError(AssertionError):
    """A condition did not come true in time; the message ends with the timeline."""


class Recorder:
    """Reads all sources in one thread; ``wait`` blocks until a condition over them holds."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[float], bool]] = {}
        self._changed = threading.Condition(threading.RLock())
        self._history: collections.deque[tuple[float, str, str]] = collections.deque(maxlen=HISTORY)
        self._wake_r, self._wake_w = os.pipe()
        self._epoll.register(self._wake_r, select.EPOLLIN)
        self.started = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="lab-recorder", daemon=True)
        self._thread.start()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the thread; the sources belong to whoever added them."""
        if self._thread.is_alive():
            os.write(self._wake_w, b"x")
            self._thread.join()
            self._epoll.close()
            os.close(self._wake_r)
            os.close(self._wake_w)

    def add(self, source: HasFileno | int, handler: Callable[[float], bool]) -> None:
        """Call ``handler(now)`` whenever ``source`` is readable, until it returns False."""
        number = source if isinstance(source, int) else source.fileno()
        with self._changed:
            self._handlers[number] = handler
            self._epoll.register(number, select.EPOLLIN)

    def remove(self, source: HasFileno | int) -> None:
        """Stop reading ``source``; to be called before it is closed."""
        number = source if isinstance(source, int) else source.fileno()
        with self._changed:
            if self._handlers.pop(number, None) is not None:
                self._epoll.unregister(number)

    def note(self, now: float, who: str, text: str) -> None:
        """Put a line into the timeline."""
        with self._changed:
            self._history.append((now, who, text))

    def timeline(self) -> str:
        """The latest events, one a line, in seconds since the lab was opened."""
        with self._changed:
            return "\n".join(f"{when - self.started:9.4f} {who:<10} {text}" for when, who, text in self._history)

    def wait(self, condition: Callable[[], T | None], timeout: float, what: str) -> T:
        """Block until ``condition`` returns something true, looked at after each event; return that."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                found = condition()
                if found:
                    return found
                left = deadline - time.monotonic()
                if left <= 0:
                    raise WaitError(f"not within {timeout:g} s: {what}\n{self.timeline()}")
                self._changed.wait(left)

    def _run(self) -> None:
        # Above carpd's own priority, so that on a busy machine the times are those of the events; without, if need be.
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
        while True:
            for number, _events in self._epoll.poll():
                if number == self._wake_r:
                    return
                now = time.monotonic()
                with self._changed:
                    handler = self._handlers.get(number)
                    if handler is not None and not handler(now):
                        self.remove(number)
                    self._changed.notify_all()
