# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has an address? What carpd asks, a real kernel answers, whatever its daemon does."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from lab import DEADLINE, INTERFACE, Lab
from lab.carpd import ENVIRONMENT

ASKER = Path(__file__).parent / "asker.py"


def ask(lab: Lab, source: str, target: str, seconds: float = DEADLINE) -> str:
    """Ask from host a; returns the MAC that answers first, or "nobody"."""
    process = lab.spawn("a", [sys.executable, str(ASKER), INTERFACE, source, target, str(seconds)], ENVIRONMENT)
    assert process.wait() == 0, process.output
    return process.output.strip()


@pytest.mark.parametrize("source", ["own", "none"])
def test_ipv4(lab: Lab, source: str) -> None:
    """The question is answered, and so is the probe of one who has no address yet (RFC 5227)."""
    own = lab.source("a") if source == "own" else "0.0.0.0"
    assert ask(lab, own, lab.source("b")) == lab.mac("b")


@pytest.mark.parametrize("target", ["link-local", "global"])
def test_ipv6(lab: Lab, target: str) -> None:
    address = lab.wait_link_local("b") if target == "link-local" else lab.source6("b")
    assert ask(lab, lab.wait_link_local("a"), address) == lab.mac("b")


def test_nobody(lab: Lab) -> None:
    assert ask(lab, lab.source("a"), lab.address(9), 0.5) == "nobody"
    assert ask(lab, lab.wait_link_local("a"), lab.address6(9), 0.5) == "nobody"


def test_a_host_without_power_does_not_answer(lab: Lab) -> None:
    lab.cut("b")
    lab.wait_link("b", up=False)
    try:
        assert ask(lab, lab.source("a"), lab.source("b"), 0.5) == "nobody"
    finally:
        lab.power_on("b")
