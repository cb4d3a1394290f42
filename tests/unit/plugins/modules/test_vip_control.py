# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Orders are given if they are needed, and it is waited until they have been carried out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd.control import ControlError
from ansible_collections.failover.carp.plugins.modules import vip_control


def vip(name: str = "smtp", state: str = "MASTER", operator: str = "") -> dict[str, Any]:
    return {"name": name, "state": state, "operator": operator, "leaving": False, "reason": "so it is"}


class FakeDaemon:
    """Answers as the daemon does; an order is carried out at once, unless ``stuck``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.vips = [vip(), vip("www")]
        self.maintenance = False
        self.saved = True
        self.stuck = False
        self.refusal = ""
        self.asked: list[tuple[str, dict[str, Any]]] = []
        monkeypatch.setattr(vip_control, "request", self.request)
        monkeypatch.setattr(vip_control, "order", self.order)

    def request(self, _path: str, verb: str, **_arguments: Any) -> Any:
        if verb == "status":
            return [dict(each) for each in self.vips]
        return {"on": self.maintenance, "by": "root", "saved": self.saved, "error": "", "vips": []}

    def order(self, _path: str, verb: str, reached: Any, wait: float, **arguments: Any) -> vip_control.Outcome:
        self.asked.append((verb, arguments))
        outcome = vip_control.Outcome(reached, self.request("", "status"))
        names = arguments.get("vips") or [each["name"] for each in self.vips]
        if verb == "maintenance":
            self.maintenance = arguments["mode"] == "on"
        answer: dict[str, Any] = {"vips": names}
        if verb == "maintenance":
            answer.update(self.request("", verb))
            answer["vips"] = names
        outcome.ordered(answer)
        for each in self.vips:
            if each["name"] in names:
                leaves = verb == "demote" or (verb == "maintenance" and self.maintenance)
                each["operator"] = "by root" if leaves else ""
                if not self.stuck:
                    each["state"] = "BACKUP" if leaves else "MASTER" if verb == "promote" else each["state"]
                outcome.happened({"name": each["name"], "status": dict(each)}, 0.25)
        if self.refusal:
            raise ControlError(self.refusal)
        outcome.over(wait)
        return outcome


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDaemon]:
    yield FakeDaemon(monkeypatch)


def test_virtual_ips_are_left_to_others(daemon: FakeDaemon, run: Any) -> None:
    result = run(vip_control.main, state="demoted", vips=["smtp"])
    assert daemon.asked == [("demote", {"vips": ["smtp"]})]
    assert result["changed"]
    assert (result["seconds"], result["took"], result["masters"]) == (0.25, {"smtp": 0.25}, ["smtp"])
    assert [each["state"] for each in result["vips"]] == ["BACKUP"]
    assert not run(vip_control.main, state="demoted", vips=["smtp"])["changed"]
    assert len(daemon.asked) == 1


def test_all_are_meant_if_none_is_named(daemon: FakeDaemon, run: Any) -> None:
    assert run(vip_control.main, state="demoted")["took"] == {"smtp": 0.25, "www": 0.25}


@pytest.mark.parametrize("state", ["promoted", "free"])
def test_and_taken_again(daemon: FakeDaemon, run: Any, state: str) -> None:
    assert not run(vip_control.main, state=state)["changed"]
    run(vip_control.main, state="demoted")
    result = run(vip_control.main, state=state)
    assert result["changed"]
    assert daemon.asked[-1] == ("promote", {"vips": ["smtp", "www"]})
    assert not any(each["operator"] for each in result["vips"])


def test_a_better_host_is_in_the_way_of_becoming_master_and_not_of_being_free(daemon: FakeDaemon, run: Any) -> None:
    run(vip_control.main, state="demoted")
    daemon.refusal, daemon.stuck = "172.17.0.75 is better", True
    result = run(vip_control.main, state="promoted")
    assert result["failed"] and "is better" in result["msg"]
    run(vip_control.main, state="demoted")
    result = run(vip_control.main, state="free")
    assert result["changed"] and not result.get("failed")


def test_a_refusal_that_leaves_it_demoted_is_a_failure(
    daemon: FakeDaemon, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_given: Any, **_named: Any) -> None:
        raise ControlError("this host is in maintenance")

    daemon.vips = [vip(state="BACKUP", operator="maintenance")]
    monkeypatch.setattr(vip_control, "order", refuse)
    assert "in maintenance" in run(vip_control.main, state="free")["msg"]


def test_maintenance_and_service(daemon: FakeDaemon, run: Any) -> None:
    result = run(vip_control.main, state="maintenance")
    assert daemon.asked == [("maintenance", {"mode": "on"})]
    assert (result["changed"], result["maintenance"]["on"]) == (True, True)
    assert not run(vip_control.main, state="maintenance")["changed"]
    result = run(vip_control.main, state="service")
    assert (result["changed"], result["maintenance"]["on"]) == (True, False)
    assert not run(vip_control.main, state="service")["changed"]


def test_what_is_demoted_by_an_order_of_its_own_is_in_service(daemon: FakeDaemon, run: Any) -> None:
    daemon.vips = [vip(state="BACKUP", operator="by root")]
    assert not run(vip_control.main, state="service")["changed"]


@pytest.mark.parametrize("state", ["demoted", "maintenance"])
def test_a_dry_run_says_the_same_and_orders_nothing(daemon: FakeDaemon, run: Any, state: str) -> None:
    result = run(vip_control.main, state=state, check=True)
    assert result["changed"] and not daemon.asked


def test_an_address_that_nobody_takes_is_a_failure(daemon: FakeDaemon, run: Any) -> None:
    daemon.stuck = True
    result = run(vip_control.main, state="demoted", wait=3)
    assert result["failed"]
    assert "smtp: still MASTER after 3 s" in result["msg"]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"state": "demoted", "vips": ["smpt"]}, "there is no virtual host smpt; known are smtp, www"),
        ({"state": "maintenance", "vips": ["smtp"]}, "about the whole host"),
    ],
)
def test_what_makes_no_sense_is_refused(daemon: FakeDaemon, run: Any, arguments: Any, part: str) -> None:
    assert part in run(vip_control.main, **arguments)["msg"]
    assert not daemon.asked


def test_without_a_daemon_there_is_a_clear_message(run: Any, tmp_path: Any) -> None:
    result = run(vip_control.main, state="demoted", socket=str(tmp_path / "s"))
    assert result["failed"] and "no daemon runs here" in result["msg"]
