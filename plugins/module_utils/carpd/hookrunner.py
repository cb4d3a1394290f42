# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that runs the hooks, so that none of them holds the daemon up, whatever it does.

It is forked from the daemon as the checker is, and works with ordinary scheduling: a thread for each hook that runs. It
ends, and kills what runs, as soon as the daemon has gone.
"""

from __future__ import annotations

import json
import os
import select
import socket
import threading
import time
from collections.abc import Mapping

from .forked import become_ordinary, drop_ambient_capabilities
from .typed import NamedTuple

_MESSAGE_SIZE = 65536
_STACK = 512 * 1024  # bytes for each hook
_LONGEST_DETAIL = 500
_FINISH = b"finish"


class Call(NamedTuple):
    """A command to run for a virtual host. ``option`` is the option that asks for it."""

    vip: str
    option: str
    words: tuple[str, ...]
    environment: Mapping[str, str]
    timeout: float
    user: str


class Ended(NamedTuple):
    """How the command of a virtual host ended: its status, or why it has none, what it said last, and the seconds."""

    vip: str
    status: int | None
    detail: str
    duration: float


class HookRunner:
    """The daemon's end. Raises OSError when there can be no other process."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setblocking(False)
        try:
            self.pid = os.fork()
        except OSError:
            self._socket.close()
            theirs.close()
            raise
        if self.pid == 0:
            _be_the_runner(theirs)
        theirs.close()

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when a hook has ended, or the runner has gone."""
        return self._socket.fileno()

    def run(self, call: Call) -> bool:
        """Have a command run. Returns False when the runner does not take it: it has gone, or is stopped."""
        try:
            self._socket.send(json.dumps(call).encode())
        except OSError:
            return False
        return True

    def read(self) -> list[Ended] | None:
        """Return what has ended, without waiting; None when the runner has gone."""
        ended: list[Ended] = []
        try:
            while True:
                data = self._socket.recv(_MESSAGE_SIZE)
                if not data:
                    return ended or None
                ended.append(Ended(*json.loads(data)))
        except BlockingIOError:
            return ended
        except OSError:
            return None

    def dismiss(self) -> None:
        """Let the runner end when all that it runs has ended."""
        try:
            self._socket.send(_FINISH)
        except OSError:
            return  # it has gone, or will be gone with us

    def close(self) -> None:
        """Let the runner end, which it does by itself, and all that it runs with it."""
        self._socket.close()


def _be_the_runner(daemon: socket.socket) -> None:
    """Run hooks until the daemon has gone. Never returns."""
    status = 1
    try:
        become_ordinary(daemon.fileno())
        # Here, so that what only hooks need takes no memory of the daemon's.
        from .commands import kill_all, refuse

        if not drop_ambient_capabilities():
            refuse("the daemon's capabilities cannot be kept from it")
        threading.stack_size(_STACK)
        running: list[threading.Thread] = []
        while True:
            select.select([daemon], [], [])
            data = daemon.recv(_MESSAGE_SIZE)
            if not data:
                break
            running = [thread for thread in running if thread.is_alive()]
            if data == _FINISH:
                for thread in running:
                    thread.join()
                break
            call = Call(*json.loads(data))
            running.append(threading.Thread(target=_run, args=(call, daemon), name=call.vip, daemon=True))
            running[-1].start()
        kill_all()
        status = 0
    finally:
        os._exit(status)


def _run(call: Call, daemon: socket.socket) -> None:
    from .commands import Overdue, run

    begun = time.monotonic()
    status: int | None = None
    try:
        status, detail = run(list(call.words), call.timeout, call.environment, call.user)
    except Overdue:
        detail = f"killed, since it may take {call.timeout:g} s"
    except (OSError, ValueError) as error:
        detail = f"cannot be started: {getattr(error, 'strerror', '') or error}"
    except KeyError:
        detail = f"cannot be started: there is no user {call.user}"
    ended = Ended(call.vip, status, detail[:_LONGEST_DETAIL], round(time.monotonic() - begun, 6))
    try:
        daemon.send(json.dumps(ended).encode())
    except OSError:
        return  # the daemon has gone
