# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules that watch, probe and use a service end by themselves, and say what they saw."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.modules import drill_arrivals, drill_probe, drill_service, drill_watch

RUN = "0123456789abcdef"


@pytest.fixture
def leave(tmp_path: Any) -> str:
    path = tmp_path / "leave"
    path.touch()
    return str(path)


class FakeSockets:
    """Answers each request at once, but for every tenth."""

    family = socket.AF_INET

    def __init__(self, family: Any) -> None:
        self.socket, self._far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)

    def fileno(self) -> int:
        return self.socket.fileno()

    def send(self, _address: str, purpose: int, run: bytes, number: int) -> bool:
        if purpose != drill_probe_echo().PROBE or number % 10:
            self._far.send(bytes([purpose]) + number.to_bytes(8, "big") + run)
        return True

    def receive(self) -> Any:
        data = self.socket.recv(64)
        return drill_probe_echo().Echo(False, data[0], data[9:], int.from_bytes(data[1:9], "big"))

    def close(self) -> None:
        self.socket.close()
        self._far.close()


def drill_probe_echo() -> Any:
    from ansible_collections.failover.carp.plugins.module_utils.rehearsal import echo

    return echo


def test_what_is_not_answered_is_lost(run: Any, leave: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drill_probe_echo(), "EchoSocket", FakeSockets)
    result = run(
        drill_probe.main,
        address="192.0.2.74",
        rate=500,
        clocks={"a": "192.0.2.1"},
        run=RUN,
        while_file=leave,
        seconds=0.3,
    )
    assert result["sent"] > 10 and result["repeated"] == 0
    assert result["sent"] - result["answered"] == len(result["lost"]) == (result["sent"] + 9) // 10
    assert {each["host"] for each in result["clocks"]} == {"a"}
    assert all(each["sent"] <= each["received"] for each in result["clocks"])


@pytest.mark.parametrize("rate", [0, -1, 100000])
def test_no_other_rates(run: Any, leave: str, rate: float) -> None:
    result = run(drill_probe.main, address="192.0.2.74", rate=rate, run=RUN, while_file=leave)
    assert result["failed"] and "at most 10000" in result["msg"]


def test_an_interface_that_is_not_there_cannot_be_watched(run: Any, leave: str) -> None:
    result = run(drill_watch.main, interface="nowhere0", address="192.0.2.74", run=RUN, while_file=leave)
    assert result["failed"] and "cannot be watched" in result["msg"]


def test_connections_are_counted(run: Any, leave: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        greeter = threading.Thread(target=lambda: [_greet(server) for _number in range(2)], daemon=True)
        greeter.start()
        result = run(
            drill_service.main,
            kind="banner",
            address="127.0.0.1",
            port=server.getsockname()[1],
            rate=5,
            while_file=leave,
            seconds=0.3,
        )
    assert result["begun"] == len(result["done"]) == 2
    assert result["failures"] == []


def _greet(server: socket.socket) -> None:
    connection, _source = server.accept()
    connection.sendall(b"220 hello\r\n")
    connection.close()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"kind": "mail"}, "needs recipient"),
        ({"kind": "mail", "recipient": "a@example.com"}, "needs recipient and run"),
        ({"kind": "mail", "recipient": "a@example.com\nX: y", "run": RUN}, "one line"),
        ({"rate": 0}, "above 0"),
    ],
)
def test_what_makes_no_sense_is_refused(run: Any, leave: str, arguments: Any, part: str) -> None:
    assert part in run(drill_service.main, address="127.0.0.1", port=1, while_file=leave, **arguments)["msg"]


def test_mails_are_found(run: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible.module_utils.basic.AnsibleModule.get_bin_path", lambda *_given: None)
    (tmp_path / "box").write_text(f"X-Failover-Drill: {RUN} 3\n")
    result = run(drill_arrivals.main, mailbox=str(tmp_path / "box"), run=RUN)
    assert (result["queued"], result["delivered"]) == ([], [3])
