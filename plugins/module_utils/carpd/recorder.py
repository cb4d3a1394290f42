# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The flight recorder: the last things that happened, kept in memory, and written to a file when a state has changed.

To note something costs a fraction of a microsecond. It is put into words when somebody wants to read it, and files are
written in the background: no disk delays an advertisement.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from .logs import log
from .packet import Advertisement, PacketError
from .typed import Any

FOLDER = "records"
_ENTRIES = 1024
_MOST_FILES = 8
_AFTER = 0.2  # seconds from a change of state to its record, so that what follows is in it
_INTERVAL = 1.0  # seconds at least between two records
_Entry = tuple[Any, ...]
_Submit = Callable[[Callable[[], None], Callable[[str], None]], None]


def forget(_kind: str, _name: str, *_details: object) -> None:
    """Note nothing."""


class Recorder:
    """Keeps the last entries. ``clock`` returns monotonic seconds, ``submit`` has a job done in the background."""

    def __init__(self, folder: str, clock: Callable[[], float], submit: _Submit) -> None:
        self._folder = os.path.join(folder, FOLDER)
        self._clock = clock
        self._submit = submit
        self._ring: deque[_Entry] = deque(maxlen=_ENTRIES)
        self._write_at = math.inf
        self._written_at = -math.inf
        self._why = ""
        self.latest = 0.0  # by how many seconds a timer was late at most

    def note(self, kind: str, name: str, *details: object) -> None:
        """Note that something happened now to a virtual host, or with an empty name, to the daemon."""
        self._ring.append((self._clock(), kind, name, details))

    def late(self, name: str, seconds: float) -> None:
        """Note that a timer was served, so many seconds late."""
        if seconds > self.latest:
            self.latest = seconds
        self._ring.append((self._clock(), "timer", name, (seconds,)))

    def keep(self, why: str) -> None:
        """Write a record soon: something happened that somebody may want to understand later."""
        if self._write_at == math.inf:
            self._why = why
            self._write_at = max(self._clock() + _AFTER, self._written_at + _INTERVAL)

    def next_timer(self) -> float:
        """Return when ``due`` wants to be called."""
        return self._write_at

    def due(self) -> None:
        """Do what the time has come for."""
        now = self._clock()
        if now < self._write_at:
            return
        self._write_at, self._written_at = math.inf, now
        lines = self.lines(self._why)
        at = time.time()
        self._submit(lambda: write(self._folder, at, lines), self._note_written)

    def lines(self, why: str) -> Iterator[str]:
        """Return what has happened until now, oldest first, a line each; each is made when it is asked for."""
        return _lines(why, list(self._ring), self._clock(), time.time())

    def _note_written(self, error: str) -> None:
        if error:
            log.error("a record could not be written to %s: %s", self._folder, error)


def write(folder: str, at: float, lines: Iterable[str]) -> None:
    """Write a record and remove the oldest ones. Raises OSError.

    Line by line and without a buffer: between any two, the loop may run.
    """
    os.makedirs(folder, mode=0o750, exist_ok=True)
    fraction = int(at % 1 * 1000)
    path = os.path.join(folder, f"{time.strftime('%Y-%m-%dT%H.%M.%S', time.localtime(at))}.{fraction:03}.txt")
    file = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
    try:
        for line in lines:
            os.write(file, (line + "\n").encode(errors="backslashreplace"))
    finally:
        os.close(file)
    os.replace(path + ".new", path)
    for name in sorted(os.listdir(folder))[:-_MOST_FILES]:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(folder, name))


def _lines(why: str, entries: list[_Entry], now: float, wall: float) -> Iterator[str]:
    yield f"{_wall(wall)}  {why}"
    yield "wall clock       seconds before  virtual host: what happened"
    for at, kind, name, details in entries:
        who = f"{name}: " if name else ""
        yield f"{_wall(wall - now + at)} {at - now:14.6f}  {who}{_words(kind, details)}"


def _wall(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at)) + f".{int(at % 1 * 1000000):06}"


def _words(kind: str, details: tuple[Any, ...]) -> str:
    if kind == "timer":
        return f"timer, {details[0] * 1000:.3f} ms late"
    if kind == "sent":
        advbase, advskew, demotion, left = details
        what = "goodbye" if (advbase, advskew) == (255, 255) else f"advertisement {advbase}+{advskew}/256 s"
        return f"sent {what}{_demoted(demotion)}{'' if left else ', which did not leave'}"
    if kind == "heard":
        source, payload, refused = details
        return f"heard {_advertisement(payload)} from {source}{', not heeded by ' if refused else ''}{refused or ''}"
    return " ".join([kind, *(str(detail) for detail in details)])


def _advertisement(payload: bytes) -> str:
    try:
        one = Advertisement.decode(payload)
    except PacketError as error:
        return f"what is no advertisement ({error.reason})"
    what = "goodbye" if one.is_bow_out else f"advertisement {one.advbase}+{one.advskew}/256 s"
    return f"{what}{_demoted(one.demotion)}, counter {one.counter:016x}"


def _demoted(demotion: int) -> str:
    return f", demoted by {demotion}" if demotion else ""
