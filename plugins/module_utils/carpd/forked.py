# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What processes that are forked from the daemon do first, and how the daemon is rid of them."""

from __future__ import annotations

import os
import signal

_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4  # linux/prctl.h


def close_all_but(*kept: int) -> None:
    """Close what is inherited from the running daemon; the limit of descriptors may be a thousand million."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in kept:
            try:
                os.close(int(name))
            except OSError:
                continue  # the one that listed them


def become_ordinary(*kept: int) -> None:
    """Lose everything of the daemon's that another process has no use for; the descriptors ``kept`` stay."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        # The service manager sends these to everyone at once, but only the daemon decides when it ends. Handled and not
        # ignored, for commands would inherit that.
        signal.signal(number, lambda *_arguments: None)
    os.setsid()
    close_all_but(*kept)
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def drop_ambient_capabilities() -> bool:
    """Clear the set by which a service manager gives capabilities to a user's programs, so that commands get none.

    What this process has itself, it keeps: a gateway is asked by packet socket. Returns whether the set is empty.
    """
    import contextlib  # here, since the guard loads this file, and has no use for either

    from .libc import call

    with contextlib.suppress(OSError):  # what counts is what the kernel says now
        call("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        ambient = [line.split()[1] for line in file if line.startswith("CapAmb:")]
    return all(int(each, 16) == 0 for each in ambient)


def reap(pid: int) -> bool:
    """Tell, without waiting, whether this child process has ended."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True
