# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of Molecule's scenarios says was tested."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
SCENARIOS = sorted(path.parent.name for path in ROOT.glob("molecule/*/molecule.yml"))


def told(results: str, report: pathlib.Path) -> str:
    """What is printed for these results."""
    return subprocess.run(
        [sys.executable, str(ROOT / "tests" / "run" / "promises"), str(report)],
        input=results,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_each_scenario_says_what_it_promises(scenario: str, tmp_path: pathlib.Path) -> None:
    report = tmp_path / "report.md"
    lines = told(f"{scenario} bookworm passed 7\n", report).splitlines()
    assert lines
    assert all(line.startswith(f"{scenario} ") for line in lines)
    assert len(report.read_text().splitlines()) == len(lines) + 4


def test_what_failed_is_told_with_every_promise(tmp_path: pathlib.Path) -> None:
    report = tmp_path / "report.md"
    table = told("default trixie FAILED 70\ndefault bookworm passed 65\n", report)
    bookworm, trixie = ([line for line in table.splitlines() if f" {name} " in line] for name in ("bookworm", "trixie"))
    assert len(bookworm) == len(trixie) > 1
    assert all(" passed " in line for line in bookworm)
    assert all(" FAILED " in line for line in trixie)
    assert "| FAILED | 70 |" in report.read_text()
