# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The event source: lines of carpctl become events, and a host that is lost is said to be, and tried again."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import pathlib
import sys
from typing import Any

import pytest

PATH = pathlib.Path(__file__).parents[3] / "extensions" / "eda" / "plugins" / "event_source" / "carp_state.py"
spec = importlib.util.spec_from_file_location("carp_state", PATH)
assert spec is not None and spec.loader is not None
carp_state = importlib.util.module_from_spec(spec)
spec.loader.exec_module(carp_state)

STATUS = {"name": "smtp", "state": "BACKUP", "reason": "a better one speaks", "addresses": ["192.0.2.74/24"]}
CHANGE = {
    "event": "state",
    "at": 1790000000.5,
    "name": "smtp",
    "old": "BACKUP",
    "new": "MASTER",
    "reason": "silence",
    "status": {**STATUS, "state": "MASTER"},
}


def test_a_line_becomes_an_event() -> None:
    (event,) = carp_state.event_of_line("server1", json.dumps(CHANGE).encode())
    assert event == {
        "carp": {
            "kind": "state",
            "host": "server1",
            "vip": "smtp",
            "state": "MASTER",
            "from": "BACKUP",
            "to": "MASTER",
            "why": "silence",
            "at": 1790000000.5,
            "addresses": ["192.0.2.74/24"],
        }
    }


def test_the_first_line_says_how_each_is_found() -> None:
    line = json.dumps({"event": "status", "status": [STATUS, {**STATUS, "name": "www"}]}).encode()
    events = [event["carp"] for event in carp_state.event_of_line("server1", line)]
    assert [(event["kind"], event["vip"], event["state"]) for event in events] == [
        ("found", "smtp", "BACKUP"),
        ("found", "www", "BACKUP"),
    ]


@pytest.mark.parametrize("line", [b"x\n", b"[]\n", b"3\n"])
def test_what_is_none_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError):
        carp_state.event_of_line("server1", line)


def hear(args: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """Return the first events of the source."""

    async def collect() -> list[dict[str, Any]]:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        source = asyncio.ensure_future(carp_state.main(queue, args))
        try:
            return [(await asyncio.wait_for(queue.get(), 60))["carp"] for _number in range(count)]
        finally:
            source.cancel()
            await asyncio.gather(source, return_exceptions=True)

    return asyncio.run(collect())


def test_a_host_is_heard_and_lost_and_heard_again() -> None:
    lines = [json.dumps({"event": "status", "status": [STATUS]}), json.dumps(CHANGE)]
    script = f"import sys; print({lines[0]!r}); print({lines[1]!r}); sys.exit('no daemon runs on ' + sys.argv[1])"
    events = hear({"hosts": ["server1"], "command": [sys.executable, "-c", script, "{host}"], "retry": 0.01}, 5)
    assert [event["kind"] for event in events] == ["found", "state", "unreachable", "reachable", "found"]
    assert events[2]["why"] == "no daemon runs on server1"
    assert {event["host"] for event in events} == {"server1"}


def test_several_hosts_are_heard_at_once() -> None:
    line = json.dumps({"event": "status", "status": [STATUS]})
    script = f"import time; print({line!r}, flush=True); time.sleep(60)"
    events = hear({"hosts": ["server1", "server2"], "command": [sys.executable, "-c", script]}, 2)
    assert {event["host"] for event in events} == {"server1", "server2"}


def test_a_host_that_stays_away_is_told_of_once_and_tried_less_and_less_often() -> None:
    pauses: list[float] = []

    async def run() -> list[Any]:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        source = carp_state.Source("server1", ["/nowhere/to/be/found"], queue, 1, 4)

        async def sleep(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 4:
                raise asyncio.CancelledError

        carp_state.asyncio.sleep, real = sleep, asyncio.sleep
        try:
            with pytest.raises(asyncio.CancelledError):
                await source.hear()
        finally:
            carp_state.asyncio.sleep = real
        return [queue.get_nowait()["carp"]["kind"] for _number in range(queue.qsize())]

    assert asyncio.run(run()) == ["unreachable"]
    assert pauses == [1, 2, 4, 4]


@pytest.mark.parametrize(
    "args",
    [{}, {"hosts": []}, {"hosts": "server1"}, {"hosts": ["a"], "command": "ssh"}, {"hosts": ["a"], "retry": 0}],
)
def test_arguments_that_make_no_sense_are_refused(args: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        asyncio.run(carp_state.main(asyncio.Queue(), args))
