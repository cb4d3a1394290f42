# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What virtual hosts ask about connections is done in order, told in the loop, and told once when it cannot be done."""

from __future__ import annotations

import errno
import logging
import os
import selectors
import time
from collections.abc import Collection, Iterator
from ipaddress import ip_interface
from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd import nftables, sessions
from ansible_collections.failover.carp.plugins.module_utils.carpd.config import Vip
from ansible_collections.failover.carp.plugins.module_utils.carpd.connections import Connections
from ansible_collections.failover.carp.plugins.module_utils.carpd.events import dispatch

PATIENCE = 10.0


def vip(name: str, address: str, group: str = "", **more: Any) -> Vip:
    fields = {"interface": "eth1", "vhid": 1, "addresses": (ip_interface(address),), "password": b"sesame"}
    timing = {"advbase": 1, "advskew": 0, "preempt": True, "dead_ratio": 3, "source": None}
    return Vip(name=name, group=group, **{**fields, **timing, "drain": 5.0, "reset_sessions": True, **more})


SMTP, IMAP, WEB = vip("smtp", "10.0.0.1/24", "mail"), vip("imap", "10.0.0.2/24", "mail"), vip("web", "10.0.0.3/24")


class Kernel:
    """Stands for nftables and the diagnosis of sockets."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.fails: dict[str, int] = {}
        self.connections = {"10.0.0.1": 2, "10.0.0.2": 3}

    def do(self, what: str, about: str = "") -> None:
        if what in self.fails:
            raise OSError(self.fails[what], os.strerror(self.fails[what]))
        self.done.append(f"{what} {about}".strip())

    def hold(self, name: str, addresses: Collection[Any], ports: Collection[int]) -> None:
        self.do("hold", f"{name} {len(addresses)} {len(ports)}")

    def let_in(self, name: str) -> None:
        self.do("let in", name)

    def find(self, addresses: Collection[Any], ports: Collection[int], all_left: bool = False) -> list[str]:
        self.do("find", f"{addresses[0]}{' all' if all_left else ''}")
        return ["one"] * self.connections.get(str(addresses[0]), 0)

    def destroy(self, found: list[str]) -> int:
        self.do("destroy")
        return len(found)

    def close(self) -> None:
        self.done.append("close")


class Loop:
    def __init__(self) -> None:
        self.selector = selectors.SelectSelector()
        self.connections = Connections(self.selector)
        self.told: list[Any] = []

    def until(self, *told: Any) -> None:
        """Let the loop turn until this was told, and nothing is under way."""
        end = time.monotonic() + PATIENCE
        while self.told != list(told) or self.connections._busy:
            assert time.monotonic() < end, self.told
            dispatch(self.selector, end - time.monotonic())
        self.told.clear()


@pytest.fixture(name="kernel")
def kernel_(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    kernel = Kernel()
    monkeypatch.setattr(nftables, "HeldBack", lambda: kernel)
    monkeypatch.setattr(sessions, "Sessions", lambda: kernel)
    return kernel


@pytest.fixture(name="loop")
def loop_(kernel: Kernel, caplog: pytest.LogCaptureFixture) -> Iterator[Loop]:
    caplog.set_level(logging.INFO)
    loop = Loop()
    yield loop
    loop.connections.close()
    assert not loop.selector.get_map()


def count(loop: Loop, one: Vip) -> None:
    loop.connections.count(one, loop.told.append, lambda: loop.told.append("failed"))


def hold(loop: Loop, one: Vip) -> None:
    loop.connections.hold_back(one, lambda: loop.told.append("failed"))


def test_without_any_that_drains_nothing_is_done(loop: Loop, kernel: Kernel) -> None:
    loop.connections.configure([vip("plain", "10.0.0.4/24", drain=0.0, reset_sessions=False)])
    assert not loop.selector.get_map() and kernel.done == [] and not loop.connections.busy


def test_it_is_tried_before_it_is_needed(loop: Loop, kernel: Kernel) -> None:
    """By a table without a rule, which is that of no virtual host."""
    loop.connections.configure([SMTP, IMAP])
    loop.until()
    assert kernel.done == ["hold  0 0", "let in", "find 10.0.0.1"]


def test_a_drain_from_its_beginning_to_its_end(loop: Loop, kernel: Kernel, caplog: pytest.LogCaptureFixture) -> None:
    hold(loop, WEB)
    count(loop, WEB)
    assert loop.connections.busy
    loop.until(0)
    loop.connections.reset(SMTP, lambda: loop.told.append("reset"))
    loop.until("reset")
    loop.connections.reset(SMTP, lambda: loop.told.append("cleared"), lost=True)
    loop.connections.let_in(WEB)
    loop.connections.let_in(WEB)
    loop.until("cleared")
    assert kernel.done == [
        "hold web 1 0",
        "find 10.0.0.3",
        "find 10.0.0.1",
        "destroy",
        "find 10.0.0.1 all",
        "destroy",
        "let in web",
    ]
    assert caplog.messages == ["smtp: 2 connections were reset"] * 2
    assert not loop.connections.busy


def test_a_group_leaves_when_the_last_connection_of_any_has_ended(loop: Loop, kernel: Kernel) -> None:
    for one in (SMTP, IMAP, WEB):
        hold(loop, one)
    loop.until()
    kernel.done.clear()
    for one in (SMTP, IMAP, WEB):
        count(loop, one)
    loop.until(5, 5, 0)
    loop.connections.let_in(IMAP)
    count(loop, SMTP)
    loop.until(2)


def test_what_fails_is_told_and_logged_once(loop: Loop, kernel: Kernel, caplog: pytest.LogCaptureFixture) -> None:
    kernel.fails = {"hold": errno.EPERM, "find": errno.ENOENT}
    for one in (SMTP, WEB):
        hold(loop, one)
        count(loop, one)
        loop.connections.reset(one, lambda: loop.told.append("reset"))
    loop.until("failed", "failed", "reset", "failed", "failed", "reset")
    assert sorted(caplog.messages) == [
        "connections cannot be counted before a handover: No such file or directory",
        "connections cannot be ended before or after a handover: No such file or directory",
        "new connections cannot be held back before a handover: Operation not permitted",
    ]


def test_what_is_still_to_be_done_is_done_at_the_end(kernel: Kernel) -> None:
    loop = Loop()
    hold(loop, SMTP)
    loop.connections.reset(SMTP, lambda: loop.told.append("reset"), lost=True)
    loop.connections.let_in(SMTP)
    loop.connections.close()
    assert kernel.done == ["hold smtp 1 0", "find 10.0.0.1 all", "destroy", "let in smtp", "close", "close"]
    assert loop.told == []
