# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checker as a real process: it reports, it ends with its daemon, and it is replaced when it dies."""

from __future__ import annotations

import os
import pathlib
import select
import selectors
import signal
import time
from collections.abc import Callable, Iterator

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd import health as health_module
from ansible_collections.failover.carp.plugins.module_utils.carpd.checkconfig import Check
from ansible_collections.failover.carp.plugins.module_utils.carpd.checker import Checker, Result
from ansible_collections.failover.carp.plugins.module_utils.carpd.checks import _lives
from ansible_collections.failover.carp.plugins.module_utils.carpd.events import dispatch
from ansible_collections.failover.carp.plugins.module_utils.carpd.forked import reap
from ansible_collections.failover.carp.plugins.module_utils.carpd.health import Health
from ansible_collections.failover.carp.plugins.module_utils.carpd.tracking import Verdict

PATIENCE = 20.0
"""Seconds after which what is waited for will not come; no test takes as long."""


def check(name: str, target: str, kind: str = "file", **options: object) -> Check:
    values = {"recipient": "", "interval": 0.1, "timeout": 1.0, "rise": 1, "fall": 1, "weight": 50, "vips": ("mail",)}
    return Check(name=name, type=kind, target=target, **{**values, **options})  # type: ignore[arg-type]


def results(checker: Checker) -> list[Result]:
    """Wait for results; an empty list when the checker has gone."""
    assert select.select([checker], [], [], PATIENCE)[0], "neither a result nor the end"
    return checker.read() or []


def wait_ended(pid: int) -> None:
    end = time.monotonic() + PATIENCE
    while not reap(pid):
        assert time.monotonic() < end, "the checker does not end"
        time.sleep(0.005)


@pytest.fixture
def start() -> Iterator[Callable[..., Checker]]:
    """Start checkers that end with the test."""
    started: list[Checker] = []

    def begin(*checks: Check) -> Checker:
        started.append(Checker(checks))
        return started[-1]

    yield begin
    for checker in started:
        checker.close()
        if not reap(checker.pid):
            os.kill(checker.pid, signal.SIGKILL)
            os.waitpid(checker.pid, 0)


def test_it_reports_every_check_again_and_again(start: Callable[..., Checker], tmp_path: pathlib.Path) -> None:
    checker = start(check("there", str(tmp_path)), check("absent", str(tmp_path / "x")))
    seen: list[tuple[str, bool]] = []
    while any(seen.count(each) < 2 for each in (("there", True), ("absent", False))):
        seen += [(result.name, result.ok) for result in results(checker)]


def test_one_that_hangs_does_not_hold_up_the_others(start: Callable[..., Checker], tmp_path: pathlib.Path) -> None:
    checker = start(check("slow", "/bin/sleep 1000", "command", timeout=60.0), check("quick", str(tmp_path)))
    names: list[str] = []
    while names.count("quick") < 3:
        names += [result.name for result in results(checker)]
    assert set(names) == {"quick"}


def test_it_ends_with_its_daemon_and_takes_its_commands_along(
    start: Callable[..., Checker], tmp_path: pathlib.Path
) -> None:
    marker = tmp_path / "pid"
    command = f"/bin/sh -c 'echo $$ > {marker}.new; mv {marker}.new {marker}; sleep 1000'"
    checker = start(check("slow", command, "command", timeout=60.0))
    end = time.monotonic() + PATIENCE
    while not marker.exists():
        assert time.monotonic() < end
        time.sleep(0.005)
    checker.close()
    wait_ended(checker.pid)
    while _lives(marker.read_text().strip()):
        assert time.monotonic() < end, "the command outlives the checker"
        time.sleep(0.005)


def test_the_managers_signals_do_not_end_it_but_reach_commands(
    start: Callable[..., Checker], tmp_path: pathlib.Path
) -> None:
    checker = start(check("self", "/bin/sh -c 'kill -TERM $$'", "command"), check("there", str(tmp_path)))
    results(checker)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(checker.pid, number)
    seen: list[Result] = []
    while len([result for result in seen if result.name == "self"]) < 2:
        seen += results(checker)
    assert {result.detail for result in seen if result.name == "self"} == {"signal 15"}


