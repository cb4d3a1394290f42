# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drained handover: no connection fails that could end, one that could not ends at once, and nothing is left."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import Carpd, Lab, Pair, Process, Vip
from lab import stream as service
from lab.namespaces import run
from lab.segment import CLIENT
from pairs import SERVICE, STANDBY_SKEW, CarpdPair

PORT, OTHER_PORT = 2525, 2526
RATE = 250
DRAIN = 1.0
SOON = 0.5
"""Seconds within which what happens at once has happened, on a busy machine, too."""
PROGRAM = [sys.executable, "-E", "-s", str(Path(service.__file__))]


def drained(lab: Lab, host: str, advskew: int, **options: object) -> Vip:
    """The VIP with an address of each family, that is drained for a second."""
    return Vip(
        SERVICE,
        (lab.address(0), lab.address6(0)),
        options={"advskew": advskew, "preempt": "no", "drain": DRAIN, **options},
    )


@pytest.fixture(name="both", scope="module")
def both_(lab: Lab) -> CarpdPair:
    """A pair that drains; not started. The service runs on both hosts."""
    for host in lab.hosts:
        lab.wait_link_local(host)
        for port in (PORT, OTHER_PORT):
            server = lab.spawn(host, [*PROGRAM, "server", str(port)])
            lab.wait(lambda server=server: "listening" in server.output, "the service")  # type: ignore[misc]
    first, second = (Carpd(lab, host, [drained(lab, host, skew)]) for host, skew in (("a", 0), ("b", STANDBY_SKEW)))
    return Pair(first, second, lab.address(0))


@pytest.fixture(name="pair")
def pair_(lab: Lab, both: CarpdPair) -> Iterator[CarpdPair]:
    """The pair in its steady state: a is master, whatever the test before has done, and nothing is held back."""
    for daemon, skew in ((both.preferred, 0), (both.standby, STANDBY_SKEW)):
        daemon.write([drained(lab, daemon.host, skew)])
        daemon.revive()
        assert daemon.ctl("reload").returncode == 0
        daemon.ctl("promote", "--wait", "0")
    if lab.owners.holders(both.address) != ["a"]:
        both.standby.ctl("demote")
        both.standby.ctl("promote", "--wait", "0")
    lab.wait_owner(both.address, "a")
    lab.wait_advert("a", count=2)
    yield both


def session(lab: Lab, address: str, port: int = PORT) -> Process:
    """A connection that its client keeps open, and silent."""
    kept = client(lab, "session", address, str(port))
    lab.wait(lambda: "open" in kept.output, "an open connection")
    return kept


def client(lab: Lab, *words: str) -> Process:
    """Something that runs on the client."""
    return lab.spawn(CLIENT, [*PROGRAM, *words])


def told(process: Process, event: str) -> list[tuple[float, dict[str, Any]]]:
    """What a process has told of an event, and when."""
    lines = [(at, json.loads(line)) for at, line in process.lines]
    return [(at, line) for at, line in lines if line["event"] == event]


def tables(lab: Lab, host: str) -> str:
    """The nftables of a host, by nft(8)."""
    return run(lab.hosts[host].argv(["nft", "list", "tables"]))


def established(lab: Lab, host: str, address: str) -> str:
    """The TCP connections of an address, by ss(8)."""
    shown = f"[{address}]" if ":" in address else address
    command = ["ss", "-Htn", "state", "connected", "exclude", "time-wait", "src", shown]
    return run(lab.hosts[host].argv(command)).strip()


@pytest.mark.parametrize("version", [4, 6])
def test_short_connections_lose_nothing_there_and_back(lab: Lab, pair: CarpdPair, version: int) -> None:
    address = lab.address(0) if version == 4 else lab.address6(0)
    stream = client(lab, "stream", address, str(PORT), str(RATE))
    lab.wait(lambda: told(stream, "done"), "the first answer")
    for leaving, coming in ((pair.preferred, pair.standby), (pair.standby, pair.preferred)):
        coming.ctl("promote", "--wait", "0")
        done = leaving.ctl("demote")
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        lab.wait_advert(coming.host, count=2)
        lab.wait(lambda leaving=leaving: tables(lab, leaving.host) == "", "no table is left")  # type: ignore[misc]
    lab.wait(lambda: told(stream, "done")[-1][1]["count"] > 2 * RATE, "two seconds of connections")
    stream.stop()
    ((_at, result),) = told(stream, "sum")
    assert result["failed"] == []
    print(f"IPv{version}: {result['done']} connections, slowest {result['slowest']} s")


def test_what_does_not_end_by_itself_is_reset_before_the_address_goes(lab: Lab, pair: CarpdPair) -> None:
    kept = [session(lab, lab.address(0)), session(lab, lab.address6(0))]
    began = time.monotonic()
    assert pair.preferred.ctl("demote").returncode == 0
    lab.wait(lambda: all(told(one, "ended") for one in kept), "the clients learn of the end")
    gone = next(change for change in lab.owners.changes(pair.address, began) if change[1:] == ("a", "-"))[0]
    for one in kept:
        ((at, how),) = told(one, "ended")
        assert how["why"] == "ConnectionResetError"
        assert began + DRAIN <= at < gone + SOON
    for address in (lab.address(0), lab.address6(0)):
        assert established(lab, "a", address) == ""


