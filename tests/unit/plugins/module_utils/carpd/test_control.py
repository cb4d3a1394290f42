# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control socket: whatever a client does, the server goes on; whatever a server says, the client has a message."""

from __future__ import annotations

import json
import os
import selectors
import socket
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd import control
from ansible_collections.failover.carp.plugins.module_utils.carpd.control import (
    ControlError,
    ControlServer,
    Conversation,
    Items,
    Later,
    Request,
    request,
)
from ansible_collections.failover.carp.plugins.module_utils.carpd.events import dispatch
from hypothesis import given
from hypothesis import strategies as st

PATIENCE = 10.0  # seconds until a test gives up on something that should happen at once
CLIENTS = 32  # as many as the server talks to at a time
BAD_REQUEST = {"error": 'a request is one line of JSON such as {"verb": "status"}'}


def handle(asked: Request) -> Any:
    if asked.verb == "refuse":
        raise ControlError("not now")
    if asked.verb == "much":
        return "x" * 4_000_000
    if asked.verb == "list":
        return Items({"number": number} for number in range(asked.arguments["length"]))
    if asked.verb == "watch":
        return Items(iter([{"name": "smtp"}]), watch=True)
    if asked.verb == "arguments":
        return [asked.arguments, asked.who]
    return [{"asked": asked.verb}]


class InOrder(selectors.SelectSelector):
    """Who is ready comes in the order of the descriptors: the listener before its clients."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.ready = sorted(super().select(timeout), key=lambda pair: pair[0].fd)
        return self.ready


class Loop:
    """A server in a loop that a test takes through turn by turn."""

    def __init__(self, path: str, handler: Callable[[Request], Any] = handle) -> None:
        self.path = path
        self.selector = InOrder()
        self.server = ControlServer(path, self.selector, handler)
        self._clients: list[socket.socket] = []

    def turn(self, timeout: float = 0.0) -> int:
        """Do what is to be done now, as the daemon's loop does, and return how many descriptors were ready."""
        dispatch(self.selector, timeout)
        return len(self.selector.ready)

    def settle(self) -> None:
        """Go on until there is nothing to do."""
        end = time.monotonic() + PATIENCE
        while self.turn():
            assert time.monotonic() < end, "the loop never comes to rest"

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._clients.append(client)
        client.setblocking(False)
        client.connect(self.path)
        return client

    def ask(self, line: bytes) -> Any:
        """Send a line as a client of its own and return the answer."""
        client = self.connect()
        client.sendall(line)
        self.settle()
        return answer(client)

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self.server.close()
        self.selector.close()


def answer(client: socket.socket) -> Any:
    """Return the one line that the server has sent before it closed the connection."""
    received = b""
    while data := client.recv(65536):
        received += data
    assert received.endswith(b"\n")
    assert received.count(b"\n") == 1
    return json.loads(received)


