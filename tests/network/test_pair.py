# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two hosts with carpd: who owns the address in peace, in planned moves and when cables are pulled."""

from __future__ import annotations

import hashlib
import hmac
import signal
import time

from lab import INTERFACE, Lab, with_prefix
from pairs import OVERLAP, CarpdPair, StartProbe, assert_moves

CARP_GROUP = "224.0.0.18"


def test_preferred_host_owns_alone(lab: Lab, module_pair: CarpdPair, vip: str, now: float) -> None:
    module_pair.settle()
    lab.wait_advert("a", count=2)
    assert_moves(lab, vip, now, ("a", "+"))
    assert with_prefix(vip) in lab.hosts["a"].addresses(INTERFACE)
    assert with_prefix(vip) not in lab.hosts["b"].addresses(INTERFACE)
    assert lab.capture.after(now, "b") == []


def test_advertisements_are_carp(lab: Lab, pair: CarpdPair, vip: str) -> None:
    advert = lab.wait_advert("a")
    assert advert.is_carp
    assert (advert.source, advert.destination, advert.ttl) == (lab.source("a"), CARP_GROUP, 255)
    assert (advert.vhid, advert.rank) == (1, (1, 0))
    assert advert.source_mac == lab.mac("a"), "the real address needs no permission for forged transmits"
    message = bytes([2, 1, advert.vhid]) + bytes(map(int, vip.split("."))) + advert.payload[8:16]
    wanted = hmac.new(b"lab secret", message, hashlib.sha1).digest()
    assert advert.payload[16:] == wanted
    assert sum_of_words(advert.payload) == 0xFFFF


def sum_of_words(data: bytes) -> int:
    total = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
    return (total & 0xFFFF) + (total >> 16)


def test_address_is_leased_from_the_kernel(lab: Lab, pair: CarpdPair, vip: str) -> None:
    lab.wait_advert("a", count=2)
    holding = lab.owners.holding("a", vip)
    assert holding is not None and holding.lifetime is not None, "an address without end outlives its daemon"
    assert holding.lifetime + 0.5 <= 3, "the kernel is up to half a second late, and the peer waits for 3 s"
    assert holding.renewals > 0


def test_planned_stop_loses_nothing(lab: Lab, pair: CarpdPair, vip: str, probe: StartProbe) -> None:
    client = probe()
    began = pair.preferred.send(signal.SIGTERM)
    lab.wait_owner(vip, "b")
    assert pair.preferred.process.wait() == 0
    client.wait_answering(after=time.monotonic())
    assert client.stop().lost == 0
    [goodbye] = [advert for advert in lab.capture.after(began, "a") if advert.is_goodbye][:1]
    assert_moves(lab, vip, began, ("b", "+"), ("a", "-"))  # make before break
    assert lab.owners.overlap(vip, began) < OVERLAP
    taken = lab.owners.changes(vip, began)[0][0]
    assert goodbye.time - began < 1 and taken - began < 1, "the standby did not wait for silence"


def test_preferred_host_takes_back_without_loss(lab: Lab, pair: CarpdPair, vip: str, probe: StartProbe) -> None:
    pair.preferred.stop()
    lab.wait_owner(vip, "b")
    client = probe()
    began = time.monotonic()
    pair.preferred.start()
    lab.wait_owner(vip, "a")
    client.wait_answering(after=time.monotonic())
    assert client.stop().lost == 0
    assert lab.owners.overlap(vip, began) < OVERLAP
    assert_moves(lab, vip, began, ("a", "+"), ("b", "-"))


def test_takeover_is_announced(lab: Lab, pair: CarpdPair, vip: str) -> None:
    began = pair.preferred.send(signal.SIGTERM)
    lab.wait(
        lambda: {told.kind for told in lab.capture.announced(began, "b", vip)} == {"request", "reply"},
        "gratuitous ARP as request and as reply",
    )
    assert {told.mac for told in lab.capture.announced(began, "b", vip)} == {lab.mac("b")}
    lab.wait(lambda: len(lab.capture.announced(began, "b", vip)) >= 4, "announcements are repeated")


def test_unplugged_master(lab: Lab, pair: CarpdPair, vip: str, probe: StartProbe) -> None:
    client = probe()
    began = lab.cut("a")
    lab.wait_owner(vip, "b")
    client.wait_answering(after=time.monotonic())
    assert lab.owners.overlap(vip, began) == 0
    assert pair.preferred.wait_state("INIT")["reason"]
    healed = lab.heal("a")
    lab.wait_owner(vip, "a")
    client.wait_answering(after=time.monotonic())
    assert client.stop().lost_after(healed) == 0
    assert lab.owners.overlap(vip, healed) < OVERLAP


def test_unplugged_standby(lab: Lab, pair: CarpdPair, vip: str, probe: StartProbe) -> None:
    client = probe()
    began = lab.cut("b")
    standby = pair.standby
    standby.wait_state("INIT")
    lab.wait_advert("a", count=4)
    lab.heal("b")
    standby.wait_state("BACKUP")
    lab.wait_advert("a", count=2)
    assert_moves(lab, vip, began)
    assert client.stop().lost == 0


def test_parted_hosts_agree_again(lab: Lab, pair: CarpdPair, vip: str, probe: StartProbe) -> None:
    """Each is alone and must serve; once they hear each other one is left, which tells everybody that it is."""
    client = probe()
    lab.part("a", "b")
    try:
        lab.wait(lambda: lab.owners.holders(vip) == ["a", "b"], "both think that they are alone")
        # Now the preferred host is the next to speak, and the other one could leave before it was ever heard.
        lab.wait_advert("b")
    finally:
        joined = lab.join("a", "b")
    lab.wait_owner(vip, "a")
    left = lab.owners.changes(vip, joined)[-1][0]
    lab.wait(lambda: lab.capture.announced(left - OVERLAP, "a", vip), "the owner that remains announces it anew")
    client.wait_answering(after=time.monotonic())
    assert left - joined < 2, "within an interval, and a bit"
    lab.wait_advert("a", count=2)
    assert_moves(lab, vip, joined, ("b", "-"))


def test_standby_without_preemption_keeps_what_it_has(lab: Lab, pair: CarpdPair, vip: str) -> None:
    """``preempt = no`` on the preferred host: it waits until the other one leaves."""
    preferred = pair.preferred
    preferred.stop()
    lab.wait_owner(vip, "b")
    original = preferred.config.read_text()
    preferred.write_text(original.replace("advskew = 0\n", "advskew = 0\npreempt = no\n"))
    began = time.monotonic()
    try:
        preferred.start()
        preferred.wait_state("BACKUP")
        lab.wait_advert("b", count=4)
        assert_moves(lab, vip, began)
        pair.standby.stop()
        lab.wait_owner(vip, "a")
    finally:
        preferred.write_text(original)
        preferred.stop()
