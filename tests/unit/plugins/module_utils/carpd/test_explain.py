# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why this host is or is not the master: in every state, for every policy, with what would change it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd.explain import explain
from ansible_collections.failover.carp.plugins.module_utils.carpd.transitions import State

PEER: dict[str, Any] = {"source": "172.17.0.76", "advbase": 1, "advskew": 20, "demotion": 0, "age": 0.4, "mac": ""}


def status(state: State, election: dict[str, Any] | None = None, **changed: Any) -> dict[str, Any]:
    """Return the status of a virtual host that ranks 1+0/256 s and is well, but for what is changed."""
    shown = "MASTER" if state.holds else "BACKUP" if state is State.BACKUP else "INIT"
    known: dict[str, Any] = {"yielding": False, "claiming": False, "preempt": True, "stable_for": 0.0}
    known.update(sound_for=100.0, patience=3.0, silence_left=None, obstacle="", causes=[], state=state.value)
    return {
        "name": "smtp",
        "state": shown,
        "leaving": state.leaves,
        "draining": {"since": 1.0, "connections": 8, "left": 29.0} if state is State.DRAINING else None,
        "advbase": 1,
        "advskew": 0,
        "demotion": 0,
        "operator": "",
        "since": 12.5,
        "master": None,
        "reason": "eth1 is ready",
        "refused": {},
        "fault": "",
        "alarm": "",
        "rivals": [],
        "checks": [],
        **changed,
        "election": {**known, **(election or {})},
    }


@pytest.mark.parametrize("state", State)
def test_every_state_has_sentences(state: State) -> None:
    lines = explain(status(state))
    assert lines
    for line in lines:
        assert line[0].isupper() and line.endswith("."), line
        assert len(line) < 200 and "None" not in line


@pytest.mark.parametrize(
    ("state", "changed", "expected"),
    [
        (
            State.INIT,
            {"election": {"obstacle": "eth1 is down or has no carrier"}},
            [
                "This host takes no part: eth1 is down or has no carrier.",
                "It listens for a master, and counts as a backup, as soon as that has changed.",
            ],
        ),
        (
            State.FAULTY,
            {"fault": "check gw fails: no answer"},
            [
                "This host must not be the master, whoever else is: check gw fails: no answer.",
                "It becomes a backup as soon as that has changed. A check with a weight other than fault only demotes.",
            ],
        ),
        (
            State.LEAVING,
            {"reason": "demoted by root"},
            [
                "This host is handing over: demoted by root.",
                "It has said goodbye, and keeps the addresses until it hears another master, two seconds at most.",
                "If none takes over until then, it goes on as the master.",
            ],
        ),
        (
            State.MASTER,
            {"reason": "no advertisement for 3.000 s"},
            [
                "This host is the master, for 12.5 s: no advertisement for 3.000 s.",
                "It advertises 1+0/256 s; a host that advertises less may take over.",
                "To hand over on purpose: carpctl demote smtp.",
            ],
        ),
        (
            State.BACKUP,
            {"election": {"silence_left": 2.25}},
            [
                "This host is not the master, and hears none.",
                "It takes over after 3.000 s without an advertisement; of that, 2.250 s are left.",
            ],
        ),
        (
            State.BACKUP,
            {"advskew": 40, "master": PEER, "election": {"silence_left": -0.1, "patience": 3.156}},
            [
                "This host is not the master, since 172.17.0.76 is, and ranks better: its advskew is lower "
                "(20 against 40).",
                "It advertises 1+20/256 s; this host would advertise 1+40/256 s.",
                "It takes over after 3.156 s without an advertisement; of that, 0.000 s are left.",
                "To have it take over before, use carpctl demote smtp there, or make this host rank better.",
            ],
        ),
    ],
    ids=lambda given: given.value if isinstance(given, State) else "",
)
def test_in_full(state: State, changed: dict[str, Any], expected: list[str]) -> None:
    assert explain(status(state, **changed)) == expected


