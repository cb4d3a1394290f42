# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change that the hosts must agree on is made in steps, and whichever step two hosts are in, they hear each other."""

from __future__ import annotations

import grp
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd.config import Vip, load
from ansible_collections.failover.carp.plugins.modules import vip

SMTP: dict[str, Any] = {
    "name": "smtp",
    "interface": "eth1",
    "vhid": 1,
    "addresses": ["172.17.0.74/20"],
    "password": "before",
    "advskew": 20,
}
MORE = {**SMTP, "addresses": ["172.17.0.74/20", "172.17.0.73/20"]}
OTHER = {**SMTP, "name": "other", "vhid": 2, "addresses": ["172.17.0.73/20"]}
STEPS = ("accept", "send", None)


class Host:
    """A host's folder."""

    def __init__(self, folder: Path, run: Any) -> None:
        self.folder = folder
        self._run = run

    def go(self, step: str | None, *vips: dict[str, Any], **more: Any) -> dict[str, Any]:
        own = {"config_dir": str(self.folder), "group": grp.getgrgid(os.getegid()).gr_name, "state": "only"}
        given = [dict(each) for each in vips]
        result: dict[str, Any] = self._run(vip.main, vips=given, **({"step": step} if step else {}), **{**own, **more})
        assert "failed" not in result, result
        return result

    def has(self) -> dict[str, Vip]:
        main = self.folder / "carpd.conf"
        main.write_text("[carpd]\ninclude = vips.d/*.conf\n")
        return {found.name: found for found in load(str(main)).vips}


@pytest.fixture
def host(tmp_path: Path, run: Any) -> Host:
    return Host(tmp_path, run)


def hears(listener: Vip, speaker: Vip) -> bool:
    passwords = {listener.password, listener.accept_password or listener.password}
    addresses = {listener.addresses, listener.accept_addresses or listener.addresses}
    return speaker.password in passwords and speaker.addresses in addresses


CHANGES = {
    "addresses": MORE,
    "all addresses": {**SMTP, "addresses": ["172.17.0.99/20"]},
    "password": {**SMTP, "password": "after"},
    "both": {**MORE, "password": "after"},
}


@pytest.mark.parametrize("after", CHANGES.values(), ids=CHANGES)
def test_whichever_step_two_hosts_are_in_they_hear_each_other(host: Host, after: dict[str, Any]) -> None:
    host.go(None, SMTP)
    states = [host.has()["smtp"]]
    pending = []
    for step in STEPS:
        pending.append(host.go(step, after)["pending"])
        states.append(host.has()["smtp"])
    assert pending == [True, True, False]
    for one, next_one in zip(states, states[1:]):
        assert hears(one, next_one)
        assert hears(next_one, one)
    assert not hears(states[0], states[-1])
    assert (states[-1].accept_password, states[-1].accept_addresses) == (b"", ())
    assert host.go("accept", after)["changed"] is False


def test_what_broke_off_goes_on_where_it_was(host: Host) -> None:
    host.go(None, SMTP)
    for step in ("accept", "accept", "send"):
        assert host.go(step, MORE)["pending"]
    # Another host may still be a step behind: the next run does not drop what that one sends.
    again = host.go("accept", MORE)
    assert (again["changed"], again["pending"]) == (False, True)
    assert host.has()["smtp"].accept_addresses != ()
    host.go("send", MORE)
    assert not host.go(None, MORE)["pending"]
    assert host.has()["smtp"].accept_addresses == ()


def test_an_address_moves_to_another_virtual_ip_when_all_are_ready(host: Host) -> None:
    host.go(None, MORE)
    first = host.go("accept", SMTP, OTHER)
    assert [shown["name"] for shown in first["vips"]] == ["smtp"]
    assert len(first["vips"][0]["addresses"]) == 2
    host.go("send", SMTP, OTHER)
    assert {name: len(found.addresses) for name, found in host.has().items()} == {"smtp": 1, "other": 1}


def test_an_address_of_one_that_goes_is_held_until_the_other_has_it(host: Host) -> None:
    host.go(None, SMTP, OTHER)
    first = host.go("accept", MORE)
    assert sorted(shown["name"] for shown in first["vips"]) == ["other", "smtp"]
    assert host.has().keys() == {"smtp", "other"}
    assert host.go("send", MORE)["removed"] == ["other"]


@pytest.mark.parametrize("change", [{"vhid": 9}, {"interface": "eth2"}, {"advskew": 0}, {"advbase": 2}])
def test_what_others_need_not_agree_on_or_is_another_virtual_ip_is_changed_at_once(
    host: Host, change: dict[str, Any]
) -> None:
    host.go(None, SMTP)
    assert not host.go("accept", {**SMTP, **change})["pending"]


def test_check_mode_foretells_the_end(host: Host) -> None:
    host.go(None, SMTP)
    told = host.go("accept", MORE, check=True)
    assert not told["pending"]
    assert "accept_addresses" not in str(told["diff"])
    assert "172.17.0.73/20" in str(told["diff"])


def test_a_host_that_comes_is_known_before_it_starts(host: Host) -> None:
    peers = ["172.17.0.76 carpd"]
    host.go(None, {**SMTP, "known_peers": peers})
    after = {**SMTP, "known_peers": [*peers, "172.17.0.77 carpd"]}
    assert host.go("accept", after)["pending"]
    assert len(host.has()["smtp"].known_peers) == 2
    assert not host.go("send", after)["pending"]
    assert not host.go("accept", {**SMTP, "known_peers": peers})["pending"]


def test_beginning_to_know_each_other_needs_no_steps(host: Host) -> None:
    host.go(None, SMTP)
    assert not host.go("accept", {**SMTP, "known_peers": ["172.17.0.76 carpd"]})["pending"]


def test_they_stay_if_nothing_is_said_of_them(host: Host) -> None:
    peers = ["172.17.0.76 carpd", "172.17.0.77 any 20"]
    host.go(None, {**SMTP, "known_peers": peers})
    assert not host.go("accept", SMTP, keep_known_peers=True)["changed"]
    assert "known_peers = 172.17.0.76 carpd, 172.17.0.77 any 20" in (host.folder / "vips.d" / "smtp.conf").read_text()
    host.go("accept", {**SMTP, "known_peers": []}, keep_known_peers=True)
    assert "known_peers" not in (host.folder / "vips.d" / "smtp.conf").read_text()
    host.go(None, {**SMTP, "known_peers": peers})
    host.go("accept", SMTP)
    assert host.has()["smtp"].known_peers == ()
