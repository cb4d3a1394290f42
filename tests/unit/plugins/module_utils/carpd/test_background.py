# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work in the background: in order, with its outcome told in the loop, and without ever holding that up."""

from __future__ import annotations

import errno
import os
import selectors
import threading
import time
from collections.abc import Iterator

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd.background import Background
from ansible_collections.failover.carp.plugins.module_utils.carpd.events import dispatch

PATIENCE = 10.0


class Loop:
    def __init__(self) -> None:
        self.selector = selectors.SelectSelector()
        self.background = Background(self.selector)
        self.told: list[str] = []

    def until(self, count: int) -> list[str]:
        """Let the loop turn until so many jobs have told how they ended."""
        end = time.monotonic() + PATIENCE
        while len(self.told) < count:
            dispatch(self.selector, end - time.monotonic())
            assert time.monotonic() < end
        return self.told


@pytest.fixture(name="loop")
def loop_() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    if loop.selector.get_map():
        loop.background.close()
    loop.selector.close()


def fail() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_in_order_and_in_the_loop_s_own_thread(loop: Loop) -> None:
    done: list[object] = []
    here = threading.get_ident()
    for number in range(10):
        loop.background.submit(
            lambda number=number: done.append((number, threading.get_ident() == here)),
            lambda error: loop.told.append(error if threading.get_ident() == here else "elsewhere"),
        )
    assert loop.until(10) == [""] * 10
    assert done == [(number, False) for number in range(10)]


def test_what_fails_is_told_and_the_next_is_done(loop: Loop) -> None:
    loop.background.submit(fail, loop.told.append)
    loop.background.submit(lambda: None, loop.told.append)
    assert loop.until(2) == ["No space left on device", ""]


def test_no_thread_before_there_is_work() -> None:
    before = threading.active_count()
    loop = Loop()
    assert threading.active_count() == before
    loop.background.close()


def test_a_disk_that_hangs_costs_jobs_and_no_time(loop: Loop) -> None:
    go_on, begun = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        go_on.wait(PATIENCE)

    loop.background.submit(hang, loop.told.append)
    assert begun.wait(PATIENCE)
    for _number in range(16):
        loop.background.submit(lambda: None, loop.told.append)
    assert loop.told == []
    loop.background.submit(lambda: None, loop.told.append)
    assert loop.told == ["Device or resource busy"], "at once"
    go_on.set()
    assert loop.until(18)[1:] == [""] * 17


def test_the_end_waits_for_what_is_to_be_done(loop: Loop) -> None:
    done = []
    for number in range(5):
        loop.background.submit(lambda number=number: done.append(number), loop.told.append)
    loop.background.close()
    assert done == [0, 1, 2, 3, 4]


def test_the_end_does_not_wait_for_a_disk_that_hangs(loop: Loop) -> None:
    go_on = threading.Event()

    def hang() -> None:
        go_on.wait(60)

    loop.background.submit(hang, loop.told.append)
    before = time.monotonic()
    loop.background.close()
    assert time.monotonic() - before < PATIENCE
    go_on.set()
