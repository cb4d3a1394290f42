# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logging: what is logged arrives, and a reader that does not read costs lines but no time."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd import logs
from ansible_collections.failover.carp.plugins.module_utils.carpd.logs import LogWriter, log

PATIENCE = 10.0


@pytest.fixture(autouse=True)
def _for_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)


class Pipe:
    """A pipe in place of standard error."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        self.text = os.fdopen(self.writer, "w", encoding="utf-8")

    def fill(self) -> int:
        """Write until nothing more fits; whoever writes next has to wait. Return how much it was."""
        os.set_blocking(self.writer, False)
        size = 0
        for piece in (b"." * 4096, b"."):
            try:
                while True:
                    size += os.write(self.writer, piece)
            except BlockingIOError:
                continue
        os.set_blocking(self.writer, True)
        return size

    def read_until(self, end: str) -> str:
        """Read until this text has come."""
        found = b""
        deadline = time.monotonic() + PATIENCE
        while end.encode() not in found:
            ready = select.select([self.reader], [], [], max(0.0, deadline - time.monotonic()))
            assert ready[0], f"{end!r} does not come after {found[-300:]!r}"
            found += os.read(self.reader, 65536)
        return found.decode()

    def close(self) -> None:
        # First the reader's end: whoever still waits to write then has an error instead.
        os.close(self.reader)
        with suppress(OSError):
            self.text.close()


@pytest.fixture(name="pipe")
def pipe_(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipe]:
    pipe = Pipe()
    # In place of the whole module: pytest sets sys.stderr itself, and again before the test.
    monkeypatch.setattr(logs, "sys", SimpleNamespace(stderr=pipe.text))
    yield pipe
    pipe.close()


def test_what_was_logged_is_written_before_the_end(pipe: Pipe) -> None:
    with LogWriter() as writer:
        for number in range(500):
            log.info("line %d", number)
    lines = pipe.read_until("line 499\n").splitlines()
    assert [line.partition("line ")[2] for line in lines] == [str(number) for number in range(500)]
    assert writer.lost == 0


def test_a_line_for_a_person(pipe: Pipe) -> None:
    with LogWriter():
        log.warning("%s is down", "eth1")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} WARNING eth1 is down\n", pipe.read_until("\n"))


@pytest.mark.parametrize(("level", "severity"), [("debug", 7), ("info", 6), ("warning", 4), ("error", 3)])
def test_a_line_for_the_journal(pipe: Pipe, monkeypatch: pytest.MonkeyPatch, level: str, severity: int) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "8:12345")
    log.level = logs.DEBUG
    with LogWriter():
        getattr(log, level)("%s is down", "eth1")
    assert pipe.read_until("\n") == f"<{severity}>eth1 is down\n"


@pytest.mark.parametrize("level", list(logs.LEVELS))
def test_the_level_decides(pipe: Pipe, level: str) -> None:
    log.level = logs.LEVELS[level]
    with LogWriter():
        for each in logs.LEVELS:
            getattr(log, each)("a line of level %s", each)
    wanted = list(logs.LEVELS)[list(logs.LEVELS).index(level) :]
    text = pipe.read_until("level error\n")
    assert [line.rpartition(" ")[2] for line in text.splitlines()] == wanted


def test_the_time_is_that_of_the_event(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not that of its being written."""
    now = [1.6e9 + 0.0625]
    monkeypatch.setattr(
        logs, "time", SimpleNamespace(time=lambda: now[0], localtime=time.gmtime, strftime=time.strftime)
    )
    monkeypatch.setattr(logs, "_PAUSE", PATIENCE)
    with LogWriter():
        log.info("first")
        now[0] += 7
    assert pipe.read_until("\n") == "2020-09-13 12:26:40,062 INFO    first\n"


class Pause:
    """Stands for the event that ends a pause; the test says when this one is over."""

    def __init__(self) -> None:
        self.begun, self.over = threading.Event(), threading.Event()

    def wait(self, seconds: float) -> None:
        assert seconds == logs._PAUSE
        self.begun.set()
        assert self.over.wait(PATIENCE)

    def set(self) -> None:
        self.over.set()


