# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ucarp is stopped for good, and comes back as it was."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.failover.carp.plugins.module_utils import _files
from ansible_collections.failover.carp.plugins.module_utils.legacy import processes
from ansible_collections.failover.carp.plugins.modules import migration_info, ucarp

OPTIONS = "-i eth1 -s 172.17.0.75 -B -z -v 1 -p secret -a 172.17.0.74 -k 1 -P"
COMMAND = ["/usr/sbin/ucarp", *OPTIONS.split()]
TEXT = """\
auto eth1
iface eth1 inet static
    address 172.17.0.75/20
    ucarp-vid 1
    ucarp-vip 172.17.0.74
    ucarp-password secret
    ucarp-advskew 1
    ucarp-master yes

iface eth1:ucarp inet static
    address 172.17.0.74/20
"""


class FakeHost:
    """A host whose processes, addresses and services are variables."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.interfaces = folder / "interfaces"
        self.interfaces.write_text(TEXT)
        self.interfaces.chmod(0o600)
        self.record = folder / "state" / "ucarp.json"
        self.running = [processes.Process(17, tuple(COMMAND))]
        self.addresses = [{"local": "172.17.0.75", "prefixlen": 20}]
        self.services = ""
        self.commands: list[list[str]] = []
        self.started: list[list[str]] = []
        self.complaint = ""
        self.stubborn: list[processes.Process] = []
        monkeypatch.setattr(processes, "running", lambda: list(self.running))
        monkeypatch.setattr(processes, "end", self._end)
        monkeypatch.setattr(processes, "kill", self.stubborn.extend)
        monkeypatch.setattr(processes, "start", self._start)
        monkeypatch.setattr(AnsibleModule, "run_command", lambda _module, command, **_more: self._run(command))
        monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda _module, name, **_more: name)
        monkeypatch.setattr(ucarp, "ROOT", _files.Owner(os.getuid(), os.getgid()))

    def _end(self, waiting: list[processes.Process], _seconds: float) -> list[processes.Process]:
        self.text_at_the_end = self.interfaces.read_text()
        self.record_at_the_end = json.loads(self.record.read_text())
        self.running = []
        return []

    def _start(self, words: list[str]) -> str:
        self.started.append(words)
        return self.complaint

    def _run(self, command: list[str]) -> tuple[int, str, str]:
        self.commands.append(command)
        if command[0] == "ip" and "show" in command:
            return 0, json.dumps([{"ifname": "eth1", "addr_info": self.addresses}]), ""
        if "list-unit-files" in command:
            return 0, self.services, ""
        return 0, "", ""

    def given(self) -> dict[str, Any]:
        return {"interfaces": str(self.interfaces), "record": str(self.record)}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHost]:
    yield FakeHost(tmp_path, monkeypatch)


def test_it_is_stopped_and_stays_so(host: FakeHost, run: Any) -> None:
    result = run(ucarp.main, **host.given())
    assert result["changed"]
    assert (result["ended"], result["files"], result["removed"]) == (1, [str(host.interfaces)], [])
    assert not any(line.strip().startswith("ucarp-") for line in host.interfaces.read_text().splitlines())
    assert stat.S_IMODE(host.interfaces.stat().st_mode) == 0o600
    assert not run(ucarp.main, **host.given())["changed"]


def test_the_down_script_still_finds_its_stanza_and_the_record_is_there_before_anything_is_done(
    host: FakeHost, run: Any
) -> None:
    run(ucarp.main, **host.given())
    assert host.text_at_the_end == TEXT
    assert host.record_at_the_end["commands"] == [COMMAND]
    assert stat.S_IMODE(host.record.stat().st_mode) == 0o600


def test_no_password_is_shown(host: FakeHost, run: Any) -> None:
    for arguments in ({}, {"state": "present"}):
        result = run(ucarp.main, **host.given(), **arguments)
        assert result["changed"]
        assert "ucarp-password (not shown)" in json.dumps(result["diff"])
        assert "secret" not in json.dumps(result)


def test_a_dry_run_says_the_same_and_does_nothing(host: FakeHost, run: Any) -> None:
    host.services = "ucarp@001.service enabled enabled\n"
    dry = run(ucarp.main, check=True, **host.given())
    assert host.interfaces.read_text() == TEXT
    assert host.running and not host.record.exists()
    assert not any("disable" in command for command in host.commands)
    assert dry == {**run(ucarp.main, **host.given()), "invocation": dry["invocation"]}


def test_it_comes_back_as_it_was(host: FakeHost, run: Any) -> None:
    run(ucarp.main, **host.given())
    result = run(ucarp.main, state="present", **host.given())
    assert (result["changed"], result["started"]) == (True, 1)
    assert host.started == [COMMAND]
    assert host.interfaces.read_text() == TEXT
    assert not host.record.exists()
    host.running = [processes.Process(18, tuple(COMMAND))]
    assert not run(ucarp.main, state="present", **host.given())["changed"]


def test_a_run_that_broke_off_is_taken_up(host: FakeHost, run: Any) -> None:
    run(ucarp.main, **host.given())
    host.interfaces.write_text(TEXT)
    assert run(ucarp.main, **host.given())["changed"]
    assert json.loads(host.record.read_text())["commands"] == [COMMAND]


def test_a_start_that_fails_is_told_and_the_record_stays(host: FakeHost, run: Any) -> None:
    run(ucarp.main, **host.given())
    host.complaint = "ended with status 1"
    result = run(ucarp.main, state="present", **host.given())
    assert result["failed"]
    assert "status 1" in result["msg"]
    assert host.record.exists()


def test_services_are_disabled_and_enabled(host: FakeHost, run: Any) -> None:
    host.services = "ucarp@001.service enabled enabled\nucarp.service enabled enabled\n"
    assert run(ucarp.main, **host.given())["services"] == ["ucarp.service", "ucarp@001.service"]
    assert ["systemctl", "disable", "--now", "ucarp@001.service"] in host.commands
    host.services = ""
    assert run(ucarp.main, state="present", **host.given())["services"] == ["ucarp.service", "ucarp@001.service"]
    assert ["systemctl", "enable", "--now", "ucarp.service"] in host.commands


def test_an_address_that_is_left_behind_is_removed(host: FakeHost, run: Any) -> None:
    host.addresses.append({"local": "172.17.0.74", "prefixlen": 20})
    assert run(ucarp.main, **host.given())["removed"] == ["172.17.0.74/20 on eth1"]
    assert ["ip", "address", "del", "172.17.0.74/20", "dev", "eth1"] in host.commands


def test_where_there_is_no_ucarp_nothing_happens(host: FakeHost, run: Any) -> None:
    host.running = []
    host.interfaces.unlink()
    for state in ("absent", "present"):
        assert not run(ucarp.main, state=state, **host.given())["changed"]


def info(host: FakeHost, run: Any, **more: Any) -> dict[str, Any]:
    folder = str(host.interfaces.parent)
    return run(migration_info.main, interfaces=str(host.interfaces), ucarp=folder, keepalived=folder + "/k", **more)


def test_what_is_configured_is_told_with_what_it_does_now(host: FakeHost, run: Any) -> None:
    host.addresses.append({"local": "172.17.0.74", "prefixlen": 20})
    result = info(host, run)
    (virtual,) = result["ucarp"]
    assert (virtual["vhid"], virtual["address"], virtual["advskew"], virtual["preempt"]) == (1, "172.17.0.74", 1, True)
    assert (virtual["running"], virtual["held"]) == (True, True)
    assert not result["changed"] and result["keepalived"] == [] and result["problems"] == []


@pytest.mark.parametrize("passwords", [False, True])
def test_passwords_are_told_only_to_those_who_ask(host: FakeHost, run: Any, passwords: bool) -> None:
    (host.interfaces.parent / "k").write_text(
        "vrrp_instance a {\n virtual_router_id 1\n authentication {\n auth_pass secret\n }\n}\n"
    )
    result = info(host, run, passwords=passwords)
    assert json.dumps(result).count('"secret"') == (2 if passwords else 0)


def test_what_runs_without_being_configured_is_told_too(host: FakeHost, run: Any) -> None:
    host.interfaces.write_text("")
    (virtual,) = info(host, run)["ucarp"]
    assert virtual["origin"] == "process 17"
    host.running = [processes.Process(17, ("/usr/sbin/ucarp", "-h"))]
    assert info(host, run)["ucarp"] == []
