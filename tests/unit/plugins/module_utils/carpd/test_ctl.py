# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command carpctl: what it asks, what it prints, and how it ends."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd import ctl
from ansible_collections.failover.carp.plugins.module_utils.carpd.control import ControlError
from ansible_collections.failover.carp.plugins.module_utils.carpd.version import VERSION
from hypothesis import given
from hypothesis import strategies as st

MASTER: dict[str, Any] = {
    "name": "smtp",
    "interface": "eth1",
    "vhid": 1,
    "state": "MASTER",
    "leaving": False,
    "addresses": ["172.17.0.74/20", "172.17.0.73/20"],
    "advbase": 1,
    "advskew": 20,
    "demotion": 0,
    "preempt": True,
    "since": 12.34,
    "transitions": 2,
    "master": None,
    "reason": "no advertisement for 3.078 s",
    "refused": {},
}
BACKUP: dict[str, Any] = {
    **MASTER,
    "name": "imap",
    "vhid": 2,
    "state": "BACKUP",
    "addresses": ["172.17.0.72/20"],
    "since": 93784.0,
    "master": {"source": "172.17.0.75", "advbase": 1, "advskew": 0, "age": 0.44},
    "reason": "172.17.0.75 advertises 1+0/256 s, which is better than ours",
}


def fail(error: Exception) -> None:
    raise error


class Daemon:
    """Answers in place of the daemon."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.answer: object = []

    def request(self, path: str, verb: str) -> object:
        self.asked.append((path, verb))
        if isinstance(self.answer, Exception):
            fail(self.answer)
        return self.answer


@pytest.fixture(name="daemon")
def daemon_(monkeypatch: pytest.MonkeyPatch) -> Daemon:
    daemon = Daemon()
    monkeypatch.setattr(ctl, "request", daemon.request)
    return daemon


def test_status(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.answer = [MASTER, BACKUP]
    assert ctl.main(["status"]) == 0
    assert daemon.asked == [("/run/carpd/control.sock", "status")]
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out == (
        "smtp: MASTER for 12.3 s: no advertisement for 3.078 s\n"
        "    172.17.0.74/20, 172.17.0.73/20 on eth1, vhid 1, advertising every 1 + 20/256 s\n"
        "imap: BACKUP for 1 d 2 h 3 min 4 s: 172.17.0.75 advertises 1+0/256 s, which is better than ours\n"
        "    172.17.0.72/20 on eth1, vhid 2, advertising every 1 + 20/256 s\n"
        "    the master is 172.17.0.75, heard 0.4 s ago\n"
    )


def test_status_of_a_master_that_leaves(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.answer = [{**MASTER, "leaving": True, "reason": "asked to step down"}]
    assert ctl.main(["status"]) == 0
    assert capsys.readouterr().out.startswith("smtp: MASTER, handing over for 12.3 s: asked to step down\n")


def test_status_of_a_demoted_host(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.answer = [{**MASTER, "demotion": 220}]
    assert ctl.main(["status"]) == 0
    assert "advertising every 1 + 240/256 s\n" in capsys.readouterr().out


def test_status_with_checks(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    check = {"name": "mail", "type": "smtp", "state": "good", "since": 75.0, "detail": "250 Ok", "weight": 50}
    failing = {**check, "name": "gw", "type": "gateway", "state": "failing", "weight": "fault", "detail": "no\tanswer"}
    daemon.answer = [{**MASTER, "checks": [check, failing, {**check, "name": "web", "state": "unknown"}]}]
    assert ctl.main(["status"]) == 0
    assert capsys.readouterr().out.splitlines()[2:] == [
        "    check mail (smtp): good for 1 min 15 s: 250 Ok",
        "    check gw (gateway): failing for 1 min 15 s, weight fault: no\tanswer",
        "    check web (smtp): no result yet",
    ]


def test_status_with_refused_advertisements(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.answer = [{**MASTER, "refused": {"echo": 1, "digest": 12}}]
    assert ctl.main(["status"]) == 0
    assert capsys.readouterr().out.endswith("\n    advertisements refused: 12 by digest, 1 by echo\n")


def test_status_of_nothing(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl.main(["status"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("answer", [[], [MASTER], [MASTER, BACKUP]])
def test_status_for_programs(daemon: Daemon, capsys: pytest.CaptureFixture[str], answer: list[dict[str, Any]]) -> None:
    daemon.answer = answer
    assert ctl.main(["status", "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out.endswith("]\n")
    assert json.loads(captured.out) == answer


def test_reload(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.answer = "reloaded"
    assert ctl.main(["--socket", "/tmp/x.sock", "reload"]) == 0
    assert daemon.asked == [("/tmp/x.sock", "reload")]
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("arguments", [["status"], ["status", "--json"], ["reload"]])
def test_a_refusal(daemon: Daemon, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    daemon.answer = ControlError("no daemon runs here: there is no /run/carpd/control.sock")
    assert ctl.main(arguments) == 1
    assert capsys.readouterr() == ("", "no daemon runs here: there is no /run/carpd/control.sock\n")


def test_version(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        ctl.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr() == (f"{VERSION}\n", "")


@pytest.mark.parametrize(
    "arguments", [[], ["stat"], ["status", "x"], ["reload", "--json"], ["--socket"], ["-x", "status"]]
)
def test_usage(daemon: Daemon, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        ctl.main(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: carpctl")
    assert daemon.asked == []


def test_help_names_every_verb(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        ctl.main(["--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert all(text in shown for text in ("status", "reload", "/run/carpd/control.sock"))


def since(daemon: Daemon, capsys: pytest.CaptureFixture[str], seconds: float) -> str:
    daemon.answer = [{**MASTER, "since": seconds}]
    assert ctl.main(["status"]) == 0
    return capsys.readouterr().out.partition(" for ")[2].partition(":")[0]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (0.04, "0.0 s"),
        (0.06, "0.1 s"),
        (59.9, "59.9 s"),
        (59.96, "1 min"),
        (60, "1 min"),
        (61.9, "1 min 1 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h"),
        (3605, "1 h 5 s"),
        (86399, "23 h 59 min 59 s"),
        (86400, "1 d"),
        (90061, "1 d 1 h 1 min 1 s"),
        (400 * 86400, "400 d"),
    ],
)
def test_durations(daemon: Daemon, capsys: pytest.CaptureFixture[str], seconds: float, text: str) -> None:
    assert since(daemon, capsys, seconds) == text


@given(st.integers(60, 10**9))
def test_durations_add_up(seconds: int) -> None:
    factors = {"d": 86400, "h": 3600, "min": 60, "s": 1}
    words = ctl._duration(seconds).split()
    assert sum(int(number) * factors[unit] for number, unit in zip(words[::2], words[1::2])) == seconds
    assert "0" not in words[::2]
