# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hooks beside a running election: they follow it, and whatever they do, it does not notice."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from lab import Carpd, Lab, Pair
from pairs import STANDBY_SKEW, CarpdPair, carpd_vip

INTERVAL = 1 + STANDBY_SKEW / 256
LATE = 0.1
"""Seconds that an advertisement may be late on a loaded machine; a hook that were waited for would cost a minute."""


def hooked_pair(lab: Lab, vip: str, **options: object) -> CarpdPair:
    """A pair whose standby has these options."""
    sections = [carpd_vip(vip, 0), carpd_vip(vip, STANDBY_SKEW)]
    sections[1].options.update(options)
    return Pair(Carpd(lab, "a", sections[:1]), Carpd(lab, "b", sections[1:]), vip)


@pytest.fixture(name="clear")
def clear_(lab: Lab) -> Iterator[None]:
    """Nothing of a test stays for the next one."""
    yield
    lab.clear()


def test_a_hook_that_hangs_delays_nothing(lab: Lab, vip: str, clear: None) -> None:
    pair = hooked_pair(lab, vip, on_master="/bin/sleep 60", hook_timeout=60)
    pair.settle()
    began = time.monotonic()
    assert pair.preferred.ctl("demote").returncode == 0
    taken = lab.wait_owner(vip, "b")
    assert taken - began < 2
    last = lab.wait_advert("b", count=6)
    times = [
        advert.time for advert in lab.capture.after(taken, "b") if not advert.is_goodbye and advert.time <= last.time
    ]
    gaps = [later - earlier for earlier, later in zip(times, times[1:])]
    assert len(gaps) >= 5
    assert max(gaps) < INTERVAL + LATE, gaps
    assert lab.owners.holders(vip) == ["b"]
    assert "hook on_master" not in pair.standby.process.output, "it still runs"

    # Nor does the way back wait for it.
    assert pair.preferred.ctl("promote").returncode == 0
    lab.wait_owner(vip, "a")
    assert pair.standby.status()["state"] == "BACKUP"


def test_hooks_and_ucarp_s_scripts_follow_the_address(lab: Lab, vip: str, clear: None) -> None:
    out = lab.directory / "hooks.txt"
    up, down = lab.directory / "vip-up", lab.directory / "vip-down"
    for script in (up, down):
        script.write_text(f"#!/bin/sh\necho $(basename $0) $* >> {out}\n")
        script.chmod(0o755)
    note = f"/bin/sh -c 'echo $CARP_NAME $CARP_OLD_STATE $CARP_STATE >> {out}'"
    hooks = {"on_master": note, "on_backup": note, "up_script": up, "down_script": down, "xparam": "a word"}
    pair = hooked_pair(lab, vip, **hooks)
    pair.settle()
    assert pair.preferred.ctl("demote").returncode == 0
    lab.wait_owner(vip, "b")
    lab.wait(lambda: "vip-up" in out.read_text(), "the hooks of the new master")
    pair.standby.stop()
    assert out.read_text().splitlines() == [
        "smtp INIT BACKUP",
        f"vip-down eth0 {vip} a word",
        "smtp BACKUP MASTER",
        f"vip-up eth0 {vip} a word",
        "smtp MASTER ENDED",
        f"vip-down eth0 {vip} a word",
    ]
