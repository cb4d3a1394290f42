# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interfaces that are made for virtual MACs: one for each virtual host that wants it, and none is left."""

from __future__ import annotations

import errno
import logging
import time
from ipaddress import IPv4Interface
from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd import homes as homes_module
from ansible_collections.failover.carp.plugins.module_utils.carpd.config import Vip
from ansible_collections.failover.carp.plugins.module_utils.carpd.homes import Homes, name_of, switch_off
from ansible_collections.failover.carp.plugins.module_utils.carpd.interfaces import Interfaces
from ansible_collections.failover.carp.plugins.module_utils.carpd.netlink import Link, LinkGone

ETH1 = Link(3, "eth1", bytes.fromhex("020000000001"), True)
MAC = bytes.fromhex("00005e000107")


def vip(name: str = "smtp", vhid: int = 7) -> Vip:
    address = IPv4Interface("172.17.0.74/20")
    fields = {"name": name, "interface": "eth1", "vhid": vhid, "addresses": (address,), "password": b"sesame"}
    timing = {"advbase": 1, "advskew": 0, "preempt": True, "dead_ratio": 3, "source": None}
    return Vip(**fields, **timing, virtual_mac=True)


class Requests:
    """Keeps what it is asked for; every one is the same, in whatever thread."""

    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []
        self.fails = False

    def make_macvlan(self, name: str, parent: int, mac: bytes) -> int:
        self.done.append(("make", name, parent, mac))
        return 9 + len(self.done)

    def configure(self, index: int, values: dict[int, int]) -> None:
        self.done.append(("configure", index, values))

    def switch(self, index: int, on: bool) -> None:
        if self.fails:
            raise OSError(errno.EPERM, "Operation not permitted")
        self.done.append(("switch", index, on))

    def remove_link(self, index: int) -> None:
        self.done.append(("remove", index))

    def close(self) -> None:
        self.done.append(("close",))


@pytest.fixture(name="requests")
def requests_(monkeypatch: pytest.MonkeyPatch) -> Requests:
    requests = Requests()
    monkeypatch.setattr(homes_module, "Requests", lambda: requests)
    return requests


@pytest.fixture(name="interfaces")
def interfaces_() -> Interfaces:
    interfaces = Interfaces(time.monotonic)
    interfaces.note(ETH1)
    return interfaces


def settle(homes: Homes) -> None:
    for thread in homes._removals:
        thread.join()


def test_one_is_made_and_used_again(requests: Requests, interfaces: Interfaces) -> None:
    homes = Homes(requests, interfaces)
    made = homes.of(vip(), ETH1)
    assert (made.name, made.mac) == ("carp3-7", MAC)
    assert requests.done[0] == ("make", "carp3-7", 3, MAC)
    # By /proc/sys/net/ipv4/conf/*: arp_ignore 19, arp_announce 18, rp_filter 8, see linux/ip.h.
    assert requests.done[1:] == [
        ("configure", 3, {19: 1, 18: 2}),
        ("configure", made.ifindex, {19: 1, 18: 2, 8: 2}),
    ]
    assert interfaces.find("carp3-7") == made
    assert homes.of(vip(), ETH1) is made
    assert len(requests.done) == 3


def test_what_a_dead_daemon_has_left_is_used(requests: Requests, interfaces: Interfaces) -> None:
    interfaces.note(Link(5, "carp3-7", MAC, True))
    assert Homes(requests, interfaces).of(vip(), ETH1).ifindex == 5
    assert [what for what, *_rest in requests.done] == ["configure", "configure"]


def test_one_that_somebody_removed_is_made_anew(requests: Requests, interfaces: Interfaces) -> None:
    homes = Homes(requests, interfaces)
    first = homes.of(vip(), ETH1)
    interfaces.note(LinkGone(first.ifindex))
    assert homes.of(vip(), ETH1).ifindex != first.ifindex


def test_what_nobody_uses_is_removed(requests: Requests, interfaces: Interfaces) -> None:
    homes = Homes(requests, interfaces)
    kept, gone = homes.of(vip(), ETH1), homes.of(vip("imap", 8), ETH1)
    homes.keep(["smtp"])
    settle(homes)
    assert requests.done[-2:] == [("remove", gone.ifindex), ("close",)]
    assert (interfaces.find("carp3-7"), interfaces.find("carp3-8")) == (kept, None)
    homes.of(vip("imap", 8), ETH1)
    assert ("make", "carp3-8", 3, MAC[:5] + b"\x08") in requests.done[-3:]


def test_switching_off(requests: Requests, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    made = Link(9, "carp3-7", MAC, False)
    switch_off(made).join()
    assert requests.done == [("switch", 9, False), ("close",)]
    requests.fails = True
    switch_off(made).join()
    assert caplog.messages == ["carp3-7 could not be given up: Operation not permitted"]


def test_a_name_fits(requests: Requests) -> None:
    assert len(name_of(vip(vhid=255), ETH1._replace(ifindex=999999))) <= 15