def test_it_is_scheduled_as_any_process(start: Callable[..., Checker], tmp_path: pathlib.Path) -> None:
    before = os.sched_getscheduler(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        pytest.skip("this system grants no realtime scheduling")
    try:
        checker = start(check("there", str(tmp_path)))
    finally:
        os.sched_setscheduler(0, before, os.sched_param(0))
    results(checker)
    assert os.sched_getscheduler(checker.pid) == os.SCHED_OTHER
    assert os.getsid(checker.pid) == checker.pid


def test_it_keeps_none_of_the_daemons_files(start: Callable[..., Checker], tmp_path: pathlib.Path) -> None:
    readable, writable = os.pipe()
    checker = start(check("there", str(tmp_path)))
    results(checker)
    os.close(writable)
    assert select.select([readable], [], [], PATIENCE)[0], "the checker holds the other end"
    os.close(readable)


class Watched:
    """Health in a loop such as the daemon's."""

    def __init__(self) -> None:
        self.selector = selectors.SelectSelector()
        self.calls = 0
        self.health = Health(self.selector, time.monotonic, self._count)

    def _count(self) -> None:
        self.calls += 1

    def run_until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, "it does not come"
            dispatch(self.selector, max(0.0, min(self.health.next_timer() - time.monotonic(), 0.1)))
            if self.health.next_timer() <= time.monotonic():
                self.health.due()

    def states(self) -> list[str]:
        return [one["state"] for one in self.health.status("mail")]

    @property
    def pid(self) -> int:
        assert self.health._checker is not None
        return self.health._checker.pid


@pytest.fixture
def watched() -> Iterator[Watched]:
    made = Watched()
    yield made
    made.health.close()
    made.run_until(lambda: not made.health._ending)
    made.selector.close()


def test_verdicts_follow_the_target(watched: Watched, tmp_path: pathlib.Path) -> None:
    marker = tmp_path / "marker"
    watched.health.configure((check("a", str(marker)),))
    watched.run_until(lambda: watched.states() == ["failing"])
    assert watched.health.verdict("mail") == Verdict(50, 0, "", f"check a fails: {marker} does not exist")
    marker.touch()
    watched.run_until(lambda: watched.states() == ["good"])
    assert watched.health.verdict("mail") == Verdict()
    assert watched.calls >= 2


def test_a_checker_that_dies_is_replaced(
    watched: Watched, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_module, "_RESTART_INTERVAL", 0.05)
    watched.health.configure((check("a", str(tmp_path)),))
    watched.run_until(lambda: watched.states() == ["good"])
    first = watched.pid
    os.kill(first, signal.SIGKILL)
    watched.run_until(lambda: watched.health._checker is not None and watched.pid != first)
    tmp_path.rmdir()
    watched.run_until(lambda: watched.states() == ["failing"])
    watched.run_until(lambda: not watched.health._ending)
    with pytest.raises(ChildProcessError):
        os.waitpid(first, os.WNOHANG)


def test_a_checker_that_hangs_makes_its_checks_fail(
    watched: Watched, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ansible_collections.failover.carp.plugins.module_utils.carpd.tracking.MARGIN", 0.1)
    watched.health.configure((check("a", str(tmp_path), timeout=0.1),))
    watched.run_until(lambda: watched.states() == ["good"])
    os.kill(watched.pid, signal.SIGSTOP)
    watched.run_until(lambda: watched.states() == ["failing"])
    assert "the checker hangs" in watched.health.verdict("mail").reason
    os.kill(watched.pid, signal.SIGCONT)
    watched.run_until(lambda: watched.states() == ["good"])


def test_a_reload_replaces_the_checker_only_if_it_has_other_things_to_do(
    watched: Watched, tmp_path: pathlib.Path
) -> None:
    watched.health.configure((check("a", str(tmp_path)),))
    first = watched.pid
    watched.health.configure((check("a", str(tmp_path), weight=7, rise=2),))
    assert watched.pid == first
    watched.health.configure((check("a", str(tmp_path)), check("b", str(tmp_path))))
    assert watched.pid != first
    watched.run_until(lambda: watched.states() == ["good", "good"])
    watched.health.configure(())
    assert watched.health._checker is None and watched.states() == []
    watched.run_until(lambda: not watched.health._ending)


def test_without_checks_there_is_no_checker_and_nothing_to_wait_for(watched: Watched) -> None:
    watched.health.configure(())
    assert watched.health.next_timer() == float("inf") and watched.health._checker is None
