# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drill is planned, its clocks are compared, and it is judged and drawn, on made-up hosts."""

from __future__ import annotations

import copy
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jinja2
import pytest
from ansible_collections.failover.carp.plugins.plugin_utils.drill_clock import HostClock
from ansible_collections.failover.carp.plugins.plugin_utils.drill_picture import pictures
from ansible_collections.failover.carp.plugins.plugin_utils.drill_plan import TITLES, Wish, make
from ansible_collections.failover.carp.plugins.plugin_utils.drill_record import Seen, judge, seconds
from ansible_collections.failover.carp.plugins.plugin_utils.drill_spans import Span, longest, overlaps, spans, without

TEMPLATE = Path(__file__).parents[4] / "playbooks" / "templates" / "drill.html.j2"
# server2's clock is that much ahead of the prober's.
AHEAD = 5000.0


def vip(advskew: int, state: str, **more: Any) -> dict[str, Any]:
    return {
        "name": "smtp",
        "interface": "eth0",
        "addresses": ["192.0.2.74/24"],
        "advskew": advskew,
        "state": state,
        "reason": "so it is",
        "checks": [],
        "election": {"patience": 3 + advskew / 256, "preempt": True, "stable_for": 0},
        **more,
    }


FOUND = {"server1": [vip(0, "MASTER")], "server2": [vip(20, "BACKUP")]}
OWN = {"server1": ["192.0.2.1", "192.0.2.74"], "server2": ["192.0.2.74", "192.0.2.2"]}


def test_a_drill_has_all_faults_that_can_be_and_the_times_of_the_daemon() -> None:
    plan = make(FOUND, OWN, Wish())
    assert plan.problems == []
    assert [each.kind for each in plan.faults] == [kind for kind in TITLES if kind != "service"]
    assert (plan.preferred, plan.address, plan.returns) == ("server1", "192.0.2.74", True)
    assert plan.own == {"server1": "192.0.2.1", "server2": "192.0.2.2"}
    bounds = {each.kind: each.outage for each in plan.faults}
    assert bounds == {"power": 3.578, "daemon": 0.5, "hang": 3.578, "link": 3.578, "switchover": 0}
    assert all(each.seconds > each.outage for each in plan.faults)


@pytest.mark.parametrize(
    ("wish", "found", "part"),
    [
        (Wish(faults=["flood"]), FOUND, "flood: there is no such fault"),
        (Wish(faults=["service"]), FOUND, "say what to stop"),
        (Wish(faults=["service"], service=True), FOUND, "no check looks at it on server1"),
        (Wish(vip="www"), FOUND, "there is no virtual IP www"),
        (Wish(prober="server2"), FOUND, "server2 can hold the address itself"),
        (Wish(), {"server1": FOUND["server1"]}, "only server1 was found"),
        (Wish(), {**FOUND, "server1": [vip(0, "BACKUP")]}, "does not hold it"),
        (Wish(), {}, "no virtual IP"),
    ],
)
def test_what_is_in_the_way_is_said(wish: Wish, found: Any, part: str) -> None:
    assert part in " ".join(make(found, OWN, wish).problems)


def test_a_host_without_an_address_of_its_own_cannot_be_compared() -> None:
    assert "server2 has no IPv4 address" in " ".join(make(FOUND, {"server1": ["192.0.2.1"]}, Wish()).problems)


def test_clocks_are_compared_by_the_quickest_sample_that_is_near() -> None:
    asked = [
        {"host": "a", "number": 1, "sent": 10.0, "received": 10.2},
        {"host": "a", "number": 2, "sent": 11.0, "received": 11.002},
        {"host": "b", "number": 3, "sent": 11.0, "received": 11.0},
    ]
    clock = HostClock.compared("a", asked, [[1, 110.1], [2, 111.001], [9, 200.0]])
    assert clock.offset == pytest.approx(100)
    moment = clock.read(113.001)
    assert moment is not None
    assert moment.at == pytest.approx(13.001)
    assert moment.error == pytest.approx(0.001 + 0.0005 * 2)
    assert HostClock([]).read(1.0) is None


