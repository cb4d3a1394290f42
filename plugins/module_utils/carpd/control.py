# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control socket, both ends: one request a connection, one line of JSON each way.

Request ``{"verb": "status"}``; answer ``{"result": ...}`` or ``{"error": "..."}``.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import time
from typing import Any, Callable

_REQUEST_LIMIT = 4096
_ANSWER_LIMIT = 16 * 1024 * 1024
_CLIENTS_LIMIT = 32
_MODE = 0o660  # the daemon's group may ask

Handler = Callable[[str], Any]


class ControlError(Exception):
    """The daemon cannot be asked, or refuses; the message is fit for a user."""


def request(path: str, verb: str, timeout: float = 5.0) -> Any:
    """Ask the daemon behind the socket at ``path`` and return its answer. Waits ``timeout`` seconds at most.

    Raises ControlError.
    """
    try:
        answer = json.loads(_converse(path, json.dumps({"verb": verb}).encode() + b"\n", time.monotonic() + timeout))
    except FileNotFoundError:
        raise ControlError(f"no daemon runs here: there is no {path}") from None
    except ConnectionRefusedError:
        raise ControlError(f"no daemon runs here: nobody listens on {path}") from None
    except PermissionError:
        raise ControlError(f"{path} is for root and the daemon's group") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ControlError(f"the daemon behind {path} does not answer: {error}") from None
    if isinstance(answer, dict) and "error" in answer:
        raise ControlError(str(answer["error"]))
    if not isinstance(answer, dict) or "result" not in answer:
        raise ControlError(f"what listens on {path} is not the daemon")
    return answer["result"]


def _converse(path: str, question: bytes, deadline: float) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(_left(deadline))
        client.connect(path)
        client.sendall(question)
        line = b""
        while not line.endswith(b"\n"):
            client.settimeout(_left(deadline))
            data = client.recv(65536)
            line += data
            if not data or len(line) > _ANSWER_LIMIT:
                raise ValueError("it broke off" if not data else "it does not stop talking")
        return line


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


class ControlServer:
    """Answers requests from within the daemon's loop; a client that is slow, mute or gone never holds it up.

    ``handler`` gets the verb and returns what JSON can carry, or raises ControlError.
    """

    def __init__(self, path: str, selector: selectors.BaseSelector, handler: Handler) -> None:
        self._path = path
        self._selector = selector
        self._handler = handler
        self._clients: dict[socket.socket, bytes] = {}
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            if _is_live(path):
                raise ControlError(f"another daemon listens on {path}: give each its own --runtime-dir")
            _remove(path)
            self._listener.bind(path)
            os.chmod(path, _MODE)
            self._listener.listen(_CLIENTS_LIMIT)
        except BaseException:
            self._listener.close()
            raise
        selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def close(self) -> None:
        """Send everyone away and remove the socket."""
        for client in list(self._clients):
            self._drop(client)
        self._selector.unregister(self._listener)
        self._listener.close()
        _remove(self._path)

    def _accept(self) -> None:
        try:
            client, _address = self._listener.accept()
        except OSError:
            return
        client.setblocking(False)
        if len(self._clients) >= _CLIENTS_LIMIT:
            self._drop(next(iter(self._clients)))
        self._clients[client] = b""
        self._selector.register(client, selectors.EVENT_READ, lambda: self._read(client))

    def _read(self, client: socket.socket) -> None:
        try:
            data = client.recv(_REQUEST_LIMIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._clients[client] += data
        if b"\n" in self._clients[client]:
            line = self._clients[client].split(b"\n", 1)[0]
            self._clients[client] = json.dumps(self._answer(line)).encode() + b"\n"
            self._selector.modify(client, selectors.EVENT_WRITE, lambda: self._write(client))
            self._write(client)
        elif not data or len(self._clients[client]) > _REQUEST_LIMIT:
            self._drop(client)

    def _write(self, client: socket.socket) -> None:
        try:
            sent = client.send(self._clients[client])
        except BlockingIOError:
            return
        except OSError:
            sent = len(self._clients[client])
        self._clients[client] = self._clients[client][sent:]
        if not self._clients[client]:
            self._drop(client)

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            asked = json.loads(line)
            verb = asked["verb"]
        except (ValueError, TypeError, KeyError, RecursionError):
            return {"error": 'a request is one line of JSON such as {"verb": "status"}'}
        try:
            return {"result": self._handler(str(verb))}
        except ControlError as error:
            return {"error": str(error)}

    def _drop(self, client: socket.socket) -> None:
        del self._clients[client]
        self._selector.unregister(client)
        client.close()


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
