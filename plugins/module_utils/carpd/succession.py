# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replace the daemon's program, by the same or a newer one, without giving up an address or missing an advertisement.

The process stays what it is to the service manager: only its program is loaded anew (execve(2)). What the virtual hosts
know goes along in a file without a name. Meanwhile the guard advertises in the daemon's place; should the new program
not come up, it gives the addresses up as it does when a daemon dies.

Nobody is heard while the program is loaded, for 0.2 to 0.3 s. It is not that the packets are lost: if the sockets
outlived the program, they would be read when the new one is there, and no sooner; by then its first advertisement has
made a better host speak up anyhow. To hear them meanwhile, the guard would have to know digests and ranks, and it is
there because it knows next to nothing; or a second process would have to be loaded beside the first, and be another one
to the service manager.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Mapping

from .sentry import DISMISSAL
from .typed import Any, NamedTuple

_VARIABLE = "CARPD_INHERITANCE"
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


class Inheritance(NamedTuple):
    """What one program of the daemon leaves to the next.

    ``hosts`` is what each virtual host knows, by name, as JSON can carry it, ``demoted`` what the operator ordered, and
    ``roles`` what hooks were told last. ``guard`` is the descriptor by which the guard that stands in is dismissed, and
    ``children`` are processes that end.
    """

    hosts: dict[str, dict[str, Any]]
    demoted: dict[str, str]
    roles: dict[str, str]
    guard: int
    children: list[int]


def leave(inheritance: Inheritance, environment: Mapping[str, str]) -> None:
    """Load the program anew, with ``environment`` beside what the process has. Returns only by raising OSError."""
    will = os.memfd_create("carpd-inheritance")
    os.write(will, json.dumps(inheritance._asdict()).encode())
    for descriptor in (will, inheritance.guard):
        os.set_inheritable(descriptor, True)
    # A signal for the daemon must not meet a program that has no handler yet.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    with open("/proc/self/cmdline", "rb") as file:
        arguments = [os.fsdecode(part) for part in file.read().split(b"\0")[:-1]]
    os.execve(sys.executable, arguments, {**os.environ, **environment, _VARIABLE: str(will)})


def take() -> Inheritance | None:
    """Return what an earlier program has left, if there was one."""
    will = os.environ.pop(_VARIABLE, "")
    if not will:
        return None
    with open(int(will), "rb") as file:
        file.seek(0)
        inheritance = Inheritance(**json.load(file))
    os.set_inheritable(inheritance.guard, False)
    return inheritance


def hear_signals() -> None:
    """Let signals through again that ``leave`` has held back."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


def dismiss(guard: int) -> None:
    """Let the guard go that stood in."""
    with socket.socket(fileno=guard) as end:
        try:
            end.send(DISMISSAL)
        except OSError:
            return  # it has given up, and gone


def is_standing_in(guard: int) -> bool:
    """Tell whether the guard still holds what was left to it."""
    end = socket.socket(fileno=os.dup(guard))
    with end:
        try:
            return end.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False