def test_after_a_rest_it_lets_the_loop_go_on_before_it_writes(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    pause = Pause()
    with LogWriter() as writer:
        monkeypatch.setattr(writer, "_ending", pause)
        log.info("one")
        assert pause.begun.wait(PATIENCE)
        log.info("two")
        assert not select.select([pipe.reader], [], [], 0)[0]
        pause.set()
        assert "one" in pipe.read_until("two")


def test_after_the_end_it_takes_no_more() -> None:
    before = list(log.takers)
    with LogWriter() as writer:
        assert writer.take in log.takers
    assert log.takers == before


def test_a_reader_that_does_not_read_costs_lines_and_no_time(pipe: Pipe) -> None:
    total = 5000
    size = pipe.fill()
    with LogWriter() as writer:
        done = threading.Event()

        def work() -> None:
            for number in range(total):
                log.info("line %d", number)
            done.set()

        threading.Thread(target=work, daemon=True).start()
        assert done.wait(PATIENCE), "logging waits for the reader"

        # The reader comes back. What was kept arrives in order, and the rest is accounted for.
        assert len(os.read(pipe.reader, size)) == size
        text = ""
        while len(kept_in(text)) + lost_in(text) + writer.lost < total:
            text += pipe.read_until("\n")
        log.info("the last")
        text += pipe.read_until("the last\n")
    kept = kept_in(text)
    assert kept == sorted(kept) and kept[:1000] == list(range(1000))
    assert lost_in(text) > 0 and len(kept) + lost_in(text) == total
    assert writer.lost == 0


def kept_in(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"line (\d+)\n", text)]


def lost_in(text: str) -> int:
    return sum(map(int, re.findall(r"(\d+) lines were lost, since nobody read them in time\n", text)))


def test_the_end_waits_for_a_reader_but_not_for_ever(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_FLUSH_TIME", 0.05)
    size = pipe.fill()
    writer = LogWriter()
    ended = threading.Event()

    def work() -> None:
        with writer:
            for number in range(2000):
                log.info("line %d", number)
        ended.set()

    threading.Thread(target=work, daemon=True).start()
    assert ended.wait(PATIENCE)
    os.read(pipe.reader, size)
    pipe.read_until("line 999\n")  # as many as the queue takes


class Broken:
    """A standard error behind which nobody is at first."""

    def __init__(self, pipe: Pipe, failures: int) -> None:
        self._pipe, self._failures = pipe, failures
        reader, self._nowhere = os.pipe()
        os.close(reader)

    def fileno(self) -> int:
        self._failures -= 1
        return self._nowhere if self._failures >= 0 else self._pipe.writer

    def close(self) -> None:
        os.close(self._nowhere)


def test_what_could_not_be_written_is_counted_as_lost(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Broken(pipe, failures=3)
    monkeypatch.setattr(logs, "sys", SimpleNamespace(stderr=broken))
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    with LogWriter():
        for number in range(5):
            log.info("line %d", number)
    text = pipe.read_until("<6>line 4\n")
    assert text == "3 lines were lost, since nobody read them in time\n<6>line 3\n<6>line 4\n"
    broken.close()


SCRIPT = """
from carpd.logs import LogWriter, log
with LogWriter():
    for number in range(3000):
        log.info("line %d", number)
"""


def test_a_process_whose_reader_hangs_still_ends_well() -> None:
    """A thread that hangs in a write must not turn the end of the interpreter into an abort."""
    package = str(Path(logs.__file__).parent.parent)
    pipe = Pipe()
    pipe.fill()
    environment = {**os.environ, "PYTHONPATH": package, "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTHONUNBUFFERED", None)  # that alone would change what is tested
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT], stderr=pipe.writer, env=environment, timeout=PATIENCE, check=False
    )
    pipe.close()
    assert process.returncode == 0


@pytest.mark.parametrize(("journal", "start"), [(False, ""), (True, "<4>")])
def test_one_line_whatever_is_in_it(pipe: Pipe, monkeypatch: pytest.MonkeyPatch, journal: bool, start: str) -> None:
    if journal:
        monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    message = "smtp: hook on_master: \x1b[31mred\n<0>forged\r\ud800ä"
    with LogWriter() as writer:
        # Not by way of the log: pytest would put it into a report, which half a surrogate cannot be part of.
        writer.take(logs.WARNING, message)
        log.warning("end")
        text = pipe.read_until("end\n")
    assert len(text.splitlines()) == 2
    assert text.startswith(start)
    assert r"smtp: hook on_master: \x1b[31mred\n<0>forged\r\ud800ä" in text
