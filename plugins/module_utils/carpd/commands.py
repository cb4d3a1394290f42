# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run other people's commands: without a shell, for a bounded time, and never leave anything of theirs behind."""

from __future__ import annotations

import errno
import os
import pwd
import select
import signal
import subprocess
import threading
import time
from collections.abc import Mapping

from .typed import Any

_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
_KEPT_OUTPUT = 4096  # bytes, of the end
# How often, in seconds, is looked whether a command has ended that left children behind with its output, or closed it.
_LOOK_AGAIN, _CLOSED_LOOK = 0.1, 0.01

_refusals: list[str] = []
_running: set[subprocess.Popen[bytes]] = set()
_lock = threading.Lock()


class Overdue(Exception):
    """The command did not end in time; it is killed."""


def run(
    words: list[str], timeout: float, environment: Mapping[str, str] | None = None, user: str = ""
) -> tuple[int, str]:
    """Run a command in a session of its own and return its status, negative for a signal, and its output's last line.

    It gets the environment beside PATH and LANG, and runs as the user, by default that of this process.
    Raises OSError when it cannot be started, KeyError when there is no such user, and Overdue. When this
    returns, all that it started in its process group is gone.
    """
    if _refusals:
        raise OSError(errno.EPERM, _refusals[0])
    end = time.monotonic() + timeout
    identity = _identity(user)
    with _lock:
        # The daemon is no module, and has no run_command.
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={**_ENVIRONMENT, **(environment or {})},
            start_new_session=True,
            **identity,
        )
        _running.add(process)
    try:
        return _attend(process, end)
    finally:
        with _lock:
            _running.discard(process)
            _kill(process)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _identity(user: str) -> dict[str, Any]:
    """Return how to become another user: with its own groups, and none of ours."""
    if not user:
        return {}
    entry = pwd.getpwnam(user)
    if entry.pw_uid == os.geteuid():
        return {}
    groups = os.getgrouplist(user, entry.pw_gid)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": groups}


def refuse(reason: str) -> None:
    """Run no command any more, for this reason."""
    _refusals.append(reason)


def kill_all() -> None:
    """Kill all commands that run; none is started any more. For the end of this process."""
    _lock.acquire()
    for process in _running:
        _kill(process)


def _attend(process: subprocess.Popen[bytes], end: float) -> tuple[int, str]:
    if process.stdout is None:
        raise OSError("the command was started without a pipe")
    pipe = process.stdout.fileno()
    os.set_blocking(pipe, False)
    output, ended, at_end = b"", False, False
    while not ended:
        left = end - time.monotonic()
        if left <= 0:
            raise Overdue
        if not at_end:
            select.select([pipe], [], [], min(left, _LOOK_AGAIN))
        else:
            time.sleep(min(left, _CLOSED_LOOK))  # it has closed its output, so it is about to end
        # Without reaping: its process group stays its own until it has been killed.
        ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        more, at_end = _drain(pipe)
        output = (output + more)[-_KEPT_OUTPUT:]
    _kill(process)
    lines = output.decode("utf-8", "replace").strip().splitlines()
    return process.wait(), lines[-1] if lines else ""


def _drain(pipe: int) -> tuple[bytes, bool]:
    """Return what there is to read, but no more than a pipe holds, and whether nothing can come any more."""
    data = b""
    while len(data) < 65536:
        try:
            more = os.read(pipe, 65536)
        except BlockingIOError:
            return data, False
        if not more:
            return data, True
        data += more
    return data, False


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the whole group of a command that has not been reaped yet."""
    if process.returncode is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
