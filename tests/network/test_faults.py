# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each fault costs a client no more than promised; what it did cost is printed as a table at the end of the run."""

from __future__ import annotations

import functools
import subprocess
import time
from collections.abc import Iterator

import pytest
from faults import FAULTS, INTERVALS, CarpdPair, Fault, Stage
from lab import Carpd, Impairment, Lab, Pair, Vip
from ledger import Entry, Ledger

PROBES = 0.002
"""Seconds between two questions of the client; an outage is that much longer or shorter than it really was."""
RUNTIME_DIR_SIZE = "64k"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A pair, a stranger c, and a client."""
    with Lab(tmp_path_factory.mktemp("lab"), hosts=("a", "b", "c")) as made:
        yield made


def vips(lab: Lab, addresses: int = 1, **options: object) -> dict[str, list[Vip]]:
    """What either host of the pair has configured."""
    own = {host: {**interval, **options} for host, interval in INTERVALS.items()}
    held = tuple(map(lab.address, range(addresses)))
    return {host: [Vip("smtp", held, options=chosen)] for host, chosen in own.items()}


@pytest.fixture(scope="module")
def pair(lab: Lab) -> Iterator[CarpdPair]:
    """The pair, each with a small disk of its own for its runtime directory."""
    first, second = (Carpd(lab, host, vips(lab)[host]) for host in "ab")
    for daemon in (first, second):
        daemon.runtime.mkdir()
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={RUNTIME_DIR_SIZE}", "runtime", str(daemon.runtime)], check=True
        )
    yield Pair(first, second, lab.address(0))
    lab.clear()
    for daemon in (first, second):
        subprocess.run(["umount", "--lazy", str(daemon.runtime)], check=True)


@pytest.fixture
def stage(lab: Lab, pair: CarpdPair) -> Iterator[Stage]:
    """The pair in its steady state; after the test it has its usual configuration again."""
    made = Stage(lab, pair, Impairment(lab), functools.partial(vips, lab))
    yield made
    made.impairment.mend()
    lab.clear()
    for daemon in (pair.preferred, pair.standby):
        daemon.write(vips(lab)[daemon.host])
        (daemon.runtime / "filler").unlink(missing_ok=True)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=lambda fault: fault.name)
def test_fault(fault: Fault, stage: Stage, ledger: Ledger) -> None:
    lab, address = stage.lab, stage.vip
    stage.equip(**fault.options)
    with lab.probe(address, PROBES) as probe:
        probe.wait_answering()
        began = time.monotonic()
        fault.run(stage)
        probe.wait_answering(after=time.monotonic())
        until = time.monotonic()
    outage, overlap = probe.result.outage_after(began), lab.owners.overlap(address, began, until)
    moves = sum(sign == "+" for when, _host, sign in lab.owners.changes(address, began) if when < until)
    known = None if fault.outage is None and fault.overlap is not None else outage
    ledger.entries.append(Entry(fault.name, known, fault.outage, overlap, fault.overlap, moves))
    if fault.outage is not None:
        assert outage <= fault.outage + PROBES, lab.owners.changes(address, began)
    if fault.overlap is not None:
        assert overlap <= fault.overlap, lab.owners.changes(address, began)
    if fault.moves is not None:
        assert moves == fault.moves, lab.owners.changes(address, began)
