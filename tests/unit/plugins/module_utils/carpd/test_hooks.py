# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hooks: which is run when, in which order, with what; and that none of them can hold anything up."""

from __future__ import annotations

import logging
import os
import pathlib
import pwd
import selectors
import signal
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_interface
from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd import hooks as hooks_module
from ansible_collections.failover.carp.plugins.module_utils.carpd.config import Vip
from ansible_collections.failover.carp.plugins.module_utils.carpd.events import dispatch
from ansible_collections.failover.carp.plugins.module_utils.carpd.hooks import (
    BACKUP,
    ENDED,
    FAULT,
    MASTER,
    START,
    Hooks,
    calls,
    role_of,
)
from ansible_collections.failover.carp.plugins.module_utils.carpd.transitions import State

PATIENCE = 20.0


def vip(**changed: Any) -> Vip:
    addresses = (ip_interface("172.17.0.74/20"), ip_interface("2001:db8::74/64"))
    fields = {"name": "smtp", "interface": "eth1", "vhid": 1, "addresses": addresses, "password": b"sesame"}
    timing = {"advbase": 1, "advskew": 0, "preempt": True, "dead_ratio": 3, "source": None}
    return Vip(**{**fields, **timing, **changed})


def shell(text: str) -> tuple[str, ...]:
    return ("/bin/sh", "-c", text)


class TestWhichAndWhen:
    @pytest.mark.parametrize("state", State)
    def test_every_state_has_a_role(self, state: State) -> None:
        expected = {State.BACKUP: BACKUP, State.ENDED: ENDED, State.INIT: FAULT, State.FAULTY: FAULT}
        assert role_of(state) == (MASTER if state.holds else expected[state])

    @pytest.mark.parametrize(
        ("old", "new", "options"),
        [
            (START, BACKUP, ["on_backup", "down_script"]),
            (START, FAULT, ["on_fault", "down_script"]),
            (BACKUP, MASTER, ["on_master", "up_script"]),
            (MASTER, BACKUP, ["on_backup", "down_script"]),
            (MASTER, FAULT, ["on_fault", "down_script"]),
            (BACKUP, FAULT, ["on_fault"]),
            (FAULT, BACKUP, ["on_backup"]),
            (MASTER, ENDED, ["on_backup", "down_script"]),
            (BACKUP, ENDED, []),
            (FAULT, ENDED, []),
            (ENDED, BACKUP, ["on_backup"]),
        ],
    )
    def test_each_change(self, old: str, new: str, options: list[str]) -> None:
        commands = {name: (f"/{name}",) for name in ("on_master", "on_backup", "on_fault")}
        one = vip(**commands, up_script="/up_script", down_script="/down_script")
        made = calls(one, old, new, "why")
        assert [(call.option, call.words[0]) for call in made] == [(option, f"/{option}") for option in options]

    def test_nothing_where_nothing_is_configured(self) -> None:
        assert calls(vip(on_master=("/x",)), MASTER, BACKUP, "why") == []

    @pytest.mark.parametrize(("xparam", "third"), [("", ()), ("a; b", ("a; b",))])
    def test_ucarp_s_arguments(self, xparam: str, third: tuple[str, ...]) -> None:
        (call,) = calls(vip(up_script="/up", xparam=xparam), BACKUP, MASTER, "why")
        assert call.words == ("/up", "eth1", "172.17.0.74", *third)

    def test_what_it_is_told(self) -> None:
        (call,) = calls(vip(on_master=("/x", "y"), hook_timeout=3.0, hook_user="me"), BACKUP, MASTER, "a\0b" * 999)
        assert (call.words, call.timeout, call.user) == (("/x", "y"), 3.0, "me")
        assert dict(call.environment) == {
            "CARP_NAME": "smtp",
            "CARP_INTERFACE": "eth1",
            "CARP_VHID": "1",
            "CARP_STATE": "MASTER",
            "CARP_OLD_STATE": "BACKUP",
            "CARP_REASON": ("ab" * 999)[:500],
            "CARP_ADDRESSES": "172.17.0.74/20 2001:db8::74/64",
        }


