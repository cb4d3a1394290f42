# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run before ordinary work and never be swapped out, where the system permits it.

On a busy host an ordinary process wakes up tens of milliseconds late, a realtime one a fraction of one.
"""

from __future__ import annotations

import os

from .libc import call

_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4  # linux/mman.h


def become_realtime(priority: int, guard: int) -> list[str]:
    """Schedule this process first in, first out with a priority of 1 to 99, and lock its memory.

    Its guard, whose process id is given, is scheduled likewise.
    Returns what was not permitted, one sentence each; the daemon works without.
    """
    missing = []
    try:
        for pid in (0, guard):
            os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(priority))
    except OSError as error:
        missing.append(
            f"no realtime scheduling ({error.strerror}): on an overloaded host, intervals below 0.1 s may cause false "
            "failovers; grant CAP_SYS_NICE or a limit of realtime priority"
        )
    try:
        # What is used, now and later; not what is only mapped, which would triple the size.
        call("mlockall", _MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT)
    except OSError as error:
        missing.append(f"memory is not locked ({error.strerror or error}): swapping may delay advertisements")
    return missing
