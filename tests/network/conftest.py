# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the network tests: a laboratory per module, and pairs of daemons in it."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from lab import Lab, Probe
from ledger import Ledger
from pairs import CarpdPair, StartProbe, carpd_pair

LEDGER = pytest.StashKey[Ledger]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --left."""
    parser.addoption(
        "--left",
        metavar="FILE",
        type=Path,
        help="skip tests that this kernel cannot run, and write their names there: without it they fail",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make SIGTERM end the run as Ctrl-C does: through the fixtures, which remove the namespaces."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    config.stash[LEDGER] = Ledger()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what the faults have cost."""
    if config.stash[LEDGER].entries:
        terminalreporter.section("faults and their cost")
        terminalreporter.write_line(config.stash[LEDGER].table())


@pytest.fixture(scope="session")
def ledger(pytestconfig: pytest.Config) -> Ledger:
    """Where the cost of faults is noted down."""
    return pytestconfig.stash[LEDGER]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say once what is missing; these tests must never pass by being skipped."""
    missing = [name for name in ("ip", "ucarp", "keepalived") if shutil.which(name, path=search_path()) is None]
    if items and (missing or os.geteuid() != 0):
        raise pytest.UsageError(f"network tests need root and the commands ip, ucarp, keepalived; missing: {missing}")


def search_path() -> str:
    """PATH with the folders where daemons live, which a user's PATH may lack."""
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what happened in the lab beside a failure. What is skipped is noted down, or a failure."""
    report = yield
    if report.skipped:
        left: Path | None = item.config.getoption("--left")
        if left is None:
            report.outcome = "failed"
            report.longrepr = f"{call.excinfo and call.excinfo.value}; tests/run/network runs this on a kernel that can"
        else:
            with left.open("a") as handle:
                handle.write(f"{item.nodeid}\n")
    lab = getattr(item, "funcargs", {}).get("lab")
    if report.failed and isinstance(lab, Lab):
        report.sections.append(("lab timeline", lab.recorder.timeline()))
    return report


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Hosts a and b, and a client."""
    os.environ["PATH"] = search_path()
    with Lab(tmp_path_factory.mktemp("lab")) as made:
        yield made


@pytest.fixture(scope="module")
def vip(lab: Lab) -> str:
    """The address that the pair is about."""
    return lab.address(0)


@pytest.fixture(scope="module")
def module_pair(lab: Lab, vip: str) -> CarpdPair:
    """A pair of carpd, a preferred; not started."""
    return carpd_pair(lab, vip)


@pytest.fixture
def pair(module_pair: CarpdPair) -> CarpdPair:
    """The module's pair of carpd in its steady state, whatever the test before has done to it."""
    module_pair.settle()
    return module_pair


@pytest.fixture
def probe(lab: Lab, vip: str) -> Iterator[StartProbe]:
    """Start a 1 kHz prober of the VIP and wait for its first answer; it is ended with the test at the latest."""
    started: list[Probe] = []

    def start() -> Probe:
        started.append(lab.probe(vip))
        started[-1].wait_answering()
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def now() -> float:
    """The time at which the test proper began."""
    return time.monotonic()
