# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was heard is told in an order that a person can read, and a host where carpd runs is left alone."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.failover.carp.plugins.module_utils.segment import hosts, listening, packets
from ansible_collections.failover.carp.plugins.modules import preflight

VIP = {"name": "smtp", "interface": "eth1", "vhid": 1, "addresses": ["172.17.0.74/20"]}


class FakeHost:
    """A host whose network is a variable."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.heard: Counter[packets.Heard] = Counter()
        self.answers: dict[str, set[str]] = {}
        self.asked: list[tuple[Any, ...]] = []
        self.error: OSError | None = None
        self.addresses = [{"local": "172.17.0.75", "prefixlen": 20}]
        self.commands: dict[str, str] = {}
        monkeypatch.setattr(listening, "listen", self._listen)
        monkeypatch.setattr(listening, "mac_of", lambda _interface: bytes.fromhex("020000000001"))
        monkeypatch.setattr(hosts, "measured", lambda _seconds: {"profile": "fast"})
        monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda _module, name, **_more: name)
        monkeypatch.setattr(AnsibleModule, "run_command", lambda _module, command, **_more: self._run(command))

    def _listen(self, *arguments: Any) -> listening.Segment:
        self.asked.append(arguments)
        if self.error is not None:
            raise self.error
        return listening.Segment(self.heard, self.answers, {})

    def _run(self, command: list[str]) -> tuple[int, str, str]:
        if command[0] == "ip":
            return 0, json.dumps([{"ifname": "eth1", "addr_info": self.addresses}]), ""
        return (0, self.commands[command[0]], "") if command[0] in self.commands else (1, "", "")


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHost]:
    yield FakeHost(monkeypatch)


@pytest.mark.parametrize("check", [False, True])
def test_what_was_heard_is_told(host: FakeHost, run: Any, check: bool) -> None:
    host.heard = Counter(
        {
            packets.Heard("carp", 1, "172.17.0.99", "advbase 1, advskew 0"): 4,
            packets.Heard("trial", 0, "172.17.0.76", "", b"1" * 8): 9,
            packets.Heard("trial", 2, "172.17.0.76", "", b"1" * 8): 9,
        }
    )
    host.answers = {"172.17.0.74": {"02:00:00:00:00:99"}}
    result = run(preflight.main, check=check, vips=[VIP], peers=["172.17.0.75", "172.17.0.76"])
    assert (result["changed"], result["looked"]) == (False, True)
    place = result["interfaces"]["eth1"]
    speaker = {"protocol": "carp", "number": 1, "source": "172.17.0.99", "detail": "advbase 1, advskew 0", "count": 4}
    assert place["speakers"] == [speaker]
    assert place["trials"] == {"multicast": ["172.17.0.76"], "broadcast": [], "unicast": ["172.17.0.76"]}
    assert place["answers"] == {"172.17.0.74": ["02:00:00:00:00:99"]}
    assert (place["free"], place["source"], place["mac"]) == ({"1": 2}, "172.17.0.75", "02:00:00:00:00:01")
    assert host.asked == [("eth1", 4.0, ["172.17.0.74"], "172.17.0.75", ("172.17.0.76",))]


def test_the_virtual_address_itself_is_no_source(host: FakeHost, run: Any) -> None:
    host.addresses = [{"local": "172.17.0.74", "prefixlen": 20}]
    assert run(preflight.main, vips=[VIP])["interfaces"]["eth1"]["source"] == ""


def test_every_interface_is_looked_at_once(host: FakeHost, run: Any) -> None:
    vips = [VIP, {**VIP, "name": "www", "vhid": 2, "addresses": ["172.17.0.73/20"]}, {**VIP, "interface": "eth2"}]
    result = run(preflight.main, vips=vips)
    assert sorted(call[0] for call in host.asked) == ["eth1", "eth2"]
    assert set(result["interfaces"]["eth1"]["free"]) == {"1", "2"}


def test_an_interface_that_cannot_be_used_is_told(host: FakeHost, run: Any) -> None:
    host.error = OSError(19, "No such device")
    result = run(preflight.main, vips=[VIP])
    assert result["interfaces"]["eth1"]["error"] == "eth1 cannot be listened on: No such device"


def test_where_the_daemon_runs_nothing_is_done(host: FakeHost, run: Any, tmp_path: Path) -> None:
    socket = tmp_path / "control.sock"
    assert run(preflight.main, vips=[VIP], unless_running=str(socket))["looked"]
    socket.touch()
    result = run(preflight.main, vips=[VIP], unless_running=str(socket))
    assert (result["looked"], len(host.asked)) == (False, 1)


def test_passwords_are_compared_by_salted_digests(host: FakeHost, run: Any, tmp_path: Path) -> None:
    for name, text in (("one", "secret\r\nmore"), ("two", "secret\n"), ("three", "other\n")):
        (tmp_path / name).write_bytes(text.encode())
    vips = [{**VIP, "name": name, "password_file": str(tmp_path / name)} for name in ("one", "two", "three", "four")]
    found = run(preflight.main, vips=vips, salt="salt")["digests"]
    assert found["one"] == found["two"] != found["three"]
    assert "four" not in found
    assert run(preflight.main, vips=vips, salt="pepper")["digests"]["one"] != found["one"]


def test_managers_and_firewall_are_told(host: FakeHost, run: Any) -> None:
    host.commands = {"systemctl": "", "networkctl": "2 eth1 ether routable configured"}
    host.commands["nft"] = "table inet f {\n chain o {\n  type filter hook output priority 0; policy drop;\n }\n}"
    result = run(preflight.main, vips=[VIP])
    assert len(result["managers"]) == 1
    assert len(result["firewall"]) == 1
