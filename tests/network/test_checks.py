# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks: a service that fails takes the address away from its host, without a packet lost, and only if that helps."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator

import pytest
from lab import INTERFACE, Carpd, Lab, Pair, Process, with_prefix
from lab.segment import CLIENT_NUMBER, NETWORK
from pairs import OVERLAP, STANDBY_SKEW, CarpdPair, StartProbe, carpd_vip

SERVICE = "127.0.0.1:2525"
LISTEN = "import socket; s = socket.create_server(('127.0.0.1', 2525)); print('ready', flush=True)\nwhile 1: s.accept()"
TIMING = {"interval": 0.1, "timeout": 0.5, "rise": 2, "fall": 2}
WEIGHT = 100
CLIENT_ADDRESS = NETWORK.format(CLIENT_NUMBER)


class Services:
    """A service on each host, to be stopped and started."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._running: dict[str, Process] = {}

    def start(self, host: str) -> None:
        """Start it, if it does not run, and wait until it listens."""
        if host not in self._running or not self._running[host].running:
            process = self._lab.spawn(host, [sys.executable, "-c", LISTEN])
            self._lab.wait(lambda: "ready" in process.output, f"the service on {host} listens")
            self._running[host] = process

    def stop(self, *hosts: str) -> float:
        """Kill it; returns the time before."""
        now = time.monotonic()
        for host in hosts:
            self._running[host].close()
        return now


@pytest.fixture(scope="module")
def services(lab: Lab) -> Services:
    """The services that the checks look at."""
    made = Services(lab)
    made.start("a")
    made.start("b")
    return made


def checked_pair(lab: Lab, vip: str, weight: object, **options: object) -> CarpdPair:
    """A pair whose hosts each check their own service."""
    check = {"type": "tcp", "target": SERVICE, "weight": weight, **TIMING}
    daemons = []
    for host, skew in (("a", 0), ("b", STANDBY_SKEW)):
        section = carpd_vip(vip, skew)
        section.options.update(options)
        daemons.append(Carpd(lab, host, [section]))
        lines = ["[check service]", *(f"{key} = {value}" for key, value in check.items())]
        daemons[-1].write_text(section.section() + "\n".join(lines) + "\n")
    return Pair(daemons[0], daemons[1], vip)


@pytest.fixture(params=[{"weight": WEIGHT}], ids=str)
def checked(request: pytest.FixtureRequest, lab: Lab, vip: str, services: Services) -> Iterator[CarpdPair]:
    """A pair in its steady state, its services running."""
    pair = checked_pair(lab, vip, **request.param)
    for host in ("a", "b"):
        services.start(host)
    pair.settle()
    for daemon in (pair.preferred, pair.standby):
        wait_check(daemon, "good")
    yield pair
    lab.clear()


def wait_check(daemon: Carpd, state: str) -> dict[str, object]:
    """Wait until the check is so, and return the status of the virtual host."""

    def reached() -> dict[str, object] | None:
        status = daemon.status()
        return status if status["checks"][0]["state"] == state else None

    return daemon.lab.wait(reached, f"the check on {daemon.host} is {state}")


with_each_preference = pytest.mark.parametrize(
    "checked",
    [{"weight": WEIGHT}, {"weight": 1}, {"weight": WEIGHT, "preempt": "no"}, {"weight": "fault"}],
    indirect=True,
    ids=lambda given: " ".join(f"{key}={value}" for key, value in given.items()),
)


@with_each_preference
def test_failing_check_moves_the_address_without_loss(
    lab: Lab, checked: CarpdPair, vip: str, services: Services, probe: StartProbe
) -> None:
    """Whatever the weight, less than the distance of the ranks too, and whether the other host may preempt or not."""
    client = probe()
    began = services.stop("a")
    lab.wait_owner(vip, "b")
    client.wait_answering(after=time.monotonic())
    assert client.stop().lost == 0
    (taken, *who), (left, *whose) = lab.owners.changes(vip, began)
    assert (who, whose) == (["b", "+"], ["a", "-"]), "make before break"
    assert taken - began < 1 and left - taken < OVERLAP
    lab.wait_advert("b", count=3)
    assert len(lab.owners.changes(vip, began)) == 2, "it stays there"
    assert "check service fails: Connection refused" in str(checked.preferred.status()["reason"])


def test_healed_host_takes_back_without_loss(
    lab: Lab, checked: CarpdPair, vip: str, services: Services, probe: StartProbe
) -> None:
    services.stop("a")
    lab.wait_owner(vip, "b")
    assert wait_check(checked.preferred, "failing")["demotion"] == WEIGHT
    client = probe()
    began = time.monotonic()
    services.start("a")
    lab.wait_owner(vip, "a")
    client.wait_answering(after=time.monotonic())
    assert client.stop().lost == 0
    assert [(host, sign) for _when, host, sign in lab.owners.changes(vip, began)] == [("a", "+"), ("b", "-")]
    assert lab.owners.overlap(vip, began) < OVERLAP
    assert checked.preferred.status()["demotion"] == 0


@pytest.mark.parametrize("hosts", [("b", "a"), ("a", "b")], ids=["standby first", "preferred first"])
def test_fault_of_both_moves_nothing(
    lab: Lab, checked: CarpdPair, vip: str, services: Services, hosts: tuple[str, str]
) -> None:
    """Both lose what they need within an interval: the one that finds out last knows better than to take over."""
    began = services.stop(*hosts)
    for daemon in (checked.preferred, checked.standby):
        wait_check(daemon, "failing")
    lab.wait_advert("a", count=3)
    assert lab.owners.changes(vip, began) == []
    advert = lab.wait_advert("a")
    assert advert.rank == (1, WEIGHT) and advert.payload[4] == WEIGHT


def test_where_nobody_may_be_master_nobody_is(lab: Lab, vip: str, services: Services) -> None:
    pair = checked_pair(lab, vip, "fault")
    for host in ("a", "b"):
        services.start(host)
    pair.settle()
    services.stop("b")
    wait_check(pair.standby, "failing")
    services.stop("a")
    for host in ("a", "b"):
        lab.wait_gone(vip, host)
    for daemon in (pair.preferred, pair.standby):
        status = daemon.wait_state("INIT")
        assert str(status["fault"]).startswith("check service fails")
    services.start("b")
    lab.wait_owner(vip, "b")
    lab.clear()


def test_people_see_which_check_fails(lab: Lab, checked: CarpdPair, services: Services) -> None:
    services.stop("b")
    wait_check(checked.standby, "failing")
    shown = checked.standby.ctl("status").stdout
    assert "demoted by 100: check service fails: Connection refused" in shown
    assert "check service (tcp): failing for" in shown and "weight 100: Connection refused" in shown
    assert "check service (tcp): good for" in checked.preferred.ctl("status").stdout


@pytest.fixture
def alone(lab: Lab, vip: str) -> Iterator[Carpd]:
    """A daemon alone on its segment, not started."""
    yield Carpd(lab, "a", [carpd_vip(vip, 0)])
    lab.clear()


def write_check(daemon: Carpd, vip: str, **options: object) -> None:
    """Give the daemon one check."""
    lines = ["[check one]", *(f"{key} = {value}" for key, value in {**TIMING, **options}.items())]
    daemon.write_text(carpd_vip(vip, 0).section() + "\n".join(lines) + "\n")


def test_gateway_that_answers_arp_and_one_that_does_not(lab: Lab, vip: str, alone: Carpd) -> None:
    write_check(alone, vip, type="gateway", target=CLIENT_ADDRESS)
    alone.start()
    (check,) = wait_check(alone, "good")["checks"]  # type: ignore[misc]
    assert check["detail"] == f"{CLIENT_ADDRESS} is at {lab.client.mac(INTERFACE)}"
    lab.wait_owner(vip, "a")
    lab.client.ip("addr", "del", with_prefix(CLIENT_ADDRESS), "dev", INTERFACE)
    try:
        (check,) = wait_check(alone, "failing")["checks"]  # type: ignore[misc]
        assert check["detail"] == f"{CLIENT_ADDRESS} does not answer ARP on {INTERFACE}"
    finally:
        lab.client.ip("addr", "add", with_prefix(CLIENT_ADDRESS), "dev", INTERFACE)
    wait_check(alone, "good")
    assert lab.owners.holders(vip) == ["a"], "a master that nobody could replace stays, however sick it is"


def test_link_of_another_interface(lab: Lab, vip: str, alone: Carpd) -> None:
    write_check(alone, vip, type="link", target="uplink0", vips="smtp")
    alone.start()
    assert "there is no interface uplink0" in str(wait_check(alone, "failing")["reason"])
    host = lab.hosts["a"]
    host.ip("link", "add", "name", "uplink0", "type", "veth", "peer", "name", "uplink1")
    try:
        for end in ("uplink0", "uplink1"):
            host.ip("link", "set", "dev", end, "up")
        wait_check(alone, "good")
        host.ip("link", "set", "dev", "uplink0", "down")
        assert "uplink0 is down" in str(wait_check(alone, "failing")["reason"])
    finally:
        host.ip("link", "del", "dev", "uplink0")


def test_reload_brings_and_takes_checks(lab: Lab, vip: str, alone: Carpd) -> None:
    alone.start()
    lab.wait_owner(vip, "a")
    assert alone.status()["checks"] == []
    write_check(alone, vip, type="file", target="/nowhere")
    alone.send(signal.SIGHUP)
    lab.wait(lambda: alone.status()["checks"], "the check is there")
    assert wait_check(alone, "failing")["demotion"] == WEIGHT
    before = alone.status()["transitions"]
    alone.write([carpd_vip(vip, 0)])
    alone.send(signal.SIGHUP)
    lab.wait(lambda: alone.status()["demotion"] == 0, "nothing demotes it")
    status = alone.status()
    assert (status["checks"], status["transitions"], status["state"]) == ([], before, "MASTER")
