# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One measurement: fresh namespaces, a fresh pair, one fault."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from cases import Case, Scene
from contenders import CONTENDERS, Setting
from lab import Lab, WaitError


@dataclass(frozen=True)
class Trial:
    """What one fault did to one pair; times in seconds."""

    case: str
    setting: str
    contender: str
    run: int
    phase: float
    outage: float | None = None
    """The longest run of unanswered probes."""
    lost: int | None = None
    overlap: float | None = None
    """How long two hosts held the address; None where that means nothing."""
    error: str | None = None


def measure(case: Case, setting: Setting, contender: str, run: int, phase: float) -> Trial | None:
    """Do it; None if the contender has no such setting."""
    with tempfile.TemporaryDirectory(prefix="bench-") as directory, Lab(Path(directory)) as lab:
        address = lab.address(0)
        pair = CONTENDERS[contender](lab, address, setting)
        if pair is None:
            return None
        try:
            pair.settle()
            with lab.probe(address) as probe:
                probe.wait_answering()
                began = case.run(Scene(pair, probe, phase * setting.interval))
            overlap = lab.owners.overlap(address, began, time.monotonic()) if case.counts_overlap else None
        except WaitError as error:
            return Trial(case.name, setting.name, contender, run, phase, error=str(error))
        found = probe.result
        return Trial(
            case.name,
            setting.name,
            contender,
            run,
            phase,
            outage=found.outage_after(began),
            lost=found.lost_after(began),
            overlap=overlap,
        )
