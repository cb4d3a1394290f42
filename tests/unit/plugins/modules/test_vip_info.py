# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state is that of a daemon that answers, or there is a clear message."""

from __future__ import annotations

import json
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.modules import vip_info

MASTER_HEARD = {"source": "172.17.0.75", "advbase": 1, "advskew": 0, "age": 0.4}


def status(state: str, master: Any = None) -> dict[str, Any]:
    return {"name": "smtp", "state": state, "master": master, "addresses": ["172.17.0.74/20"]}


class Daemon:
    """Answers one request after the other, the last answer again and again."""

    def __init__(self, path: Path, *answers: list[dict[str, Any]]) -> None:
        self.asked = 0
        self._answers = answers
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            with client:
                assert json.loads(client.makefile("rb").readline()) == {"verb": "status"}
                answer = self._answers[min(self.asked, len(self._answers) - 1)]
                self.asked += 1
                client.sendall(json.dumps({"result": answer}).encode() + b"\n")

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


@pytest.fixture
def path() -> Iterator[Path]:
    # The name of a socket may have 107 bytes, which pytest's own folders can exceed.
    with tempfile.TemporaryDirectory(prefix="carpd-") as folder:
        yield Path(folder) / "control.sock"


@pytest.mark.parametrize("check", [False, True])
def test_the_state_is_returned_as_the_daemon_tells_it(path: Path, run: Any, check: bool) -> None:
    daemon = Daemon(path, [status("MASTER")])
    result = run(vip_info.main, socket=str(path), check=check)
    daemon.close()
    assert not result["changed"]
    assert result["vips"] == [status("MASTER")]
    assert result["settled"]


def test_without_a_daemon_there_is_a_clear_message(path: Path, run: Any) -> None:
    result = run(vip_info.main, socket=str(path))
    assert result["failed"]
    assert "no daemon runs here" in result["msg"]
    assert str(path) in result["msg"]


@pytest.mark.parametrize(
    ("vips", "settled"),
    [
        ([], True),
        ([status("MASTER")], True),
        ([status("BACKUP", MASTER_HEARD)], True),
        ([status("BACKUP")], False),
        ([status("INIT")], False),
        ([status("MASTER"), status("INIT")], False),
    ],
)
def test_settled_means_that_each_has_a_master(path: Path, run: Any, vips: list[dict[str, Any]], settled: bool) -> None:
    daemon = Daemon(path, vips)
    result = run(vip_info.main, socket=str(path))
    daemon.close()
    assert result["settled"] is settled
    assert daemon.asked == 1


def test_it_waits_until_all_is_settled(path: Path, run: Any) -> None:
    daemon = Daemon(path, [status("INIT")], [status("BACKUP")], [status("MASTER")])
    result = run(vip_info.main, socket=str(path), settle=30)
    daemon.close()
    assert result["settled"]
    assert daemon.asked == 3


def test_it_does_not_wait_for_ever(path: Path, run: Any) -> None:
    daemon = Daemon(path, [status("INIT")])
    begun = time.monotonic()
    result = run(vip_info.main, socket=str(path), settle=0.3)
    took = time.monotonic() - begun
    daemon.close()
    assert not result["settled"]
    assert result["vips"] == [status("INIT")]
    assert daemon.asked > 1
    assert 0.3 <= took < 10


def test_it_waits_for_the_daemon_as_well(path: Path, run: Any) -> None:
    started: list[Daemon] = []
    timer = threading.Timer(0.2, lambda: started.append(Daemon(path, [status("MASTER")])))
    timer.start()
    result = run(vip_info.main, socket=str(path), settle=30)
    timer.join()
    started[0].close()
    assert result["settled"]


def test_a_daemon_that_never_comes_is_a_failure(path: Path, run: Any) -> None:
    result = run(vip_info.main, socket=str(path), settle=0.2)
    assert result["failed"]
    assert "no daemon runs here" in result["msg"]
