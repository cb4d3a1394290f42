# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Event source failover.carp.carp_state: what happens on the hosts that share an address, as it happens."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

DOCUMENTATION = r"""
---
short_description: Changes of state of hosts that share addresses
description:
  - Runs C(carpctl watch --json) on each host, by ssh unless another command is given, and emits an event for each
    change of state, and for all else that the daemon tells of, such as a check that fails.
  - Says at its start how each host is, and also when a host cannot be heard any more or is heard again.
  - A host that cannot be heard is tried again, with growing pauses.
options:
  hosts:
    description: The hosts, as ssh knows them.
    type: list
    elements: str
    required: true
  command:
    description: What to run for each host. C({host}) in a word stands for its name.
    type: list
    elements: str
    default: [ssh, -o, BatchMode=yes, -o, ConnectTimeout=10, -o, ServerAliveInterval=5, -o, ServerAliveCountMax=2,
      "{host}", carpctl, watch, --json]
  retry:
    description: After how many seconds a host is tried again at first. Each time it is twice as long.
    type: float
    default: 1.0
  retry_max:
    description: The longest such pause, in seconds.
    type: float
    default: 60.0
"""

EXAMPLES = r"""
- failover.carp.carp_state:
    hosts:
      - server1.example.com
      - server2.example.com
"""

COMMAND = (
    "ssh",
    "-o",
    "BatchMode=yes",
    "-o",
    "ConnectTimeout=10",
    # A host without power says nothing; ssh has to ask.
    "-o",
    "ServerAliveInterval=5",
    "-o",
    "ServerAliveCountMax=2",
    # What stands after it is for the host.
    "{host}",
    "carpctl",
    "watch",
    "--json",
)
LONGEST = 1 << 20
"""Bytes of a line; a status of 255 addresses has less."""


def event_of(host: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event for something that the daemon told of."""
    status = told.get("status") or {}
    return {
        "carp": {
            "kind": told.get("event", ""),
            "host": host,
            "vip": told.get("name", ""),
            "state": status.get("state", told.get("new")),
            "from": told.get("old"),
            "to": told.get("new"),
            "why": told.get("reason", ""),
            "at": told.get("at", time.time()),
            "addresses": status.get("addresses", []),
        }
    }


def event_of_status(host: str, status: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event for how a virtual host is found."""
    told = {
        "event": "found",
        "name": status.get("name", ""),
        "reason": status.get("reason", ""),
        "status": status,
    }
    return event_of(host, told)


def event_of_line(host: str, line: bytes) -> list[dict[str, Any]]:
    """Return the events of a line of C(carpctl watch --json). Raises ValueError if it is none."""
    told = json.loads(line)
    if not isinstance(told, dict):
        raise ValueError(f"no event: {told!r}")
    if told.get("event") == "status":
        return [event_of_status(host, each) for each in told["status"]]
    return [event_of(host, told)]


def event_of_host(host: str, kind: str, why: str) -> dict[str, Any]:
    """Return the event C(unreachable) or C(reachable) of a host."""
    return event_of(host, {"event": kind, "reason": why})


class Source:
    """Hears one host, for as long as it is not cancelled."""

    def __init__(
        self, host: str, command: Sequence[str], queue: asyncio.Queue[Any], retry: float, retry_max: float
    ) -> None:
        self._host = host
        self._command = [word.replace("{host}", host) for word in command]
        self._queue = queue
        self._retry, self._retry_max = retry, retry_max
        self._reachable: bool | None = None

    async def hear(self) -> None:
        """Run the command again and again."""
        pause = self._retry
        while True:
            heard, why = await self._once()
            if heard:
                pause = self._retry
            if self._reachable is not False:
                self._reachable = False
                await self._queue.put(event_of_host(self._host, "unreachable", why))
            await asyncio.sleep(pause)
            pause = min(pause * 2, self._retry_max)

    async def _once(self) -> tuple[bool, str]:
        """Hear until the command ends; return whether anything was heard, and why it ended."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=LONGEST,
            )
        except OSError as error:
            return False, f"{self._command[0]} cannot be run: {error.strerror}"
        errors = asyncio.ensure_future(_last_line(process.stderr))
        heard = False
        try:
            while line := await process.stdout.readline():
                for event in event_of_line(self._host, line):
                    await self._now_reachable()
                    await self._queue.put(event)
                    heard = True
        except ValueError as error:
            return heard, f"what it says cannot be understood: {error}"
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            said = await errors
        return heard, said or f"{self._command[0]} ended with {process.returncode}"

    async def _now_reachable(self) -> None:
        if self._reachable is False:
            await self._queue.put(event_of_host(self._host, "reachable", "it is heard again"))
        self._reachable = True


async def _last_line(stream: asyncio.StreamReader) -> str:
    """Return the last thing that was said, and read all of it: else whoever says it would wait."""
    last = b""
    while data := await stream.read(4096):
        last = (last + data)[-4096:]
    lines = last.decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


async def main(queue: asyncio.Queue[Any], args: dict[str, Any]) -> None:
    """Hear all hosts. This is what ansible-rulebook calls."""
    hosts = args.get("hosts")
    if not isinstance(hosts, list) or not hosts:
        raise ValueError("carp_state: hosts must be a list of at least one host")
    command = args.get("command", COMMAND)
    if isinstance(command, str) or not command:
        raise ValueError("carp_state: command must be a list of words")
    retry, retry_max = float(args.get("retry", 1)), float(args.get("retry_max", 60))
    if not 0 < retry <= retry_max:
        raise ValueError("carp_state: retry must be above 0, and at most retry_max")
    sources = [Source(str(host), [str(word) for word in command], queue, retry, retry_max) for host in hosts]
    await asyncio.gather(*(source.hear() for source in sources))


if __name__ == "__main__":
    # To try it by hand: python3 carp_state.py HOST...
    import sys

    class Printer:
        """Prints what is put into it."""

        async def put(self, event: dict[str, Any]) -> None:
            """Print one event."""
            sys.stdout.write(json.dumps(event) + "\n")
            sys.stdout.flush()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(Printer(), {"hosts": sys.argv[1:]}))  # type: ignore[arg-type]
