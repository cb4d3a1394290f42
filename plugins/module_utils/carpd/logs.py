# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logging that cannot hold the daemon up: lines go to a short queue, and a thread of its own writes them out.

A blocked terminal, pipe or journal then costs lines, never an advertisement.
"""

from __future__ import annotations

import logging
import os
import queue
import sys
import threading

_QUEUE_LINES = 1000
_FLUSH_TIME = 1.0  # seconds that the end of the daemon waits for a slow reader
# Syslog severities, which the journal reads from a prefix (sd-daemon(3)).
_SEVERITY = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class _Formatter(logging.Formatter):
    """One line a message: for the journal with its severity, for a person with the time and the level."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s")
        self._journal = "JOURNAL_STREAM" in os.environ

    def format(self, record: logging.LogRecord) -> str:
        if record.exc_info:
            return super().format(record)
        # What a command or a peer said may be anything, and is to stay in its line.
        severity = f"<{_SEVERITY.get(record.levelno, 6)}>"
        line = severity + record.getMessage() if self._journal else super().format(record)
        if line.isprintable():
            return line
        return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line)


class LogWriter(logging.Handler):
    """Writes to standard error in the background. Use as a context manager; leaving it writes what is still queued."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(_Formatter())
        self.lost = 0
        self._lines: queue.Queue[str | None] = queue.Queue(_QUEUE_LINES)
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)

    def __enter__(self) -> LogWriter:
        logging.getLogger().addHandler(self)
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        logging.getLogger().removeHandler(self)
        try:
            self._lines.put(None, timeout=_FLUSH_TIME)
        except queue.Full:
            return
        self._thread.join(_FLUSH_TIME)

    def emit(self, record: logging.LogRecord) -> None:
        """Queue the record's line, or count it as lost when the queue is full."""
        try:
            self._lines.put_nowait(self.format(record))
        except queue.Full:
            self.lost += 1

    def _write(self) -> None:
        while True:
            line = self._lines.get()
            if line is None:
                return
            lost, self.lost = self.lost, 0
            if lost:
                line = f"{lost} lines were lost, since nobody read them in time\n{line}"
            try:
                _write_all((line + "\n").encode(errors="backslashreplace"))
            except OSError:
                self.lost += lost + 1


def _write_all(data: bytes) -> None:
    """Past the buffer of sys.stderr: the interpreter flushes that at its end, and would wait for our lock on it."""
    while data:
        data = data[os.write(sys.stderr.fileno(), data) :]
