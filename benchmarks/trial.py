# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One measurement: fresh namespaces, a fresh pair, one case."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from cases import Case, Scene
from contenders import CONTENDERS, Setting
from lab import Lab, WaitError

Values = dict[str, "float | None"]


@dataclass(frozen=True)
class Trial:
    """What one case found of one pair, by the name of the measure; times in seconds. None: what did not end in time."""

    case: str
    setting: str
    contender: str
    run: int
    phase: float
    values: Values = field(default_factory=dict)
    error: str | None = None


def measure(case: Case, setting: Setting, contender: str, run: int, phase: float, seconds: float) -> Trial | None:
    """Do it; None if the contender has no such setting or variant. ``seconds`` is how long cases watch."""
    with tempfile.TemporaryDirectory(prefix="bench-") as directory, Lab(Path(directory)) as lab:
        pair = CONTENDERS[contender](lab, setting, case.variant)
        if pair is None:
            return None
        try:
            pair.settle()
            values = case.run(Scene(pair, case.variant, phase * setting.interval, seconds))
        except WaitError as error:
            return Trial(case.name, setting.name, contender, run, phase, error=str(error).partition("\n")[0])
        return Trial(case.name, setting.name, contender, run, phase, values)
