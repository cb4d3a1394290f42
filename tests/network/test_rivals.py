# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stranger has the address, too: the master says so and defends it; the ordinary course of things raises no alarm."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from lab import INTERFACE, Carpd, Lab, Pair, Ucarp, UcarpOptions, Vip, with_prefix
from pairs import STANDBY_SKEW, CarpdPair

QUIET = "says to have"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A pair, a stranger c, and a client."""
    with Lab(tmp_path_factory.mktemp("lab"), hosts=("a", "b", "c")) as made:
        yield made


@pytest.fixture
def pair(lab: Lab) -> CarpdPair:
    """A pair with an address of each family, in its steady state."""
    lab.clear()
    addresses = (lab.address(0), lab.address6(0))
    for host in lab.hosts:
        lab.wait_link_local(host)
    first, second = (
        Carpd(lab, host, [Vip("smtp", addresses, options={"advskew": skew})])
        for host, skew in (("a", 0), ("b", STANDBY_SKEW))
    )
    made = Pair(first, second, addresses[0])
    first.start()
    second.start()
    made.settle()
    return made


def wait_rivals(daemon: Carpd, count: int, seconds: float = 60) -> list[dict[str, Any]]:
    """Ask until so many rivals are known."""
    deadline = time.monotonic() + seconds
    while len(found := daemon.status()["rivals"]) != count:
        assert time.monotonic() < deadline, f"{found}\n{daemon.lab.recorder.timeline()}"
    return list(found)


def test_a_stranger_configures_the_address(lab: Lab, pair: CarpdPair) -> None:
    addresses = (lab.address(0), lab.address6(0))
    assert pair.preferred.status()["rivals"] == []
    for address in addresses:
        lab.hosts["c"].ip("addr", "add", with_prefix(address), "dev", INTERFACE, "nodad")
    lab.hosts["c"].ip("neigh", "flush", "dev", INTERFACE)
    # It says so when it uses the address; without that, the next takeover would find it out.
    for address, target in zip(addresses, (lab.source("b"), lab.source6("b"))):
        lab.spawn("c", ["ping", "-c", "1", "-W", "1", "-I", address, target]).wait()
    rivals = wait_rivals(pair.preferred, 2)
    assert {(one["address"], one["mac"]) for one in rivals} == {(address, lab.mac("c")) for address in addresses}
    told_so = f"another host, with the MAC {lab.mac('c')}, says to have {lab.address(0)}"
    lab.wait(lambda: told_so in pair.preferred.process.output, "the log says so, too")
    told = time.monotonic() - 5
    for address in addresses:
        lab.wait(lambda it=address: lab.capture.announced(told, "a", it), "announced again")  # type: ignore[misc]
    for address in addresses:
        lab.hosts["c"].ip("addr", "del", with_prefix(address), "dev", INTERFACE)
    gone = time.monotonic()
    wait_rivals(pair.preferred, 0)
    over = f"no longer says to have {lab.address(0)}"
    lab.wait(lambda: over in pair.preferred.process.output, "the log says that it is over")
    for address in addresses:
        lab.wait(lambda it=address: lab.capture.announced(gone, "a", it), "and when it is over")  # type: ignore[misc]


def test_a_stranger_was_there_first(lab: Lab, pair: CarpdPair) -> None:
    """Nobody waits for duplicate address detection at takeover, but everybody is asked."""
    pair.preferred.stop()
    pair.standby.stop()
    for address in (lab.address(0), lab.address6(0)):
        lab.hosts["c"].ip("addr", "add", with_prefix(address), "dev", INTERFACE, "nodad")
    pair.preferred.start()
    rivals = wait_rivals(pair.preferred, 2)
    assert {one["mac"] for one in rivals} == {lab.mac("c")}
    for address in (lab.address(0), lab.address6(0)):
        lab.hosts["c"].ip("addr", "del", with_prefix(address), "dev", INTERFACE)


def test_handovers_raise_no_alarm(lab: Lab, pair: CarpdPair) -> None:
    """Planned, crashed, taken back: each time somebody else has the address, by right."""
    daemons = (pair.preferred, pair.standby)
    for action in (pair.preferred.stop, pair.preferred.kill):
        action()
        lab.wait_owner(pair.address, "b")
        pair.preferred.start()
        lab.wait_owner(pair.address, "a")
        assert pair.standby.status()["master"]["mac"] == lab.mac("a")
    pair.preferred.send(signal.SIGUSR2)
    lab.wait_owner(pair.address, "b")
    since = time.monotonic()
    lab.wait_advert("b", count=5, since=since)  # the time of grace is over, and what would come after it has come
    for daemon in daemons:
        assert daemon.status()["rivals"] == []
        assert QUIET not in daemon.process.output


def test_handovers_with_ucarp_raise_no_alarm(lab: Lab) -> None:
    """It announces the address before it advertises, and again when it has given up."""
    lab.clear()
    address = lab.address(1)
    ours = Carpd(lab, "a", [Vip("smtp", (address,), vhid=2, options={"advskew": 20})])
    theirs = Ucarp(lab, "b", address, UcarpOptions(vhid=2, preempt=True))
    ours.start()
    lab.wait_owner(address, "a")
    for _number in range(2):
        theirs.start()
        lab.wait_owner(address, "b")
        theirs.stop()
        lab.wait_owner(address, "a")
    lab.wait_advert("a", count=6)
    assert ours.status()["rivals"] == []
    assert QUIET not in ours.process.output
