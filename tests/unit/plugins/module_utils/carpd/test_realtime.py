# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Realtime priority: what is asked of the system, and one clear sentence for each thing that it does not permit."""

from __future__ import annotations

import errno
import os
from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd import realtime
from ansible_collections.failover.carp.plugins.module_utils.carpd.realtime import become_realtime

GUARD = 4711


def fail(error: Exception) -> None:
    raise error


class System:
    """Stands in for the scheduler and the C library, so that the tests' own process stays an ordinary one."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.scheduler_error: OSError | None = None
        self.lock_error = 0

    def sched_setscheduler(self, pid: int, policy: int, parameters: os.sched_param) -> None:
        self.asked.append(("scheduler", pid, policy, parameters.sched_priority))
        if isinstance(self.scheduler_error, OSError):
            fail(self.scheduler_error)

    def call(self, name: str, *numbers: int) -> None:
        self.asked.append((name, *numbers))
        if self.lock_error:
            fail(OSError(self.lock_error, os.strerror(self.lock_error)))


@pytest.fixture(name="system")
def system_(monkeypatch: pytest.MonkeyPatch) -> System:
    system = System()
    monkeypatch.setattr(os, "sched_setscheduler", system.sched_setscheduler)
    monkeypatch.setattr(realtime, "call", system.call)
    return system


def test_where_all_is_permitted(system: System) -> None:
    assert become_realtime(50, GUARD) == []
    # MCL_CURRENT, MCL_FUTURE and MCL_ONFAULT of linux/mman.h.
    assert system.asked == [
        ("scheduler", 0, os.SCHED_FIFO, 50),
        ("scheduler", GUARD, os.SCHED_FIFO, 50),
        ("mlockall", 7),
    ]


def test_where_nothing_is_permitted(system: System) -> None:
    system.scheduler_error = PermissionError(errno.EPERM, "Operation not permitted")
    system.lock_error = errno.ENOMEM
    scheduling, memory = become_realtime(50, GUARD)
    assert scheduling.startswith("no realtime scheduling (Operation not permitted): ")
    assert "CAP_SYS_NICE" in scheduling
    assert memory == "memory is not locked (Cannot allocate memory): swapping may delay advertisements"


def test_one_of_them_is_permitted(system: System) -> None:
    system.scheduler_error = PermissionError(errno.EPERM, "Operation not permitted")
    assert len(become_realtime(50, GUARD)) == 1
    system.scheduler_error, system.lock_error = None, errno.EPERM
    assert become_realtime(50, GUARD) == [
        "memory is not locked (Operation not permitted): swapping may delay advertisements"
    ]


def test_where_foreign_functions_do_not_work(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realtime, "call", lambda *_given: fail(OSError("No module named '_ctypes'")))
    assert become_realtime(50, GUARD) == [
        "memory is not locked (No module named '_ctypes'): swapping may delay advertisements"
    ]


def test_each_sentence_is_one_line(system: System) -> None:
    system.scheduler_error = PermissionError(errno.EPERM, "Operation not permitted")
    system.lock_error = errno.EPERM
    assert all(len(notice.splitlines()) == 1 for notice in become_realtime(1, GUARD))
