# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Crashes: a daemon that dies or hangs, with its guard or without, never leaves two owners."""

from __future__ import annotations

import os
import signal
import time

from lab import Lab
from pairs import OVERLAP, CarpdPair, StartProbe, assert_moves

AT_ONCE = 1.0
"""Seconds: much less than the three intervals of silence for which a standby waits by itself."""


def goodbyes(lab: Lab, host: str, since: float) -> bool:
    return any(advert.is_goodbye for advert in lab.capture.after(since, host))


def guard_of(lab: Lab, pair: CarpdPair) -> int:
    """The other process of the preferred host."""
    main = pair.preferred.process.pid
    return lab.wait(lambda: next((pid for pid in lab.hosts["a"].pids() if pid != main), None), "a guard")


def test_killed_daemon_is_replaced_at_once(lab: Lab, pair: CarpdPair, vip: str, probe: StartProbe) -> None:
    """Its guard removes the address and says goodbye for it."""
    client = probe()
    began = pair.preferred.send(signal.SIGKILL)
    taken = lab.wait_owner(vip, "b")
    client.wait_answering(after=time.monotonic())
    assert_moves(lab, vip, began, ("a", "-"), ("b", "+"))
    assert goodbyes(lab, "a", began)
    assert taken - began < AT_ONCE
    assert client.stop().outage_after(began) < AT_ONCE
    pair.preferred.process.wait()
    lab.wait(lambda: not lab.hosts["a"].pids(), "the guard ends when it has done its work")


def test_hanging_daemon_is_replaced(lab: Lab, pair: CarpdPair, vip: str) -> None:
    """Its guard misses the heartbeat."""
    began = pair.preferred.freeze(helpers=False)
    lab.wait_owner(vip, "b")
    assert_moves(lab, vip, began, ("a", "-"), ("b", "+"))
    assert goodbyes(lab, "a", began)
    woken = pair.preferred.thaw()
    lab.wait_owner(vip, "a")
    assert lab.owners.overlap(vip, woken) < OVERLAP
    assert_moves(lab, vip, woken, ("a", "+"), ("b", "-"))


def test_host_where_everything_is_killed_never_shares_the_address(lab: Lab, pair: CarpdPair, vip: str) -> None:
    """Nobody is left to say goodbye: the kernel's lease ends before the standby's patience."""
    began = pair.preferred.kill()
    lab.wait_owner(vip, "b")
    assert_moves(lab, vip, began, ("a", "-"), ("b", "+"))
    assert not goodbyes(lab, "a", began)
    back = time.monotonic()
    pair.preferred.start()
    lab.wait_owner(vip, "a")
    assert lab.owners.overlap(vip, back) < OVERLAP


def test_host_where_everything_hangs_never_shares_the_address(lab: Lab, pair: CarpdPair, vip: str) -> None:
    began = pair.preferred.freeze(helpers=True)
    lab.wait_owner(vip, "b")
    assert_moves(lab, vip, began, ("a", "-"), ("b", "+"))
    assert not goodbyes(lab, "a", began)
    lab.wait_advert("b", count=2)
    woken = pair.preferred.thaw()
    lab.wait_owner(vip, "a")
    assert lab.owners.overlap(vip, woken) < OVERLAP
    assert_moves(lab, vip, woken, ("a", "+"), ("b", "-"))
    assert not goodbyes(lab, "a", woken), "it had nothing to give any more"


def test_hanging_standby_changes_nothing(lab: Lab, pair: CarpdPair, vip: str) -> None:
    began = pair.standby.freeze(helpers=True)
    lab.wait_advert("a", count=4)
    pair.standby.thaw()
    lab.wait_advert("a", count=2)
    assert_moves(lab, vip, began)
    assert lab.capture.after(began, "b") == []


def test_killed_guard_is_replaced_and_nothing_moves(lab: Lab, pair: CarpdPair, vip: str, probe: StartProbe) -> None:
    client = probe()
    guard = guard_of(lab, pair)
    began = time.monotonic()
    os.kill(guard, signal.SIGKILL)
    lab.wait_advert("a", count=3)
    assert guard_of(lab, pair) != guard
    assert_moves(lab, vip, began)
    assert client.stop().lost == 0
    killed = pair.preferred.send(signal.SIGKILL)
    assert lab.wait_owner(vip, "b") - killed < AT_ONCE, "the new guard knows what there is to guard"
    assert_moves(lab, vip, killed, ("a", "-"), ("b", "+"))
