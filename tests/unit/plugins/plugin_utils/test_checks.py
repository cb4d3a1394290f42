# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of an inventory become those of each host, and every mistake becomes one clear line."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.plugin_utils.checks import Places, plan_checks

POSTFIX: dict[str, Any] = {"name": "postfix", "type": "smtp", "target": "127.0.0.1:25", "interval": 2}


def planned(*checks: Any, own: tuple[str, ...] = ("smtp", "www")) -> list[dict[str, str]]:
    told: list[str] = []
    found = plan_checks(list(checks), ["smtp", "www"], own, told.append)
    assert told == []
    return found


def problems(checks: Any) -> list[str]:
    told: list[str] = []
    plan_checks(checks, ["smtp", "www"], ["smtp", "www"], told.append)
    return told


def test_a_check_of_everything_names_no_virtual_ip() -> None:
    assert planned(POSTFIX) == [{"name": "postfix", "type": "smtp", "target": "127.0.0.1:25", "interval": "2"}]


def test_a_host_has_only_what_concerns_it() -> None:
    web = {"name": "web", "type": "tcp", "target": "127.0.0.1:80", "vips": ["www"]}
    both = {"name": "both", "type": "link", "target": "eth1", "vips": ["smtp", "www"]}
    found = planned(POSTFIX, web, both, own=("smtp",))
    assert [(check["name"], check.get("vips")) for check in found] == [("postfix", None), ("both", "smtp")]


@pytest.mark.parametrize(
    ("checks", "words"),
    [
        ("postfix", "must be a list of checks"),
        (["postfix"], "entry 1 must be a dictionary"),
        ([{"type": "tcp", "target": "127.0.0.1:25"}], "name must be"),
        ([POSTFIX, POSTFIX], "[check postfix] this name is given twice"),
        ([{**POSTFIX, "type": "smpt"}], "[check postfix] type = smpt: must be one of"),
        ([{**POSTFIX, "type": "tcp", "target": "127.0.0.1"}], "[check postfix] target = 127.0.0.1: must be"),
        ([{**POSTFIX, "intervall": 2}], "did you mean interval?"),
        ([{**POSTFIX, "vips": "stmp"}], "[check postfix] vips = stmp: must be names from carp_vips: smtp, www"),
    ],
)
def test_a_mistake_is_one_line(checks: Any, words: str) -> None:
    told = problems(checks)
    assert len(told) == 1, told
    assert told[0].startswith("carp_checks: ") and words in told[0] and "\n" not in told[0]


def located(target: str, places: Places) -> tuple[list[dict[str, str]], list[str]]:
    told: list[str] = []
    return plan_checks([{**POSTFIX, "target": target}], ["smtp"], ["smtp"], told.append, places), told


def test_a_target_can_be_the_host_itself_or_each_of_the_others() -> None:
    places = Places("172.17.0.75", {"server2": "172.17.0.76"})
    assert located("{address}:25", places)[0] == [{**POSTFIX, "target": "172.17.0.75:25", "interval": "2"}]
    peer = {"target": "172.17.0.76:25", "peer": "172.17.0.76", "interval": "2"}
    assert located("{peer}:25", places)[0] == [{**POSTFIX, **peer}]
    more = Places("2001:db8::1", {"server2": "2001:db8::2", "server3": "2001:db8::3"})
    found = [(check["name"], check["target"], check["peer"]) for check in located("{peer}:25", more)[0]]
    assert found == [
        ("postfix-1", "[2001:db8::2]:25", "2001:db8::2"),
        ("postfix-2", "[2001:db8::3]:25", "2001:db8::3"),
    ]


@pytest.mark.parametrize("target", ["{address}:25", "{peer}:25"])
def test_an_address_that_is_not_known_is_a_mistake(target: str) -> None:
    found, told = located(target, Places("", {"server2": ""}))
    assert found == []
    assert len(told) == 1 and "needs one address in the network of the virtual IPs" in told[0]