def is_sent_away(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


@contextmanager
def serving(folder: Path) -> Iterator[Loop]:
    loop = Loop(str(folder / "control.sock"))
    try:
        yield loop
    finally:
        loop.close()


@pytest.fixture(name="loop")
def loop_(socket_dir: Path) -> Iterator[Loop]:
    with serving(socket_dir) as loop:
        yield loop


class TestServer:
    def test_a_request(self, loop: Loop) -> None:
        assert loop.ask(b'{"verb": "status"}\n') == {"result": [{"asked": "status"}]}

    def test_the_handler_refuses(self, loop: Loop) -> None:
        assert loop.ask(b'{"verb": "refuse"}\n') == {"error": "not now"}

    def test_more_than_a_verb(self, loop: Loop) -> None:
        assert loop.ask(b'{"verb": "status", "more": [1]}\n') == {"result": [{"asked": "status"}]}

    @pytest.mark.parametrize(
        "line",
        [
            b"",
            b"status",
            b"\xff\xfe\x00",
            b"{}",
            b"[]",
            b"5",
            b"null",
            b'"verb"',
            b'["verb"]',
            b'[["verb", "status"]]',
            b'{"Verb": "status"}',
            b'{"verb": "status"',
            b"\0" * 100,
            b"GET / HTTP/1.1\r",
            b"[" * 4000,
            b"[" * 2000 + b"]" * 2000,
            b'{"a":' * 800,
            b"9" * 4000,
        ],
        ids=lambda line: line[:10].decode("latin-1"),
    )
    def test_garbage(self, loop: Loop, line: bytes) -> None:
        assert loop.ask(line + b"\n") == BAD_REQUEST
        assert loop.ask(b'{"verb": "status"}\n') == {"result": [{"asked": "status"}]}

    def test_arguments_and_who_asks(self, loop: Loop) -> None:
        line = b'{"vips": ["smtp"], "verb": "arguments", "mode": "on"}\n'
        who = "root" if os.getuid() == 0 else f"user {os.getuid()}"
        assert loop.ask(line) == {"result": [{"vips": ["smtp"], "mode": "on"}, who]}

    @pytest.mark.parametrize("length", [0, 1, 2, 1000])
    def test_a_list_made_item_by_item(self, loop: Loop, length: int) -> None:
        line = json.dumps({"verb": "list", "length": length}).encode() + b"\n"
        assert loop.ask(line) == {"result": [{"number": number} for number in range(length)]}

    @pytest.mark.parametrize("verb", [5, None, True, ["x"], {"a": "b"}, "\ud800", "ä", ""])
    def test_any_verb_reaches_the_handler_as_text(self, loop: Loop, verb: object) -> None:
        assert loop.ask(json.dumps({"verb": verb}).encode() + b"\n") == {"result": [{"asked": str(verb)}]}

    def test_only_the_first_line_is_answered(self, loop: Loop) -> None:
        assert loop.ask(b'{"verb": "a"}\n{"verb": "b"}\n') == {"result": [{"asked": "a"}]}

    def test_a_request_in_pieces(self, loop: Loop) -> None:
        client = loop.connect()
        for piece in b'{"verb": "status"}':
            client.sendall(bytes((piece,)))
            loop.settle()
        client.sendall(b"\n")
        loop.settle()
        assert answer(client) == {"result": [{"asked": "status"}]}

    def test_a_client_that_has_no_more_to_say(self, loop: Loop) -> None:
        client = loop.connect()
        client.sendall(b'{"verb": "status"}\n')
        client.shutdown(socket.SHUT_WR)
        loop.settle()
        assert answer(client) == {"result": [{"asked": "status"}]}

    def test_half_a_line_and_gone(self, loop: Loop) -> None:
        loop.connect().close()
        client = loop.connect()
        client.sendall(b'{"verb": ')
        loop.settle()
        client.close()
        loop.settle()
        assert len(loop.selector.get_map()) == 1

    def test_half_a_line_and_nothing_more(self, loop: Loop) -> None:
        client = loop.connect()
        client.sendall(b'{"verb": ')
        loop.settle()
        assert not is_sent_away(client)
        assert loop.ask(b'{"verb": "status"}\n') == {"result": [{"asked": "status"}]}

    @pytest.mark.parametrize(("size", "stays"), [(4096, True), (4097, False), (100_000, False)])
    def test_an_endless_line(self, loop: Loop, size: int, stays: bool) -> None:
        client = loop.connect()
        client.sendall(b"x" * size)
        loop.settle()
        assert is_sent_away(client) is not stays

    def test_a_client_that_never_reads(self, loop: Loop) -> None:
        client = loop.connect()
        client.sendall(b'{"verb": "much"}\n')
        loop.settle()
        assert not loop.turn(), "a full buffer must not make the loop spin"
        assert loop.ask(b'{"verb": "status"}\n') == {"result": [{"asked": "status"}]}
        # It begins to read at last, and gets everything.
        received = b""
        while not received.endswith(b"\n"):
            try:
                received += client.recv(1_000_000)
            except BlockingIOError:
                assert loop.turn(PATIENCE)
        assert json.loads(received) == {"result": "x" * 4_000_000}
        loop.settle()
        assert is_sent_away(client)

    def test_a_client_that_goes_instead_of_reading(self, loop: Loop) -> None:
        client = loop.connect()
        client.sendall(b'{"verb": "much"}\n')
        loop.settle()
        client.close()
        loop.settle()
        assert len(loop.selector.get_map()) == 1

    def test_a_flood_of_clients(self, loop: Loop) -> None:
        clients = []
        for _number in range(3 * CLIENTS):
            clients.append(loop.connect())
            loop.settle()
        assert [is_sent_away(client) for client in clients] == [True] * 2 * CLIENTS + [False] * CLIENTS
        assert len(loop.selector.get_map()) == CLIENTS + 1
        assert loop.ask(b'{"verb": "status"}\n') == {"result": [{"asked": "status"}]}

    @pytest.mark.parametrize("line", [b'{"verb": "a"}\n', b"x", b"x" * 5000, b""], ids=["all", "part", "long", "end"])
    def test_a_client_that_speaks_when_it_is_sent_away(self, loop: Loop, line: bytes) -> None:
        """Both happen in one turn of the loop: a new client pushes the oldest out, and the oldest says something."""
        clients = []
        for _number in range(CLIENTS):
            clients.append(loop.connect())
            loop.settle()
        if line:
            clients[0].sendall(line)
        else:
            clients[0].shutdown(socket.SHUT_WR)
        loop.connect()
        assert loop.turn() == 2
        loop.settle()
        assert is_sent_away(clients[0])
        assert not is_sent_away(clients[1])

    @given(st.lists(st.binary(max_size=60), max_size=4))
    def test_any_bytes(self, pieces: list[bytes]) -> None:
        with tempfile.TemporaryDirectory(prefix="carpd-") as folder, serving(Path(folder)) as loop:
            client = loop.connect()
            for piece in pieces:
                try:
                    client.sendall(piece)
                except (BrokenPipeError, ConnectionResetError):
                    break
                loop.settle()
            assert loop.ask(b'{"verb": "status"}\n') == {"result": [{"asked": "status"}]}

    @given(
        st.dictionaries(st.text(max_size=5).filter(lambda key: key != "verb"), st.integers() | st.text(max_size=9)),
        st.lists(st.integers(0, 99), max_size=4).map(sorted),
    )
    def test_a_request_may_come_in_any_pieces(self, arguments: dict[str, Any], cuts: list[int]) -> None:
        line = json.dumps({"verb": "arguments", **arguments}).encode() + b"\n"
        with tempfile.TemporaryDirectory(prefix="carpd-") as folder, serving(Path(folder)) as loop:
            client = loop.connect()
            inside = [cut for cut in cuts if cut < len(line)]
            for start, end in zip([0, *inside], [*inside, len(line)]):
                client.sendall(line[start:end])
                loop.settle()
            assert answer(client)["result"][0] == arguments

    def test_a_mistake_in_the_handler_is_not_hidden(self, socket_dir: Path) -> None:
        def broken(_request: Request) -> None:
            raise ZeroDivisionError

        loop = Loop(str(socket_dir / "control.sock"), broken)
        with pytest.raises(ZeroDivisionError):
            loop.ask(b'{"verb": "status"}\n')
        loop.close()


def slow(turns: list[float]) -> Callable[[Request], Items]:
    """Return a handler whose answer has items that take longer than one turn of the loop may."""

    def items() -> Iterator[int]:
        for number in range(5):
            turns.append(time.monotonic())
            end = time.monotonic() + 0.001
            while time.monotonic() < end:
                pass
            yield number

    return lambda _request: Items(items())


class TestManyTurns:
    def test_a_long_answer_lets_the_loop_do_other_things(self, socket_dir: Path) -> None:
        made: list[float] = []
        loop = Loop(str(socket_dir / "control.sock"), slow(made))
        client = loop.connect()
        client.sendall(b'{"verb": "x"}\n')
        counts = []
        while loop.turn():
            counts.append(len(made))
        assert answer(client) == {"result": [0, 1, 2, 3, 4]}
        assert counts[:7] == [0, 1, 2, 3, 4, 5, 5][: len(counts)], "one item a turn"
        loop.close()


class Watcher:
    """A client that watches."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.socket = loop.connect()
        self.socket.sendall(b'{"verb": "watch"}\n')
        loop.settle()

    def lines(self) -> list[Any]:
        self.loop.settle()
        received = b""
        try:
            while data := self.socket.recv(65536):
                received += data
        except BlockingIOError:
            pass
        assert not received or received.endswith(b"\n")
        return [json.loads(line) for line in received.splitlines()]


class TestWatching:
    def test_first_the_answer_and_then_what_happens(self, loop: Loop) -> None:
        assert not loop.server.watched
        watcher = Watcher(loop)
        assert loop.server.watched
        loop.server.tell({"event": 1})
        loop.server.tell({"event": 2})
        assert watcher.lines() == [{"result": [{"name": "smtp"}]}, {"event": 1}, {"event": 2}]
        loop.server.tell({"event": 3})
        assert watcher.lines() == [{"event": 3}]
        assert watcher.lines() == []
        assert not loop.turn(), "and comes to rest in between"

    def test_what_happens_during_the_answer_comes_after_it(self, socket_dir: Path) -> None:
        def items() -> Iterator[int]:
            for number in range(3):
                loop.server.tell({"event": number})
                yield number

        loop = Loop(str(socket_dir / "control.sock"), lambda _request: Items(items(), watch=True))
        watcher = Watcher(loop)
        assert watcher.lines() == [{"result": [0, 1, 2]}, {"event": 0}, {"event": 1}, {"event": 2}]
        loop.close()

    def test_others_hear_nothing(self, loop: Loop) -> None:
        client = loop.connect()
        loop.settle()
        Watcher(loop)
        loop.server.tell({"event": 1})
        client.sendall(b'{"verb": "status"}\n')
        loop.settle()
        assert answer(client) == {"result": [{"asked": "status"}]}

    def test_one_that_goes(self, loop: Loop) -> None:
        watcher = Watcher(loop)
        watcher.socket.close()
        loop.settle()
        assert not loop.server.watched
        loop.server.tell({"event": 1})
        assert len(loop.selector.get_map()) == 1

    def test_one_that_goes_as_it_is_told_something(self, loop: Loop) -> None:
        watcher = Watcher(loop)
        watcher.socket.close()
        loop.server.tell({"event": 1})
        loop.settle()
        assert not loop.server.watched

    def test_one_that_talks_on(self, loop: Loop) -> None:
        watcher = Watcher(loop)
        watcher.socket.sendall(b'{"verb": "status"}\n')
        loop.server.tell({"event": 1})
        assert watcher.lines()[1:] == [{"event": 1}]

    def test_one_that_does_not_read_is_sent_away_and_the_others_stay(self, loop: Loop) -> None:
        mute, watcher = Watcher(loop), Watcher(loop)
        watcher.lines()
        count = 0
        while len(loop.selector.get_map()) == 3:
            loop.server.tell({"event": count, "reason": "x" * 10_000})
            assert [event["event"] for event in watcher.lines()] == [count]
            count += 1
            assert count < 1000, "it may not keep the daemon's memory for ever"
        assert loop.server.watched
        while mute.socket.recv(65536):
            pass

    def test_too_many(self, loop: Loop) -> None:
        watchers = [Watcher(loop) for _number in range(8)]
        assert Watcher(loop).lines() == [{"error": "8 clients watch already, and there may not be more"}]
        watchers[0].socket.close()
        loop.settle()
        assert "result" in Watcher(loop).lines()[0]

    def test_a_flood_of_clients_does_not_push_them_out(self, loop: Loop) -> None:
        watcher = Watcher(loop)
        for _number in range(2 * CLIENTS):
            loop.connect()
            loop.settle()
        loop.server.tell({"event": 1})
        assert watcher.lines()[1:] == [{"event": 1}]


class TestSocketFile:
    def test_mode(self, loop: Loop) -> None:
        assert stat.S_ISSOCK(os.stat(loop.path).st_mode)
        assert stat.S_IMODE(os.stat(loop.path).st_mode) == 0o660

    @pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
    def test_mode_whatever_the_umask(self, socket_dir: Path, umask: int) -> None:
        before = os.umask(umask)
        try:
            loop = Loop(str(socket_dir / "control.sock"))
        finally:
            os.umask(before)
        assert stat.S_IMODE(os.stat(loop.path).st_mode) == 0o660
        loop.close()

    def test_its_group(self, socket_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        given: list[tuple[object, ...]] = []
        monkeypatch.setattr(control.os, "chown", lambda *arguments: given.append(arguments))
        path = str(socket_dir / "control.sock")
        ControlServer(path, selectors.SelectSelector(), handle, 4711).close()
        assert given == [(path, -1, 4711)]

    def test_a_group_that_the_daemon_may_not_give_it_to(
        self, socket_dir: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def refuse(*_arguments: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(control.os, "chown", refuse)
        path = str(socket_dir / "control.sock")
        server = ControlServer(path, selectors.SelectSelector(), handle, 4711)
        why = "Operation not permitted; the daemon's user must be in the group that control_group names"
        assert caplog.messages == [f"{path} stays with the daemon's own group: {why}"]
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
        server.close()

    def test_is_gone_after_the_end(self, socket_dir: Path) -> None:
        loop = Loop(str(socket_dir / "control.sock"))
        client = loop.connect()
        loop.settle()
        loop.close()
        assert list(socket_dir.iterdir()) == []
        client.close()

    def test_the_end_does_not_mind_that_it_is_gone_already(self, loop: Loop) -> None:
        os.unlink(loop.path)

    def test_a_stale_one_is_replaced(self, socket_dir: Path) -> None:
        path = str(socket_dir / "control.sock")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
            dead.bind(path)
            dead.listen(1)
        assert os.path.exists(path)
        loop = Loop(path)
        assert loop.ask(b'{"verb": "status"}\n') == {"result": [{"asked": "status"}]}
        loop.close()

    def test_a_live_one_is_refused_and_stays(self, loop: Loop) -> None:
        selector = selectors.SelectSelector()
        with pytest.raises(ControlError, match=r"another daemon listens on .*: give each its own --runtime-dir"):
            ControlServer(loop.path, selector, handle)
        assert not selector.get_map()
        loop.settle()
        assert loop.ask(b'{"verb": "status"}\n') == {"result": [{"asked": "status"}]}

    def test_a_live_one_that_is_too_busy_to_accept(self, socket_dir: Path) -> None:
        path = str(socket_dir / "control.sock")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as busy:
            busy.bind(path)
            busy.listen(0)
            waiting = []
            while True:
                client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                client.setblocking(False)
                waiting.append(client)
                try:
                    client.connect(path)
                except BlockingIOError:
                    break
            with pytest.raises(ControlError, match="another daemon"):
                ControlServer(path, selectors.SelectSelector(), handle)
            assert os.path.exists(path)
            for client in waiting:
                client.close()

    def test_no_folder(self, socket_dir: Path) -> None:
        with pytest.raises(FileNotFoundError):
            ControlServer(str(socket_dir / "nowhere" / "control.sock"), selectors.SelectSelector(), handle)

    def test_a_folder_in_its_place(self, socket_dir: Path) -> None:
        (socket_dir / "control.sock").mkdir()
        with pytest.raises(OSError):
            ControlServer(str(socket_dir / "control.sock"), selectors.SelectSelector(), handle)
        assert (socket_dir / "control.sock").is_dir()


@contextmanager
def running(loop: Loop) -> Iterator[None]:
    """Let the loop run by itself, for a client that waits for its answer."""
    ended = threading.Event()
    wake, woken = socket.socketpair()
    loop.selector.register(woken, selectors.EVENT_READ, lambda: None)

    def run() -> None:
        while not ended.is_set():
            loop.turn(PATIENCE)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        wake.send(b"x")
        thread.join(PATIENCE)
        assert not thread.is_alive()
        loop.selector.unregister(woken)
        wake.close()
        woken.close()


@contextmanager
def peer(path: Path, behave: Callable[[socket.socket, threading.Event], None]) -> Iterator[None]:
    """Listen in place of the daemon and behave in some other way towards one client."""
    ended = threading.Event()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen(1)
        listener.settimeout(PATIENCE)

        def run() -> None:
            client, _address = listener.accept()
            with client:
                client.recv(4096)
                behave(client, ended)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join(PATIENCE)
            assert not thread.is_alive()


class TestRequest:
    def test_answer(self, loop: Loop) -> None:
        with running(loop):
            assert request(loop.path, "status") == [{"asked": "status"}]
            assert request(loop.path, 'a "quoted"\nverb') == [{"asked": 'a "quoted"\nverb'}]
            assert request(loop.path, "much") == "x" * 4_000_000

    def test_arguments(self, loop: Loop) -> None:
        with running(loop):
            assert request(loop.path, "arguments", 5.0, vips=["smtp"])[0] == {"vips": ["smtp"]}

    def test_watching(self, socket_dir: Path) -> None:
        def behave(asked: Request) -> Any:
            if asked.verb == "happen":
                loop.server.tell({"event": 1})
                loop.server.tell({"event": 2, "reason": "x" * 100_000})
            return handle(asked)

        loop = Loop(str(socket_dir / "control.sock"), behave)
        with running(loop), Conversation(loop.path, "watch") as conversation:
            assert conversation.answer == [{"name": "smtp"}]
            assert conversation.next(time.monotonic() + 0.01) is None
            assert conversation.next(time.monotonic() - 1) is None
            request(loop.path, "happen")
            assert conversation.next(time.monotonic() + PATIENCE) == {"event": 1}
            assert conversation.next(None)["event"] == 2
        loop.close()

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            (b"", "tells nothing any more: it broke off"),
            (b'{"event": ', "tells nothing any more: it broke off"),
            (b"event\n", "tells nothing any more"),
            (b"[1]\n", "what listens on"),
        ],
    )
    def test_watching_what_is_no_daemon(self, socket_dir: Path, line: bytes, message: str) -> None:
        def behave(client: socket.socket, _ended: threading.Event) -> None:
            client.sendall(b'{"result": []}\n' + line)

        path = socket_dir / "control.sock"
        with (
            peer(path, behave),
            Conversation(str(path), "watch") as conversation,
            pytest.raises(ControlError, match=message),
        ):
            conversation.next(time.monotonic() + PATIENCE)

    def test_refusal(self, loop: Loop) -> None:
        with running(loop), pytest.raises(ControlError, match=r"^not now$"):
            request(loop.path, "refuse")

    def test_no_socket(self, socket_dir: Path) -> None:
        path = f"{socket_dir}/control.sock"
        with pytest.raises(ControlError) as caught:
            request(path, "status")
        assert str(caught.value) == f"no daemon runs here: there is no {path}"

    def test_nobody_behind_it(self, socket_dir: Path) -> None:
        path = f"{socket_dir}/control.sock"
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
            dead.bind(path)
        with pytest.raises(ControlError) as caught:
            request(path, "status")
        assert str(caught.value) == f"no daemon runs here: nobody listens on {path}"

    def test_not_allowed(self, socket_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        # By a stand-in, since nothing is forbidden to root.
        class Forbidden(socket.socket):
            def connect(self, _address: object) -> None:
                raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(control.socket, "socket", Forbidden)
        with pytest.raises(ControlError) as caught:
            request("/run/carpd/control.sock", "status")
        assert str(caught.value) == "/run/carpd/control.sock is for root and its group"

    @pytest.mark.parametrize("path", ["x" * 200, "a\0b", "/dev/null/control.sock"])
    def test_what_can_be_no_socket(self, path: str) -> None:
        with pytest.raises(ControlError):
            request(path, "status")

    def test_a_server_that_says_nothing(self, socket_dir: Path) -> None:
        path = socket_dir / "control.sock"
        with (
            peer(path, lambda _client, ended: ended.wait(PATIENCE) or None),
            pytest.raises(ControlError, match=f"^the daemon behind {path} does not answer: "),
        ):
            request(str(path), "status", timeout=0.05)

    @pytest.mark.parametrize(
        "line", [b"{}", b"[]", b"5", b"null", b"true", b'"error"', b'"result"', b'["error"]', b'{"Result": 5}']
    )
    def test_a_server_that_is_no_daemon(self, socket_dir: Path, line: bytes) -> None:
        path = socket_dir / "control.sock"
        with (
            peer(path, lambda client, _ended: client.sendall(line + b"\n")),
            pytest.raises(ControlError, match=f"^what listens on {path} is not the daemon$"),
        ):
            request(str(path), "status")

    @pytest.mark.parametrize("line", [b"", b"\n", b"what?\n", b"\xff\n", b'{"result": 5}', b"[1\n"])
    def test_a_server_that_does_not_make_sense(self, socket_dir: Path, line: bytes) -> None:
        path = socket_dir / "control.sock"
        with (
            peer(path, lambda client, _ended: client.sendall(line)),
            pytest.raises(ControlError, match=f"^the daemon behind {path} does not answer: ."),
        ):
            request(str(path), "status")

    def test_a_server_that_does_not_stop_talking(self, socket_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def talk(client: socket.socket, _ended: threading.Event) -> None:
            with suppress(BrokenPipeError, ConnectionResetError):
                while True:
                    client.sendall(b" " * 65536)

        monkeypatch.setattr(control, "_ANSWER_LIMIT", 1_000_000)
        path = socket_dir / "control.sock"
        with peer(path, talk), pytest.raises(ControlError, match="it does not stop talking"):
            request(str(path), "status", timeout=PATIENCE)

    def test_a_server_that_nests_without_end(self, socket_dir: Path) -> None:
        path = socket_dir / "control.sock"
        with peer(path, lambda client, _ended: client.sendall(b"[" * 100_000 + b"\n")), pytest.raises(ControlError):
            request(str(path), "status")

    def test_a_server_that_answers_bit_by_bit(self, socket_dir: Path) -> None:
        """The time is for the whole answer, and not for each piece of it."""

        def dribble(client: socket.socket, ended: threading.Event) -> None:
            while not ended.wait(0.02):
                try:
                    client.send(b" ")
                except OSError:
                    return

        path = socket_dir / "control.sock"
        gave_up = threading.Event()
        with peer(path, dribble):

            def ask() -> None:
                with pytest.raises(ControlError):
                    request(str(path), "status", timeout=0.1)
                gave_up.set()

            thread = threading.Thread(target=ask, daemon=True)
            thread.start()
            assert gave_up.wait(2.0)


class TestLater:
    """Answers that take their time."""

    @pytest.fixture(name="later")
    def later_(self, socket_dir: Path) -> Iterator[tuple[Loop, Later]]:
        later = Later()
        loop = Loop(str(socket_dir / "later.sock"), lambda _asked: later)
        yield loop, later
        loop.server.close()

    @staticmethod
    def ask(loop: Loop) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.connect(loop.path)
        client.sendall(b'{"verb": "reload"}\n')
        for _turn in range(3):
            loop.turn()
        return client

    @pytest.mark.parametrize("refused", [False, True])
    def test_it_is_given_when_it_is_known(self, later: tuple[Loop, Later], refused: bool) -> None:
        loop, answer = later
        with self.ask(loop) as client:
            client.setblocking(False)
            with pytest.raises(BlockingIOError):
                client.recv(1)
            assert loop.turn() == 0  # nothing turns in circles meanwhile
            if refused:
                answer.refuse("it is broken")
            else:
                answer.give("reloaded")
            expected = {"error": "it is broken"} if refused else {"result": "reloaded"}
            assert json.loads(client.recv(1000)) == expected
            # A process that is being started elsewhere in the tests may have the server's end for a moment.
            client.settimeout(PATIENCE)
            assert client.recv(1) == b""

    def test_it_may_be_known_at_once(self, later: tuple[Loop, Later]) -> None:
        loop, answer = later
        answer.give("reloaded")
        with self.ask(loop) as client:
            client.settimeout(PATIENCE)
            assert json.loads(client.recv(1000)) == {"result": "reloaded"}

    def test_who_has_gone_meanwhile_hears_nothing(self, later: tuple[Loop, Later]) -> None:
        loop, answer = later
        self.ask(loop).close()
        loop.turn()
        answer.give("reloaded")
        assert loop.turn() == 0
