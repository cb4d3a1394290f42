# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control socket, both ends: one request a connection, each message a line of JSON.

Request ``{"verb": "demote", "vips": ["smtp"]}``; answer ``{"result": ...}`` or ``{"error": "..."}``. After the answer
to the verb watch, a line ``{"event": ...}`` follows for each thing that happens, until one of both closes.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from .logs import log
from .typed import Any, NamedTuple

_REQUEST_LIMIT = 4096
_ANSWER_LIMIT = 16 * 1024 * 1024
_CLIENTS_LIMIT = 32
_WATCHERS_LIMIT = 8  # of the clients
_BEHIND_LIMIT = 256 * 1024  # bytes of news that a client has not read yet
_PIECES_TIME = 0.0002  # seconds for which a long answer may keep the loop in one of its turns
_MODE = 0o660  # the socket's group may ask
_CREDENTIALS = struct.Struct("=iII")  # unix(7) SO_PEERCRED
_TIMED_OUT = (TimeoutError, socket.timeout)  # the same since Python 3.10


class ControlError(Exception):
    """The daemon cannot be asked, or refuses; the message is fit for a user."""


class Request(NamedTuple):
    """What a client wants. ``who`` is the user that it runs as, in words."""

    verb: str
    arguments: Mapping[str, Any]
    who: str


class Items:
    """An answer that is a list, whose items are made one after the other: a long one is made in many turns of the loop.

    With ``watch``, the client is then told what happens.
    """

    def __init__(self, items: Iterable[Any], watch: bool = False) -> None:
        self.items = items
        self.watch = watch

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)

    def pieces(self) -> Iterator[bytes]:
        """Yield the line of the answer piece by piece."""
        before = b'{"result": ['
        for item in self.items:
            yield before + json.dumps(item).encode()
            before = b", "
        yield (b"" if before == b", " else before) + b"]}\n"


class Later:
    """An answer that is not known yet: it is given by ``give`` or ``refuse``, once, or never."""

    def __init__(self) -> None:
        self.pieces: Iterator[bytes] | None = None  # of the answer, when it is known
        self._then: Callable[[Iterator[bytes]], None] | None = None

    def give(self, result: Any) -> None:
        """Answer with what JSON can carry."""
        self._settle({"result": result})

    def refuse(self, reason: str) -> None:
        """Answer that it cannot be, and why."""
        self._settle({"error": reason})

    def when_known(self, then: Callable[[Iterator[bytes]], None]) -> None:
        """Call ``then`` with the pieces of the answer."""
        self._then = then

    def _settle(self, answer: Mapping[str, Any]) -> None:
        self.pieces = _whole(answer)
        if self._then is not None:
            self._then(self.pieces)


Handler = Callable[[Request], Any]


def request(path: str, verb: str, timeout: float = 5.0, **arguments: Any) -> Any:
    """Ask the daemon behind the socket at ``path`` and return its answer. Waits ``timeout`` seconds at most.

    Raises ControlError.
    """
    with Conversation(path, verb, timeout, **arguments) as conversation:
        return conversation.answer


