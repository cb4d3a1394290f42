# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service that only the other host finds failing: its word moves the address, unless it cannot be reached itself."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import pytest
from lab import Carpd, Impairment, Lab, Pair
from pairs import STANDBY_SKEW, CarpdPair, StartProbe, assert_moves, carpd_vip

PORT = 2525
LISTEN = f"import socket; s = socket.create_server(('', {PORT})); print('ready', flush=True)\nwhile 1: s.accept()"
TIMING = {"interval": 0.5, "timeout": 0.5, "rise": 1, "fall": 2}
HIDDEN = f"tcp dport {PORT}"
WEIGHT = 100


@pytest.fixture(name="witnessed")
def witnessed_(lab: Lab, vip: str) -> Iterator[CarpdPair]:
    """A pair in its steady state; each host looks at the other's service, and has found it good."""
    daemons = []
    known = ", ".join(f"{lab.source(host)} carpd" for host in lab.hosts)
    for (host, peer), skew in ((("a", "b"), 0), (("b", "a"), STANDBY_SKEW)):
        service = lab.spawn(host, [sys.executable, "-c", LISTEN])
        lab.wait(lambda service=service: "ready" in service.output, f"the service on {host}")  # type: ignore[misc]
        section = carpd_vip(vip, skew)
        section.options["known_peers"] = known
        check = {"type": "tcp", "target": f"{lab.source(peer)}:{PORT}", "peer": lab.source(peer), "weight": WEIGHT}
        lines = ["[check other]", *(f"{key} = {value}" for key, value in {**check, **TIMING}.items())]
        daemons.append(Carpd(lab, host, [section]))
        daemons[-1].write_text(section.section() + "\n".join(lines) + "\n")
    pair = Pair(daemons[0], daemons[1], vip)
    pair.settle()
    for daemon in daemons:
        wait_view(daemon, "good")
    yield pair
    lab.clear()


@pytest.fixture(name="firewall")
def firewall_(lab: Lab) -> Iterator[Impairment]:
    """What lets some packets through, and others not."""
    made = Impairment(lab)
    yield made
    made.mend()


def wait_view(daemon: Carpd, state: str) -> None:
    """Wait until the other host's service looks so from there."""
    daemon.lab.wait(lambda: daemon.status()["checks"][0]["state"] == state, f"the peer looks {state} to {daemon.host}")


def test_a_service_that_the_other_host_does_not_reach_moves_and_comes_back(
    lab: Lab, witnessed: CarpdPair, firewall: Impairment, probe: StartProbe
) -> None:
    client, began = probe(), time.monotonic()
    firewall.drop("b", "a", HIDDEN)
    lab.wait_owner(witnessed.address, "b")
    status = witnessed.preferred.status()
    assert status["demotion"] == WEIGHT and lab.source("b") in str(status["reason"])
    firewall.mend()
    lab.wait_owner(witnessed.address, "a")
    client.wait_answering(after=time.monotonic())
    assert client.stop().lost == 0
    assert_moves(lab, witnessed.address, began, ("b", "+"), ("a", "-"), ("a", "+"), ("b", "-"))


def test_two_that_do_not_reach_each_other_do_not_believe_each_other(
    lab: Lab, witnessed: CarpdPair, firewall: Impairment
) -> None:
    """The fault is between them, so it is of no use to move anything."""
    began = time.monotonic()
    firewall.drop("b", "a", HIDDEN)
    firewall.drop("a", "b", HIDDEN)
    for daemon in (witnessed.preferred, witnessed.standby):
        wait_view(daemon, "failing")
    # Time for testimonies: who gives one must have been sound for ten seconds, and repeats it every second.
    lab.wait_advert("a", count=15)
    assert lab.owners.changes(witnessed.address, began) == []
    assert [daemon.status()["demotion"] for daemon in (witnessed.preferred, witnessed.standby)] == [0, 0]
