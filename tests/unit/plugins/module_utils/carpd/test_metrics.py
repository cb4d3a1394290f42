# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures for Prometheus: the text is what its format asks for, and nobody who asks can hold anything up."""

from __future__ import annotations

import re
import select
import selectors
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from os import kill
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd.control import ControlServer, Request
from ansible_collections.failover.carp.plugins.module_utils.carpd.events import dispatch
from ansible_collections.failover.carp.plugins.module_utils.carpd.export import Export
from ansible_collections.failover.carp.plugins.module_utils.carpd.exporter import answer
from ansible_collections.failover.carp.plugins.module_utils.carpd.metrics import render
from ansible_collections.failover.carp.plugins.module_utils.carpd.targets import Endpoint
from hypothesis import given
from hypothesis import strategies as st

PATIENCE = 20.0
DAEMON = {"version": "1.2.3", "up": 61.5, "latest": 0.000123, "maintenance": True}
MASTER: dict[str, Any] = {
    "name": "smtp",
    "interface": "eth1",
    "vhid": 1,
    "state": "MASTER",
    "leaving": False,
    "draining": None,
    "since": 12.34,
    "transitions": 2,
    "sent": 17,
    "heard": 5,
    "refused": {"digest": 3, "echo": 1},
    "demotion": 100,
    "operator": "",
    "master": None,
    "alarm": "",
    "rivals": [],
    "checks": [{"name": "web", "type": "http", "state": "failing"}, {"name": "x", "type": "tcp", "state": "unknown"}],
}
BACKUP = {**MASTER, "name": "imap", "vhid": 2, "state": "BACKUP", "master": {"source": "10.0.0.2", "age": 0.25}}

HELP = re.compile(r"# HELP (carpd_[a-z_]+) (\S.*)")
TYPE = re.compile(r"# TYPE (carpd_[a-z_]+) (counter|gauge)")
SAMPLE = re.compile(r'(carpd_[a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)+)\})? ([0-9.e+-]+)')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"')


