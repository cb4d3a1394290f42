# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking a running daemon, and telling it things by signals."""

from __future__ import annotations

import shutil
import signal
import time

import pytest
from lab import INTERFACE, Carpd, Lab, with_prefix
from pairs import STANDBY_SKEW, CarpdPair, StartProbe, assert_moves

KEYS = {
    "name", "interface", "vhid", "state", "addresses", "advbase", "advskew",
    "demotion", "since", "transitions", "master", "reason",
}  # fmt: skip


def test_status_for_programs(lab: Lab, pair: CarpdPair, vip: str) -> None:
    master, backup = pair.preferred.status(), pair.standby.status()
    assert set(master) >= KEYS and set(backup) >= KEYS
    common = {"name": "smtp", "interface": INTERFACE, "vhid": 1, "addresses": [with_prefix(vip)], "advbase": 1}
    for status, state, skew in ((master, "MASTER", 0), (backup, "BACKUP", STANDBY_SKEW)):
        assert {key: status[key] for key in common} == common
        assert (status["state"], status["advskew"], status["demotion"]) == (state, skew, 0)
        assert status["since"] >= 0 and status["transitions"] >= 1 and status["reason"]
    assert master["master"] is None
    heard = backup["master"]
    assert (heard["source"], heard["advbase"], heard["advskew"]) == (lab.source("a"), 1, 0)
    assert 0 <= heard["age"] < 2


def test_status_for_people(lab: Lab, pair: CarpdPair, vip: str) -> None:
    done = pair.preferred.ctl("status")
    assert (done.returncode, done.stderr) == (0, "")
    assert "smtp" in done.stdout and "MASTER" in done.stdout and vip in done.stdout
    assert lab.source("a") in pair.standby.ctl("status").stdout, "the standby tells who is master"


def test_explaining(lab: Lab, pair: CarpdPair) -> None:
    done = pair.preferred.ctl("explain")
    assert done.stdout.startswith("smtp:\n    This host is the master, for "), done.stderr
    done = pair.standby.ctl("explain", "smtp")
    better = f"{lab.source('a')} is, and ranks better: its advskew is lower (0 against {STANDBY_SKEW})."
    assert done.stdout.splitlines()[1] == f"    This host is not the master, since {better}"


def test_nobody_to_ask(lab: Lab) -> None:
    silent = Carpd(lab, "b", [])
    silent.socket = silent.directory / "nobody.sock"
    done = silent.ctl("status", "--json")
    assert done.returncode == 1 and done.stdout == ""
    assert str(silent.socket) in done.stderr and len(done.stderr.splitlines()) == 1


def test_second_daemon_is_refused(pair: CarpdPair) -> None:
    """The same runtime directory twice would be two daemons fighting over one address."""
    before = pair.preferred.status()
    done = pair.preferred.cli("run", "--runtime-dir", str(pair.preferred.runtime))
    assert done.returncode == 1
    assert "another daemon" in done.stderr
    assert pair.preferred.status()["transitions"] == before["transitions"]


@pytest.mark.parametrize(("host", "state"), [("a", "MASTER"), ("b", "BACKUP")])
def test_usr1_logs_the_state(lab: Lab, pair: CarpdPair, host: str, state: str) -> None:
    daemon = pair.preferred if host == "a" else pair.standby
    sent = daemon.send(signal.SIGUSR1)
    lab.wait(lambda: f"smtp: {state}" in daemon.process.since(sent), f"{host} logs {state}")


def test_usr2_steps_down(lab: Lab, pair: CarpdPair, vip: str, probe: StartProbe) -> None:
    """The other host takes over at once and keeps it, though the first is preferred, until it steps down itself."""
    client = probe()
    began = pair.preferred.send(signal.SIGUSR2)
    lab.wait_owner(vip, "b")
    taken = lab.owners.changes(vip, began)[0][0]
    assert taken - began < 1, "the standby did not wait for silence"
    lab.wait_advert("b", count=3)
    assert_moves(lab, vip, began, ("b", "+"), ("a", "-"))
    assert pair.preferred.status()["state"] == "BACKUP"
    back = pair.standby.send(signal.SIGUSR2)
    lab.wait_owner(vip, "a")
    client.wait_answering(after=time.monotonic())
    assert client.stop().lost == 0
    lab.wait_advert("a", count=2)
    assert_moves(lab, vip, back, ("a", "+"), ("b", "-"))


def test_a_takeover_leaves_a_record(lab: Lab, pair: CarpdPair, vip: str) -> None:
    records = pair.standby.runtime / "records"
    before = set(records.iterdir()) if records.exists() else set()
    assert pair.preferred.ctl("demote").returncode == 0
    new = lab.wait(lambda: set(records.glob("*.txt")) - before if records.exists() else None, "a record of it")
    text = "".join(file.read_text() for file in new)
    assert "smtp: heard goodbye, counter" in text and f"from {lab.source('a')}" in text
    assert "smtp: state: BACKUP -> MASTER" in text
    assert "lab secret" not in text
    live = pair.standby.ctl("record").stdout
    assert "smtp: sent advertisement" in live
    assert pair.preferred.ctl("promote").returncode == 0


def test_records_that_cannot_be_written_delay_nothing(lab: Lab, pair: CarpdPair, vip: str) -> None:
    records = pair.standby.runtime / "records"
    if records.exists():
        shutil.rmtree(records)
    records.write_text("in the way")
    assert pair.preferred.ctl("demote").returncode == 0
    taken = lab.wait_owner(vip, "b")
    last = lab.wait_advert("b", count=4)
    times = [advert.time for advert in lab.capture.after(taken, "b") if advert.time <= last.time]
    assert max(later - earlier for earlier, later in zip(times, times[1:])) < 1 + STANDBY_SKEW / 256 + 0.1
    lab.wait(lambda: "a record could not be written" in pair.standby.process.output, "it says so")
    records.unlink()
    assert pair.preferred.ctl("promote").returncode == 0