class Daemon:
    """The loop of a daemon that has nothing but hooks."""

    def __init__(self, log: pytest.LogCaptureFixture) -> None:
        self.selector = selectors.SelectSelector()
        self.ahead = 0.0
        self.hooks = Hooks(self.selector, lambda: time.monotonic() + self.ahead)
        self.log = log
        self.states: dict[str, State] = {}

    def change(self, one: Vip, state: State, reason: str) -> None:
        old, self.states[one.name] = self.states.get(one.name, State.INIT), state
        self.hooks.changed(one, old, state, reason)

    def turn(self, timeout: float = 0.05) -> None:
        dispatch(self.selector, timeout)
        if self.hooks.next_timer() <= time.monotonic() + self.ahead:
            self.hooks.due()

    def until(self, condition: Callable[[], object], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, f"{what} does not come; the log: {self.log.messages}"
            self.turn()

    def until_logged(self, text: str) -> str:
        self.until(lambda: any(text in message for message in self.log.messages), text)
        return next(message for message in self.log.messages if text in message)


@pytest.fixture(name="daemon")
def daemon_(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    caplog.set_level(logging.INFO)
    daemon = Daemon(caplog)
    yield daemon
    monkeypatch.setattr(hooks_module, "_END_TIME", 0.0)
    daemon.hooks.close()
    daemon.selector.close()


def begin(daemon: Daemon, **options: Any) -> Vip:
    one = vip(**options)
    daemon.hooks.configure([one])
    return one


class TestRunning:
    def test_no_process_without_hooks(self, daemon: Daemon) -> None:
        begin(daemon)
        assert not daemon.selector.get_map()
        assert daemon.hooks.next_timer() > 1e9

    def test_it_is_told_everything_and_the_log_how_it_went(self, daemon: Daemon, tmp_path: pathlib.Path) -> None:
        out = tmp_path / "out"
        line = '"$CARP_NAME $CARP_STATE $CARP_OLD_STATE $CARP_REASON"'
        one = begin(daemon, on_master=shell(f"echo {line} > {out}; echo done"))
        daemon.change(one, State.MASTER, "nobody; else")
        message = daemon.until_logged("on_master")
        assert out.read_text() == "smtp MASTER INIT nobody; else\n"
        assert message.startswith("smtp: hook on_master (MASTER): /bin/sh ended with status 0 after 0.")
        assert message.endswith(" s: done")

    @pytest.mark.parametrize(
        ("words", "text"),
        [
            (shell("echo no luck; exit 3"), "/bin/sh ended with status 3 after"),
            (shell("kill -9 $$"), "/bin/sh ended by signal 9 after"),
            (("/nowhere/x",), "cannot be started: No such file or directory"),
            (("x\0y",), "cannot be started: embedded null byte"),
        ],
    )
    def test_one_that_fails(self, daemon: Daemon, words: tuple[str, ...], text: str) -> None:
        one = begin(daemon, on_master=words)
        daemon.change(one, State.MASTER, "why")
        daemon.until_logged(text)

    def test_one_that_hangs_is_killed_with_its_children(self, daemon: Daemon, tmp_path: pathlib.Path) -> None:
        pid = tmp_path / "pid"
        one = begin(daemon, on_master=shell(f"sleep 1000 & echo $! > {pid}; wait"), hook_timeout=0.5)
        daemon.change(one, State.MASTER, "why")
        daemon.until_logged("killed, since it may take 0.5 s")
        number = int(pid.read_text())
        daemon.until(lambda: not alive(number), "the end of its child")

    def test_in_order_one_at_a_time(self, daemon: Daemon, tmp_path: pathlib.Path) -> None:
        out = tmp_path / "out"
        script = shell(f"echo begin $CARP_STATE >> {out}; sleep 0.1; echo end $CARP_STATE >> {out}")
        one = begin(daemon, on_master=script, on_backup=script, on_fault=script)
        for state in (State.BACKUP, State.MASTER, State.FAULTY):
            daemon.change(one, state, "why")
        daemon.until(lambda: out.exists() and "end FAULT" in out.read_text(), "the last hook")
        expected = [f"{what} {role}" for role in (BACKUP, MASTER, FAULT) for what in ("begin", "end")]
        assert out.read_text().splitlines() == expected

    def test_other_virtual_hosts_do_not_wait(self, daemon: Daemon, tmp_path: pathlib.Path) -> None:
        slow = begin(daemon, on_master=("/bin/sleep", "1000"), hook_timeout=100.0)
        daemon.change(slow, State.MASTER, "why")
        daemon.change(vip(name="imap", on_master=shell("true")), State.MASTER, "why")
        daemon.until_logged("imap: hook on_master (MASTER): /bin/sh ended with status 0")

    def test_a_flapping_one_is_not_followed_for_ever_but_to_the_end(
        self, daemon: Daemon, tmp_path: pathlib.Path
    ) -> None:
        out, go = tmp_path / "out", tmp_path / "go"
        note = f"echo $CARP_STATE $CARP_REASON >> {out}"
        wait = f"while ! test -e {go}; do sleep 0.01; done; {note}"
        one = begin(daemon, on_master=shell(wait), on_backup=shell(note), hook_timeout=100.0)
        for number in range(10):
            daemon.change(one, State.MASTER if number % 2 == 0 else State.BACKUP, str(number))
        go.touch()
        daemon.until(lambda: out.exists() and "BACKUP 9" in out.read_text(), "the hook of the last state")
        assert out.read_text().split() == ["MASTER", "0", "MASTER", "6", "BACKUP", "7", "MASTER", "8", "BACKUP", "9"]
        assert [message for message in daemon.log.messages if "left out" in message] == [
            f"smtp: hook {option} is left out: newer ones wait"
            for option in ("on_backup", "on_master", "on_backup", "on_master", "on_backup")
        ]

    def test_to_leave_is_still_to_be_master(self, daemon: Daemon, tmp_path: pathlib.Path) -> None:
        one = begin(daemon, on_master=shell(f"echo x >> {tmp_path}/out"), on_fault=shell(f"touch {tmp_path}/fault"))
        for state in (State.MASTER, State.LEAVING, State.MASTER, State.FAILING, State.FAULTY):
            daemon.change(one, state, "why")
        daemon.until((tmp_path / "fault").exists, "the hook of the last state")
        assert (tmp_path / "out").read_text() == "x\n"

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can become someone else")
    def test_as_another_user(self, daemon: Daemon) -> None:
        one = begin(daemon, on_master=shell("echo $(id -u) $(id -G)"), hook_user="nobody")
        daemon.change(one, State.MASTER, "why")
        entry = pwd.getpwnam("nobody")
        assert daemon.until_logged("status 0").endswith(f": {entry.pw_uid} {entry.pw_gid}")

    def test_as_nobody_who_is_there(self, daemon: Daemon) -> None:
        one = begin(daemon, on_master=shell("true"), hook_user="carpd-nobody-here")
        daemon.change(one, State.MASTER, "why")
        daemon.until_logged("cannot be started: there is no user carpd-nobody-here")


def alive(pid: int) -> bool:
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2]
    except OSError:
        return False
    return state.split()[0] != "Z"


class TestTheRunner:
    def runner(self, daemon: Daemon) -> int:
        assert daemon.hooks._runner is not None
        return daemon.hooks._runner.pid

    def test_it_dies_and_the_next_hook_is_run(self, daemon: Daemon) -> None:
        one = begin(daemon, on_master=("/bin/sleep", "1000"), on_backup=shell("true"), hook_timeout=100.0)
        daemon.change(one, State.MASTER, "why")
        daemon.change(one, State.BACKUP, "why")
        os.kill(self.runner(daemon), signal.SIGKILL)
        daemon.until_logged("smtp: hook on_master: what became of it is unknown")
        daemon.until_logged("smtp: hook on_backup (BACKUP): /bin/sh ended with status 0")

    def test_it_hangs_and_the_next_hook_is_run(self, daemon: Daemon) -> None:
        one = begin(daemon, on_master=shell("true"), on_backup=shell("true"))
        first = self.runner(daemon)
        os.kill(first, signal.SIGSTOP)
        daemon.change(one, State.MASTER, "why")
        daemon.turn()
        daemon.ahead = 13.0
        daemon.until_logged("the process that runs hooks hangs; it is replaced")
        daemon.change(one, State.BACKUP, "why")
        daemon.until_logged("smtp: hook on_backup (BACKUP): /bin/sh ended with status 0")
        assert self.runner(daemon) != first

    def test_it_ends_with_the_daemon_and_so_does_what_it_runs(
        self, daemon: Daemon, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pid = tmp_path / "pid"
        one = begin(daemon, on_master=shell(f"echo $$ > {pid}.new; mv {pid}.new {pid}; sleep 1000"), hook_timeout=99.0)
        daemon.change(one, State.MASTER, "why")
        daemon.until(pid.exists, "the hook")
        runner, number = self.runner(daemon), int(pid.read_text())
        monkeypatch.setattr(hooks_module, "_END_TIME", 0.0)
        daemon.hooks.close()
        daemon.until(lambda: not alive(number) and not alive(runner), "the end of both")

    def test_the_end_waits_for_what_is_to_be_run(self, daemon: Daemon, tmp_path: pathlib.Path) -> None:
        one = begin(daemon, on_master=shell("sleep 0.1"), on_backup=shell(f"sleep 0.1; touch {tmp_path}/end"))
        daemon.change(one, State.MASTER, "why")
        daemon.change(one, State.ENDED, "the daemon ends")
        daemon.hooks.close()
        assert (tmp_path / "end").exists()

    def test_loaded_anew_the_daemon_does_not_wait_and_what_runs_ends_by_itself(
        self, daemon: Daemon, tmp_path: pathlib.Path
    ) -> None:
        go = tmp_path / "go"
        one = begin(daemon, on_master=shell(f"while ! test -e {go}; do sleep 0.01; done; rm {go}"), hook_timeout=100.0)
        daemon.change(one, State.MASTER, "why")
        runner = self.runner(daemon)
        daemon.hooks.leave()
        assert alive(runner)
        go.touch()
        daemon.until(lambda: not go.exists() and not alive(runner), "the end of both")

    @pytest.mark.parametrize("state", [State.LEAVING, State.CLOSING])
    def test_loaded_anew_a_master_that_leaves_has_not_become_it(self, daemon: Daemon, state: State) -> None:
        one = begin(daemon, on_master=shell("true"), on_backup=shell("true"))
        daemon.states["smtp"] = State.MASTER
        daemon.change(one, state, "why")
        daemon.change(one, State.BACKUP, "why")
        assert daemon.until_logged("ended with status 0").startswith("smtp: hook on_backup (BACKUP)")

    def test_the_end_does_not_wait_for_ever(self, daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hooks_module, "_END_TIME", 0.1)
        one = begin(daemon, on_master=("/bin/sleep", "1000"), hook_timeout=100.0)
        daemon.change(one, State.MASTER, "why")
        daemon.hooks.close()
        assert daemon.log.messages[-1] == "hooks still run and are killed: the daemon ends"
