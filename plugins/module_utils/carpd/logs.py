# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logging that cannot hold the daemon up: lines go to a short queue, and a thread of its own writes them out.

A blocked terminal, pipe or journal then costs lines, never an advertisement. The standard module would take 0.65 MB,
most of it for showing tracebacks.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections.abc import Callable

from .typed import NamedTuple

DEBUG, INFO, WARNING, ERROR = 10, 20, 30, 40
LEVELS = {"debug": DEBUG, "info": INFO, "warning": WARNING, "error": ERROR}
_NAMES = {level: name.upper() for name, level in LEVELS.items()}
_SEVERITY = {DEBUG: 7, INFO: 6, WARNING: 4, ERROR: 3}  # of syslog, which the journal reads from a prefix (sd-daemon(3))
_QUEUE_LINES = 1000
_FLUSH_TIME = 1.0  # seconds that the end of the daemon waits for a slow reader
# Only one thread of Python runs at a time. So the writer lets a takeover of hundreds of virtual hosts, which has a line
# for each, go on for so many seconds before it begins.
_PAUSE = 0.05


class Log:
    """Takes lines in the words of the standard library's loggers, and gives those to ``takers`` that are wanted."""

    def __init__(self) -> None:
        self.level = INFO
        self.takers: list[Callable[[int, str], None]] = []

    def debug(self, text: str, *values: object) -> None:
        """Tell what only helps to find mistakes."""
        self._tell(DEBUG, text, values)

    def info(self, text: str, *values: object) -> None:
        """Tell what happens."""
        self._tell(INFO, text, values)

    def warning(self, text: str, *values: object) -> None:
        """Tell what somebody should look at."""
        self._tell(WARNING, text, values)

    def error(self, text: str, *values: object) -> None:
        """Tell what does not work."""
        self._tell(ERROR, text, values)

    def _tell(self, level: int, text: str, values: tuple[object, ...]) -> None:
        if level >= self.level:
            line = text % values
            for taker in self.takers:
                taker(level, line)


log = Log()


class _Entry(NamedTuple):
    at: float  # seconds since 1970
    level: int
    line: str


class LogWriter:
    """Writes to standard error in the background. Use as a context manager; leaving it writes what is still queued."""

    def __init__(self) -> None:
        self.lost = 0
        self._journal = "JOURNAL_STREAM" in os.environ
        self._entries: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)

    def __enter__(self) -> LogWriter:
        log.takers.append(self.take)
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        log.takers.remove(self.take)
        self._ending.set()
        self._entries.put(None)
        self._thread.join(_FLUSH_TIME)

    def take(self, level: int, line: str) -> None:
        """Queue a line, or count it as lost when the queue is full."""
        if self._entries.qsize() < _QUEUE_LINES:
            self._entries.put(_Entry(time.time(), level, line))
        else:
            self.lost += 1

    def _write(self) -> None:
        while True:
            was_idle = self._entries.empty()
            entry = self._entries.get()
            if entry is None:
                return
            if was_idle:
                self._ending.wait(_PAUSE)
            text = self._text(entry)
            lost, self.lost = self.lost, 0
            if lost:
                text = f"{lost} lines were lost, since nobody read them in time\n{text}"
            try:
                _write_all((text + "\n").encode(errors="backslashreplace"))
            except OSError:
                self.lost += lost + 1

    def _text(self, entry: _Entry) -> str:
        """One line: for the journal with its severity, for a person with the time and the level."""
        if self._journal:
            text = f"<{_SEVERITY[entry.level]}>{entry.line}"
        else:
            wall = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.at))
            text = f"{wall},{int(entry.at % 1 * 1000):03} {_NAMES[entry.level]:7} {entry.line}"
        # What a command or a peer said may be anything, and is to stay in its line.
        if text.isprintable():
            return text
        return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def _write_all(data: bytes) -> None:
    """Past the buffer of sys.stderr: the interpreter flushes that at its end, and would wait for our lock on it."""
    while data:
        data = data[os.write(sys.stderr.fileno(), data) :]