def test_spans() -> None:
    assert spans([(1, True), (2, True), (3, False), (5, True)], 9) == [Span(1, 3), Span(5, 9)]
    assert without([Span(0, 10)], [Span(2, 3), Span(9, 12)]) == [Span(0, 2), Span(3, 9)]
    assert overlaps({"a": [Span(0, 5)], "b": [Span(4, 9)]}) == [Span(4, 5)]
    assert longest([Span(0, 3), Span(5, 6)], Span(2, 9)) == 3
    assert longest([Span(0, 3)], Span(3, 9)) == 0


def good() -> dict[str, Any]:
    """What is seen of one power loss as it should be: from 105 to 109, taken over at 108, back at 110.5."""
    plan = make(FOUND, OWN, Wish(faults=["power"]))
    events = {
        "server1": [(99, "address", True), (99, "link", True), (105.1, "address", False), (110.5, "address", True)],
        "server2": [(99, "address", False), (99, "link", True), (108, "address", True), (110.51, "address", False)],
    }
    ahead = {"server1": 0.0, "server2": AHEAD}
    asked = [
        {"host": host, "number": index * 100 + at, "sent": float(at), "received": at + 0.002}
        for index, host in enumerate(events)
        for at in range(100, 120)
    ]
    return {
        "plan": {**vars(plan), "faults": [vars(each) for each in plan.faults]},
        "probe": {
            "start": 100.0,
            "end": 120.0,
            "sent": 20000,
            "answered": 17000,
            "repeated": 0,
            "interval": 0.001,
            "lost": [{"start": 105.0, "end": 108.0, "count": 3000}],
            "stalls": [],
            "clocks": asked,
            "now": {"monotonic": 121.0, "real": 1790000021.0},
        },
        "watches": {
            host: {
                "events": [{"at": at + ahead[host], "what": what, "is": value} for at, what, value in events[host]],
                "clocks": [
                    [each["number"], each["sent"] + 0.001 + ahead[host]] for each in asked if each["host"] == host
                ],
            }
            for host in events
        },
        "faults": [
            {
                "kind": "power",
                "host": "server1",
                "result": {"words": "dark", "began": 105.0, "broken": 105.0, "mending": 109.0, "mended": 109.1},
            }
        ],
    }


def broken_promises(seen: dict[str, Any]) -> str:
    return " | ".join(judge(Seen(**seen))["broken"])


def test_a_drill_in_which_all_is_well() -> None:
    record = judge(Seen(**good()))
    assert record["broken"] == [] and record["kept"]
    assert all(line.startswith("kept: ") for line in record["said"])
    (fault,) = record["faults"]
    assert (fault["began"], fault["gained_at"], fault["lost"]) == (5.0, 8.0, 3000)
    assert fault["outage"] == pytest.approx(3.0)
    assert fault["overlap"] == pytest.approx(0.01)
    assert fault["back"] == pytest.approx(1.5)
    assert record["wall"] == 1790000000.0
    assert record["owners"]["server2"]["clock_offset"] == pytest.approx(AHEAD)


