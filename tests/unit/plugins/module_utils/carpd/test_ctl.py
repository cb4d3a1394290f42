# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command carpctl: what it asks, what it prints, and how it ends."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd import ctl, phrases, waiting
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
    "draining": None,
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
    "operator": "",
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


def fail(error: BaseException) -> None:
    raise error


class Daemon:
    """Answers in place of the daemon."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.answer: object = []

    def request(self, path: str, verb: str, _timeout: float = 0.0, **arguments: object) -> object:
        self.asked.append((path, verb, *arguments.items()))
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


@pytest.mark.parametrize("arguments", [["status"], ["status", "--json"], ["reload"], ["maintenance"]])
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
    "arguments",
    [
        [],
        ["stat"],
        ["status", "x"],
        ["--socket"],
        ["-x", "status"],
        ["maintenance", "maybe"],
        ["demote", "--wait"],
        ["demote", "--wait", "-1"],
        ["promote", "--wait", "soon"],
    ],
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
    assert all(text in shown for text in ("status", "watch", "demote", "promote", "maintenance", "reload", "/run/"))


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
    words = phrases.duration(seconds).split()
    assert sum(int(number) * factors[unit] for number, unit in zip(words[::2], words[1::2])) == seconds
    assert "0" not in words[::2]


class Watched:
    """Answers in place of a daemon that is watched: what it says first, and what happens then."""

    def __init__(self, daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
        self.before: list[dict[str, Any]] = [MASTER]
        self.events: list[dict[str, Any] | None] = []
        self.waits: list[float | None] = []
        self.daemon = daemon
        daemon.answer = {"vips": ["smtp"]}
        for module in (ctl, waiting):
            monkeypatch.setattr(module, "Conversation", lambda _path, _verb: self)
            monkeypatch.setattr(module, "request", daemon.request)

    @property
    def answer(self) -> list[dict[str, Any]]:
        return self.before

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *_exception: object) -> None:
        return

    def next(self, deadline: float | None = None) -> dict[str, Any] | None:
        self.waits.append(deadline)
        if not self.events:
            raise ControlError("the daemon behind it tells nothing any more: it broke off")
        return self.events.pop(0)

    def happens(self, kind: str, old: str, new: str, reason: str = "", **changed: Any) -> None:
        event = {"event": kind, "at": 1700000000.25, "name": "smtp", "old": old, "new": new, "reason": reason}
        self.events.append({**event, "status": {**self.before[0], **changed}} if changed else event)


@pytest.fixture(name="watched")
def watched_(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(daemon, monkeypatch)


DEMOTED = {"operator": "demoted by root", "demotion": 240}
PEER = {"source": "172.17.0.76", "advbase": 1, "advskew": 20, "age": 0.0}


class TestOrders:
    def test_a_master_hands_over(self, watched: Watched, capsys: pytest.CaptureFixture[str]) -> None:
        watched.happens("order", "", "demoted by root", **DEMOTED)
        watched.happens("state", "MASTER", "BACKUP", **DEMOTED, state="BACKUP", master=PEER)
        assert ctl.main(["demote", "smtp"]) == 0
        assert watched.daemon.asked == [("/run/carpd/control.sock", "demote", ("vips", ["smtp"]))]
        out, err = capsys.readouterr()
        assert re.fullmatch(r"smtp: handed over in 0\.\d{3} s; the master is now 172\.17\.0\.76\n", out)
        assert err == ""

    def test_a_backup_is_left_as_it_is(self, watched: Watched, capsys: pytest.CaptureFixture[str]) -> None:
        watched.before = [{**MASTER, "state": "BACKUP"}]
        watched.happens("order", "", "demoted by root", **DEMOTED)
        assert ctl.main(["demote"]) == 0
        assert capsys.readouterr() == ("smtp: left to others; it was not master here\n", "")

    def test_nobody_takes_over_in_time(self, watched: Watched, capsys: pytest.CaptureFixture[str]) -> None:
        watched.happens("order", "", "demoted by root", **DEMOTED)
        watched.events.append(None)
        assert ctl.main(["demote", "--wait", "2.5", "smtp"]) == 1
        assert capsys.readouterr() == ("", "smtp: still MASTER after 2.5 s: no advertisement for 3.078 s\n")

    def test_nobody_takes_over_at_all(self, watched: Watched, capsys: pytest.CaptureFixture[str]) -> None:
        reason = "no other host took over within 2.0 s"
        watched.happens("state", "LEAVING", "MASTER", reason, **DEMOTED)
        assert ctl.main(["demote"]) == 1
        assert capsys.readouterr() == ("", f"smtp: {reason}\n")

    def test_those_that_it_is_not_about_are_not_waited_for(self, watched: Watched) -> None:
        watched.before = [{**MASTER, **DEMOTED, "state": "BACKUP"}, {**MASTER, "name": "imap"}]
        assert ctl.main(["demote", "smtp"]) == 0
        assert watched.waits == []

    def test_promote(self, watched: Watched, capsys: pytest.CaptureFixture[str]) -> None:
        watched.before = [{**MASTER, **DEMOTED, "state": "BACKUP"}]
        watched.happens("order", "demoted by root", "", operator="")
        watched.happens("state", "BACKUP", "MASTER", operator="", state="MASTER")
        assert ctl.main(["promote", "smtp"]) == 0
        assert re.fullmatch(r"smtp: master here after 0\.\d{3} s\n", capsys.readouterr().out)

    def test_promote_where_it_is_master(self, watched: Watched, capsys: pytest.CaptureFixture[str]) -> None:
        assert ctl.main(["promote"]) == 0
        assert capsys.readouterr().out == "smtp: was master here already\n"

    def test_a_refusal(self, watched: Watched, capsys: pytest.CaptureFixture[str]) -> None:
        watched.daemon.answer = ControlError("smtp: 172.17.0.76 ranks better")
        assert ctl.main(["promote"]) == 1
        assert capsys.readouterr() == ("", "smtp: 172.17.0.76 ranks better\n")

    def test_the_daemon_ends_meanwhile(self, watched: Watched, capsys: pytest.CaptureFixture[str]) -> None:
        assert ctl.main(["demote"]) == 1
        assert "tells nothing any more" in capsys.readouterr().err

    def test_without_waiting(self, watched: Watched, capsys: pytest.CaptureFixture[str]) -> None:
        assert ctl.main(["demote", "--wait", "0"]) == 0
        assert (watched.waits, capsys.readouterr()) == ([], ("", ""))

    def test_for_programs(self, watched: Watched, capsys: pytest.CaptureFixture[str]) -> None:
        watched.happens("state", "MASTER", "BACKUP", **DEMOTED, state="BACKUP", master=PEER)
        assert ctl.main(["demote", "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["ok"], told["failed"], told["maintenance"]) == (True, {}, None)
        assert 0 <= told["took"]["smtp"] < 10
        assert [(one["name"], one["state"]) for one in told["vips"]] == [("smtp", "BACKUP")]


class TestMaintenance:
    def answer(self, watched: Watched, on: bool, saved: bool | None = None, error: str = "") -> dict[str, Any]:
        state = {"on": on, "by": "root" if on else "", "saved": saved, "error": error}
        watched.daemon.answer = {**state, "vips": ["smtp"]}
        return state

    def test_on(self, watched: Watched, capsys: pytest.CaptureFixture[str]) -> None:
        state = self.answer(watched, True)
        watched.happens("state", "MASTER", "BACKUP", **DEMOTED, state="BACKUP")
        watched.events.append({"event": "maintenance", "name": "", "maintenance": {**state, "saved": True}})
        assert ctl.main(["maintenance", "on"]) == 0
        assert watched.daemon.asked[0][1:] == ("maintenance", ("mode", "on"))
        handed, told = capsys.readouterr().out.splitlines()
        assert handed.startswith("smtp: handed over in ")
        assert told == "this host is in maintenance, also after a restart, until carpctl maintenance off"

    def test_off(self, watched: Watched, capsys: pytest.CaptureFixture[str]) -> None:
        self.answer(watched, False, True)
        watched.before = [{**MASTER, **DEMOTED, "state": "BACKUP"}]
        watched.happens("order", "x", "", operator="", state="BACKUP")
        assert ctl.main(["maintenance", "off"]) == 0
        assert capsys.readouterr().out.splitlines() == [
            "smtp: no longer demoted by order",
            "this host is no longer in maintenance",
        ]

    def test_it_cannot_be_saved(self, watched: Watched, capsys: pytest.CaptureFixture[str]) -> None:
        state = self.answer(watched, True)
        watched.before = []
        told = {**state, "saved": False, "error": "/x cannot be written: Read-only file system"}
        watched.events.append({"event": "maintenance", "name": "", "maintenance": told})
        assert ctl.main(["maintenance", "on"]) == 1
        message = "maintenance ends when the daemon is restarted: /x cannot be written: Read-only file system\n"
        assert capsys.readouterr() == ("", message)

    def test_a_disk_that_hangs(self, watched: Watched, capsys: pytest.CaptureFixture[str]) -> None:
        self.answer(watched, True)
        watched.before, watched.events = [], [None]
        assert ctl.main(["maintenance", "on", "--wait", "1"]) == 1
        assert capsys.readouterr().err.endswith(": the disk took longer than 1 s\n")

    @pytest.mark.parametrize(
        ("on", "error", "text"),
        [
            (True, "", "this host is in maintenance, as ordered by root\n"),
            (False, "", "this host is not in maintenance\n"),
            (True, "no", "this host is in maintenance, as ordered by root, until the daemon is restarted: no\n"),
        ],
    )
    def test_status(
        self, watched: Watched, capsys: pytest.CaptureFixture[str], on: bool, error: str, text: str
    ) -> None:
        state = self.answer(watched, on, not error, error)
        assert ctl.main(["maintenance"]) == 0
        assert capsys.readouterr() == (text, "")
        assert ctl.main(["maintenance", "status", "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == state


class TestWatch:
    def test_for_people(
        self, watched: Watched, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TZ", "UTC")
        time.tzset()
        watched.happens("state", "BACKUP", "MASTER", "it was silent")
        watched.happens("demotion", "0", "100", "check web fails: no")
        watched.happens("demotion", "100", "0")
        watched.happens("order", "", "demoted by root")
        watched.happens("order", "demoted by root", "")
        watched.happens("alarm", "", "digest", "its digest is wrong")
        watched.events.append({**watched.events[0], "event": "maintenance", "name": "", "new": "on", "reason": ""})
        watched.events.append({**watched.events[0], "event": "reload", "name": "", "reason": "reloaded x"})
        assert ctl.main(["watch"]) == 1, "the daemon has ended"
        out, err = capsys.readouterr()
        assert err == "the daemon behind it tells nothing any more: it broke off\n"
        assert out.splitlines()[0] == "smtp: MASTER for 12.3 s: no advertisement for 3.078 s"
        assert out.splitlines()[2:] == [
            "22:13:20.250 smtp: BACKUP -> MASTER: it was silent",
            "22:13:20.250 smtp: demotion 0 -> 100: check web fails: no",
            "22:13:20.250 smtp: demotion 100 -> 0",
            "22:13:20.250 smtp: demoted by root",
            "22:13:20.250 smtp: no longer demoted by order",
            "22:13:20.250 smtp: alarm: its digest is wrong",
            "22:13:20.250 maintenance is on",
            "22:13:20.250 reloaded x",
        ]

    def test_for_programs(self, watched: Watched, capsys: pytest.CaptureFixture[str]) -> None:
        watched.happens("state", "BACKUP", "MASTER", "it was silent")
        event = watched.events[0]
        assert ctl.main(["watch", "--json"]) == 1
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert lines == [{"event": "status", "status": [MASTER]}, event]

    def test_until_interrupted(self, watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(watched, "next", lambda: fail(KeyboardInterrupt()))
        assert ctl.main(["watch"]) == 0


class TestExplain:
    @pytest.fixture(autouse=True)
    def sentences(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ctl, "explain", lambda one: [f"About {one['name']}.", "More."])

    def test_all(self, daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
        daemon.answer = [MASTER, BACKUP]
        assert ctl.main(["explain"]) == 0
        text = "smtp:\n    About smtp.\n    More.\nimap:\n    About imap.\n    More.\n"
        assert capsys.readouterr() == (text, "")

    def test_one_for_programs(self, daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
        daemon.answer = [MASTER, BACKUP]
        assert ctl.main(["explain", "imap", "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == {"imap": ["About imap.", "More."]}

    def test_what_there_is_not(self, daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
        daemon.answer = [MASTER, BACKUP]
        assert ctl.main(["explain", "pop"]) == 1
        assert capsys.readouterr() == ("", "there is no virtual host pop; known are smtp, imap\n")


def test_record(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.answer = ["first", "second"]
    assert ctl.main(["record"]) == 0
    assert capsys.readouterr() == ("first\nsecond\n", "")
    assert ctl.main(["record", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == ["first", "second"]


def test_metrics(daemon: Daemon, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"version": "1.2.3", "up": 1.0, "latest": 0.0, "maintenance": False}
    monkeypatch.setattr(ctl, "request", lambda _path, verb: known if verb == "metrics" else [])
    assert ctl.main(["metrics"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == 'carpd_build_info{version="1.2.3"} 1'
    assert lines[-1].startswith("# TYPE carpd_")
    assert ctl.main(["metrics", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {**known, "vips": []}
