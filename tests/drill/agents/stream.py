# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Agent on the client: a counted stream of numbered mails, each tried again and again until it is accepted.

Usage: ``stream.py SERVER RECIPIENT RUN MODE RATE COUNT READ_TIMEOUT``. MODE is ``conn`` for one connection per mail, or
a number of long sessions that share the mails. After ``stop`` no new mails are begun. Unlike mail.py it has no threads:
it keeps 300 mails a second going beside two mail servers on one small machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
from collections.abc import AsyncIterator

from agent import emit, listen

CONNECT_TIMEOUT = 30.0
"""As Postfix has it: the kernel tries again within it, after 1, 3 and 7 s."""
PAUSE = 0.2
SENDER = "drill@client.example.com"
HELLO = "client.example.com"


class Rejected(Exception):
    """The server answered, but not as hoped for."""


class Session:
    """One SMTP session.

    ``at_the_dot`` tells that a mail was sent whose answer did not come: it may be there twice. ``since`` is when the
    connection was made, or None before that.
    """

    def __init__(self, server: str, read_timeout: float) -> None:
        self._server = server
        self._read_timeout = read_timeout
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self.at_the_dot = False
        self.since: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._writer is not None

    async def open(self) -> None:
        """Connect and say hello."""
        connecting = asyncio.open_connection(self._server, 25)
        self._reader, self._writer = await asyncio.wait_for(connecting, CONNECT_TIMEOUT)
        self.since = time.monotonic()
        await self._answer("220")
        await self._ask(f"HELO {HELLO}", "250")

    async def send(self, recipient: str, text: str) -> None:
        """Hand one mail over; returns after the 250."""
        await self._ask(f"MAIL FROM:<{SENDER}>", "250")
        await self._ask(f"RCPT TO:<{recipient}>", "250")
        await self._ask("DATA", "354")
        self.at_the_dot = True
        await self._ask(text + "\r\n.", "250")
        self.at_the_dot = False

    async def leave(self) -> None:
        """Say goodbye; what comes of it does not matter."""
        with contextlib.suppress(OSError, EOFError, Rejected, asyncio.TimeoutError):
            await self._ask("QUIT", "221")
        self.drop()

    def drop(self) -> None:
        """Close the connection without a word."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None
        self.since = None

    async def _ask(self, request: str, wanted: str) -> None:
        assert self._writer is not None
        self._writer.write(request.encode() + b"\r\n")
        await self._writer.drain()
        await self._answer(wanted)

    async def _answer(self, wanted: str) -> None:
        assert self._reader is not None
        while True:
            line = await asyncio.wait_for(self._reader.readline(), self._read_timeout)
            if not line.endswith(b"\n"):
                raise EOFError
            if line[3:4] != b"-":
                break
        if not line.startswith(wanted.encode()):
            # An answer is an answer: the mail was not taken.
            self.at_the_dot = False
            raise Rejected(line.decode(errors="replace").strip())


class Stream:
    """Numbers the mails, paces them, and tells what came of them."""

    def __init__(self, server: str, recipient: str, run: str, read_timeout: float, enough: threading.Event) -> None:
        self.begun = 0
        self._server = server
        self._recipient = recipient
        self._run = run
        self._read_timeout = read_timeout
        self._enough = enough

    async def by_connections(self, rate: float, count: int) -> None:
        """Send each mail over a connection of its own."""
        sending = []
        async for number in self._paced(rate, count):
            sending.append(asyncio.create_task(self._insist(number)))
        await asyncio.gather(*sending)

    async def by_sessions(self, rate: float, count: int, sessions: int) -> None:
        """Send the mails over few connections that stay."""
        waiting: asyncio.Queue[int] = asyncio.Queue()
        workers = [asyncio.create_task(self._work(waiting)) for _number in range(sessions)]
        async for number in self._paced(rate, count):
            waiting.put_nowait(number)
        await waiting.join()
        for worker in workers:
            worker.cancel()

    async def _insist(self, number: int) -> None:
        session = Session(self._server, self._read_timeout)
        await self._deliver(session, number)
        await session.leave()

    async def _work(self, waiting: asyncio.Queue[int]) -> None:
        session = Session(self._server, self._read_timeout)
        while True:
            await self._deliver(session, await waiting.get())
            waiting.task_done()

    async def _deliver(self, session: Session, number: int) -> None:
        headers = [f"From: {SENDER}", f"To: {self._recipient}", f"X-Drill: {self._run} {number}"]
        text = "\r\n".join([*headers, "", f"This is mail {number}."])
        began = time.monotonic()
        tries = 1
        while True:
            try:
                if not session.is_open:
                    await session.open()
                await session.send(self._recipient, text)
            except (OSError, EOFError, Rejected, asyncio.TimeoutError) as error:
                why = str(error) if isinstance(error, Rejected) else type(error).__name__
                emit("failed", mail=number, why=why, ambiguous=session.at_the_dot, connected=session.since)
                session.at_the_dot = False
                session.drop()
                tries += 1
                await asyncio.sleep(PAUSE)
            else:
                emit("accepted", mail=number, began=began, tries=tries)
                return

    async def _paced(self, rate: float, count: int) -> AsyncIterator[int]:
        """Yield the numbers of mails, each when its time has come."""
        due = time.monotonic()
        while self.begun < count and not self._enough.is_set():
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            due += 1 / rate
            self.begun += 1
            yield self.begun


def main(server: str, recipient: str, run: str, mode: str, rate: str, count: str, read_timeout: str) -> None:
    """Send them all, and stay until the driver says stop or is gone."""
    stopped = threading.Event()
    listen(stop=stopped.set, gone=lambda: os._exit(0))
    stream = Stream(server, recipient, run, float(read_timeout), stopped)
    if mode == "conn":
        asyncio.run(stream.by_connections(float(rate), int(count)))
    else:
        asyncio.run(stream.by_sessions(float(rate), int(count), int(mode)))
    emit("finished", streamed=stream.begun)
    stopped.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
