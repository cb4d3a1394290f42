# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses: many of them, and other people's hands on them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from lab import INTERFACE, Carpd, Lab, Vip, with_prefix
from lab.carpd import ENVIRONMENT
from pairs import STANDBY_SKEW, CarpdPair, StartProbe, assert_moves

WATCHED = """
import socket
from ipaddress import IPv4Interface
from carpd.netlink import Requests, Watch

ours, theirs = Requests(), Requests()
watch = Watch(ours=ours)
index = socket.if_nametoindex("{interface}")
for requests, name in ((ours, "ours"), (ours, "ours"), (theirs, "theirs"), (ours, "ours")):
    requests.hold(index, [IPv4Interface("{address}")], 60)
    print(name, *(type(notice).__name__ for notice in watch.read()))
ours.release(index, [IPv4Interface("{address}")])
print("gone", *(type(notice).__name__ for notice in watch.read()))
"""
"""Reports what the daemon would be woken up by."""
QUICK = 0.25
"""Seconds: far less than an interval, so that no advertisement's renewal can be what brought an address back."""


AWAY = 0.03
"""Seconds: about twice what systemd-networkd 252 takes to set an interface up anew."""
ROUTED = 0.01
"""Seconds: more than the kernel takes to set up the routes of a network anew, by far."""


def own_addresses(lab: Lab, host: str) -> list[str]:
    return [with_prefix(address) for address in (lab.source(host), lab.source6(host))]


@pytest.fixture(autouse=True)
def cleared(lab: Lab) -> Iterator[None]:
    """Leave the hosts as they were."""
    yield
    lab.clear()


@pytest.fixture
def alone(lab: Lab, vip: str) -> Carpd:
    """The only carpd of the segment, master of its VIP."""
    daemon = Carpd(lab, "a", [Vip("smtp", (vip,))])
    daemon.start()
    lab.wait_owner(vip, "a")
    return daemon


def test_several_vips_in_one_process(lab: Lab) -> None:
    """Three vhids and four addresses; each host is preferred for some of them."""
    mail, web, second_web, files = (lab.address(number) for number in range(1, 5))
    ranks = {"a": (0, 0, STANDBY_SKEW), "b": (STANDBY_SKEW, STANDBY_SKEW, 0)}
    daemons = {}
    for host, (of_mail, of_web, of_files) in ranks.items():
        daemons[host] = Carpd(
            lab,
            host,
            [
                Vip("mail", (mail,), vhid=1, options={"advskew": of_mail}),
                Vip("web", (web, second_web), vhid=2, options={"advskew": of_web}),
                Vip("files", (files,), vhid=3, options={"advskew": of_files}),
            ],
        )
        daemons[host].start()
    for address, host in ((mail, "a"), (web, "a"), (second_web, "a"), (files, "b")):
        lab.wait_owner(address, host)
    lab.wait_advert("b", since=0.0)
    assert {advert.vhid for advert in lab.capture.after(0, "b")} == {3}
    with lab.probe(second_web) as probe:
        probe.wait_answering()
        began = daemons["a"].send(signal.SIGTERM)
        for address in (mail, web, second_web, files):
            lab.wait_owner(address, "b")
        assert daemons["a"].process.wait() == 0
        probe.wait_answering(after=time.monotonic())
    assert probe.result.lost == 0
    assert_moves(lab, files, began)
    assert lab.hosts["a"].addresses(INTERFACE) == own_addresses(lab, "a")
    virtual = {with_prefix(address) for address in (mail, web, second_web, files)}
    assert set(lab.hosts["b"].addresses(INTERFACE)) == {*own_addresses(lab, "b"), *virtual}
    assert [status["state"] for status in daemons["b"].all_status()] == ["MASTER"] * 3


def test_address_deleted_by_hand_is_back(lab: Lab, vip: str, alone: Carpd) -> None:
    before = alone.status()
    for _repetition in range(5):
        began = time.monotonic()
        lab.hosts["a"].ip("addr", "del", with_prefix(vip), "dev", INTERFACE)
        lab.wait(lambda began=began: len(lab.owners.changes(vip, began)) == 2, "gone and back")  # type: ignore[misc]
        (gone, _host, minus), (back, _same, plus) = lab.owners.changes(vip, began)
        assert (minus, plus) == ("-", "+")
        assert back - gone < QUICK
        lab.wait(lambda back=back: lab.capture.announced(back, "a", vip), "it is announced")  # type: ignore[misc]
    after = alone.status()
    assert (after["state"], after["transitions"]) == (before["state"], before["transitions"])


