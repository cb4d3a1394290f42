# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Advertisements by unicast, by broadcast and by several paths at once; and what holds without multicast."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import Carpd, Lab, Pair, Ucarp, UcarpOptions, Vip
from pairs import OVERLAP, SERVICE, STANDBY_SKEW, CarpdPair, assert_moves

CARP_GROUP = "224.0.0.18"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A pair, a router c between them if need be, and a client."""
    with Lab(tmp_path_factory.mktemp("lab"), hosts=("a", "b", "c")) as made:
        yield made


@pytest.fixture(autouse=True)
def clear(lab: Lab) -> Iterator[None]:
    """Begin and end with a segment that is as it was made."""
    lab.clear()
    yield
    lab.multicast(True)
    lab.clear()


def pair_of(lab: Lab, a: dict[str, object], b: dict[str, object], address: str = "") -> CarpdPair:
    """A pair whose hosts have these options, with a preferred; not started."""
    address = address or lab.address(0)
    first, second = (
        Carpd(lab, host, [Vip(SERVICE, (address,), options={"advskew": skew, **options})])
        for host, skew, options in (("a", 0, a), ("b", STANDBY_SKEW, b))
    )
    return Pair(first, second, address)


def unicast_pair(lab: Lab, **options: object) -> CarpdPair:
    """A pair in which each host knows the other's IPv4 address."""
    return pair_of(lab, {"peers": lab.source("b"), **options}, {"peers": lab.source("a"), **options})


def start(pair: CarpdPair) -> None:
    pair.preferred.start()
    pair.standby.start()
    pair.settle()


def unknown_protocols(lab: Lab, host: str) -> int:
    """How often a host has told others that it does not know what they send (ICMP destination unreachable)."""
    text = lab.hosts[host].inside(lambda: Path("/proc/thread-self/net/snmp").read_text())
    names, values = [line.split() for line in text.splitlines() if line.startswith("Icmp:")]
    return int(values[names.index("OutDestUnreachs")])


def test_by_unicast_alone(lab: Lab) -> None:
    """Multicast does not work, and nothing is missed."""
    lab.multicast(False)
    pair = unicast_pair(lab)
    start(pair)
    began = time.monotonic()
    advert = lab.wait_advert("a", count=4, since=began)
    assert {one.destination for one in lab.capture.after(began)} == {lab.source("b")}
    assert (advert.source, advert.ttl, advert.source_mac) == (lab.source("a"), 255, lab.mac("a"))
    assert_moves(lab, pair.address, began)
    assert pair.standby.status()["master"]["source"] == lab.source("a")
    assert [unknown_protocols(lab, host) for host in ("a", "b")] == [0, 0]
    with lab.probe(pair.address) as probe:
        probe.wait_answering()
        stopped = pair.preferred.send(signal.SIGTERM)
        lab.wait_owner(pair.address, "b")
        assert pair.preferred.process.wait() == 0
        pair.preferred.start()
        lab.wait_owner(pair.address, "a")
        probe.wait_answering(after=time.monotonic())
    assert probe.result.lost == 0
    assert lab.owners.overlap(pair.address, stopped) < 2 * OVERLAP


def test_the_guard_s_goodbye_goes_to_the_peer(lab: Lab) -> None:
    pair = unicast_pair(lab)
    start(pair)
    killed = pair.preferred.send(signal.SIGKILL)
    lab.wait_owner(pair.address, "b")
    assert_moves(lab, pair.address, killed, ("a", "-"), ("b", "+"))
    assert lab.owners.changes(pair.address, killed)[-1][0] - killed < 1, "it did not wait for silence"
    goodbyes = [advert for advert in lab.capture.after(killed, "a") if advert.is_goodbye]
    assert {advert.destination for advert in goodbyes} == {lab.source("b")}


@pytest.mark.parametrize("scope", ["link-local", "global"])
def test_by_unicast_with_ipv6(lab: Lab, scope: str) -> None:
    find = lab.wait_link_local if scope == "link-local" else lab.source6
    for host in ("a", "b"):
        lab.wait_link_local(host)
    pair = pair_of(lab, {"peers": find("b")}, {"peers": find("a")}, lab.address6(0))
    start(pair)
    began = time.monotonic()
    advert = lab.wait_advert("a", count=3, since=began)
    assert (advert.source, advert.destination, advert.ttl) == (find("a"), find("b"), 255)
    assert_moves(lab, pair.address, began)
    killed = pair.preferred.send(signal.SIGKILL)
    lab.wait_owner(pair.address, "b")
    assert_moves(lab, pair.address, killed, ("a", "-"), ("b", "+"))


