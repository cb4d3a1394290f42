# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notices to the service manager: they arrive as sd_notify(3) says, and one that does not listen costs nothing."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd.notify import Notifier

PATIENCE = 10.0


@pytest.fixture(autouse=True)
def _no_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    # First set: so all is put back even though a notifier takes it out of the environment.
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.fixture(name="manager")
def manager_(socket_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The service manager's end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(socket_dir / "notify"))
        manager.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", str(socket_dir / "notify"))
        yield manager


def test_assignments_come_one_a_line_in_one_packet(manager: socket.socket) -> None:
    notifier = Notifier()
    notifier.tell("READY=1", "STATUS=2 virtual hosts")
    notifier.tell("WATCHDOG=1")
    assert manager.recv(1000) == b"READY=1\nSTATUS=2 virtual hosts"
    assert manager.recv(1000) == b"WATCHDOG=1"


def test_an_abstract_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"carpd-test-{os.getpid()}-{id(monkeypatch)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}")
        manager.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        Notifier().tell("READY=1")
        assert manager.recv(1000) == b"READY=1"


def test_children_do_not_inherit_it(manager: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "5000000")
    Notifier()
    assert "NOTIFY_SOCKET" not in os.environ
    assert "WATCHDOG_USEC" not in os.environ


def test_without_a_manager() -> None:
    notifier = Notifier()
    notifier.tell("READY=1")
    assert notifier.watchdog is None


def test_a_manager_that_is_gone(manager: socket.socket) -> None:
    notifier = Notifier()
    manager.close()
    notifier.tell("READY=1")


def test_a_socket_that_never_was(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / ("x" * 200)))
    Notifier().tell("READY=1")


def test_a_manager_that_does_not_read_holds_nobody_up(manager: socket.socket) -> None:
    notifier = Notifier()

    def flood() -> None:
        for _number in range(10_000):
            notifier.tell("WATCHDOG=1")

    thread = threading.Thread(target=flood, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert manager.recv(1000) == b"WATCHDOG=1"


@pytest.mark.parametrize(("text", "seconds"), [("5000000", 5.0), ("1500000", 1.5), ("1", 1e-6)])
def test_watchdog(manager: socket.socket, monkeypatch: pytest.MonkeyPatch, text: str, seconds: float) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", text)
    assert Notifier().watchdog == seconds


@pytest.mark.parametrize("text", ["", "0", "-1", "soon", "1.5", "5s", "²"])
def test_no_watchdog(manager: socket.socket, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", text)
    assert not Notifier().watchdog


def test_a_watchdog_that_nobody_could_be_told_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "5000000")
    assert Notifier().watchdog is None


def test_the_socket_is_not_inherited_and_does_not_wait(manager: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    real = socket.socket

    class Recorded(real):
        def __init__(self, *arguments: Any, **more: Any) -> None:
            super().__init__(*arguments, **more)
            made.append(self)

    monkeypatch.setattr(socket, "socket", Recorded)
    notifier = Notifier()
    assert notifier is not None
    assert [one.getblocking() for one in made] == [False]
    assert not made[0].get_inheritable()
