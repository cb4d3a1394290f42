# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After a handover, a neighbour that ignores the announcement loses nothing while the old owner passes packets on."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import INTERFACE, Carpd, Lab, Pair, Vip
from lab import stream as service
from lab.segment import CLIENT
from pairs import SERVICE, STANDBY_SKEW, CarpdPair

PORT = 2525
PROBES = 1000
PROGRAM = [sys.executable, "-E", "-s", str(Path(service.__file__))]


def forwarding(lab: Lab, host: str, advskew: int, seconds: float) -> Carpd:
    """A daemon that passes packets on for so many seconds."""
    options = {"advskew": advskew, "preempt": "no", "forward": seconds}
    return Carpd(lab, host, [Vip(SERVICE, (lab.address(0), lab.address6(0)), options=options)])


@pytest.fixture(name="frozen")
def frozen_(lab: Lab) -> Iterator[None]:
    """The client knows a's MAC for good: it will learn nothing, whatever is announced."""
    for address in (lab.address(0), lab.address6(0)):
        entry = [address, "lladdr", lab.mac("a"), "nud", "permanent", "dev", INTERFACE]
        lab.client.ip("neigh", "replace", *entry)
    yield
    for address in (lab.address(0), lab.address6(0)):
        lab.client.ip("neigh", "del", address, "dev", INTERFACE)


def moved(lab: Lab, seconds: float) -> CarpdPair:
    """Return a pair whose address has just been handed over from a to b."""
    lab.clear()
    for host in lab.hosts:
        lab.wait_link_local(host)
        server = lab.spawn(host, [*PROGRAM, "server", str(PORT)])
        lab.wait(lambda server=server: "listening" in server.output, "the service")  # type: ignore[misc]
    pair = Pair(forwarding(lab, "a", 0, seconds), forwarding(lab, "b", STANDBY_SKEW, seconds), lab.address(0))
    pair.settle()
    done = pair.preferred.ctl("demote")
    assert (done.returncode, done.stderr) == (0, "")
    return pair


def answers(lab: Lab, version: int, probes: int = PROBES) -> int:
    """Ask the address so often, once every millisecond, and return how many answers the client got."""
    address = lab.address(0) if version == 4 else lab.address6(0)
    ping = lab.spawn(CLIENT, ["ping", f"-{version}", "-c", str(probes), "-i", "0.001", "-W", "1", "-q", address])
    ping.wait()
    (line,) = (line for line in ping.output.splitlines() if "received" in line)
    return int(line.split(" received")[0].split()[-1])


@pytest.mark.parametrize("version", [4, 6])
def test_without_it_nothing_arrives(lab: Lab, frozen: None, version: int) -> None:
    moved(lab, 0)
    assert answers(lab, version, 100) == 0


@pytest.mark.parametrize("version", [4, 6])
def test_with_it_nothing_is_lost(lab: Lab, frozen: None, version: int) -> None:
    pair = moved(lab, 60)
    assert answers(lab, version) == PROBES
    address = lab.address(0) if version == 4 else lab.address6(0)
    stream = lab.spawn(CLIENT, [*PROGRAM, "stream", address, str(PORT), "200"])
    lab.wait(lambda: '"count": 100' in stream.output, "a hundred answers")
    stream.stop()
    assert json.loads(stream.lines[-1][1])["failed"] == []
    began = time.monotonic()
    assert pair.standby.ctl("demote", "--wait", "0").returncode == 0
    assert pair.preferred.ctl("promote", "--wait", "0").returncode == 0
    lab.wait_owner(pair.address, "a")
    lab.wait(
        lambda: "packets on to the new master" in pair.preferred.process.since(began), "it ends where it is master"
    )
    assert answers(lab, version, 100) == 100


def test_much_at_once_arrives(lab: Lab, frozen: None) -> None:
    """What the card has joined, and whose checksums it was to finish, too."""
    moved(lab, 60)
    program = (
        f"import socket; s = socket.create_connection(({lab.address(0)!r}, {PORT}), 10); s.recv(100);"
        "s.sendall(b'x' * 3000000); s.shutdown(socket.SHUT_WR); print('sent', flush=True);\n"
        "while s.recv(100): pass\nprint('closed')"
    )
    sender = lab.spawn(CLIENT, [sys.executable, "-c", program])
    lab.wait(lambda: "sent" in sender.output, "three megabytes")
    sender.close()


def test_neighbours_that_can_learn_are_told(lab: Lab) -> None:
    """The client has a's MAC, as one that missed every announcement has, and needs no patience to lose it."""
    moved(lab, 60)
    lab.wait_advert("b", count=6)
    stale = ["lladdr", lab.mac("a"), "nud", "reachable", "dev", INTERFACE]
    for version, address in ((4, lab.address(0)), (6, lab.address6(0))):
        lab.client.ip("neigh", "replace", address, *stale)
        assert answers(lab, version, 10) == 10
        found = json.loads(lab.client.ip("-j", "neigh", "show", "to", address, "dev", INTERFACE))
        assert found[0]["lladdr"] == lab.mac("b")


def test_it_ends_after_its_time(lab: Lab, frozen: None) -> None:
    pair = moved(lab, 2)
    assert answers(lab, 4, 100) == 100
    lab.wait(lambda: "packets on to the new master" in pair.preferred.process.output, "it ends")
    assert answers(lab, 4, 100) == 0
