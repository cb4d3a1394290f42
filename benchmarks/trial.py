# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One measurement: fresh namespaces, a fresh pair, one case; or several pairs at once under the same load."""

from __future__ import annotations

import concurrent.futures
import contextlib
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
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
    with contextlib.ExitStack() as stack:
        prepared = Prepared.make(stack, case, setting, contender, run, phase, seconds)
        return None if prepared is None else prepared.measure()


def measure_together(
    case: Case, settings: Iterable[Setting], contenders: Sequence[str], run: int, seconds: float
) -> list[Trial]:
    """Do it with all contenders and settings at once, under the load of the case."""
    assert case.load is not None
    with contextlib.ExitStack() as stack:
        made = [
            Prepared.make(stack, case, setting, contender, run, 0.0, seconds)
            for setting in settings
            for contender in contenders
        ]
        prepared = [one for one in made if one is not None]
        executor = stack.enter_context(concurrent.futures.ThreadPoolExecutor(max(1, len(prepared))))
        stack.enter_context(case.load())
        return list(executor.map(Prepared.measure, prepared))


@dataclass(frozen=True)
class Prepared:
    """A pair that is settled, or could not be."""

    case: Case
    scene: Scene
    trial: Trial

    @classmethod
    def make(
        cls,
        stack: contextlib.ExitStack,
        case: Case,
        setting: Setting,
        contender: str,
        run: int,
        phase: float,
        seconds: float,
    ) -> Prepared | None:
        """Let a pair settle in fresh namespaces, which go with the stack; None if there is no such contender."""
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))
        lab = stack.enter_context(Lab(Path(directory)))
        pair = CONTENDERS[contender](lab, setting, case.variant)
        if pair is None:
            return None
        trial = Trial(case.name, setting.name, contender, run, phase)
        try:
            pair.settle()
        except WaitError as error:
            trial = failed(trial, error)
        return cls(case, Scene(pair, case.variant, phase * setting.interval, seconds), trial)

    def measure(self) -> Trial:
        """Run the case."""
        if self.trial.error is not None:
            return self.trial
        try:
            return replace(self.trial, values=self.case.run(self.scene))
        except WaitError as error:
            return failed(self.trial, error)


def failed(trial: Trial, error: WaitError) -> Trial:
    """The trial that says so."""
    return replace(trial, error=str(error).partition("\n")[0])
