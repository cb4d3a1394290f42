# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ucarp processes of a host: which run, what they were told, how to end and start them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from . import ucarp

PROC = "/proc"
_POLL = 0.05


@dataclass(frozen=True)
class Process:
    """A process; ``words`` is its command line, the program's path first."""

    pid: int
    words: tuple[str, ...]


def running(proc: str = PROC) -> list[Process]:
    """Return all processes of ucarp."""
    found = []
    for name in os.listdir(proc):
        if not name.isdigit():
            continue
        try:
            with open(os.path.join(proc, name, "cmdline"), "rb") as file:
                words = tuple(os.fsdecode(word) for word in file.read().split(b"\0")[:-1])
        except OSError:
            continue
        if words and os.path.basename(words[0]) == os.path.basename(ucarp.PROGRAM):
            found.append(Process(int(name), words))
    return sorted(found, key=lambda process: process.pid)


def end(processes: Iterable[Process], seconds: float, proc: str = PROC) -> list[Process]:
    """Ask processes to end, and return those that are still there after ``seconds``.

    SIGTERM makes ucarp run its down script first, if it was started with -z.
    """
    waiting = list(processes)
    for process in waiting:
        _signal(process, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while waiting and time.monotonic() < deadline:
        time.sleep(_POLL)
        there = {process.pid: process.words for process in running(proc)}
        waiting = [process for process in waiting if there.get(process.pid) == process.words]
    return waiting


def kill(processes: Iterable[Process]) -> None:
    """End processes that did not when they were asked to."""
    for process in processes:
        _signal(process, signal.SIGKILL)


def start(words: list[str]) -> str:
    """Start a ucarp that goes to the background by itself, and return what it complains about, if it does."""
    background = any(letter == "B" for letter, _value in ucarp.options(words[1:]))
    command = words if background else [*words, "-B"]
    try:
        # Not run_command, which reads what it writes: a ucarp in the background never closes that.
        ran = subprocess.run(  # pylint: disable=ansible-bad-function
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return f"ended with status {ran.returncode}" if ran.returncode else ""


def _signal(process: Process, number: signal.Signals) -> None:
    try:
        os.kill(process.pid, number)
    except ProcessLookupError:
        return


Run = Callable[..., "tuple[int, str, str]"]


def held(run: Run) -> dict[str, list[str]]:
    """Return the host's IPv4 addresses with prefix lengths, by interface. ``run`` is Ansible's run_command."""
    code, out, _err = run(["ip", "-json", "-4", "address", "show"])
    found: dict[str, list[str]] = {}
    for link in json.loads(out) if code == 0 and out.strip() else []:
        entries = [entry for entry in link.get("addr_info", []) if "local" in entry]
        if entries:
            found[link["ifname"]] = [f"{entry['local']}/{entry['prefixlen']}" for entry in entries]
    return found
