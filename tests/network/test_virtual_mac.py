# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses with a MAC of their own: when they move, no neighbour has to learn anything."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator

import pytest
from lab import INTERFACE, Carpd, Lab, Pair, Vip, with_prefix
from pairs import OVERLAP, STANDBY_SKEW, CarpdPair

VHID = 7
VIRTUAL_MAC = "00:00:5e:00:01:07"


@pytest.fixture(scope="module")
def both(lab: Lab) -> CarpdPair:
    """A pair with an address of each family; not started."""
    addresses = (lab.address(0), lab.address6(0))
    first, second = (
        Carpd(lab, host, [Vip("smtp", addresses, vhid=VHID, options={"advskew": skew, "virtual_mac": "yes"})])
        for host, skew in (("a", 0), ("b", STANDBY_SKEW))
    )
    for host in lab.hosts:
        lab.wait_link_local(host)
    return Pair(first, second, addresses[0])


@pytest.fixture
def pair(both: CarpdPair) -> CarpdPair:
    """The pair in its steady state."""
    both.settle()
    return both


@pytest.fixture
def fixed(lab: Lab) -> Iterator[None]:
    """The client knows the virtual MAC for good: it will learn nothing, whatever is announced."""
    addresses = (lab.address(0), lab.address6(0))
    for address in addresses:
        entry = [address, "lladdr", VIRTUAL_MAC, "nud", "permanent", "dev", INTERFACE]
        lab.client.ip("neigh", "replace", *entry)
    yield
    for address in addresses:
        lab.client.ip("neigh", "del", address, "dev", INTERFACE)


def made(lab: Lab, host: str) -> dict[str, bool]:
    """The macvlans of a host, by name, and whether each is up."""
    links = json.loads(lab.hosts[host].ip("-j", "link", "show", "type", "macvlan"))
    return {link["ifname"]: "UP" in link["flags"] for link in links}


def holds(lab: Lab, host: str) -> set[str]:
    """The addresses on a host's macvlans."""
    return {address for name in made(lab, host) for address in lab.hosts[host].addresses(name)}


def test_who_has_it_answers_with_the_virtual_mac_alone(lab: Lab, pair: CarpdPair) -> None:
    """And with no other: neither the interface beside it, nor in a question of the host's own."""
    addresses = {with_prefix(lab.address(0)), with_prefix(lab.address6(0))}
    assert (holds(lab, "a"), holds(lab, "b")) == (addresses, set())
    assert (list(made(lab, "a").values()), list(made(lab, "b").values())) == ([True], [False])
    assert not addresses & set(lab.hosts["a"].addresses(INTERFACE))
    lab.client.ip("neigh", "flush", "dev", INTERFACE)
    for address in (lab.address(0), lab.address6(0)):
        with lab.probe(address) as probe:
            probe.wait_answering()
        known = json.loads(lab.client.ip("-j", "neigh", "show", address, "dev", INTERFACE))
        assert [entry["lladdr"] for entry in known] == [VIRTUAL_MAC]
    # The other way round: the master asks for the client because of an answer from the virtual address.
    lab.hosts["a"].ip("neigh", "flush", "dev", INTERFACE)
    with lab.probe(lab.address(0)) as probe:
        probe.wait_answering()
    known = json.loads(lab.client.ip("-j", "neigh", "show", lab.address(0), "dev", INTERFACE))
    assert [entry["lladdr"] for entry in known] == [VIRTUAL_MAC]
    assert lab.wait_advert("a").source_mac == lab.mac("a"), "advertisements need no permission for another MAC"
    for host in ("a", "b"):
        with lab.probe(lab.source(host)) as probe:
            probe.wait_answering()
        known = json.loads(lab.client.ip("-j", "neigh", "show", lab.source(host), "dev", INTERFACE))
        assert [entry["lladdr"] for entry in known] == [lab.mac(host)], "and its own addresses keep their own MAC"


@pytest.mark.usefixtures("fixed")
def test_planned_moves_lose_nothing_and_teach_nobody(lab: Lab, pair: CarpdPair) -> None:
    with lab.probe(lab.address(0)) as probe, lab.probe(lab.address6(0)) as probe6:
        probe.wait_answering()
        probe6.wait_answering()
        began = pair.preferred.send(signal.SIGTERM)
        lab.wait_owner(pair.address, "b")
        assert pair.preferred.process.wait() == 0
        assert made(lab, "a") == {}, "nothing is left behind"
        assert {told.mac for told in lab.capture.announced(began, "b", pair.address)} == {VIRTUAL_MAC}
        pair.preferred.start()
        lab.wait_owner(pair.address, "a")
        for one in (probe, probe6):
            one.wait_answering(after=time.monotonic())
    assert [probe.result.lost, probe6.result.lost] == [0, 0]
    assert lab.owners.overlap(pair.address, began) < 2 * OVERLAP
    assert list(made(lab, "b").values()) == [False]


@pytest.mark.usefixtures("fixed")
def test_a_killed_daemon_s_interface_falls_silent(lab: Lab, pair: CarpdPair) -> None:
    pair.preferred.send(signal.SIGKILL)
    lab.wait_owner(pair.address, "b")
    with lab.probe(pair.address) as probe:
        probe.wait_answering()
    lab.wait(lambda: not any(made(lab, "a").values()), "the guard has switched the interface off")
    pair.preferred.start()
    lab.wait_owner(pair.address, "a")
    assert list(made(lab, "a").values()) == [True]


def test_what_is_left_is_removed(lab: Lab, pair: CarpdPair) -> None:
    pair.preferred.kill()
    assert list(made(lab, "a").values()) == [True]
    assert pair.preferred.cli("release").returncode == 0
    assert made(lab, "a") == {}
    lab.wait_owner(pair.address, "b")


def test_somebody_removes_the_interface(lab: Lab, pair: CarpdPair) -> None:
    """It is made anew, and meanwhile the other host has the addresses."""
    [name] = made(lab, "a")
    lab.hosts["a"].ip("link", "del", name)
    lab.wait(lambda: lab.owners.holders(pair.address) == ["b"], "the other host takes over")
    lab.wait(lambda: list(made(lab, "a")) == [name], "there is one again")
