# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure carpd, keepalived and ucarp side by side in one run, on identical segments of network namespaces.

Runs take turns (carpd, keepalived, ucarp, carpd ...), and the moment of a fault between two advertisements is drawn
once for all of them, so that neither the machine's mood nor luck favours anybody.  Needs root and the packages
keepalived, ucarp and iproute2.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "network"))

from cases import CASES, Case  # noqa: E402
from chart import chart  # noqa: E402
from contenders import CONTENDERS, PLAIN, SETTINGS, Setting  # noqa: E402
from machine import describe  # noqa: E402
from report import heading, report, shown  # noqa: E402
from trial import Trial, measure, measure_together  # noqa: E402

RESULTS = HERE / "results"


def options(words: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", "--runs", type=int, default=1, help="of each case and contender (default %(default)s)")
    parser.add_argument("--case", action="append", choices=CASES, help="only this one; may be repeated")
    parser.add_argument("--contender", action="append", choices=CONTENDERS, help="only this one; may be repeated")
    parser.add_argument("--setting", action="append", choices=SETTINGS, help="only this one; may be repeated")
    parser.add_argument("--seconds", type=float, default=10.0, help="of steady states (default %(default)g)")
    parser.add_argument("--overload-seconds", type=float, default=10.0, help="of each overload (default %(default)g)")
    parser.add_argument(
        "--power-cuts", type=int, default=0, help="so many at the fastest setting in a run, for their 99th percentile"
    )
    parser.add_argument("--seed", type=int, default=None, help="of the moments of faults; default: a new one")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder for the data (default benchmarks/results)")
    parser.add_argument("--name", default="", help="of the files there; default: when the run began")
    found = parser.parse_args(words)
    if min(found.runs, found.seconds, found.overload_seconds) < 1:
        parser.error("--runs, --seconds and --overload-seconds must be 1 or more")
    return found


def trials(chosen: argparse.Namespace, seed: int) -> Iterator[Trial]:
    """Measure everything chosen, run by run."""
    dice = random.Random(seed)
    for run in range(1, chosen.runs + 1):
        for case in (CASES[name] for name in chosen.case or CASES):
            if case.runs_once and run > 1:
                continue
            settings = [SETTINGS[name] for name in chosen.setting or SETTINGS if name in case.settings]
            contenders = chosen.contender or list(CONTENDERS)
            if case.load is not None:
                yield from measure_together(case, settings, contenders, run, chosen.overload_seconds)
                continue
            for setting in settings:
                for _repetition in range(repetitions(case, setting, chosen.power_cuts)):
                    phase = dice.random()
                    for contender in contenders:
                        trial = measure(case, setting, contender, run, phase, chosen.seconds)
                        if trial is not None:
                            yield trial


def repetitions(case: Case, setting: Setting, power_cuts: int) -> int:
    """How often a case is measured in one run."""
    if case.runs_once or case.variant != PLAIN:
        return 1
    if (case.name, setting.name) == ("power-cut", "fastest"):
        return max(setting.repeat, power_cuts)
    return setting.repeat


def progress(trial: Trial, runs: int) -> str:
    """A line a trial."""
    head = f"run {trial.run}/{runs} {trial.setting} {trial.case} {trial.contender}"
    if trial.error is not None:
        return f"{head}: FAILED {trial.error}"
    return f"{head}: " + ", ".join(
        f"{heading(measure)} {'never' if value is None else shown(measure, value)}"
        for measure, value in trial.values.items()
    )


def footer(machine: dict[str, str], started: str) -> str:
    """What the picture says about where it comes from."""
    versions = ", ".join(f"{name} {machine[name]}" for name in CONTENDERS)
    return f"{started[:10]}: {machine['processors']} x {machine['processor']}, Linux {machine['kernel']}, {versions}"


def main(words: list[str] | None = None) -> int:
    """Entry point; the status is 1 if a measurement failed."""
    chosen = options(words)
    if os.geteuid() != 0:
        print("benchmarks need root: they make network namespaces", file=sys.stderr)
        return 1
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    machine = describe()
    seed = random.SystemRandom().getrandbits(32) if chosen.seed is None else chosen.seed
    started = time.strftime("%Y-%m-%dT%H-%M-%SZ", time.gmtime())
    found = []
    for trial in trials(chosen, seed):
        print(progress(trial, chosen.runs), file=sys.stderr, flush=True)
        found.append(trial)
    text = report(found)
    print("\n".join(f"{key}: {value}" for key, value in machine.items()), text, sep="\n\n")
    chosen.output.mkdir(parents=True, exist_ok=True)
    data = {"started": started, "seed": seed, "machine": machine, "trials": [dataclasses.asdict(t) for t in found]}
    target = chosen.output / f"{chosen.name or started}.json"
    target.write_text(json.dumps(data, indent=1) + "\n")
    text_file, picture = target.with_suffix(".txt"), target.with_suffix(".svg")
    described = "\n".join(f"{key}: {value}" for key, value in machine.items())
    text_file.write_text(f"{described}\n\n{text}\n")
    picture.write_text(chart(found, footer(machine, started)))
    print(f"\ndata, tables and picture: {target}, {text_file.name}, {picture.name}")
    return 1 if any(trial.error for trial in found) else 0


if __name__ == "__main__":
    sys.exit(main())
