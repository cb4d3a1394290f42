# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes are found by what the kernel says of them, and ended in order."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.failover.carp.plugins.module_utils.legacy import processes

WORDS = ("/usr/sbin/ucarp", "-i", "eth1", "-v", "1", "")


def test_only_ucarp_is_found(tmp_path: Path) -> None:
    for pid, words in (("17", WORDS), ("9", ("ucarp",)), ("3", ("/bin/sh", "ucarp")), ("4", ())):
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in words))
    (tmp_path / "net").mkdir()
    (tmp_path / "5").mkdir()
    found = processes.running(str(tmp_path))
    assert [(process.pid, process.words) for process in found] == [(9, ("ucarp",)), (17, WORDS)]


@pytest.fixture
def stub(tmp_path: Path) -> Path:
    """Return a program called ucarp that does what its last word says."""
    path = tmp_path / "ucarp"
    path.symlink_to(sys.executable)
    return path


def begin(stub: Path, code: str) -> Iterator[subprocess.Popen[str]]:
    text = f"import signal, time\n{code}\nprint('ready', flush=True)\nwhile True: time.sleep(60)"
    process = subprocess.Popen([str(stub), "-c", text], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def mine(process: subprocess.Popen[str]) -> list[processes.Process]:
    return [one for one in processes.running() if one.pid == process.pid]


def test_a_process_that_listens_is_ended(stub: Path) -> None:
    for process in begin(stub, ""):
        there = mine(process)
        assert len(there) == 1
        assert processes.end(there, 10) == []
        process.wait(10)


def test_a_process_that_does_not_is_told_about_and_can_be_killed(stub: Path) -> None:
    for process in begin(stub, "signal.signal(signal.SIGTERM, signal.SIG_IGN)"):
        there = mine(process)
        begun = time.monotonic()
        assert processes.end(there, 0.2) == there
        assert time.monotonic() - begun < 10
        processes.kill(there)
        process.wait(10)
        processes.kill(there)


@pytest.mark.parametrize(("words", "given"), [(["-B", "-P"], "-B -P"), (["-P"], "-P -B")])
def test_it_is_started_in_the_background(tmp_path: Path, words: list[str], given: str) -> None:
    program = tmp_path / "ucarp"
    program.write_text(f'#!/bin/sh\necho "$@" >{tmp_path}/said\n')
    program.chmod(0o755)
    assert processes.start([str(program), *words]) == ""
    assert (tmp_path / "said").read_text() == f"{given}\n"


def test_a_start_that_fails_is_told() -> None:
    assert processes.start(["/bin/false", "-B"]) == "ended with status 1"
    assert "No such file" in processes.start(["/missing/ucarp", "-B"])


def test_addresses_by_interface() -> None:
    links = [{"ifname": "eth1", "addr_info": [{"local": "172.17.0.74", "prefixlen": 20}, {}]}, {"ifname": "eth2"}]
    assert processes.held(lambda _command: (0, json.dumps(links), "")) == {"eth1": ["172.17.0.74/20"]}
    assert processes.held(lambda _command: (1, "", "no")) == {}
