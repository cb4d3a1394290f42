# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host is broken only once systemd has promised to mend it, and it is mended whatever happens."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.failover.carp.plugins.modules import drill_fault

KILL = ["systemctl", "kill", "--kill-who=main", "--signal=KILL", "carpd.service"]
START = ["systemctl", "start", "carpd.service"]


class FakeHost:
    """Runs nothing; ``bad`` has the beginnings of commands that fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ran: list[list[str]] = []
        self.bad: list[list[str]] = []
        self.tools = {"nft", "tc"}
        monkeypatch.setattr(AnsibleModule, "run_command", lambda _self, argv, data=None: self.run(argv))
        monkeypatch.setattr(
            AnsibleModule, "get_bin_path", lambda _self, name: f"/sbin/{name}" if name in self.tools else None
        )
        monkeypatch.setattr("time.sleep", lambda _seconds: None)

    def run(self, argv: list[str]) -> tuple[int, str, str]:
        self.ran.append(argv)
        is_bad = any(argv[: len(each)] == each for each in self.bad)
        return (1, "", "it does not work") if is_bad else (0, "", "")

    @property
    def commands(self) -> list[list[str]]:
        """What was run beside asking systemd."""
        return [argv for argv in self.ran if argv[0] != "systemd-run" and drill_fault.RESCUE not in " ".join(argv)]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    return FakeHost(monkeypatch)


def test_systemd_promises_first_and_is_released_last(host: FakeHost, run: Any) -> None:
    result = run(drill_fault.main, kind="daemon", seconds=5, delay=1, rescue=20)
    assert result["changed"] and result["problems"] == []
    assert result["began"] <= result["broken"] <= result["mending"] <= result["mended"]
    assert host.ran[0][0] == "systemd-run" and "--on-active=26" in host.ran[0]
    assert host.ran[0][-1] == "'systemctl' 'start' 'carpd.service'"
    assert host.commands == [KILL, START]
    assert host.ran[-2][:2] == ["systemctl", "stop"]


def test_nothing_is_broken_that_nobody_would_mend(host: FakeHost, run: Any) -> None:
    host.bad = [["systemd-run"]]
    result = run(drill_fault.main, kind="daemon")
    assert result["failed"] and "nothing was broken" in result["msg"]
    assert host.commands == []


def test_what_is_half_broken_is_mended(host: FakeHost, run: Any) -> None:
    host.bad = [["ip", "link", "set", "dev", "eth0", "mode", "dormant"]]
    result = run(drill_fault.main, kind="link", interface="eth0")
    assert result["failed"] and "it does not work" in result["msg"]
    assert ["nft", "delete", "table", "netdev", "failover_carp_drill"] in host.commands


def test_what_needs_no_mending_is_no_failure(host: FakeHost, run: Any) -> None:
    host.bad = [["systemctl", "kill", "--signal=CONT"]]
    result = run(drill_fault.main, kind="hang")
    assert not result.get("failed") and "it does not work" in result["problems"][0]


def test_a_dry_run_says_what_would_be_done(host: FakeHost, run: Any) -> None:
    result = run(drill_fault.main, check=True, kind="power", interface="eth0")
    assert result["changed"] and "eth0" in result["words"]
    assert host.ran == []


def test_tc_does_where_there_is_no_nft(host: FakeHost, run: Any) -> None:
    host.tools = {"tc"}
    assert "matchall" in run(drill_fault.main, check=True, kind="power", interface="eth0")["words"]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"kind": "power"}, "needs interface"),
        ({"kind": "switchover"}, "needs vips"),
        ({"kind": "service"}, "needs unit"),
        ({"kind": "service", "break_command": "x"}, "needs unit"),
        ({}, "kind"),
    ],
)
def test_what_makes_no_sense_is_refused(host: FakeHost, run: Any, arguments: Any, part: str) -> None:
    assert part in run(drill_fault.main, **arguments)["msg"]
    assert host.ran == []


def test_without_a_tool_nothing_is_cut_off(host: FakeHost, run: Any) -> None:
    host.tools = set()
    assert "nftables" in run(drill_fault.main, kind="link", interface="eth0")["msg"]


def test_what_an_earlier_run_left_is_mended_by_systemd(host: FakeHost, run: Any) -> None:
    assert run(drill_fault.main, state="mended")["changed"]
    assert ["systemctl", "start", "failover-carp-drill-rescue.service"] in host.ran
    host.bad = [["systemctl", "is-active"]]
    assert not run(drill_fault.main, state="mended")["changed"]
