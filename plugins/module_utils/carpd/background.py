# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work with files that may take its time: a thread of its own does it, and the loop hears how it went.

A full, slow or broken disk then delays a file, never an advertisement. A job must not compute for long without touching
a file, since only one thread of Python runs at a time.
"""

from __future__ import annotations

import errno
import os
import queue
import selectors
import socket
import threading
from collections.abc import Callable

from .typed import NamedTuple

_MOST_JOBS = 16
_END_TIME = 1.0  # seconds that the end of the daemon waits for a slow disk


class _Job(NamedTuple):
    work: Callable[[], None]
    done: Callable[[str], None]


class Background:
    """Does jobs one after the other. Its thread is made with the first one."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._jobs: queue.Queue[_Job | None] = queue.Queue(_MOST_JOBS)
        self._ended: queue.SimpleQueue[tuple[_Job, str]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._unfinished = 0
        self._readable, self._writable = socket.socketpair()
        self._readable.setblocking(False)
        self._writable.setblocking(False)
        selector.register(self._readable, selectors.EVENT_READ, self._read)

    @property
    def busy(self) -> bool:
        """Whether something is not done yet."""
        return self._unfinished > 0

    def submit(self, work: Callable[[], None], done: Callable[[str], None]) -> None:
        """Have ``work`` done, then call ``done`` in the loop, with nothing or with what went wrong.

        Only OSError may go wrong. When too much waits already, ``done`` is called at once.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="background", daemon=True)
            self._thread.start()
        try:
            self._jobs.put_nowait(_Job(work, done))
            self._unfinished += 1
        except queue.Full:
            done(os.strerror(errno.EBUSY))

    def close(self) -> None:
        """Let what is waiting be done, but not for long; nobody hears of it any more."""
        if self._thread is not None:
            try:
                self._jobs.put(None, timeout=_END_TIME)
                self._thread.join(_END_TIME)
            except queue.Full:
                pass
        self.leave()

    def leave(self) -> None:
        """End without waiting for anything."""
        self._selector.unregister(self._readable)
        self._readable.close()
        self._writable.close()

    def _run(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None:
                return
            error = ""
            try:
                job.work()
            except OSError as wrong:
                error = wrong.strerror or str(wrong)
            self._ended.put((job, error))
            try:
                self._writable.send(b"x")
            except OSError:
                continue  # full: the loop is told already; closed: it does not want to know

    def _read(self) -> None:
        self._readable.recv(4096)
        while not self._ended.empty():
            job, error = self._ended.get()
            self._unfinished -= 1
            job.done(error)
