# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""carpd and Debian's ucarp as a pair, in both roles: exactly one owner, and handover both ways.

Two pairs share the segment, carpd preferred on hosts a and b, ucarp preferred on hosts c and d, so that they can start
together.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest
from lab import Carpd, Lab, Pair, Ucarp, UcarpOptions, Vip
from pairs import OVERLAP, STANDBY_SKEW, assert_moves

UCARP_READS_LATE = 1.3
"""ucarp may read a packet up to 1 s after its arrival (its libpcap read timeout), and then runs its down script."""

Ours = Pair[Carpd, Ucarp]
Theirs = Pair[Ucarp, Carpd]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Four hosts and a client."""
    with Lab(tmp_path_factory.mktemp("lab"), hosts=("a", "b", "c", "d")) as made:
        yield made


def our_pair(lab: Lab) -> Ours:
    address = lab.address(0)
    return Pair(
        Carpd(lab, "a", [Vip("smtp", (address,))]),
        Ucarp(lab, "b", address, UcarpOptions(advskew=100)),
        address,
    )


def their_pair(lab: Lab) -> Theirs:
    address = lab.address(1)
    return Pair(
        Ucarp(lab, "c", address, UcarpOptions(vhid=2, preempt=True)),
        Carpd(lab, "d", [Vip("smtp", (address,), vhid=2, options={"advskew": STANDBY_SKEW})]),
        address,
    )


@pytest.fixture(scope="module")
def pairs(lab: Lab) -> tuple[Ours, Theirs]:
    """Both pairs, the standbys not ahead of the preferred ones."""
    ours, theirs = our_pair(lab), their_pair(lab)
    for daemon in (ours.preferred, theirs.preferred, ours.standby, theirs.standby):
        daemon.start()
    return ours, theirs


@pytest.fixture
def ours(pairs: tuple[Ours, Theirs]) -> Ours:
    """carpd preferred, ucarp standby, in the steady state."""
    pairs[0].settle()
    return pairs[0]


@pytest.fixture
def theirs(pairs: tuple[Ours, Theirs]) -> Theirs:
    """ucarp preferred, carpd standby, in the steady state."""
    pairs[1].settle()
    return pairs[1]


def test_the_preferred_host_owns_alone(lab: Lab, ours: Ours, theirs: Theirs) -> None:
    """Long enough for a standby that did not understand the other to have become master too."""
    began = time.monotonic()
    for host in ("a", "c"):
        lab.wait_advert(host, count=6, since=began)
    for pair in (ours, theirs):
        assert_moves(lab, pair.address, began)
        assert lab.capture.after(began, pair.standby.host) == []
    for complaint in ("Bad digest", "Bad IP checksum", "Bad TTL", "Bad version"):
        assert complaint not in ours.standby.process.output
    status = theirs.standby.status()
    assert (status["state"], status["master"]["source"]) == ("BACKUP", lab.source("c"))


def test_planned_moves_between_carpd_and_ucarp_lose_nothing(lab: Lab, ours: Ours) -> None:
    with lab.probe(ours.address) as probe:
        probe.wait_answering()
        stopped = ours.preferred.send(signal.SIGTERM)
        lab.wait_owner(ours.address, "b")
        assert ours.preferred.process.wait() == 0
        assert_moves(lab, ours.address, stopped, ("b", "+"), ("a", "-"))  # make before break
        assert lab.owners.overlap(ours.address, stopped) < OVERLAP
        assert [advert for advert in lab.capture.after(stopped, "a") if advert.is_goodbye]
        began = time.monotonic()
        ours.preferred.start()
        lab.wait_owner(ours.address, "a")
        assert lab.owners.overlap(ours.address, began) < UCARP_READS_LATE
        taken = lab.owners.changes(ours.address, began)[0][0]
        lab.wait_advert("a", count=3, since=taken)
        assert_moves(lab, ours.address, began, ("a", "+"), ("b", "-"))  # and keeps it
    assert probe.result.lost == 0


def test_killed_carpd_never_shares_the_address_with_ucarp(lab: Lab, ours: Ours) -> None:
    began = ours.preferred.kill()
    lab.wait_owner(ours.address, "b")
    assert_moves(lab, ours.address, began, ("a", "-"), ("b", "+"))


def test_carpd_steps_down_in_favour_of_ucarp(lab: Lab, ours: Ours) -> None:
    """Without coming straight back, which ucarp itself does."""
    with lab.probe(ours.address) as probe:
        probe.wait_answering()
        began = ours.preferred.send(signal.SIGUSR2)
        lab.wait_owner(ours.address, "b")
        lab.wait_advert("b", count=3)
    assert probe.result.lost == 0
    assert_moves(lab, ours.address, began, ("b", "+"), ("a", "-"))
    assert ours.preferred.stop() == 0


def test_carpd_takes_over_from_ucarp_and_gives_back(lab: Lab, theirs: Theirs) -> None:
    stopped = time.monotonic()
    assert theirs.preferred.stop() == 0
    lab.wait_owner(theirs.address, "d")
    assert_moves(lab, theirs.address, stopped, ("c", "-"), ("d", "+"))
    taken = lab.owners.changes(theirs.address, stopped)[-1][0]
    assert taken - stopped > 1.5, "ucarp says no goodbye: nobody may take its address before three intervals of silence"
    with lab.probe(theirs.address) as probe:
        probe.wait_answering()
        began = time.monotonic()
        theirs.preferred.start()
        lab.wait_owner(theirs.address, "c")
        probe.wait_answering(after=time.monotonic())
    assert probe.result.lost == 0
    assert_moves(lab, theirs.address, began, ("c", "+"), ("d", "-"))
    assert theirs.standby.status()["state"] == "BACKUP"


def test_unplugged_ucarp_gives_way_after_healing(lab: Lab, theirs: Theirs) -> None:
    """ucarp sleeps for up to 10 s once it has lost carrier; whoever speaks then, one owner is left."""
    began = lab.cut("c")
    lab.wait(lambda: "d" in lab.owners.holders(theirs.address), "carpd has taken over")
    lab.heal("c")
    lab.wait_owner(theirs.address, "c", timeout=30)
    assert lab.owners.changes(theirs.address, began)[-1][1:] == ("d", "-")


def test_equal_ranks_end_with_the_owner_that_ucarp_wants(lab: Lab) -> None:
    """Both hosts must come to the same verdict, or both would keep the address, or both leave it."""
    lab.clear()
    couples = {("a", "b"): lab.address(2), ("c", "d"): lab.address(3)}
    lab.part("a", "b", "c", "d")
    try:
        for (lower, higher), address in couples.items():
            vhid = 3 + (lower == "c")
            carpd, ucarp = (lower, higher) if lower == "a" else (higher, lower)
            Carpd(lab, carpd, [Vip("smtp", (address,), vhid=vhid, options={"advskew": 50})]).start()
            Ucarp(lab, ucarp, address, UcarpOptions(vhid=vhid, advskew=50)).start()
        lab.wait(
            lambda: all(lab.owners.holders(address) == list(hosts) for hosts, address in couples.items()),
            "all think that they are alone",
        )
    finally:
        joined = lab.join("a", "b", "c", "d")
    for (lower, higher), address in couples.items():
        lab.wait_owner(address, lower)
        lab.wait_advert(lower, count=3, since=joined)
        assert_moves(lab, address, joined, (higher, "-"))