def with_change(change: str) -> dict[str, Any]:
    """Return what is seen if one thing is not as it should be."""
    seen = copy.deepcopy(good())
    events = {host: watch["events"] for host, watch in seen["watches"].items()}
    if change == "late":
        seen["probe"]["lost"][0]["end"] = 108.7
    elif change == "nobody":
        events["server2"][2:] = []
    elif change == "two":
        events["server2"][-1]["at"] += 2
    elif change == "not back":
        events["server1"][3:] = []
    elif change == "gap on return":
        seen["probe"]["lost"].append({"start": 110.5, "end": 112.0, "count": 1500})
    elif change == "deaf":
        seen["watches"]["server2"]["clocks"] = []
    elif change == "refused":
        seen["faults"][0]["result"] = {"msg": "there is no nft"}
    elif change == "ill":
        seen["health"] = ["server1: no daemon runs here"]
    elif change == "broke off":
        seen["trouble"] = "server1: a task failed"
    elif change == "mail":
        done = [{"number": 1, "at": 101.0, "tries": 1}]
        seen["service"] = {"mails": True, "begun": 2, "done": done, "failures": []}
        seen["arrivals"] = {"server1": {"queued": [], "delivered": []}}
    return seen


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ("late", "answers again within 3.578 s: 3.70 s"),
        ("nobody", "no other host took it"),
        ("two", "never two reachable owners"),
        ("not back", "has it again"),
        ("gap on return", "on the way back: 1.50 s"),
        ("deaf", "server2 answered no ping"),
        ("refused", "there is no nft"),
        ("ill", "no daemon runs here"),
        ("broke off", "comes to its end: server1: a task failed"),
        ("mail", "every mail is accepted: 1 of 2"),
        ("mail", "1 missing: 1"),
        ("mail", "the service is reached again within 5.078 s: 19.00 s"),
    ],
)
def test_each_broken_promise_is_named(change: str, part: str) -> None:
    assert part in broken_promises(with_change(change))


def test_a_planned_move_may_lose_nothing() -> None:
    seen = good()
    plan = make(FOUND, OWN, Wish(faults=["switchover"]))
    seen["plan"]["faults"] = [vars(each) for each in plan.faults]
    seen["faults"][0]["kind"] = "switchover"
    seen["probe"]["lost"] = []
    assert "no probe is lost" not in broken_promises(seen)
    seen["probe"]["lost"] = [{"start": 109.0, "end": 109.002, "count": 1}]
    assert "no probe is lost, neither on the way there nor back: 1 lost" in broken_promises(seen)


def test_where_nothing_comes_back_by_itself_that_is_no_promise() -> None:
    seen = with_change("not back")
    seen["plan"]["returns"] = False
    assert broken_promises(seen) == ""


@pytest.mark.parametrize("change", ["", "mail", "refused", "nobody"])
def test_pictures_are_well_formed_and_show_each_loss(change: str) -> None:
    seen = with_change(change)
    seen["plan"]["interfaces"] = {"<&>": "eth0"}
    drawn = pictures(judge(Seen(**seen)))
    root = ElementTree.fromstring(drawn["whole"])
    lost = [each for each in root.iter("{http://www.w3.org/2000/svg}rect") if each.get("class") == "lost"]
    assert len(lost) == 1 and float(lost[0].get("width", 0)) > 50
    assert (drawn["faults"][0] == "") == (change == "refused")
    assert [each["at"] for each in drawn["changes"]] == sorted(each["at"] for each in drawn["changes"])


@pytest.mark.parametrize("change", ["", "mail", "refused", "nobody"])
def test_there_is_a_report_of_whatever_was_seen(change: str) -> None:
    seen = with_change(change)
    seen["plan"]["interfaces"] = {"<&>": "eth0"}
    record = judge(Seen(**seen))
    about = ("name", "address", "interface", "system", "kernel", "python", "carpd", "configuration", "rank")
    whole = {
        **record,
        "run": "0123456789abcdef",
        "prober": "client",
        "group": "carp",
        "controller": {"ansible_core": "2.19"},
        "hosts": [{**dict.fromkeys(about, "<&>"), "name": host} for host in record["owners"]],
    }
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    environment.filters["failover.carp.drill_pictures"] = pictures
    environment.filters["strftime"] = lambda form, at: time.strftime(form, time.gmtime(at))
    page = environment.from_string(TEMPLATE.read_text()).render(carp_drill_whole=whole, carp_drill_name="drill")
    assert ("PASSED" in page, "FAILED" in page) == (record["kept"], not record["kept"])
    assert "<&>" not in page
    assert ("mail accepted" in page) == (record["service"] is not None)


@pytest.mark.parametrize(("value", "words"), [(None, "never"), (0.0004, "0.40 ms"), (0.05, "50 ms"), (2.5, "2.50 s")])
def test_durations_are_for_people(value: float | None, words: str) -> None:
    assert seconds(value) == words