@pytest.mark.parametrize("promoting", ["0", "1"], ids=["falls with it", "promoted"])
def test_own_address_away_for_a_moment_moves_nothing(
    lab: Lab, vip: str, pair: CarpdPair, probe: StartProbe, promoting: str
) -> None:
    """What ``networkctl reconfigure`` does; the kernel removes the VIP, too, unless it may promote secondaries."""
    host, own = lab.hosts["a"], with_prefix(lab.source("a"))
    host.sysctl(f"net.ipv4.conf.{INTERFACE}.promote_secondaries", promoting)
    before = [daemon.status()["transitions"] for daemon in (pair.preferred, pair.standby)]
    client, began = probe(), time.monotonic()
    host.ip("addr", "del", own, "dev", INTERFACE)
    time.sleep(AWAY)
    host.ip("addr", "add", own, "dev", INTERFACE)
    lab.wait(lambda: host.addresses(INTERFACE)[0] == own, "the host's own address stands first again")
    lab.wait_owner(vip, "a")
    now = time.monotonic()
    assert lab.wait_advert("a", since=now).source == lab.source("a")
    client.wait_answering(after=now)
    result = client.stop()
    assert [daemon.status()["transitions"] for daemon in (pair.preferred, pair.standby)] == before
    assert {each for _when, each, _sign in lab.owners.changes(vip, began)} <= {"a"}
    assert result.outage_after(began) < (ROUTED if promoting == "1" else QUICK)


def test_own_address_gone_for_good_moves_the_virtual_one(
    lab: Lab, vip: str, pair: CarpdPair, probe: StartProbe
) -> None:
    client, began = probe(), time.monotonic()
    lab.hosts["a"].ip("addr", "del", with_prefix(lab.source("a")), "dev", INTERFACE)
    lab.wait_owner(vip, "b")
    assert "no IPv4 address of its own" in pair.preferred.wait_state("INIT")["reason"]
    client.wait_answering(after=time.monotonic())
    assert client.stop().outage_after(began) < QUICK, "it is handed over, and served until then"
    lab.hosts["a"].ip("addr", "add", with_prefix(lab.source("a")), "dev", INTERFACE)
    lab.wait_owner(vip, "a")


def test_what_the_daemon_does_itself_does_not_wake_it_up(lab: Lab, vip: str) -> None:
    """Of addresses that are added or renewed, those by others; of those that go, all."""
    code = WATCHED.format(interface=INTERFACE, address=with_prefix(vip))
    argv = lab.hosts["a"].argv([sys.executable, "-c", code])
    done = subprocess.run(argv, capture_output=True, text=True, check=True, env={**os.environ, **ENVIRONMENT})
    assert done.stdout.splitlines() == ["ours", "ours", "theirs AddressThere", "ours", "gone AddressGone"]


def test_address_flushed_with_all_others_comes_back_with_them(lab: Lab, vip: str, alone: Carpd) -> None:
    """What a restart of the network does that takes long: the host's own address goes too, and carpd waits for that."""
    own = with_prefix(lab.source("a"))
    lab.hosts["a"].ip("-4", "addr", "flush", "dev", INTERFACE, "scope", "global")
    alone.wait_state("INIT")
    assert lab.owners.holders(vip) == []
    lab.hosts["a"].ip("addr", "add", own, "dev", INTERFACE)
    lab.wait_owner(vip, "a")


def test_release_removes_what_a_killed_daemon_left(lab: Lab, vip: str, alone: Carpd) -> None:
    alone.kill()
    assert with_prefix(vip) in lab.hosts["a"].addresses(INTERFACE)
    done = alone.cli("release")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert lab.hosts["a"].addresses(INTERFACE) == own_addresses(lab, "a")
    assert alone.cli("release").returncode == 0, "nothing to remove is no error"


def test_restart_after_kill_begins_as_backup(lab: Lab, vip: str, alone: Carpd) -> None:
    """The address that the killed daemon left is removed at once: a peer may have it by now."""
    began = alone.kill()
    alone.start()
    lab.wait_gone(vip, "a")
    assert alone.status()["state"] == "BACKUP"
    lab.wait_owner(vip, "a")
    assert_moves(lab, vip, began, ("a", "-"), ("a", "+"))


def test_somebody_elses_permanent_address_is_left_alone(lab: Lab, vip: str) -> None:
    """An administrator has configured the VIP for good: carpd says so and waits, rather than fight."""
    lab.hosts["b"].ip("addr", "add", with_prefix(vip), "dev", INTERFACE)
    daemon = Carpd(lab, "b", [Vip("smtp", (vip,))])
    daemon.start()
    assert vip in daemon.wait_state("INIT")["reason"]
    assert daemon.cli("release").returncode == 0
    assert with_prefix(vip) in lab.hosts["b"].addresses(INTERFACE)
    lab.hosts["b"].ip("addr", "del", with_prefix(vip), "dev", INTERFACE)
    daemon.wait_state("BACKUP")


def test_interface_that_comes_goes_and_returns(lab: Lab) -> None:
    """The daemon waits for its interface and needs no restart when it is made anew."""
    host, address = lab.hosts["a"], "10.78.0.100"
    daemon = Carpd(lab, "a", [Vip("late", (address,), vhid=9, interface="late0")])
    daemon.start()
    daemon.wait_state("INIT")
    for _repetition in range(2):
        host.ip("link", "add", "name", "late0", "type", "veth", "peer", "name", "late1")
        host.ip("addr", "add", "10.78.0.1/24", "dev", "late0")
        for end in ("late0", "late1"):
            host.ip("link", "set", "dev", end, "up")
        lab.wait_owner(address, "a")
        host.ip("link", "del", "dev", "late0")
        lab.wait_gone(address, "a")
        assert "late0" in daemon.wait_state("INIT")["reason"]
