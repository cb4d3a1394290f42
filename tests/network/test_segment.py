# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look at the network tells who is there, and what passes between two hosts that look at the same time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from lab import INTERFACE, Keepalived, KeepalivedOptions, Lab, Ucarp, UcarpOptions, with_prefix

LIBRARY = Path(__file__).parents[2] / "plugins" / "module_utils"
SECONDS = 3.5  # longer than the interval of everybody who speaks
LOOK = """\
import json, sys
sys.path.insert(0, sys.argv[1])
from segment import listening
found = listening.listen(*json.loads(sys.argv[2]))
heard = [[*entry[:4], count] for entry, count in found.heard.items()]
answers = {address: sorted(macs) for address, macs in found.answers.items()}
print(json.dumps({"heard": heard, "answers": answers, "failures": found.failures}))
"""


def look(lab: Lab, address: str) -> dict[str, dict[str, Any]]:
    """Let both hosts look at the same time."""
    running = {}
    for host, other in (("a", "b"), ("b", "a")):
        arguments = json.dumps([INTERFACE, SECONDS, [address], lab.source(host), [lab.source(other)]])
        command = lab.hosts[host].argv([sys.executable, "-c", LOOK, str(LIBRARY), arguments])
        running[host] = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    return {host: json.loads(process.communicate(timeout=60)[0]) for host, process in running.items()}


def trials(found: dict[str, Any]) -> dict[int, set[str]]:
    paths: dict[int, set[str]] = {}
    for protocol, number, source, _detail, _count in found["heard"]:
        if protocol == "trial":
            paths.setdefault(number, set()).add(source)
    return paths


def test_who_is_there_and_what_passes(lab: Lab) -> None:
    ucarp, vrrp, held = lab.address(0), lab.address(1), lab.address(2)
    lab.client.ip("address", "add", with_prefix(held), "dev", INTERFACE)
    speakers = [
        Ucarp(lab, "a", ucarp, UcarpOptions(vhid=7, advskew=9)),
        Keepalived(lab, "b", vrrp, KeepalivedOptions(master=True, priority=150, vrid=51)),
    ]
    for speaker in speakers:
        speaker.start()
    lab.wait_owner(ucarp, "a")
    lab.wait_owner(vrrp, "b")
    found = look(lab, held)
    for speaker in speakers:
        speaker.stop()
    lab.client.ip("address", "del", with_prefix(held), "dev", INTERFACE)
    heard = {host: {tuple(entry[:4]) for entry in each["heard"]} for host, each in found.items()}
    assert ("vrrp", 51, lab.source("b"), "version 2, priority 150") in heard["a"]
    assert ("carp", 7, lab.source("a"), "advbase 1, advskew 9") in heard["b"]
    assert trials(found["a"]) == {path: {lab.source("b")} for path in range(3)}
    assert trials(found["b"]) == {path: {lab.source("a")} for path in range(3)}
    for each in found.values():
        assert each["answers"] == {held: [lab.client.mac(INTERFACE)]}
        assert each["failures"] == {}


@pytest.mark.parametrize(
    ("rule", "stopped"),
    [
        ("add rule inet carp in ip protocol 112 drop", set()),
        ("add rule inet carp out ip protocol 112 drop", {2}),
        ("add rule netdev carp wire ip protocol 112 drop", {0, 1, 2}),
    ],
)
def test_a_firewall_stops_what_it_is_said_to_stop(lab: Lab, rule: str, stopped: set[int]) -> None:
    """Packet sockets are before its input and behind its output; only a device's own chain is before them, too."""
    host = lab.hosts["a"]
    setup = [
        "add table inet carp",
        "add chain inet carp in { type filter hook input priority 0; }",
        "add chain inet carp out { type filter hook output priority 0; }",
        "add table netdev carp",
        f'add chain netdev carp wire {{ type filter hook egress device "{INTERFACE}" priority 0; }}',
        rule,
    ]
    subprocess.run(host.argv(["nft", "-f", "-"]), input="\n".join(setup), text=True, check=True)
    try:
        found = look(lab, lab.address(3))
    finally:
        subprocess.run(host.argv(["nft", "flush", "ruleset"]), check=True)
    assert set(trials(found["b"])) == {0, 1, 2} - stopped
    assert set(trials(found["a"])) == {0, 1, 2}
    assert ("unicast" in found["a"]["failures"]) == (2 in stopped and "inet" in rule)
