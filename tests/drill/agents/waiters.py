# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Agent on the client: clients that say nothing and wait to be greeted, as most of those do that meet a hung server.

Usage: ``waiters.py SERVER PORT COUNT``. Tells when each is connected, greeted, and left by the server, and how.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading

from agent import emit, listen


async def wait(server: str, port: int, number: int) -> None:
    """Be one of them."""
    reader, _writer = await asyncio.open_connection(server, port)
    emit("connected", waiter=number)
    try:
        while await reader.readline():
            emit("greeted", waiter=number)
        how = "end"
    except OSError as error:
        how = type(error).__name__
    emit("left", waiter=number, how=how)


async def _run(server: str, port: int, count: int) -> None:
    await asyncio.gather(*(wait(server, port, number) for number in range(1, count + 1)))


def main(server: str, port: str, count: str) -> None:
    """Wait to be left, and stay until the driver says stop or is gone."""
    listen(stop=lambda: os._exit(0), gone=lambda: os._exit(0))
    asyncio.run(_run(server, int(port), int(count)))
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