@pytest.mark.parametrize(
    ("theirs", "ours", "text"),
    [
        ({"demotion": 5}, {"demotion": 9}, "ranks better: it is demoted less (5 against 9)"),
        ({"advbase": 1}, {"advbase": 2}, "ranks better: its advbase is lower (1 against 2)"),
        ({"advskew": 3}, {"advskew": 4}, "ranks better: its advskew is lower (3 against 4)"),
        ({"advskew": 4}, {"advskew": 4}, "ranks alike, and whoever is the master stays it"),
        ({"advskew": 254}, {"demotion": 1}, "ranks better: it is demoted less (0 against 1)"),
        ({"demotion": 1, "advskew": 0}, {"demotion": 1, "advskew": 0}, "its advskew is lower (0 against 1)"),
    ],
)
def test_by_what_the_master_ranks_better(theirs: dict[str, int], ours: dict[str, int], text: str) -> None:
    assert text in explain(status(State.BACKUP, master={**PEER, **theirs}, **ours))[0]


@pytest.mark.parametrize(
    ("election", "text"),
    [
        ({}, "It takes over at the next advertisement of that master"),
        ({"claiming": True, "preempt": False}, "It was promoted, and takes over at the next advertisement"),
        ({"yielding": True}, "it waits until asked; carpctl promote smtp takes over at once."),
        ({"preempt": False}, "Its failback is never (preempt = no), so it waits until that master has gone"),
        ({"stable_for": 90.0, "sound_for": 20.0}, "it has to be sound for 1 min 10 s more"),
        ({"stable_for": 90.0, "sound_for": 91.0}, "It takes over at the next advertisement of that master"),
    ],
)
def test_why_a_better_host_waits(election: dict[str, Any], text: str) -> None:
    lines = explain(status(State.BACKUP, election, master=PEER))
    assert lines[0] == "This host is not the master, since 172.17.0.76 is, though this host ranks better."
    assert text in lines[2]


@pytest.mark.parametrize(
    ("operator", "end"),
    [
        ("demoted by root", "carpctl promote smtp ends that."),
        ("this host is in maintenance, as ordered by root", "carpctl maintenance off ends that."),
    ],
)
def test_what_demotes_this_host(operator: str, end: str) -> None:
    causes = {"causes": [operator, "check web fails: refused"]}
    lines = explain(status(State.MASTER, causes, demotion=255, operator=operator))
    assert lines[2:] == [
        "No healthier host has been heard, or it would have taken over.",
        "This host is demoted by 255: its advskew counts as 240 instead of 0, and a host that is demoted less ranks "
        "better whatever its advskew is.",
        f"It is demoted since: {operator}.",
        "It is demoted since: check web fails: refused.",
        end,
    ]


def test_checks_alarms_and_what_is_refused() -> None:
    check = {"name": "web", "state": "failing", "since": 61.0, "weight": 100, "detail": "refused"}
    fault = {**check, "name": "gw", "weight": "fault", "detail": ""}
    rival = {"address": "172.17.0.74", "mac": "02:00:00:00:00:09", "age": 1.0, "count": 3}
    lines = explain(
        status(
            State.MASTER,
            checks=[check, fault, {**check, "state": "good"}],
            alarm="172.17.0.77 is alive, but different: see what is refused",
            rivals=[rival],
            refused={"echo": 2, "digest": 7},
        )
    )
    assert lines[3:] == [
        "Check web fails for 1 min 1 s, which demotes by 100: refused.",
        "Check gw fails for 1 min 1 s, which forbids to be master.",
        "Alarm: 172.17.0.77 is alive, but different: see what is refused.",
        "Alarm: 02:00:00:00:00:09 claims to have 172.17.0.74, and is none of the hosts that are known.",
        "Advertisements not heeded by digest: 7.",
        "Advertisements not heeded by echo: 2.",
    ]
