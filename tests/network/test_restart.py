# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon's program is loaded anew while its host is master: nobody takes the address, and no packet is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from lab import Carpd, Lab, Pair, Vip
from lab.carpd import PACKAGE
from pairs import SERVICE, CarpdPair, StartProbe, assert_moves

SECOND = ({}, {"advskew": 20})
FAST = ({"profile": "fast"}, {"profile": "fast", "advskew": 2})


@pytest.fixture(name="two", params=[SECOND, FAST], ids=["1 s", "4 ms"])
def two_(lab: Lab, vip: str, request: pytest.FixtureRequest) -> Iterator[CarpdPair]:
    """A pair that advertises every second, and one that does every 4 ms."""
    preferred, standby = (Carpd(lab, host, [Vip(SERVICE, (vip,), options=of)]) for host, of in zip("ab", request.param))
    made = Pair(preferred, standby, vip)
    made.settle()
    yield made
    for daemon in (preferred, standby):
        if daemon.running:
            daemon.stop()


def restart(daemon: Carpd) -> None:
    done = daemon.ctl("restart")
    assert (done.returncode, done.stderr) == (0, ""), daemon.lab.recorder.timeline()
    assert done.stdout.startswith("the daemon was restarted within")


def test_master_goes_on(lab: Lab, two: CarpdPair, vip: str, probe: StartProbe) -> None:
    client = probe()
    pid, before = two.preferred.process.pid, two.standby.status()["transitions"]
    began = time.monotonic()
    for _turn in range(3):
        restart(two.preferred)
        lab.wait_advert("a", count=2)
    assert_moves(lab, vip, began)
    assert client.stop().lost == 0
    assert two.preferred.status()["state"] == "MASTER"
    assert two.preferred.process.pid == pid and two.preferred.running
    assert two.standby.status()["transitions"] == before
    assert not lab.capture.after(began, "b"), "the other host heard nothing that it should answer"


def test_standby_goes_on(lab: Lab, two: CarpdPair, vip: str) -> None:
    began = time.monotonic()
    restart(two.standby)
    lab.wait_advert("a", count=4)
    assert_moves(lab, vip, began)
    assert two.standby.status()["state"] == "BACKUP"


def test_orders_are_kept(lab: Lab, two: CarpdPair, vip: str) -> None:
    assert two.preferred.ctl("demote").returncode == 0
    lab.wait_owner(vip, "b")
    began = time.monotonic()
    restart(two.preferred)
    assert two.preferred.status()["operator"].startswith("demoted by ")
    lab.wait_advert("b", count=3)
    assert_moves(lab, vip, began)
    assert two.preferred.ctl("promote").returncode == 0
    lab.wait_owner(vip, "a")


def test_what_would_not_start_is_not_loaded(lab: Lab, two: CarpdPair, vip: str) -> None:
    good = two.preferred.config.read_text()
    began = time.monotonic()
    two.preferred.write_text(good.replace("vhid = 1", "vhid = 300"))
    try:
        done = two.preferred.ctl("restart")
    finally:
        two.preferred.write_text(good)
    assert done.returncode == 1
    assert "vhid = 300: must be" in done.stderr and "the daemon was not restarted" in done.stderr
    lab.wait_advert("a", count=3)
    assert_moves(lab, vip, began)


def test_program_that_does_not_come_up_is_replaced_by_the_other_host(lab: Lab, two: CarpdPair, vip: str) -> None:
    """As when an upgrade is broken: the guard that stands in gives up."""
    two.preferred.stop()
    two.preferred.program = lab.directory / "program"
    two.preferred.program.mkdir(exist_ok=True)
    package = two.preferred.program / "carpd"
    package.symlink_to(PACKAGE / "carpd")
    two.settle()
    package.unlink()
    began = time.monotonic()
    assert two.preferred.ctl("restart", "--wait", "0.5").returncode == 1
    lab.wait_owner(vip, "b")
    assert_moves(lab, vip, began, ("a", "-"), ("b", "+"))
    two.preferred.process.wait()
