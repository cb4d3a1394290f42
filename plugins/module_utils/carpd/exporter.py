# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that answers Prometheus by HTTP. It asks the daemon by its control socket, as carpctl does.

Whatever clients do, they do it to this process. It is forked from the daemon, works with ordinary scheduling, and ends
as soon as the daemon does.
"""

from __future__ import annotations

import os
import select
import socket
import threading

from .forked import become_ordinary, drop_ambient_capabilities
from .targets import Endpoint

_MOST_CLIENTS = 8
_PATIENCE = 5.0  # seconds that a client may take for its request, and for each part of the answer
_REQUEST_LIMIT = 8192
_STACK = 512 * 1024


class Exporter:
    """The daemon's end. Raises OSError when nothing can listen there, or there can be no other process."""

    def __init__(self, endpoint: Endpoint, control: str) -> None:
        family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((endpoint.host, endpoint.port))
            listener.listen(_MOST_CLIENTS)
            listener.setblocking(False)
            self._socket, theirs = socket.socketpair()
            try:
                self.pid = os.fork()
            except OSError:
                self._socket.close()
                theirs.close()
                raise
            if self.pid == 0:
                _be_the_exporter(theirs, listener, control)
            theirs.close()

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when the exporter has gone."""
        return self._socket.fileno()

    def close(self) -> None:
        """Let the exporter end, which it does by itself."""
        self._socket.close()


def _be_the_exporter(daemon: socket.socket, listener: socket.socket, control: str) -> None:
    """Serve until the daemon has gone. Never returns."""
    status = 1
    try:
        become_ordinary(daemon.fileno(), listener.fileno())
        drop_ambient_capabilities()
        _serve(daemon, listener, control)
        status = 0
    finally:
        os._exit(status)


def _serve(daemon: socket.socket, listener: socket.socket, control: str) -> None:
    threading.stack_size(_STACK)
    places = threading.BoundedSemaphore(_MOST_CLIENTS)
    while daemon not in select.select([daemon, listener], [], [])[0]:
        try:
            client, _address = listener.accept()
        except OSError:
            continue
        if places.acquire(blocking=False):
            threading.Thread(target=_attend, args=(client, control, places), daemon=True).start()
        else:
            client.close()


def _attend(client: socket.socket, control: str, places: threading.BoundedSemaphore) -> None:
    try:
        with client:
            client.settimeout(_PATIENCE)
            client.sendall(answer(_request(client), control))
    except OSError:
        return  # it has gone, or is too slow
    finally:
        places.release()


def _request(client: socket.socket) -> bytes:
    """Return the head of a request, or what there is of it."""
    data = b""
    while b"\r\n\r\n" not in data and len(data) <= _REQUEST_LIMIT:
        more = client.recv(_REQUEST_LIMIT)
        if not more:
            break
        data += more
    return data


def answer(request: bytes, control: str) -> bytes:
    """Return what to say to a request for HTTP."""
    from .metrics import CONTENT_TYPE

    words = request.split(b"\r\n", 1)[0].split(b" ")
    if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
        return _page(400, "Bad Request", "this is for requests by HTTP\n")
    if words[0] not in (b"GET", b"HEAD"):
        return _page(405, "Method Not Allowed", "GET is what can be done here\n")
    if words[1].partition(b"?")[0] != b"/metrics":
        return _page(404, "Not Found", "there is /metrics and nothing else\n")
    try:
        page = _page(200, "OK", _metrics(control), CONTENT_TYPE)
    except RuntimeError as error:
        page = _page(503, "Service Unavailable", f"{error}\n")
    return page if words[0] == b"GET" else page.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


def _metrics(control: str) -> str:
    """Raises RuntimeError when the daemon does not answer."""
    from .control import ControlError, request
    from .metrics import render

    try:
        return render(request(control, "metrics"), request(control, "status"))
    except ControlError as error:
        raise RuntimeError(str(error)) from None


def _page(status: int, word: str, text: str, kind: str = "text/plain; charset=utf-8") -> bytes:
    body = text.encode(errors="replace")
    head = [f"HTTP/1.1 {status} {word}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", "Connection: close"]
    return "\r\n".join([*head, "", ""]).encode() + body
