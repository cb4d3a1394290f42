# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Agent on the client: a mail server that takes everything, and tells the number of each mail that arrives.

Usage: ``sink.py PORT DELAY``; DELAY is how many seconds it lets pass between having a mail and saying so.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys

from agent import emit, listen

NUMBERED = re.compile(rb"^X-Drill: (\S+) (\d+)\s*$", re.MULTILINE)


class Sink:
    """What it does with a connection."""

    def __init__(self, delay: float) -> None:
        self._delay = delay

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take mails until the other side leaves."""
        try:
            writer.write(b"220 sink.example.com\r\n")
            while True:
                request = (await reader.readline()).strip().upper()
                if not request or request.startswith(b"QUIT"):
                    break
                if request.startswith(b"DATA"):
                    writer.write(b"354 go on\r\n")
                    await self._take(await reader.readuntil(b"\r\n.\r\n"))
                writer.write(b"250 good\r\n")
        except (OSError, EOFError, asyncio.IncompleteReadError):
            pass
        writer.close()

    async def _take(self, text: bytes) -> None:
        found = NUMBERED.search(text)
        if found:
            emit("arrived", run=found[1].decode(), mail=int(found[2]))
        if self._delay:
            await asyncio.sleep(self._delay)


async def _run(port: int, delay: float) -> None:
    server = await asyncio.start_server(Sink(delay).serve, "0.0.0.0", port, backlog=1000)
    emit("listening", port=port)
    await server.serve_forever()


def main(port: str, delay: str) -> None:
    """Serve until the driver is gone."""
    listen(stop=lambda: os._exit(0), gone=lambda: os._exit(0))
    asyncio.run(_run(int(port), float(delay)))


if __name__ == "__main__":
    main(*sys.argv[1:])