def test_a_connection_that_ends_is_not_waited_for_any_longer(lab: Lab, pair: CarpdPair) -> None:
    pair.preferred.write([drained(lab, "a", 0, drain=60)])
    assert pair.preferred.ctl("reload").returncode == 0
    kept = session(lab, lab.address(0))
    assert pair.preferred.ctl("demote", "--wait", "0").returncode == 0
    lab.wait(
        lambda: (pair.preferred.status()["draining"] or {}).get("connections") == 1, "one connection is waited for"
    )
    assert "carpd-smtp" in tables(lab, "a")
    assert "draining (1 connection, " in pair.preferred.ctl("status").stdout
    assert "waits for 1 connection to end" in pair.preferred.ctl("explain").stdout
    since = time.monotonic()
    lab.wait_advert("a", count=2, since=since)
    assert lab.owners.holders(pair.address) == ["a"]
    kept.stop()
    lab.wait_owner(pair.address, "b")
    lab.wait(lambda: tables(lab, "a") == "", "no table is left")


def test_other_ports_are_left_alone(lab: Lab, pair: CarpdPair) -> None:
    pair.preferred.write([drained(lab, "a", 0, drain=60, drain_ports=PORT)])
    assert pair.preferred.ctl("reload").returncode == 0
    kept, other = session(lab, lab.address(0)), session(lab, lab.address(0), OTHER_PORT)
    assert pair.preferred.ctl("demote", "--wait", "0").returncode == 0
    lab.wait(
        lambda: (pair.preferred.status()["draining"] or {}).get("connections") == 1, "one connection is waited for"
    )
    late = session(lab, lab.address(0), OTHER_PORT)
    kept.stop()
    lab.wait_owner(pair.address, "b")
    assert not told(other, "ended")
    for one in (other, late):
        one.close()


def test_promoted_again_it_lets_everybody_in(lab: Lab, pair: CarpdPair) -> None:
    pair.preferred.write([drained(lab, "a", 0, drain=60)])
    assert pair.preferred.ctl("reload").returncode == 0
    kept = session(lab, lab.address(0))
    assert pair.preferred.ctl("demote", "--wait", "0").returncode == 0
    lab.wait(lambda: tables(lab, "a"), "new connections are held back")
    assert pair.preferred.ctl("promote").returncode == 0
    lab.wait(lambda: tables(lab, "a") == "", "no table is left")
    second = session(lab, lab.address(0))
    assert not told(kept, "ended")
    assert lab.owners.holders(pair.address) == ["a"]
    for one in (kept, second):
        one.close()


def test_without_a_successor_it_stays_and_lets_everybody_in(lab: Lab, pair: CarpdPair) -> None:
    pair.standby.stop()
    done = pair.preferred.ctl("demote")
    assert done.returncode == 1
    assert lab.owners.holders(pair.address) == ["a"]
    lab.wait(lambda: tables(lab, "a") == "", "no table is left")
    session(lab, lab.address(0)).close()


def test_nothing_is_left_of_a_daemon_that_is_killed(lab: Lab, pair: CarpdPair) -> None:
    pair.preferred.write([drained(lab, "a", 0, drain=60)])
    assert pair.preferred.ctl("reload").returncode == 0
    kept = session(lab, lab.address(0))
    assert pair.preferred.ctl("demote", "--wait", "0").returncode == 0
    lab.wait(lambda: tables(lab, "a"), "new connections are held back")
    pair.preferred.send(signal.SIGKILL)
    lab.wait(lambda: tables(lab, "a") == "", "no table is left")
    lab.wait_owner(pair.address, "b")
    assert established(lab, "a", lab.address(0)) != ""
    assert pair.preferred.cli("release").returncode == 0
    assert established(lab, "a", lab.address(0)) == ""
    kept.close()


def test_it_drains_when_it_is_stopped(lab: Lab, pair: CarpdPair) -> None:
    kept = session(lab, lab.address(0))
    began = time.monotonic()
    assert pair.preferred.stop() == 0
    ((at, how),) = told(kept, "ended")
    assert how["why"] == "ConnectionResetError" and at >= began + DRAIN
    assert tables(lab, "a") == ""


def test_a_sick_service_waits_for_nobody_but_resets(lab: Lab, pair: CarpdPair) -> None:
    sick = pair.preferred.directory / "sick"
    sick.write_text("")
    check = f"[check file]\ntype = file\ntarget = {sick}\ninterval = 0.1\nrise = 1\nfall = 1\nweight = fault\n"
    pair.preferred.write_text(f"[carpd]\n{drained(lab, 'a', 0, drain=60).section()}\n{check}")
    assert pair.preferred.ctl("reload").returncode == 0
    lab.wait(lambda: [one["state"] for one in pair.preferred.status()["checks"]] == ["good"], "the check is good")
    kept = session(lab, lab.address(0))
    began = time.monotonic()
    sick.unlink()
    lab.wait(lambda: told(kept, "ended"), "the client learns of it")
    ((at, how),) = told(kept, "ended")
    assert how["why"] == "ConnectionResetError"
    lab.wait_owner(pair.address, "b")
    gone = next(change for change in lab.owners.changes(pair.address, began) if change[1:] == ("a", "-"))[0]
    assert at < gone + SOON
    lab.wait(lambda: tables(lab, "a") == "", "no table is left")


def test_sessions_of_a_lost_address_are_held_by_nobody(lab: Lab, pair: CarpdPair) -> None:
    kept = session(lab, lab.address(0))
    lab.cut("a")
    lab.wait_gone(pair.address, "a")
    lab.wait(lambda: established(lab, "a", lab.address(0)) == "", "no connection is left")
    kept.close()


def test_a_restarted_or_reloaded_daemon_drains_nothing(lab: Lab, pair: CarpdPair) -> None:
    kept = session(lab, lab.address(0))
    assert pair.preferred.ctl("restart").returncode == 0
    assert pair.preferred.ctl("reload").returncode == 0
    assert lab.owners.holders(pair.address) == ["a"]
    assert not told(kept, "ended")
    assert tables(lab, "a") == ""
    kept.close()
