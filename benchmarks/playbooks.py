# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure how long playbooks run on two fresh containers, beside the widely used role for keepalived.

Each contender gets containers of its own, made anew, and two runs: the first does all, the second must change nothing.
What is slow about Ansible is the number of tasks, so they are counted, too. Contenders take turns. To be run in a lab:

    make bench-playbooks KEEPALIVED_ROLE=FOLDER

where FOLDER is a checkout of https://github.com/evrardjp/ansible-keepalived; without it, carp alone is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "network"))

from machine import describe  # noqa: E402

INVENTORIES = ["inventories/example", "molecule/shared/inventory"]
PASSWORD = "of the lab"


@dataclass(frozen=True, eq=False)
class Contender:
    """A playbook, and with how many addresses."""

    name: str
    addresses: int
    playbook: str
    variables: dict[str, object]
    settings: dict[str, str] = field(default_factory=dict)


@dataclass
class Run:
    """What one run of a playbook took."""

    seconds: float
    tasks: int
    changed: int


def carp(addresses: int) -> dict[str, object]:
    """Virtual IPs for our role: the vhids from 1 on, each with an address."""
    return {
        "carp_vips": [
            {"name": f"v{n}", "vhid": n, "addresses": f"172.17.4.{n}", "password": PASSWORD}
            for n in range(1, addresses + 1)
        ]
    }


def keepalived(addresses: int) -> dict[str, object]:
    """The same for the other role."""
    return {
        "keepalived_instances": {
            f"v{n}": {
                "interface": "eth0",
                "state": "BACKUP",
                "virtual_router_id": n,
                "priority": "{{ 100 - groups['carp'].index(inventory_hostname) }}",
                "authentication_password": PASSWORD[:8],
                "vips": [{"ip": f"172.17.4.{n}/20"}],
            }
            for n in range(1, addresses + 1)
        }
    }


def contenders(role: Path | None, folder: Path) -> list[Contender]:
    """All that is measured."""
    found = [Contender("playbook site (carp and postfix)", 1, "failover.carp.site", {})]
    ours = write(folder, "carp", {"role": "failover.carp.carp"}, gather_facts=False)
    found += [Contender("role carp", count, ours, carp(count)) for count in (1, 255)]
    if role is not None:
        theirs = write(folder, "keepalived", {"role": role.name}, gather_facts=True)
        settings = {"ANSIBLE_ROLES_PATH": str(role.parent)}
        found += [
            Contender("evrardjp's role keepalived", count, theirs, keepalived(count), settings) for count in (1, 255)
        ]
    return found


def write(folder: Path, name: str, role: dict[str, str], gather_facts: bool) -> str:
    """Write a playbook that applies a role, and return its path. JSON is YAML."""
    path = folder / f"{name}.yml"
    path.write_text(json.dumps([{"hosts": "carp", "gather_facts": gather_facts, "roles": [role]}]))
    return str(path)


def play(playbook: str, *more: str, settings: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a playbook, which must succeed."""
    done = subprocess.run(
        ["ansible-playbook", *(f"--inventory={each}" for each in INVENTORIES), playbook, *more],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        # As the scenarios have it: facts are not poured into variables.
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", **(settings or {})},
    )
    if done.returncode != 0:
        raise SystemExit(f"{playbook} failed:\n{done.stdout[-4000:]}\n{done.stderr[-2000:]}")
    return done


def measured(contender: Contender, variables: Path) -> Run:
    """Run a contender's playbook once."""
    variables.write_text(json.dumps(contender.variables))
    began = time.monotonic()
    done = play(contender.playbook, f"--extra-vars=@{variables}", settings=contender.settings)
    seconds = time.monotonic() - began
    return Run(
        seconds,
        len(re.findall(r"^(?:TASK|RUNNING HANDLER) ", done.stdout, re.MULTILINE)),
        sum(int(number) for number in re.findall(r"changed=(\d+)", done.stdout)),
    )


def table(found: dict[Contender, list[tuple[Run, Run]]]) -> list[str]:
    """Return the figures as Markdown: the medians, and of the second run the most changes."""
    lines = [
        "| playbook | addresses | first run | second run | second / first | tasks | changed by the second |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for contender, runs in found.items():
        first, second = (median(run[turn].seconds for run in runs) for turn in (0, 1))
        lines.append(
            f"| {contender.name} | {contender.addresses} | {first:.1f} s | {second:.1f} s | {second / first:.2f} "
            f"| {runs[0][0].tasks} | {max(run[1].changed for run in runs)} |"
        )
    return lines


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--role", type=Path, help="a checkout of evrardjp's role, the folder itself")
    parser.add_argument("--output", type=Path, help="where to write the figures, beside the screen")
    chosen = parser.parse_args()
    about = describe()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found: dict[Contender, list[tuple[Run, Run]]] = {}
        everybody = contenders(chosen.role.resolve() if chosen.role else None, folder)
        for turn in range(chosen.runs):
            for number, contender in enumerate(everybody):
                print(f"{turn + 1}/{chosen.runs}: {contender.name}, {contender.addresses}", file=sys.stderr)
                play("molecule/shared/create.yml")
                variables = folder / f"{number}.json"
                runs = (measured(contender, variables), measured(contender, variables))
                found.setdefault(contender, []).append(runs)
    lines = [
        "# How long playbooks run",
        "",
        f"Medians of {chosen.runs} runs on two fresh containers, {os.environ.get('CARP_TEST_DISTRO', 'bookworm')}.",
        "",
        *table(found),
        "",
    ]
    lines += [f"* {name}: {value}" for name, value in about.items() if value and name not in ("keepalived", "ucarp")]
    text = "\n".join(lines)
    print(text)
    if chosen.output is not None:
        chosen.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