def test_multicast_fails_and_unicast_goes_on(lab: Lab) -> None:
    pair = unicast_pair(lab, paths="multicast, unicast, broadcast")
    start(pair)
    began = time.monotonic()
    lab.wait_advert("a", count=9, since=began)
    adverts = lab.capture.after(began, "a")
    counters = {advert.payload[8:16] for advert in adverts}
    assert len(counters) * 3 - 2 <= len(adverts) <= len(counters) * 3, "three copies of each"
    assert {advert.destination for advert in adverts} == {CARP_GROUP, lab.source("b")}
    cut = lab.multicast(False)
    lab.wait_advert("a", count=15, since=cut)
    assert_moves(lab, pair.address, began)
    for daemon in (pair.preferred, pair.standby):
        status = daemon.status()
        assert (status["transitions"], status["refused"]) == ({"a": 2, "b": 1}[daemon.host], {})


def test_hosts_are_changed_from_multicast_to_unicast_one_after_the_other(lab: Lab) -> None:
    """In any order: what comes to the group or to the own address is heard whatever the configuration says."""
    pair = pair_of(lab, {}, {})
    start(pair)
    began = time.monotonic()
    for daemon, peer in ((pair.preferred, "b"), (pair.standby, "a")):
        text = daemon.config.read_text()
        daemon.write_text(f"{text}peers = {lab.source(peer)}\n")
        changed = daemon.send(signal.SIGHUP)
        lab.wait_advert("a", count=4, since=changed)
    assert_moves(lab, pair.address, began)
    assert lab.wait_advert("a").destination == lab.source("b")


def test_without_multicast_and_unicast_there_would_be_two_owners(lab: Lab) -> None:
    """So it is the unicast that the tests above are about; and it can be added while they run."""
    lab.multicast(False)
    pair = pair_of(lab, {}, {})
    pair.preferred.start()
    pair.standby.start()
    lab.wait(lambda: lab.owners.holders(pair.address) == ["a", "b"], "both think that they are alone")
    for daemon, peer in ((pair.preferred, "b"), (pair.standby, "a")):
        text = daemon.config.read_text()
        daemon.write_text(f"{text}peers = {lab.source(peer)}\npaths = unicast, multicast\n")
        daemon.send(signal.SIGHUP)
    lab.wait_owner(pair.address, "a")


def test_peers_beyond_a_router(lab: Lab) -> None:
    """Not heeded unless that is asked for: the TTL is what proves that a packet is from the segment."""
    router = lab.hosts["c"]
    router.sysctl("net.ipv4.ip_forward", "1")
    for name in ("all", "eth0"):
        router.sysctl(f"net.ipv4.conf.{name}.send_redirects", "0")
    for host, peer in (("a", "b"), ("b", "a")):
        lab.hosts[host].ip("route", "add", f"{lab.source(peer)}/32", "via", lab.source("c"))
    pair = unicast_pair(lab)
    try:
        pair.preferred.start()
        pair.standby.start()
        lab.wait(lambda: lab.owners.holders(pair.address) == ["a", "b"], "they do not believe each other")
        assert pair.standby.status()["refused"]["ttl"] > 0
        for daemon in (pair.preferred, pair.standby):
            daemon.write_text(daemon.config.read_text() + "routed_peers = yes\n")
            daemon.send(signal.SIGHUP)
        lab.wait_owner(pair.address, "a")
        began = time.monotonic()
        assert lab.wait_advert("c", count=3, since=began).ttl == 254
        assert_moves(lab, pair.address, began)
    finally:
        router.sysctl("net.ipv4.ip_forward", "0")
        for host, peer in (("a", "b"), ("b", "a")):
            lab.hosts[host].ip("route", "del", f"{lab.source(peer)}/32", "via", lab.source("c"))


def test_broadcast_with_ucarp(lab: Lab) -> None:
    """``ucarp -M`` broadcasts what is for the group, and does not join it."""
    lab.multicast(False)
    address = lab.address(1)
    ours = Carpd(lab, "a", [Vip(SERVICE, (address,), vhid=3, options={"paths": "broadcast"})])
    theirs = Ucarp(lab, "b", address, UcarpOptions(vhid=3, advskew=50, broadcast=True))
    ours.start()
    lab.wait_owner(address, "a")
    theirs.start()
    began = time.monotonic()
    lab.wait_advert("a", count=6, since=began)
    assert_moves(lab, address, began)
    assert {advert.destination for advert in lab.capture.after(began, "a")} == {CARP_GROUP}
    assert "b" not in {advert.host for advert in lab.capture.after(began)}
    stopped = ours.send(signal.SIGTERM)
    lab.wait_owner(address, "b")
    assert_moves(lab, address, stopped, ("b", "+"), ("a", "-"))
    assert ours.process.wait() == 0
    began = time.monotonic()
    ours.start()
    lab.wait_owner(address, "a")
    lab.wait_advert("a", count=3)
    assert_moves(lab, address, began, ("a", "+"), ("b", "-"))
