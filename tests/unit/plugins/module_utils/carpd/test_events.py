# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A turn of the loop: everyone who is ready is called back once, unless somebody before closed what it was to read."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable, Iterator

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd.events import dispatch


class InOrder(selectors.SelectSelector):
    """Who is ready comes in the order of registration."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.timeout = timeout
        order = [key.fd for key in self.get_map().values()]
        return sorted(super().select(timeout), key=lambda pair: order.index(pair[0].fd))


class Ends:
    """Pairs of sockets, of which one end is watched."""

    def __init__(self) -> None:
        self.selector = InOrder()
        self.called: list[str] = []
        self._open: list[socket.socket] = []

    def watch(self, name: str, ready: bool, action: Callable[[], None] = lambda: None) -> socket.socket:
        near, far = socket.socketpair()
        self._open += [near, far]
        if ready:
            far.send(b"x")

        def called_back() -> None:
            self.called.append(name)
            action()

        self.selector.register(near, selectors.EVENT_READ, called_back)
        return near

    def forget(self, one: socket.socket) -> None:
        self.selector.unregister(one)
        one.close()

    def close(self) -> None:
        self.selector.close()
        for one in self._open:
            one.close()


@pytest.fixture(name="ends")
def ends_() -> Iterator[Ends]:
    ends = Ends()
    yield ends
    ends.close()


def test_who_is_ready_is_called_back_once(ends: Ends) -> None:
    ends.watch("one", True)
    ends.watch("two", False)
    ends.watch("three", True)
    dispatch(ends.selector, 0.0)
    assert ends.called == ["one", "three"]


def test_nobody_is_ready(ends: Ends) -> None:
    ends.watch("one", False)
    dispatch(ends.selector, 0.0)
    assert ends.called == []
    assert ends.selector.timeout == 0.0


def test_whoever_was_unregistered_meanwhile_is_passed_over(ends: Ends) -> None:
    ends.watch("one", True, lambda: ends.forget(two))
    two = ends.watch("two", True)
    ends.watch("three", True)
    dispatch(ends.selector, 0.0)
    assert ends.called == ["one", "three"]


def test_a_new_one_with_the_same_number_was_not_ready(ends: Ends) -> None:
    def replace() -> None:
        number = two.fileno()
        ends.forget(two)
        assert ends.watch("new", False).fileno() == number, "the lowest free number is given out again"

    ends.watch("one", True, replace)
    two = ends.watch("two", True)
    dispatch(ends.selector, 0.0)
    assert ends.called == ["one"]


def test_one_that_unregisters_itself(ends: Ends) -> None:
    one = ends.watch("one", True, lambda: ends.forget(one))
    ends.watch("two", True)
    dispatch(ends.selector, 0.0)
    assert ends.called == ["one", "two"]


def test_woken_comes_first(ends: Ends) -> None:
    ends.watch("one", True)
    dispatch(ends.selector, 0.0, lambda: ends.called.append("woken"))
    assert ends.called == ["woken", "one"]


def test_woken_comes_also_when_nobody_is_ready(ends: Ends) -> None:
    dispatch(ends.selector, 0.0, lambda: ends.called.append("woken"))
    assert ends.called == ["woken"]


def test_what_woken_unregisters_is_passed_over(ends: Ends) -> None:
    one = ends.watch("one", True)
    dispatch(ends.selector, 0.0, lambda: ends.forget(one))
    assert ends.called == []


def test_it_waits_as_long_as_it_takes(ends: Ends) -> None:
    ends.watch("one", True)
    dispatch(ends.selector, None)
    assert ends.called == ["one"]
    assert ends.selector.timeout is None
