# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Functions of the real C library, those that do no harm, and one clear error where there are none."""

from __future__ import annotations

import _ctypes
import errno
import os
import sys

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd.libc import call

NOBODYS = 2**22  # beyond any process id (Linux, include/linux/threads.h PID_MAX_LIMIT)


def test_what_succeeds() -> None:
    call("getpgid", 0)
    call("getpriority", os.PRIO_PROCESS, os.getpid())


def test_what_fails() -> None:
    with pytest.raises(ProcessLookupError) as caught:
        call("getpgid", NOBODYS)
    assert (caught.value.errno, caught.value.strerror) == (errno.ESRCH, "No such process")


def test_a_function_that_there_is_not() -> None:
    with pytest.raises(OSError, match="no_such_function"):
        call("no_such_function")


def test_without_foreign_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "_ctypes", None)
    with pytest.raises(OSError, match="_ctypes"):
        call("getpgid", 0)


def test_without_memory_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_name: str | None, _flags: int) -> int:
        raise MemoryError("no executable memory")

    monkeypatch.setattr(_ctypes, "dlopen", refuse)
    with pytest.raises(OSError, match="no executable memory"):
        call("getpgid", 0)
