# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The flight recorder: what it says, how little it keeps and costs, and that no disk can hold the loop up by it."""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd import recorder as recorder_module
from ansible_collections.failover.carp.plugins.module_utils.carpd.packet import Advertisement
from ansible_collections.failover.carp.plugins.module_utils.carpd.recorder import Recorder, write

PAYLOAD = Advertisement(1, 1, 20, 5, 0xABC, bytes(20)).encode()
GOODBYE = Advertisement(1, 255, 255, 0, 0xABD, bytes(20)).encode()


class Case:
    def __init__(self, folder: Path) -> None:
        self.now = 1000.0
        self.jobs: list[tuple[Callable[[], None], Callable[[str], None]]] = []
        self.recorder = Recorder(str(folder), lambda: self.now, lambda work, done: self.jobs.append((work, done)))

    def words(self) -> list[str]:
        """Return what was noted, without the times."""
        return [line[32:] for line in self.recorder.lines("why")][2:]

    def work(self) -> None:
        jobs, self.jobs = self.jobs, []
        for work, done in jobs:
            work()
            done("")


@pytest.fixture(name="case")
def case_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    return Case(tmp_path)


def test_times_are_those_of_the_wall_and_relative_to_the_record(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    case.recorder.note("announce", "smtp")
    case.now += 1.5
    case.recorder.note("announce", "")
    case.now += 0.25
    monkeypatch.setattr(recorder_module.time, "time", lambda: 1700000000.5)
    assert list(case.recorder.lines("smtp: BACKUP -> MASTER")) == [
        "22:13:20.500000  smtp: BACKUP -> MASTER",
        "wall clock       seconds before  virtual host: what happened",
        "22:13:18.750000      -1.750000  smtp: announce",
        "22:13:20.250000      -0.250000  announce",
    ]


def test_what_each_entry_says(case: Case) -> None:
    note = case.recorder.note
    note("sent", "smtp", 1, 0, 0, True)
    note("sent", "smtp", 1, 240, 240, False)
    note("sent", "smtp", 255, 255, 0, True)
    note("heard", "smtp", "172.17.0.76", PAYLOAD, None)
    note("heard", "smtp", "172.17.0.76", GOODBYE, "digest")
    note("heard", "smtp", "172.17.0.76", b"??", "short")
    case.recorder.late("smtp", 0.0001234)
    note("state:", "smtp", "BACKUP", "->", "MASTER", "-", "silence")
    assert case.words() == [
        "smtp: sent advertisement 1+0/256 s",
        "smtp: sent advertisement 1+240/256 s, demoted by 240, which did not leave",
        "smtp: sent goodbye",
        "smtp: heard advertisement 1+20/256 s, demoted by 5, counter 0000000000000abc from 172.17.0.76",
        "smtp: heard goodbye, counter 0000000000000abd from 172.17.0.76, not heeded by digest",
        "smtp: heard what is no advertisement (short) from 172.17.0.76, not heeded by short",
        "smtp: timer, 0.123 ms late",
        "smtp: state: BACKUP -> MASTER - silence",
    ]


def test_it_keeps_the_last_ones(case: Case) -> None:
    for number in range(5000):
        case.recorder.note("number", "", number)
    assert case.words() == [f"number {number}" for number in range(5000 - 1024, 5000)]


def test_the_worst_lateness_is_remembered(case: Case) -> None:
    for late in (0.001, 0.003, 0.002):
        case.recorder.late("smtp", late)
    assert case.recorder.latest == 0.003


def test_what_is_asked_for_later_is_as_it_was_then(case: Case) -> None:
    case.recorder.note("first", "")
    lines = case.recorder.lines("why")
    case.recorder.note("second", "")
    assert len(list(lines)) == 3


class TestFiles:
    def test_one_a_little_after_the_first_change(self, case: Case, tmp_path: Path) -> None:
        case.recorder.keep("smtp: BACKUP -> MASTER: silence")
        case.recorder.keep("imap: BACKUP -> MASTER: silence")
        assert case.recorder.next_timer() == 1000.2
        case.recorder.due()
        assert case.jobs == []
        case.now = 1000.2
        case.recorder.note("after", "smtp")
        case.recorder.due()
        assert case.recorder.next_timer() > 1e9
        assert not (tmp_path / "records").exists(), "not by the loop itself"
        case.work()
        (file,) = (tmp_path / "records").iterdir()
        text = file.read_text()
        assert "smtp: BACKUP -> MASTER: silence" in text.splitlines()[0]
        assert text.endswith("smtp: after\n")

    def test_not_more_than_one_a_second(self, case: Case) -> None:
        for number in range(300):
            case.recorder.keep(f"change {number}")
            if case.now >= case.recorder.next_timer():
                case.recorder.due()
            case.now += 0.01
        assert len(case.jobs) == 3

    def test_the_last_eight_stay(self, case: Case, tmp_path: Path) -> None:
        for number in range(20):
            write(str(tmp_path / "records"), 1700000000.0 + number, [f"record {number}"])
        files = sorted((tmp_path / "records").iterdir())
        assert [file.read_text() for file in files] == [f"record {number}\n" for number in range(12, 20)]
        assert files[0].name == "2023-11-14T22.13.32.000.txt"
        assert files[0].stat().st_mode & 0o037 == 0, "it may name hosts, so it is not for everybody"

    def test_what_cannot_be_encoded(self, tmp_path: Path) -> None:
        write(str(tmp_path), 0.0, ["a \ud800 b"])
        (file,) = tmp_path.iterdir()
        assert file.read_text() == "a \\ud800 b\n"

    def test_a_full_disk_is_told_of(self, case: Case, caplog: pytest.LogCaptureFixture) -> None:
        case.recorder.keep("why")
        case.now += 1.0
        case.recorder.due()
        (_work, done) = case.jobs.pop()
        done(os.strerror(errno.ENOSPC))
        (record,) = caplog.records
        assert record.levelno == logging.ERROR
        assert record.getMessage().endswith("/records: No space left on device")

    def test_a_full_disk_leaves_no_half_record_under_its_name(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(_file: int, _data: bytes) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(recorder_module.os, "write", full)
        with pytest.raises(OSError):
            write(str(tmp_path), 0.0, ["line"])
        assert [file.suffix for file in tmp_path.iterdir()] == [".new"]


def test_the_cost_is_next_to_nothing() -> None:
    """Generously: a hundred times what it takes, and a tenth of what would matter."""
    recorder = Recorder("/nowhere", time.monotonic, lambda _work, _done: None)
    begun = time.process_time()
    for _number in range(10_000):
        recorder.note("sent", "smtp", 1, 0, 0, True)
    assert (time.process_time() - begun) / 10_000 < 0.0001
