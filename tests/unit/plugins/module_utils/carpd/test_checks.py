# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each kind of look, at servers of our own on the loopback interface and at what every host has."""

from __future__ import annotations

import os
import pathlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd import checks, commands
from ansible_collections.failover.carp.plugins.module_utils.carpd.checkconfig import Check
from ansible_collections.failover.carp.plugins.module_utils.carpd.checks import look, one_line

SLOW = 0.3
"""Seconds that a look may take which is to fail by taking too long."""


def check(kind: str, target: str, timeout: float = 5.0, recipient: str = "", interface: str = "") -> Check:
    return Check("a", kind, target, recipient, 2.0, timeout, 3, 2, 50, ("mail",), interface)


class Server:
    """Listens on a free port, or on a path, and treats one client after the other as it is told."""

    def __init__(self, treat: Callable[[socket.socket], None], path: str = "") -> None:
        self._socket = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self._socket.bind(path or ("127.0.0.1", 0))
        self._socket.listen()
        self.target = path or f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._treat = treat
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _address = self._socket.accept()
            except OSError:
                return
            with client:
                try:
                    self._treat(client)
                except OSError:
                    continue

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


Serve = Callable[..., Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers that end with the test."""
    servers: list[Server] = []

    def start(treat: Callable[[socket.socket], None], path: str = "") -> Server:
        servers.append(Server(treat, path))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def says(*lines: str) -> Callable[[socket.socket], None]:
    """Say the first line, and then one for each line that comes; nothing more is silence until the client goes."""

    def treat(client: socket.socket) -> None:
        stream = client.makefile("rb")
        for line in lines:
            client.sendall(line.encode())
            if not stream.readline():
                return
        while stream.readline():
            continue

    return treat


def test_tcp_connects(serve: Serve, tmp_path: pathlib.Path) -> None:
    assert look(check("tcp", serve(says()).target)) == (True, "connected")
    assert look(check("tcp", serve(says(), str(tmp_path / "socket")).target)) == (True, "connected")


def test_tcp_is_refused(serve: Serve, tmp_path: pathlib.Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        assert look(check("tcp", f"127.0.0.1:{free.getsockname()[1]}")) == (False, "Connection refused")
    assert look(check("tcp", str(tmp_path / "nobody"))) == (False, "No such file or directory")


GOOD_MAIL = [
    "220 mx ESMTP\r\n",
    "250-mx\r\n250 SIZE\r\n",
    "250 2.1.0 Ok\r\n",
    "250 2.1.5 Ok\r\n",
    "250 Ok\r\n",
    "221 Bye\r\n",
]


def test_smtp_goes_as_far_as_the_recipient(serve: Serve) -> None:
    heard: list[bytes] = []

    def treat(client: socket.socket) -> None:
        stream = client.makefile("rb")
        for line in GOOD_MAIL:
            client.sendall(line.encode())
            heard.append(stream.readline())

    server = serve(treat)
    assert look(check("smtp", server.target, recipient="root@example.org")) == (True, "250 2.1.5 Ok")
    server.close = lambda: None  # type: ignore[method-assign]
    Server.close(server)
    host = socket.gethostname().encode()
    assert heard[:5] == [
        b"EHLO " + host + b"\r\n", b"MAIL FROM:<>\r\n", b"RCPT TO:<root@example.org>\r\n", b"RSET\r\n", b"QUIT\r\n",
    ]  # fmt: skip


def test_smtp_without_recipient_ends_after_the_greetings(serve: Serve) -> None:
    server = serve(says("220 mx\r\n", "250-mx\r\n250 SIZE\r\n", "221 Bye\r\n"))
    assert look(check("smtp", server.target)) == (True, "250 SIZE")


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["554 go away\r\n"], "the greeting was answered by: 554 go away"),
        ([*GOOD_MAIL[:2], "452 4.3.1 Insufficient system storage\r\n"], "MAIL FROM:<> was answered by: 452 4.3.1"),
        ([*GOOD_MAIL[:3], "451 4.3.0 Error: queue file\r\n"], "RCPT TO:<a@b> was answered by: 451 4.3.0 Error"),
        (["SSH-2.0-OpenSSH\r\n"], "the greeting was answered by: SSH-2.0-OpenSSH"),
        (["220-x\r\n" * 200], "the greeting was answered by more than 100 lines"),
        (["x" * 10000], "a line of more than 4096 bytes"),
    ],
)
def test_smtp_says_what_was_wrong(serve: Serve, lines: list[str], found: str) -> None:
    ok, detail = look(check("smtp", serve(says(*lines)).target, recipient="a@b"))
    assert not ok and detail.startswith(found)


@pytest.mark.parametrize("kind", ["smtp", "http"])
def test_a_server_that_accepts_and_is_silent_has_failed(serve: Serve, kind: str) -> None:
    """What a hung mail server does, and what connecting alone would not notice."""
    server = serve(says())
    target = server.target if kind == "smtp" else f"http://{server.target}"
    begun = time.monotonic()
    assert look(check(kind, target, timeout=SLOW)) == (False, f"no answer within {SLOW:g} s")
    assert SLOW <= time.monotonic() - begun < 10 * SLOW


def test_a_server_that_goes_drop_by_drop_gains_no_time(serve: Serve) -> None:
    def treat(client: socket.socket) -> None:
        while True:
            client.sendall(b"2")
            time.sleep(SLOW / 10)

    assert look(check("smtp", serve(treat).target, timeout=SLOW)) == (False, f"no answer within {SLOW:g} s")


def test_a_server_that_hangs_up_has_failed(serve: Serve) -> None:
    assert look(check("smtp", serve(lambda _client: None).target)) == (False, "the server ended the connection")


@pytest.mark.parametrize(("status", "good"), [("200 OK", True), ("302 Found", True), ("503 No", False), ("x", False)])
def test_http_looks_at_the_status(serve: Serve, status: str, good: bool) -> None:
    heard: list[bytes] = []

    def treat(client: socket.socket) -> None:
        heard.append(client.recv(4096))
        client.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())

    server = serve(treat)
    ok, detail = look(check("http", f"http://{server.target}/health?x=1"))
    assert ok is good and status in detail
    assert heard[0].startswith(b"GET /health?x=1 HTTP/1.1\r\nHost: " + server.target.encode() + b"\r\n")
    assert heard[0].endswith(b"\r\n\r\n")


def test_https_needs_a_server_that_can_prove_itself(serve: Serve) -> None:
    ok, detail = look(check("http", f"https://{serve(says('plain text')).target}/"))
    assert not ok and detail


def test_a_command_is_good_if_it_ends_with_0() -> None:
    assert look(check("command", "/bin/sh -c 'echo one; echo two; echo; exit 0'")) == (True, "two")
    assert look(check("command", "/bin/sh -c 'echo it is broken >&2; exit 3'")) == (False, "it is broken (status 3)")
    assert look(check("command", "/bin/sh -c 'kill -9 $$'")) == (False, "signal 9")
    assert look(check("command", "/nowhere/x")) == (False, "/nowhere/x cannot be started: No such file or directory")


def test_a_command_gets_next_to_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")
    ok, detail = look(check("command", '/bin/sh -c \'env | cut -d= -f1 | sort | tr "\\n" " "; pwd\''))
    assert ok and "SECRET" not in detail and detail.endswith("/")
    assert set(detail.split()) <= {"LANG", "PATH", "PWD", "OLDPWD", "SHLVL", "_", "/"}


def groups_members(marker: str) -> list[str]:
    found = subprocess.run(["ps", "-e", "-o", "pid=,args="], capture_output=True, text=True, check=True).stdout
    return [line for line in found.splitlines() if marker in line and "ps -e" not in line]


@pytest.mark.parametrize("words", ["sleep {0} & wait", "trap '' TERM; sleep {0}; sleep {0}"])
def test_a_command_that_takes_too_long_is_killed_with_all_that_it_started(words: str) -> None:
    number = f"1000.{os.getpid()}"
    ok, detail = look(check("command", f'/bin/sh -c "{words.format(number)}"', timeout=SLOW))
    assert (ok, detail) == (False, f"/bin/sh did not end within {SLOW:g} s")
    assert_gone(f"sleep {number}")


def test_what_a_command_leaves_behind_is_gone_and_does_not_count_against_its_time() -> None:
    number = f"2000.{os.getpid()}"
    begun = time.monotonic()
    assert look(check("command", f'/bin/sh -c "sleep {number} & echo done"')) == (True, "done")
    assert time.monotonic() - begun < 4
    assert_gone(f"sleep {number}")


def assert_gone(marker: str) -> None:
    """Killed is killed, but the one who reaps may take a moment."""
    end = time.monotonic() + 10
    while groups_members(marker):
        assert time.monotonic() < end, "it still runs"
        time.sleep(0.01)


def test_a_command_that_never_stops_talking_is_bounded() -> None:
    ok, detail = look(check("command", "/bin/sh -c 'while :; do echo abcdefgh; done'", timeout=SLOW))
    assert not ok and "did not end" in detail


def test_no_command_is_run_that_would_get_what_the_daemon_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "_refusals", [])
    commands.refuse("its owner is away")
    assert look(check("command", "/bin/true")) == (False, "/bin/true cannot be started: its owner is away")


def test_no_command_is_left_in_the_books() -> None:
    look(check("command", "/bin/true"))
    assert commands._running == set()


def test_a_unit_is_what_the_manager_says(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    fake = tmp_path / "systemctl"
    fake.write_text('#!/bin/sh\n[ "$*" = "is-active -- good.service" ] && echo active && exit\necho inactive\nexit 3\n')
    fake.chmod(0o755)
    monkeypatch.setitem(commands._ENVIRONMENT, "PATH", f"{tmp_path}:/bin:/usr/bin")
    assert look(check("unit", "good.service")) == (True, "active")
    assert look(check("unit", "bad.service")) == (False, "inactive (status 3)")


def test_a_process_is_found_by_name_or_pid_file(tmp_path: pathlib.Path) -> None:
    program = tmp_path / "a-rather-long-program-name"
    program.symlink_to(sys.executable)
    pid_file = tmp_path / "x.pid"
    program_text = "print(flush=True); input()"
    with subprocess.Popen([str(program), "-c", program_text], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        # Popen returns before the kernel has set up the new command line: wait until the program runs.
        assert process.stdout is not None and process.stdout.readline() == b"\n"
        pid_file.write_text(f"{process.pid}\n")
        assert look(check("process", program.name)) == (True, f"process {process.pid}")
        assert look(check("process", str(pid_file))) == (True, f"process {process.pid}")
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        # A zombie is no process any more.
        assert look(check("process", str(pid_file)))[0] is False
        process.communicate()
    assert look(check("process", program.name)) == (False, f"there is no process {program.name}")
    pid_file.write_text("99999999999999999999\n")
    assert look(check("process", str(pid_file)))[0] is False
    pid_file.write_text("none\n")
    assert look(check("process", str(pid_file))) == (False, f"{pid_file} does not hold a process id")
    assert look(check("process", str(tmp_path / "y"))) == (False, "No such file or directory")


def test_a_process_that_proc_hides_is_found_by_its_pid_file(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As another user under a unit with ProtectProc=invisible, where sending a signal is refused."""

    def refuse(_pid: int, _number: int) -> None:
        raise PermissionError

    pid_file = tmp_path / "x.pid"
    pid_file.write_text("4194305\n")  # more than the kernel gives out, so that /proc never has it
    assert look(check("process", str(pid_file)))[0] is False
    monkeypatch.setattr(os, "kill", refuse)
    assert look(check("process", str(pid_file))) == (True, "process 4194305")


def test_a_file_exists_or_must_not(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "marker"
    assert look(check("file", f"!{path}")) == (True, f"{path} does not exist")
    assert look(check("file", str(path))) == (False, f"{path} does not exist")
    path.touch()
    assert look(check("file", f"!{path}")) == (False, f"{path} exists")
    assert look(check("file", str(path))) == (True, f"{path} exists")
    assert look(check("file", f"{path}/below")) == (False, f"{path}/below does not exist")


def test_a_link_that_is_not_there() -> None:
    assert look(check("link", "nowhere0")) == (False, "there is no interface nowhere0")


def test_whatever_goes_wrong_is_a_failed_look(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_check: Check, _deadline: object) -> str:
        raise ValueError("what\nnow")

    monkeypatch.setitem(checks._PROBES, "file", broken)
    assert look(check("file", "/x")) == (False, "ValueError: what now")


def test_details_are_one_harmless_line() -> None:
    assert one_line("a\x1b[31m\nb\t c\0") == "a [31m b c"
    assert len(one_line("x" * 1000)) == 200
