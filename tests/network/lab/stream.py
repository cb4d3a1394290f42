# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TCP as a service has it: a server that greets, answers a line and closes, and clients of several kinds.

Run as ``server PORT``, ``stream ADDRESS PORT RATE`` or ``session ADDRESS PORT``. Each prints a line of JSON for what
happens; ``stream`` sums up at its end, which is SIGTERM.
"""

from __future__ import annotations

import json
import selectors
import signal
import socket
import sys
import threading
import time

BACKLOG = 1000
PATIENCE = 10.0
"""Seconds for which a client waits for anything."""
GREETING, QUESTION, ANSWER = b"220 ready\n", b"QUIT\n", b"221 bye\n"
WAIT = b"WAIT\n"
"""After this question a session is kept, without an answer."""
MUCH = b"x"
"""What begins like this is swallowed."""
MILESTONE = 100
"""After the first and after every so many connections a stream says how far it is, for tests that wait for that."""


def tell(**what: object) -> None:
    """Print a line."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def serve(port: int) -> None:
    """Answer everybody, at any address of this host."""
    listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG)
    listener.setblocking(False)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    tell(event="listening")
    while True:
        for key, _events in selector.select():
            if key.fileobj is listener:
                connection, _address = listener.accept()
                connection.setblocking(False)
                selector.register(connection, selectors.EVENT_READ)
                connection.send(GREETING)
                continue
            assert isinstance(key.fileobj, socket.socket)
            try:
                question = key.fileobj.recv(100)
                if question == QUESTION:
                    key.fileobj.send(ANSWER)
            except OSError as error:
                tell(event="ended", why=type(error).__name__)
                question = b""
            if question != WAIT and not question.startswith(MUCH):
                selector.unregister(key.fileobj)
                key.fileobj.close()


class Stream:
    """A connection after the other at a rate, each one asking a question and waiting for the answer and the end."""

    def __init__(self, address: str, port: int, rate: float) -> None:
        self.target = (address, port)
        self.rate = rate
        self.lock = threading.Lock()
        self.threads: list[threading.Thread] = []
        self.done, self.slowest = 0, 0.0
        self.failed: list[str] = []
        self.ending = False

    def run(self) -> None:
        """Go on until told to end."""
        next_at = time.monotonic()
        while not self.ending:
            thread = threading.Thread(target=self._ask, daemon=True)
            thread.start()
            self.threads.append(thread)
            next_at += 1 / self.rate
            time.sleep(max(0.0, next_at - time.monotonic()))
        for thread in self.threads:
            thread.join()
        tell(event="sum", done=self.done, failed=self.failed, slowest=round(self.slowest, 3))

    def _ask(self) -> None:
        began = time.monotonic()
        wrong = ""
        try:
            with socket.create_connection(self.target, PATIENCE) as connection, connection.makefile("rb") as file:
                assert file.readline() == GREETING
                connection.sendall(QUESTION)
                assert file.readline() == ANSWER
                assert file.readline() == b""
        except (OSError, AssertionError) as error:
            wrong = f"{type(error).__name__} {error} after {time.monotonic() - began:.3f} s"
        with self.lock:
            self.done += 1
            self.slowest = max(self.slowest, time.monotonic() - began)
            if self.done == 1 or self.done % MILESTONE == 0:
                tell(event="done", count=self.done)
            if wrong:
                self.failed.append(wrong)


def keep(address: str, port: int) -> None:
    """Keep one connection open, and tell how it ends."""
    with socket.create_connection((address, port), PATIENCE) as connection:
        connection.recv(100)
        connection.sendall(WAIT)
        connection.settimeout(None)
        tell(event="open")
        try:
            tell(event="closed", data=connection.recv(100).decode())
        except OSError as error:
            tell(event="ended", why=type(error).__name__)


def main(kind: str, *arguments: str) -> None:
    """Do what the command line says."""
    if kind == "server":
        serve(int(arguments[0]))
    elif kind == "session":
        keep(arguments[0], int(arguments[1]))
    else:
        stream = Stream(arguments[0], int(arguments[1]), float(arguments[2]))

        def end(*_arguments: object) -> None:
            stream.ending = True

        signal.signal(signal.SIGTERM, end)
        stream.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