def parse(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Read the format strictly: HELP and TYPE once and first, samples of a metric together, none twice."""
    assert text.endswith("\n")
    found: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    name = ""
    names: list[str] = []
    for line in text[:-1].split("\n"):
        if help_ := HELP.fullmatch(line):
            name = help_[1]
            names.append(name)
        elif kind := TYPE.fullmatch(line):
            assert kind[1] == name
            assert (kind[2] == "counter") == name.endswith("_total")
        else:
            sample = SAMPLE.fullmatch(line)
            assert sample, line
            assert sample[1] == name
            labels = tuple((key, unescape(value)) for key, value in LABEL.findall(sample[2] or ""))
            assert (name, labels) not in found
            found[name, labels] = float(sample[3])
    assert len(names) == len(set(names))
    return found


def unescape(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: "\n" if match[1] == "n" else match[1], text)


def labels(vip: str, **more: str) -> tuple[tuple[str, str], ...]:
    vhid = {"smtp": "1", "imap": "2"}[vip]
    return (("name", vip), ("interface", "eth1"), ("vhid", vhid), *more.items())


class TestText:
    def test_of_the_daemon(self) -> None:
        assert parse(render(DAEMON, [])) == {
            ("carpd_build_info", (("version", "1.2.3"),)): 1,
            ("carpd_uptime_seconds", ()): 61.5,
            ("carpd_maintenance", ()): 1,
            ("carpd_wakeup_lateness_max_seconds", ()): 0.000123,
        }

    @pytest.mark.parametrize(
        ("name", "more", "smtp", "imap"),
        [
            ("state", {"state": "MASTER"}, 1, 0),
            ("state", {"state": "BACKUP"}, 0, 1),
            ("state", {"state": "INIT"}, 0, 0),
            ("state_seconds", {}, 12.34, 12.34),
            ("leaving", {}, 0, 0),
            ("transitions_total", {}, 2, 2),
            ("advertisements_sent_total", {}, 17, 17),
            ("advertisements_heard_total", {}, 5, 5),
            ("advertisements_refused_total", {"reason": "digest"}, 3, 3),
            ("demotion", {}, 100, 100),
            ("operator_demotion", {}, 0, 0),
            ("master_heard_seconds", {"source": "10.0.0.2"}, None, 0.25),
            ("check_failing", {"check": "web", "type": "http"}, 1, 1),
            ("check_failing", {"check": "x", "type": "tcp"}, 0, 0),
            ("alarm", {}, 0, 0),
            ("rivals", {}, 0, 0),
        ],
    )
    def test_of_virtual_hosts(self, name: str, more: dict[str, str], smtp: float | None, imap: float) -> None:
        found = parse(render(DAEMON, [MASTER, BACKUP]))
        assert found.get((f"carpd_{name}", labels("smtp", **more))) == smtp
        assert found[f"carpd_{name}", labels("imap", **more)] == imap

    @given(st.text(max_size=40))
    def test_any_text_in_a_label(self, text: str) -> None:
        found = parse(render({**DAEMON, "version": text.replace("\r", "")}, []))
        assert ("carpd_build_info", (("version", text.replace("\r", "")),)) in found


class TestHttp:
    @pytest.mark.parametrize(
        ("request_", "status"),
        [
            (b"GET /other HTTP/1.1\r\n\r\n", b"404 Not Found"),
            (b"POST /metrics HTTP/1.1\r\n\r\n", b"405 Method Not Allowed"),
            (b"", b"400 Bad Request"),
            (b"\x16\x03\x01 \xff", b"400 Bad Request"),
            (b"GET /metrics\r\n\r\n", b"400 Bad Request"),
            (b"GET /metrics HTTP/1.1\r\n\r\n", b"503 Service Unavailable"),
        ],
    )
    def test_what_is_refused(self, request_: bytes, status: bytes) -> None:
        page = answer(request_, "/nowhere/control.sock")
        head, _blank, body = page.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 " + status + b"\r\n")
        assert f"Content-Length: {len(body)}".encode() in head.split(b"\r\n")
        assert b"Connection: close" in head.split(b"\r\n")


class Daemon:
    """A loop with a control socket and an exporter, and nothing else."""

    def __init__(self, folder: Path) -> None:
        path = str(folder / "control.sock")
        self.selector = selectors.SelectSelector()
        self.control = ControlServer(path, self.selector, self.handle)
        self.export = Export(self.selector, path, time.monotonic)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.export.configure(Endpoint("127.0.0.1", self.port))

    def handle(self, request: Request) -> Any:
        return DAEMON if request.verb == "metrics" else [MASTER, BACKUP]

    def turn(self) -> None:
        dispatch(self.selector, 0.02)
        if self.export.next_timer() <= time.monotonic():
            self.export.due()

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        end = time.monotonic() + PATIENCE
        while True:
            found = condition()
            if found:
                return found
            assert time.monotonic() < end, what
            self.turn()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE)

    def get(self) -> bytes:
        pages: list[bytes] = []

        def ask() -> None:
            with self.connect() as client:
                client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
                data = b""
                while more := client.recv(65536):
                    data += more
                pages.append(data)

        thread = threading.Thread(target=ask)
        thread.start()
        self.until(lambda: not thread.is_alive(), "an answer")
        return pages[0]


@pytest.fixture(name="daemon")
def daemon_(socket_dir: Path) -> Iterator[Daemon]:
    daemon = Daemon(socket_dir)
    yield daemon
    children = daemon.export.children()
    daemon.export.close()
    daemon.control.close()
    daemon.selector.close()
    for pid in children:
        end = time.monotonic() + PATIENCE
        while Path(f"/proc/{pid}/stat").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text():
            assert time.monotonic() < end, "the exporter outlives its daemon"
            time.sleep(0.01)


class TestExporter:
    def test_a_scrape(self, daemon: Daemon) -> None:
        head, _blank, body = daemon.get().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4")
        assert ("carpd_demotion", labels("imap")) in parse(body.decode())

    def test_clients_that_say_nothing(self, daemon: Daemon) -> None:
        """As many as there are places get no further attention, and neither does the daemon notice."""
        mute = [daemon.connect() for _number in range(7)]
        assert b"200 OK" in daemon.get()
        more = [daemon.connect() for _number in range(20)]
        refused = daemon.until(lambda: select.select(more, [], [], 0)[0], "to be sent away")
        assert refused[0].recv(10) == b""
        for client in [*mute, *more]:
            client.close()
        daemon.until(lambda: b"200 OK" in daemon_get(daemon), "free places")

    def test_it_dies_and_is_replaced(self, daemon: Daemon) -> None:
        (pid,) = daemon.export.children()
        kill(pid, signal.SIGKILL)
        daemon.until(lambda: daemon.export.children()[-1:] != [pid], "another one")
        assert b"200 OK" in daemon.get()

    def test_another_place_and_none(self, daemon: Daemon) -> None:
        daemon.export.configure(None)

        def refused() -> bool:
            try:
                daemon.connect().close()
            except ConnectionError:  # or reset, if it ends just now
                return True
            return False

        daemon.until(refused, "the end of the service")
        daemon.export.configure(Endpoint("127.0.0.1", daemon.port))
        daemon.until(lambda: not refused(), "the service")

    def test_a_place_that_is_taken(self, daemon: Daemon, caplog: pytest.LogCaptureFixture) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            daemon.export.configure(Endpoint("127.0.0.1", port))
            assert caplog.messages == [f"metrics cannot be told at 127.0.0.1 port {port}: Address already in use"]
            assert daemon.export.next_timer() < time.monotonic() + 1.5
        daemon.port = port
        daemon.until(lambda: daemon.export.next_timer() > 1e12, "its turn")
        assert b"200 OK" in daemon.get()


def daemon_get(daemon: Daemon) -> bytes:
    try:
        return daemon.get()
    except (ConnectionError, IndexError):
        return b""
