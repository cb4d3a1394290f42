# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first line against two owners: a small process that gives the addresses up when the daemon cannot any more.

The daemon tells its guard what it holds, with a goodbye that is signed in advance. When the daemon dies, the kernel
closes its end of their socket; when it hangs, its heartbeat stops. Either way the guard removes the addresses and says
goodbye, so that a peer takes over within milliseconds. It is forked and not started anew: that shares the memory.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import select
import signal
import socket
import struct
import time
from collections.abc import Collection
from ipaddress import ip_interface
from typing import Any

from .config import Vip
from .forked import close_all_but
from .netlink import Link, Requests
from .wire import send_once

# The shared memory: the daemon counts its turns, the guard notes that it has acted. Each writes its own part only.
_TURNS = struct.Struct("=Q")
_ACTED_AT = _TURNS.size
_MESSAGE_SIZE = 65536
_END_TIME = 0.2  # seconds that a dismissed guard may take
_IDLE = 3600.0  # seconds between two looks at the heartbeat while nothing is held


class Guard:
    """The daemon's end."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)
        self._beats = 0
        self._held: dict[str, dict[str, Any]] = {}
        self._fork()

    def _fork(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setblocking(False)
        self.pid = os.fork()
        if self.pid == 0:
            _be_the_guard(theirs, self._memory)
        theirs.close()

    @property
    def patience(self) -> float:
        """How many seconds without a beat the guard allows; infinity while nothing is held."""
        return min((one["patience"] for one in self._held.values()), default=math.inf)

    @property
    def acted(self) -> bool:
        """Whether the guard has given everything up, since it thought that the daemon hung."""
        return bool(self._memory[_ACTED_AT])

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when the guard has gone."""
        return self._socket.fileno()

    def beat(self) -> None:
        """Show that the daemon works."""
        self._beats += 1
        _TURNS.pack_into(self._memory, 0, self._beats)

    def hold(self, vip: Vip, link: Link, bow_outs: Collection[bytes], patience: float) -> None:
        """Tell that the addresses of a virtual host are here now, and which packets say goodbye for them."""
        addresses = [str(address) for address in vip.addresses]
        message = {"name": vip.name, "interface": link.name, "ifindex": link.ifindex, "addresses": addresses}
        self._held[vip.name] = {**message, "bow_outs": [packet.hex() for packet in bow_outs], "patience": patience}
        self._tell(self._held[vip.name])

    def release(self, name: str) -> None:
        """Tell that these addresses are gone."""
        if self._held.pop(name, None) is not None:
            self._tell({"name": name})

    def replace(self) -> None:
        """Put a new guard in the place of one that has gone."""
        self._end()
        self._memory[_ACTED_AT] = 0
        self._fork()
        for message in self._held.values():
            self._tell(message)

    def close(self) -> None:
        """Dismiss the guard and wait for its end."""
        self._tell({"name": ""})
        self._end()
        self._memory.close()

    def _end(self) -> None:
        """Wait for its end; it takes a moment, unless somebody stopped it."""
        self._socket.close()
        deadline = time.monotonic() + _END_TIME
        try:
            while os.waitpid(self.pid, os.WNOHANG) == (0, 0):
                if time.monotonic() > deadline:
                    os.kill(self.pid, signal.SIGKILL)
                time.sleep(0.001)
        except (ChildProcessError, ProcessLookupError):
            return

    def _tell(self, message: dict[str, Any]) -> None:
        try:
            self._socket.send(json.dumps(message).encode())
        except BlockingIOError:
            os.kill(
                self.pid, signal.SIGKILL
            )  # it was stopped: the loop will notice that it has gone and make a new one
        except OSError:
            return  # it has gone, which the loop will notice


def _be_the_guard(daemon: socket.socket, memory: mmap.mmap) -> None:
    """Watch until dismissed, or until it is time to act. Never returns."""
    status = 1
    try:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, signal.SIG_IGN)
        close_all_but(daemon.fileno())
        held: dict[str, dict[str, Any]] = {}
        why = _watch(daemon, memory, held)
        if why:
            memory[_ACTED_AT] = 1
            _give_up(held)
            severity = "<3>" if "JOURNAL_STREAM" in os.environ else ""
            os.write(2, f"{severity}guard: the daemon {why}: gave up {', '.join(sorted(held))}\n".encode())
        status = 0
    finally:
        os._exit(status)


def _watch(daemon: socket.socket, memory: mmap.mmap, held: dict[str, dict[str, Any]]) -> str:
    """Keep book of what is held; return what happened to the daemon, or nothing if it ended in order."""
    last_beat, seen_at, looked_at = -1, time.monotonic(), time.monotonic()
    while True:
        patience = min((one["patience"] for one in held.values()), default=_IDLE)
        readable, _writable, _errors = select.select([daemon], [], [], patience / 2)
        if readable:
            data = daemon.recv(_MESSAGE_SIZE)
            if not data:
                return "died" if held else ""
            message = json.loads(data)
            if not message["name"]:
                return ""
            held.pop(message["name"], None)
            if "addresses" in message:
                held[message["name"]] = message
        now, (beat,) = time.monotonic(), _TURNS.unpack_from(memory)
        # A guard that was stopped itself, or had nothing to guard, begins to count anew.
        if beat != last_beat or now - looked_at > patience or not held:
            last_beat, seen_at = beat, now
        elif now - seen_at >= patience:
            return f"did not work for {now - seen_at:.1f} s"
        looked_at = now


def _give_up(held: dict[str, dict[str, Any]]) -> None:
    """Remove first and say goodbye then: the daemon is not there to hand over without a gap."""
    requests = Requests()
    for one in held.values():
        try:
            requests.release(one["ifindex"], [ip_interface(address) for address in one["addresses"]])
            for packet in one["bow_outs"]:
                send_once(one["interface"], bytes.fromhex(packet))
        except OSError:
            continue  # the lease ends what cannot be done here
