# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interfaces on top of others, and interfaces that change: VLAN, bond, bridge, macvlan; renamed, with another MAC."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from lab import INTERFACE, Carpd, Lab, Pair, Vip, with_prefix
from pairs import SERVICE, STANDBY_SKEW, CarpdPair, assert_moves

TOP = "top0"
NETWORK = "10.78.0.{}"
ADDRESS = NETWORK.format(100)
KINDS = {
    "vlan": ["link", INTERFACE, "name", TOP, "type", "vlan", "id", "5"],
    "bond": ["name", TOP, "type", "bond", "mode", "active-backup", "miimon", "100"],
    "bridge": ["name", TOP, "type", "bridge", "stp_state", "0", "forward_delay", "0"],
    "macvlan": ["link", INTERFACE, "name", TOP, "type", "macvlan", "mode", "private"],
}
MASTERS = ("bond", "bridge")


@pytest.fixture
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A segment of its own for each test: what is built on top of it goes with it."""
    with Lab(tmp_path_factory.mktemp("lab")) as made:
        yield made


def make_top(lab: Lab, host: str, number: int, kind: str) -> None:
    """Make an interface of this kind, with an address of its own; skips the test if the kernel knows none."""
    namespace = lab.hosts[host]
    try:
        namespace.ip("link", "add", *KINDS[kind])
    except RuntimeError as error:
        if "Unknown device type" not in str(error):
            raise
        pytest.skip(f"this kernel cannot make a {kind}")
    if kind in MASTERS:
        namespace.ip("link", "set", INTERFACE, "down")
        namespace.ip("link", "set", INTERFACE, "master", TOP)
        namespace.ip("link", "set", INTERFACE, "up")
    namespace.ip("link", "set", TOP, "up")
    namespace.ip("addr", "add", with_prefix(NETWORK.format(number)), "dev", TOP)
    lab.wait(lambda: lab.owners.link_up(host, TOP), f"carrier of {TOP} on {host}")


def pair_on(lab: Lab, interface: str, address: str) -> CarpdPair:
    first, second = (
        Carpd(lab, host, [Vip(SERVICE, (address,), interface=interface, options={"advskew": skew})])
        for host, skew in (("a", 0), ("b", STANDBY_SKEW))
    )
    return Pair(first, second, address)


@pytest.mark.parametrize("kind", KINDS)
def test_on_top_of_another_interface(lab: Lab, kind: str) -> None:
    for number, host in enumerate(lab.hosts, 1):
        make_top(lab, host, number, kind)
    pair = pair_on(lab, TOP, ADDRESS)
    pair.preferred.start()
    pair.standby.start()
    lab.wait_owner(ADDRESS, "a")
    assert with_prefix(ADDRESS) in lab.hosts["a"].addresses(TOP)
    began = time.monotonic()
    assert pair.preferred.stop() == 0
    lab.wait_owner(ADDRESS, "b")
    assert_moves(lab, ADDRESS, began, ("b", "+"), ("a", "-"))  # make before break: they hear each other
    pair.preferred.start()
    lab.wait_owner(ADDRESS, "a")
    cut = lab.cut("a")
    lab.wait_owner(ADDRESS, "b")
    assert_moves(lab, ADDRESS, cut, ("a", "-"), ("b", "+"))
    assert pair.preferred.wait_state("INIT")["reason"] == f"{TOP} is down or has no carrier"
    lab.heal("a")
    lab.wait_owner(ADDRESS, "a")


def test_renamed_and_back(lab: Lab) -> None:
    """Under another name it is another interface; under the old one it is welcome, without a restart."""
    address, namespace = lab.address(0), lab.hosts["a"]
    pair = pair_on(lab, INTERFACE, address)
    pair.preferred.start()
    pair.standby.start()
    pair.settle()
    process = pair.preferred.process.pid
    for old, new in ((INTERFACE, "wan"), ("wan", INTERFACE)):
        namespace.ip("link", "set", old, "down")
        namespace.ip("link", "set", old, "name", new)
        namespace.ip("link", "set", new, "up")
        if new == "wan":
            lab.wait_owner(address, "b")
            assert pair.preferred.wait_state("INIT")["reason"] == f"there is no interface {INTERFACE}"
            assert with_prefix(address) not in namespace.addresses(new)
    lab.wait_owner(address, "a")
    assert (pair.preferred.running, pair.preferred.process.pid) == (True, process)


def test_another_mac(lab: Lab) -> None:
    """As a bond has when another of its ports takes over: announcements tell of the new one."""
    address, namespace = lab.address(0), lab.hosts["a"]
    pair = pair_on(lab, INTERFACE, address)
    pair.preferred.start()
    pair.standby.start()
    pair.settle()
    lab.wait_advert("a", count=7)  # what was announced because of the takeover has been
    changed = time.monotonic()
    namespace.ip("link", "set", INTERFACE, "address", "02:00:00:00:00:99")
    lab.wait(
        lambda: "02:00:00:00:00:99" in {told.mac for told in lab.capture.announced(changed, "a", address)},
        "an announcement with the new MAC, long before the next refresh",
        timeout=10,
    )
    assert_moves(lab, address, changed)
