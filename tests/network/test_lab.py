# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The laboratory must see losses, owners and packets as they are: a blind prober would pass every other test."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest
from lab import INTERFACE, Keepalived, KeepalivedOptions, Lab, Pair, Ucarp, UcarpOptions, WaitError, with_prefix
from lab.owners import Holding, multiple


def test_prober_counts_what_is_lost(lab: Lab) -> None:
    with lab.probe(lab.source("a")) as probe:
        probe.wait_answering()
        cut = lab.cut("a")
        lab.wait_link("a", up=False)
        probe.wait_decided(after=cut + 0.05)
        lab.heal("a")
        lab.wait_link("a")
        healed = time.monotonic()
        probe.wait_answering(after=healed)
    result = probe.result
    assert result.lost == result.lost_after(cut) > 0
    assert len(result.gaps) == 1
    gap = result.gaps[0]
    assert gap.start <= healed and gap.end >= cut
    assert gap.lost == pytest.approx(gap.length * 1000, rel=0.2, abs=20)


def test_prober_loses_nothing_by_itself(lab: Lab) -> None:
    with lab.probe(lab.source("a")) as probe:
        probe.wait_answering()
        probe.wait_answering(after=time.monotonic() + 0.5)
    assert probe.result.lost == 0
    assert probe.result.sent >= 500


def test_owner_intervals_agree_with_iproute2(lab: Lab) -> None:
    address = lab.address(9)
    before = time.monotonic()
    for host in ("a", "b"):
        lab.hosts[host].ip("addr", "add", with_prefix(address), "dev", INTERFACE)
    lab.wait(lambda: lab.owners.holders(address) == ["a", "b"], "both hold it")
    assert with_prefix(address) in lab.hosts["a"].addresses(INTERFACE)
    lab.hosts["a"].ip("addr", "del", with_prefix(address), "dev", INTERFACE)
    lab.wait_owner(address, "b")
    assert with_prefix(address) not in lab.hosts["a"].addresses(INTERFACE)
    assert 0 < lab.owners.overlap(address, before) < time.monotonic() - before
    assert [(host, sign) for _when, host, sign in lab.owners.changes(address, before)] == [
        ("a", "+"),
        ("b", "+"),
        ("a", "-"),
    ]
    lab.hosts["b"].ip("addr", "del", with_prefix(address), "dev", INTERFACE)
    lab.wait_gone(address, "b")


def test_overlap_is_the_time_with_two_holders() -> None:
    held = [Holding("a", "x", 0.0, 3.0), Holding("b", "x", 2.0, 5.0), Holding("c", "x", 4.5, None)]
    assert multiple(held, 0.0, 6.0) == pytest.approx(1.5)
    assert multiple(held, 2.5, 6.0) == pytest.approx(1.0)
    assert multiple(held[:1], 0.0, 6.0) == 0.0


def test_failed_wait_shows_the_timeline(lab: Lab) -> None:
    with pytest.raises(WaitError, match=r"not within 0\.01 s: the impossible[\s\S]*10\.77\.0\.1"):
        lab.wait(lambda: False, "the impossible", timeout=0.01)


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Lab(tmp_path) as other:
        process = other.spawn("a", ["sleep", "1000"])
        names = {other.bridge.name, *(host.name for host in other.hosts.values()), other.client.name}
        assert names <= namespaces()
        raise KeyboardInterrupt
    assert not names & namespaces()
    assert process.exit_status == -9


def namespaces() -> set[str]:
    found = subprocess.run(["ip", "-j", "netns", "list"], capture_output=True, text=True, check=True).stdout
    return {entry["name"] for entry in json.loads(found or "[]")}


def test_peers_behave_as_known(lab: Lab) -> None:
    """What ucarp and keepalived do at a planned stop is known; a lab that measured otherwise would be wrong."""
    ucarp, keepalived = lab.address(0), lab.address(1)
    pairs = [
        Pair(
            Ucarp(lab, "a", ucarp, UcarpOptions(preempt=True)),
            Ucarp(lab, "b", ucarp, UcarpOptions(advskew=100)),
            ucarp,
        ),
        Pair(
            Keepalived(lab, "a", keepalived, KeepalivedOptions(master=True, priority=150, vrid=2)),
            Keepalived(lab, "b", keepalived, KeepalivedOptions(master=False, priority=100, vrid=2)),
            keepalived,
        ),
    ]
    for pair in pairs:
        pair.preferred.start()
        pair.standby.start()
    outages = {}
    for pair in pairs:
        pair.settle()
        with lab.probe(pair.address) as probe:
            probe.wait_answering()
            stopped = time.monotonic()
            pair.preferred.stop()
            lab.wait_owner(pair.address, "b")
            probe.wait_answering(after=time.monotonic())
        outages[pair.address] = probe.result.outage_after(stopped)
    assert outages[ucarp] > 2.5, "ucarp says no goodbye: its peer waits for three intervals"
    assert 0.3 < outages[keepalived] < 1.5, "priority 0 leaves the skew time of priority 100, 0.61 s"
