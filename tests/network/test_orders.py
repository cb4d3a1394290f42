# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator moves the address, by carpctl: without a packet lost, and it stays where it was put."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator

import pytest
from lab import Lab
from lab.carpd import ENVIRONMENT
from pairs import CarpdPair, StartProbe, assert_moves


@pytest.fixture(name="ordered")
def ordered_(pair: CarpdPair) -> Iterator[CarpdPair]:
    """A pair that is left without orders."""
    yield pair
    for daemon in (pair.preferred, pair.standby):
        daemon.ctl("maintenance", "off", "--wait", "0")
        daemon.ctl("promote", "--wait", "0")


def test_demoted_until_promoted(lab: Lab, ordered: CarpdPair, vip: str, probe: StartProbe) -> None:
    client = probe()
    began = time.monotonic()
    done = ordered.preferred.ctl("demote", "smtp")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("smtp: handed over in 0.")
    assert done.stdout.endswith(f" s; the master is now {lab.source('b')}\n")
    lab.wait_advert("b", count=4)
    assert_moves(lab, vip, began, ("b", "+"), ("a", "-"))
    status = ordered.preferred.status()
    assert (status["state"], status["operator"], status["demotion"]) == ("BACKUP", "demoted by root", 240)

    began = time.monotonic()
    done = ordered.preferred.ctl("promote", "smtp")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("smtp: master here after ")
    lab.wait_advert("a", count=2)
    assert_moves(lab, vip, began, ("a", "+"), ("b", "-"))
    client.wait_answering(after=time.monotonic())
    assert client.stop().lost == 0


def test_maintenance_outlives_the_daemon(lab: Lab, ordered: CarpdPair, vip: str) -> None:
    done = ordered.preferred.ctl("maintenance", "on", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["ok"] and told["took"]["smtp"] < 2 and told["maintenance"]["saved"]
    assert lab.owners.holders(vip) == ["b"]
    ordered.preferred.stop()
    began = time.monotonic()
    ordered.preferred.start()
    assert "in maintenance, as ordered by root" in ordered.preferred.ctl("maintenance").stdout
    lab.wait(lambda: ordered.preferred.status()["master"], "the preferred host hears the other")
    lab.wait_advert("b", count=4)
    assert ordered.preferred.status()["state"] == "BACKUP"
    assert lab.owners.changes(vip, began) == []

    assert ordered.preferred.ctl("maintenance", "off").returncode == 0
    lab.wait_owner(vip, "a")


def test_the_only_host_keeps_what_nobody_takes(lab: Lab, ordered: CarpdPair, vip: str) -> None:
    """An order that cannot be carried out is told as such, and nothing is lost."""
    ordered.standby.stop()
    done = ordered.preferred.ctl("demote", "--wait", "3")
    assert done.returncode == 1
    assert done.stderr.startswith("smtp: ")
    assert lab.owners.holders(vip) == ["a"]


def test_watch_tells_what_happens(lab: Lab, ordered: CarpdPair, vip: str) -> None:
    argv = [sys.executable, "-m", "carpd.ctl", "--socket", str(ordered.standby.socket), "watch", "--json"]
    watch = lab.spawn("b", argv, ENVIRONMENT)
    lab.wait(lambda: '"event": "status"' in watch.output, "it tells how it is")
    assert ordered.preferred.ctl("demote").returncode == 0
    lab.wait(lambda: '"new": "MASTER"' in watch.output, "it tells of the takeover")
    events = [json.loads(line) for line in watch.output.splitlines()]
    assert events[0]["status"][0]["state"] == "BACKUP"
    assert [(one["event"], one["name"], one["old"]) for one in events[1:2]] == [("state", "smtp", "BACKUP")]
    watch.close()
    assert ordered.standby.status()["state"] == "MASTER"


def test_a_watcher_that_does_not_read_holds_nothing_up(lab: Lab, ordered: CarpdPair, vip: str) -> None:
    code = f"import socket, time; s = socket.socket(socket.AF_UNIX); s.connect({str(ordered.preferred.socket)!r})\n"
    code += "s.sendall(b'{\"verb\": \"watch\"}\\n'); print('ready', flush=True); time.sleep(600)"
    mute = lab.spawn("a", [sys.executable, "-c", code])
    lab.wait(lambda: "ready" in mute.output, "a client that never reads")
    for _number in range(20):
        assert ordered.preferred.ctl("demote", "--wait", "0").returncode == 0
        assert ordered.preferred.ctl("promote", "--wait", "0").returncode == 0
    lab.wait_advert("a", count=2)
    lab.wait_owner(vip, "a")
    mute.close()