class Conversation:
    """One connection to the daemon: what it answered, and what it tells then.

    Waits ``timeout`` seconds at most for the answer. Raises ControlError.
    """

    def __init__(self, path: str, verb: str, timeout: float = 5.0, **arguments: Any) -> None:
        self._path = path
        self._rest = b""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.answer = self._ask({"verb": verb, **arguments}, time.monotonic() + timeout)
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Conversation:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._socket.close()

    def next(self, deadline: float | None = None) -> dict[str, Any] | None:
        """Return the next thing that the daemon tells, or None if there was none until then (monotonic seconds)."""
        try:
            event = json.loads(self._line(deadline))
        except _TIMED_OUT:
            return None
        except (OSError, ValueError, RecursionError) as error:
            raise ControlError(f"the daemon behind {self._path} tells nothing any more: {error}") from None
        if not isinstance(event, dict) or "event" not in event:
            raise ControlError(f"what listens on {self._path} is not the daemon")
        return event

    def _ask(self, question: Mapping[str, Any], deadline: float) -> Any:
        try:
            self._socket.settimeout(_left(deadline))
            self._socket.connect(self._path)
            self._socket.sendall(json.dumps(question).encode() + b"\n")
            answer = json.loads(self._line(deadline))
        except FileNotFoundError:
            raise ControlError(f"no daemon runs here: there is no {self._path}") from None
        except ConnectionRefusedError:
            raise ControlError(f"no daemon runs here: nobody listens on {self._path}") from None
        except PermissionError:
            raise ControlError(f"{self._path} is for root and its group") from None
        except (OSError, ValueError, RecursionError) as error:
            raise ControlError(f"the daemon behind {self._path} does not answer: {error}") from None
        if isinstance(answer, dict) and "error" in answer:
            raise ControlError(str(answer["error"]))
        if not isinstance(answer, dict) or "result" not in answer:
            raise ControlError(f"what listens on {self._path} is not the daemon")
        return answer["result"]

    def _line(self, deadline: float | None) -> bytes:
        pieces = [self._rest]
        size = len(self._rest)
        while b"\n" not in pieces[-1]:
            try:
                self._socket.settimeout(None if deadline is None else _left(deadline))
                data = self._socket.recv(65536)
            except _TIMED_OUT:
                self._rest = b"".join(pieces)
                raise
            size += len(data)
            if not data or size > _ANSWER_LIMIT:
                raise ValueError("it broke off" if not data else "it does not stop talking")
            pieces.append(data)
        line, _newline, self._rest = b"".join(pieces).partition(b"\n")
        return line


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


