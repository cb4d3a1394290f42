# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IPv6: a pair with addresses of both families (hosts a and b), and one with IPv6 only (hosts c and d)."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import signal
import socket
import time
from collections.abc import Iterator

import pytest
from lab import INTERFACE, Carpd, Lab, Pair, Vip, with_prefix
from pairs import OVERLAP, STANDBY_SKEW, CarpdPair, assert_moves

CARP_GROUP6 = "ff02::12"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Four hosts and a client."""
    with Lab(tmp_path_factory.mktemp("lab"), hosts=("a", "b", "c", "d")) as made:
        yield made


@pytest.fixture(scope="module")
def pairs(lab: Lab) -> tuple[CarpdPair, CarpdPair]:
    """Both pairs, not started: dual stack, and IPv6 only."""
    made = []
    dual, single = (lab.address(0), lab.address6(0)), (lab.address6(1),)
    for vhid, hosts, addresses in ((1, ("a", "b"), dual), (2, ("c", "d"), single)):
        first, second = (
            Carpd(lab, host, [Vip("smtp", addresses, vhid=vhid, options={"advskew": skew})])
            for host, skew in zip(hosts, (0, STANDBY_SKEW))
        )
        made.append(Pair(first, second, addresses[-1]))
    # Duplicate address detection of a host's own addresses takes its time, and carpd waits for that.
    for host in lab.hosts:
        lab.wait_link_local(host)
    return made[0], made[1]


@pytest.fixture
def settled(pairs: tuple[CarpdPair, CarpdPair]) -> tuple[CarpdPair, CarpdPair]:
    """Both pairs in their steady state."""
    for daemon in (pair.preferred for pair in pairs):
        daemon.revive()
    for pair in pairs:
        pair.settle()
    return pairs


def places(lab: Lab) -> dict[str, tuple[str, str]]:
    """Preferred host and standby of each address."""
    return {lab.address(0): ("a", "b"), lab.address6(0): ("a", "b"), lab.address6(1): ("c", "d")}


def test_advertisements_of_both_families(lab: Lab, settled: tuple[CarpdPair, CarpdPair]) -> None:
    began = time.monotonic()
    for host in ("a", "c"):
        lab.wait_advert(host, count=4, since=began)
    by_host = {host: {advert.destination: advert for advert in lab.capture.after(began, host)} for host in lab.hosts}
    assert {host: set(adverts) for host, adverts in by_host.items()} == {
        "a": {"224.0.0.18", CARP_GROUP6},
        "b": set(),
        "c": {CARP_GROUP6},
        "d": set(),
    }
    for host, addresses in (("a", (lab.address(0), lab.address6(0))), ("c", (lab.address6(1),))):
        advert = by_host[host][CARP_GROUP6]
        assert advert.is_carp and advert.rank == (1, 0)
        assert (advert.source, advert.ttl) == (lab.wait_link_local(host), 255)
        packed = [
            socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address) for address in addresses
        ]
        message = bytes([2, 1, advert.vhid]) + b"".join(packed) + advert.payload[8:16]
        assert advert.payload[16:] == hmac.new(b"lab secret", message, hashlib.sha1).digest()


def test_leases_of_both_families(lab: Lab, settled: tuple[CarpdPair, CarpdPair]) -> None:
    for host, address in (("a", lab.address(0)), ("a", lab.address6(0)), ("c", lab.address6(1))):
        holding = lab.owners.holding(host, address)
        assert holding is not None and holding.lifetime is not None and holding.lifetime + 0.5 <= 3
        assert with_prefix(address) in lab.hosts[host].addresses(INTERFACE)


def test_planned_moves_lose_nothing(lab: Lab, settled: tuple[CarpdPair, CarpdPair]) -> None:
    """No duplicate address detection delays the new owner: it answers at once."""
    addresses = places(lab)
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(lab.probe(address)) for address in addresses]
        for probe in probes:
            probe.wait_answering()
        began = time.monotonic()
        for pair in settled:
            pair.preferred.send(signal.SIGTERM)
        for address, (first, second) in addresses.items():
            lab.wait_owner(address, second)
            assert_moves(lab, address, began, (second, "+"), (first, "-"))  # make before break
        for second, address in (("b", lab.address6(0)), ("d", lab.address6(1))):
            told = lab.wait(
                lambda host=second, it=address: lab.capture.announced(began, host, it),  # type: ignore[misc]
                "a neighbour advertisement",
            )
            assert {(one.kind, one.mac) for one in told} == {("neighbour", lab.mac(second))}
        for pair in settled:
            assert pair.preferred.process.wait() == 0
        back = time.monotonic()
        for pair in settled:
            pair.preferred.start()
        for address, (first, second) in addresses.items():
            lab.wait_owner(address, first)
            assert_moves(lab, address, back, (first, "+"), (second, "-"))
            assert lab.owners.overlap(address, back) < OVERLAP
        for probe in probes:
            probe.wait_answering(after=time.monotonic())
    assert [probe.result.lost for probe in probes] == [0, 0, 0]


def test_killed_host_never_shares_its_addresses(lab: Lab, settled: tuple[CarpdPair, CarpdPair]) -> None:
    began = time.monotonic()
    for pair in settled:
        pair.preferred.kill()
    for address, (first, second) in places(lab).items():
        lab.wait_owner(address, second)
        assert_moves(lab, address, began, (first, "-"), (second, "+"))


def test_link_local_address_away_for_a_moment_moves_nothing(lab: Lab, settled: tuple[CarpdPair, CarpdPair]) -> None:
    """The kernel makes it anew, and looks for duplicates before it says so, for more than a second."""
    began, source = time.monotonic(), lab.wait_link_local("c")
    with lab.probe(lab.address6(1)) as probe:
        probe.wait_answering()
        lab.hosts["c"].ip("addr", "del", f"{source}/64", "dev", INTERFACE)
        for mode in ("1", "0"):  # none, and by the MAC
            lab.hosts["c"].sysctl(f"net.ipv6.conf.{INTERFACE}.addr_gen_mode", mode)
        assert lab.wait_link_local("c") == source
        back = time.monotonic()
        assert lab.wait_advert("c", since=back).source == source
        probe.wait_answering(after=back)
    assert_moves(lab, lab.address6(1), began)
    assert probe.result.lost == 0


def test_deleted_ipv6_address_is_back(lab: Lab, settled: tuple[CarpdPair, CarpdPair]) -> None:
    began = time.monotonic()
    lab.hosts["c"].ip("addr", "del", with_prefix(lab.address6(1)), "dev", INTERFACE)
    lab.wait(lambda: len(lab.owners.changes(lab.address6(1), began)) == 2, "gone and back")
    assert_moves(lab, lab.address6(1), began, ("c", "-"), ("c", "+"))
    assert lab.capture.after(began, "d") == []
