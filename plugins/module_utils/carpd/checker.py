# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that runs the checks, so that nothing they wait for holds the daemon up.

It is forked from the daemon as the guard is, which shares the memory, but works with ordinary scheduling: a thread
for each check, which tells the daemon each result by their socket. It ends as soon as the daemon does.
"""

from __future__ import annotations

import json
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Sequence

from .checkconfig import Check
from .forked import become_ordinary, drop_ambient_capabilities
from .typed import NamedTuple

_Look = Callable[[Check], "tuple[bool, str]"]
_MESSAGE_SIZE = 8192
_READ_AT_ONCE = 100  # messages, so that no flood of results keeps the daemon from its packets
_STACK = 512 * 1024  # bytes for each check


class Result(NamedTuple):
    """What one look at a target found, and how many seconds that took."""

    name: str
    ok: bool
    detail: str
    duration: float


class Checker:
    """The daemon's end. Raises OSError when there can be no other process."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setblocking(False)
        try:
            self.pid = os.fork()
        except OSError:
            self._socket.close()
            theirs.close()
            raise
        if self.pid == 0:
            _be_the_checker(theirs, checks)
        theirs.close()

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when there are results, or the checker has gone."""
        return self._socket.fileno()

    def read(self) -> list[Result] | None:
        """Return the results that have arrived, without waiting; None when the checker has gone."""
        results: list[Result] = []
        try:
            for _count in range(_READ_AT_ONCE):
                data = self._socket.recv(_MESSAGE_SIZE)
                if not data:
                    return results or None
                results.append(Result(*json.loads(data)))
        except BlockingIOError:
            return results
        except OSError:
            return None
        return results

    def close(self) -> None:
        """Let the checker end, which it does by itself; see ``reap``."""
        self._socket.close()


def _be_the_checker(daemon: socket.socket, checks: Sequence[Check]) -> None:
    """Check until the daemon has gone. Never returns."""
    status = 1
    try:
        become_ordinary(daemon.fileno())
        # Here, so that what only checks need takes no memory of the daemon's.
        from .checks import look
        from .commands import kill_all, refuse

        if not drop_ambient_capabilities():
            refuse("the daemon's capabilities cannot be kept from it")
        threading.stack_size(_STACK)
        for check in checks:
            threading.Thread(target=_repeat, args=(check, look, daemon), name=check.name, daemon=True).start()
        # Nothing is ever written to us: what makes the socket readable is its end.
        select.select([daemon], [], [])
        kill_all()
        status = 0
    finally:
        os._exit(status)


def _repeat(check: Check, look: _Look, daemon: socket.socket) -> None:
    """Look again and again, as often as the check wants, and tell what was found."""
    while True:
        begun = time.monotonic()
        ok, detail = look(check)
        duration = time.monotonic() - begun
        try:
            daemon.send(json.dumps([check.name, ok, detail, round(duration, 6)]).encode())
        except OSError:
            return  # the daemon has gone
        time.sleep(max(0.0, begun + check.interval - time.monotonic()))