class _Client:
    """One client, as the server sees it."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.asked = b""  # what it has said of its request
        self.unsent = b""
        self.pieces: Iterator[bytes] = iter(())
        self.complete = False  # whether all pieces have been made
        self.watches = False
        self.waits = False  # for an answer that is not known yet
        self.news: list[bytes] = []  # for after the answer
        self.behind = 0


class ControlServer:
    """Answers requests from within the daemon's loop; a client that is slow, mute or gone never holds it up.

    ``handler`` gets the request and returns what JSON can carry, or Items, or Later, or raises ControlError. ``group``
    is the number of the group that may ask, or None for the daemon's own.
    """

    def __init__(self, path: str, selector: selectors.BaseSelector, handler: Handler, group: int | None = None) -> None:
        self._path = path
        self._selector = selector
        self._handler = handler
        self._clients: list[_Client] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            if _is_live(path):
                raise ControlError(f"another daemon listens on {path}: give each its own --runtime-dir")
            _remove(path)
            self._listener.bind(path)
            _give_to(path, group)
            os.chmod(path, _MODE)
            self._listener.listen(_CLIENTS_LIMIT)
        except BaseException:
            self._listener.close()
            raise
        selector.register(self._listener, selectors.EVENT_READ, self._accept)

    @property
    def watched(self) -> bool:
        """Whether there is anyone to tell."""
        return any(client.watches for client in self._clients)

    def tell(self, event: Mapping[str, Any]) -> None:
        """Tell everyone who watches; who does not read what was told before is sent away."""
        line = json.dumps(event).encode() + b"\n"
        for client in [client for client in self._clients if client.watches]:
            client.behind += len(line)
            if client.behind > _BEHIND_LIMIT:
                self._drop(client)
                continue
            client.news.append(line)
            self._selector.modify(client.socket, selectors.EVENT_WRITE, lambda client=client: self._write(client))

    def close(self) -> None:
        """Send everyone away and remove the socket."""
        for client in list(self._clients):
            self._drop(client)
        self._selector.unregister(self._listener)
        self._listener.close()
        _remove(self._path)

    def _accept(self) -> None:
        try:
            sock, _address = self._listener.accept()
        except OSError:
            return
        sock.setblocking(False)
        if len(self._clients) >= _CLIENTS_LIMIT:
            self._drop(next(client for client in self._clients if not client.watches))
        client = _Client(sock)
        self._clients.append(client)
        self._selector.register(sock, selectors.EVENT_READ, lambda: self._read(client))

    def _read(self, client: _Client) -> None:
        try:
            data = client.socket.recv(_REQUEST_LIMIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if client.watches or client.waits:
            if not data:
                self._drop(client)
            return
        client.asked += data
        if b"\n" in client.asked:
            self._answer(client, client.asked.split(b"\n", 1)[0])
            if not client.waits:
                self._begin_to_write(client)
        elif not data or len(client.asked) > _REQUEST_LIMIT:
            self._drop(client)

    def _begin_to_write(self, client: _Client) -> None:
        self._selector.modify(client.socket, selectors.EVENT_WRITE, lambda: self._write(client))
        self._write(client)

    def _write(self, client: _Client) -> None:
        if not client.unsent:
            self._make(client)
        if client.unsent:
            try:
                sent = client.socket.send(client.unsent)
            except BlockingIOError:
                return
            except OSError:
                self._drop(client)
                return
            client.unsent = client.unsent[sent:]
        if client.unsent or client.news or not client.complete:
            return
        if client.watches:
            self._selector.modify(client.socket, selectors.EVENT_READ, lambda: self._read(client))
        else:
            self._drop(client)

    def _make(self, client: _Client) -> None:
        """Make more of what is to be sent, for a moment: the answer first, then the news."""
        made: list[bytes] = []
        end = time.monotonic() + _PIECES_TIME
        while not client.complete:
            piece = next(client.pieces, None)
            client.complete = piece is None
            made.append(piece or b"")
            if time.monotonic() >= end:
                break
        if client.complete:
            made.extend(client.news)
            client.news, client.behind = [], 0
        client.unsent = b"".join(made)

    def _answer(self, client: _Client, line: bytes) -> None:
        try:
            arguments = json.loads(line)
            verb = str(arguments.pop("verb"))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            client.pieces = _whole({"error": 'a request is one line of JSON such as {"verb": "status"}'})
            return
        try:
            result = self._handler(Request(verb, arguments, _user(client.socket)))
            if isinstance(result, Items) and result.watch:
                if sum(other.watches for other in self._clients) >= _WATCHERS_LIMIT:
                    raise ControlError(f"{_WATCHERS_LIMIT} clients watch already, and there may not be more")
                client.watches = True
        except ControlError as error:
            client.pieces = _whole({"error": str(error)})
        else:
            if isinstance(result, Later) and result.pieces is None:
                client.waits = True
                result.when_known(lambda pieces: self._answer_late(client, pieces))
            elif isinstance(result, Later):
                client.pieces = result.pieces or iter(())
            else:
                client.pieces = result.pieces() if isinstance(result, Items) else _whole({"result": result})

    def _answer_late(self, client: _Client, pieces: Iterator[bytes]) -> None:
        client.waits, client.pieces = False, pieces
        if client in self._clients:
            self._begin_to_write(client)

    def _drop(self, client: _Client) -> None:
        self._clients.remove(client)
        self._selector.unregister(client.socket)
        client.socket.close()


def _whole(answer: Mapping[str, Any]) -> Iterator[bytes]:
    yield json.dumps(answer).encode() + b"\n"


def _user(client: socket.socket) -> str:
    """Return who is at the other end. Its number, since to look its name up may take any time."""
    data = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    number = _CREDENTIALS.unpack(data)[1]
    return "root" if number == 0 else f"user {number}"


def _give_to(path: str, group: int | None) -> None:
    """Let a group use the socket. If that cannot be, the daemon works all the same: its addresses matter more."""
    if group is None:
        return
    try:
        os.chown(path, -1, group)
    except OSError as error:
        why = f"{error.strerror}; the daemon's user must be in the group that control_group names"
        log.error("%s stays with the daemon's own group: %s", path, why)


def _is_live(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except BlockingIOError:
            return True
        except OSError:
            return False
    return True


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
