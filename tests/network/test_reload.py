# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reload: what changed is changed, what did not is not touched, and a broken file changes nothing."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator

import pytest
from lab import Carpd, Lab, Vip
from lab.carpd import ENVIRONMENT
from pairs import SERVICE, STANDBY_SKEW, CarpdPair, StartProbe, assert_moves, carpd_vip


@pytest.fixture(autouse=True)
def original(pair: CarpdPair, vip: str) -> Iterator[None]:
    """Let each test find, and leave, the configuration of the fixture in force."""
    yield
    for daemon, skew in ((pair.standby, STANDBY_SKEW), (pair.preferred, 0)):
        if daemon.running:
            reload(daemon, [carpd_vip(vip, skew)])


def reload(daemon: Carpd, vips: list[Vip]) -> float:
    """Write a config file, send SIGHUP and wait until it is in force; returns the time before."""
    daemon.write(vips)
    return hup(daemon, "reloaded")


def hup(daemon: Carpd, word: str) -> float:
    """Send SIGHUP and wait for a log line that has ``word``; returns the time before."""
    sent = daemon.send(signal.SIGHUP)
    daemon.lab.wait(lambda: word in daemon.process.since(sent), f"{daemon.host} logs {word}")
    return sent


def test_unchanged_config_touches_nothing(lab: Lab, pair: CarpdPair, vip: str, probe: StartProbe) -> None:
    client = probe()
    before = [daemon.status() for daemon in (pair.preferred, pair.standby)]
    began = hup(pair.preferred, "reloaded")
    hup(pair.standby, "reloaded")
    lab.wait_advert("a", count=2)
    after = [daemon.status() for daemon in (pair.preferred, pair.standby)]
    for old, new in zip(before, after):
        assert (new["state"], new["transitions"]) == (old["state"], old["transitions"])
        assert new["since"] > old["since"]
    assert_moves(lab, vip, began)
    assert {advert.rank for advert in lab.capture.after(began, "a")} == {(1, 0)}
    assert lab.capture.after(began, "b") == []
    assert client.stop().lost == 0


@pytest.mark.parametrize("host", ["a", "b"])
def test_broken_file_keeps_role_and_config(lab: Lab, pair: CarpdPair, vip: str, host: str) -> None:
    daemon = pair.preferred if host == "a" else pair.standby
    before = daemon.status()
    daemon.write([Vip(SERVICE, (vip,), vhid=300, options={"advskew": 7})])
    began = hup(daemon, f"{daemon.config}: [vip {SERVICE}] vhid = 300: must be a whole number from 1 to 255")
    lab.wait_advert("a", count=2)
    after = daemon.status()
    for key in ("state", "transitions", "vhid", "advskew"):
        assert after[key] == before[key]
    assert_moves(lab, vip, began)


def test_missing_file_keeps_role_and_config(lab: Lab, pair: CarpdPair, vip: str) -> None:
    pair.preferred.config.unlink()
    began = hup(pair.preferred, str(pair.preferred.config))
    lab.wait_advert("a", count=2)
    assert_moves(lab, vip, began)
    assert pair.preferred.status()["state"] == "MASTER"


def test_ctl_reload_tells_what_is_wrong(lab: Lab, pair: CarpdPair, vip: str) -> None:
    done = pair.preferred.ctl("reload")
    assert (done.returncode, done.stderr) == (0, "")
    pair.preferred.write_text("[vip smtp]\n")
    broken = pair.preferred.ctl("reload")
    assert broken.returncode == 1
    for missing in ("interface", "vhid", "addresses", "password"):
        assert missing in broken.stderr
    assert pair.preferred.status()["state"] == "MASTER"


def test_added_and_removed_vip_leaves_the_other_alone(lab: Lab, pair: CarpdPair, vip: str, probe: StartProbe) -> None:
    client = probe()
    extra = lab.address(1)
    before = [daemon.status(SERVICE) for daemon in (pair.preferred, pair.standby)]
    began = time.monotonic()
    for daemon, skew in ((pair.preferred, 0), (pair.standby, STANDBY_SKEW)):
        added = Vip("extra", (extra,), vhid=2, options={"advskew": skew})
        reload(daemon, [carpd_vip(vip, skew), added])
    lab.wait_owner(extra, "a")
    lab.wait_advert("a", vhid=2)
    assert lab.owners.overlap(extra, began) == 0
    reload(pair.preferred, [carpd_vip(vip, 0)])
    lab.wait_owner(extra, "b")
    reload(pair.standby, [carpd_vip(vip, STANDBY_SKEW)])
    lab.wait(lambda: lab.owners.holders(extra) == [], "the removed VIP is on nobody")
    after = [daemon.status(SERVICE) for daemon in (pair.preferred, pair.standby)]
    assert [status["transitions"] for status in after] == [status["transitions"] for status in before]
    assert_moves(lab, vip, began)
    assert client.stop().lost == 0


def test_changed_rank_moves_the_vip_without_loss(lab: Lab, pair: CarpdPair, vip: str, probe: StartProbe) -> None:
    client = probe()
    began = reload(pair.preferred, [carpd_vip(vip, 100)])
    lab.wait_owner(vip, "b")
    reload(pair.preferred, [carpd_vip(vip, 0)])
    lab.wait_owner(vip, "a")
    client.wait_answering(after=time.monotonic())
    assert client.stop().lost == 0
    assert [host for _when, host, sign in lab.owners.changes(vip, began) if sign == "+"] == ["b", "a"]


def test_included_files_are_read_again(lab: Lab, pair: CarpdPair, vip: str) -> None:
    """As the role writes it: a main file and one file per VIP."""
    folder = pair.preferred.directory / "vips.d"
    folder.mkdir()
    (folder / "smtp.conf").write_text(carpd_vip(vip, 0).section())
    pair.preferred.write_text("[carpd]\ninclude = vips.d/*.conf\n")
    began = hup(pair.preferred, "reloaded")
    lab.wait_advert("a", count=2)
    assert_moves(lab, vip, began)


def test_a_disk_that_hangs_delays_a_reload_and_no_advertisement(lab: Lab, pair: CarpdPair, vip: str) -> None:
    """A pipe that nobody writes to lets its reader wait as such a disk does."""
    secret = pair.preferred.directory / "secret"
    os.mkfifo(secret)
    options = {"advbase": 0, "advskew": 10, "password_file": secret}
    pair.preferred.write([Vip(SERVICE, (vip,), password=None, options=options)])
    began = pair.preferred.send(signal.SIGHUP)
    caller = lab.spawn(
        "a", [sys.executable, "-m", "carpd.ctl", "--socket", str(pair.preferred.socket), "reload"], ENVIRONMENT
    )
    lab.wait_advert("a", count=3)
    assert caller.running and "reloaded" not in pair.preferred.process.since(began)
    assert pair.preferred.status()["advbase"] == 1
    descriptor = os.open(secret, os.O_RDWR)  # for the first reload, that waits; the second finds a file in its place
    other = secret.with_name("file")
    other.write_text("lab secret\n")
    other.rename(secret)
    os.write(descriptor, b"lab secret\n")
    assert caller.wait() == 0
    os.close(descriptor)
    assert pair.preferred.status()["advbase"] == 0
    beats = [advert.time for advert in lab.capture.after(began, "a")]
    assert max(later - earlier for earlier, later in zip(beats, beats[1:])) < 1.2
    assert lab.owners.holders(vip) == ["a"]
