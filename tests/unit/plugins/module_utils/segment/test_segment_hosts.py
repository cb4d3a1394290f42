# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host is judged by what its own tools say of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.module_utils.segment import hosts


def ruleset(family: str, hook: str, policy: str, *rules: str) -> str:
    return "\n".join(
        [
            f"table {family} filter {{",
            "    chain one {",
            f"        type filter hook {hook} priority filter; policy {policy};",
            *(f"        {rule}" for rule in rules),
            "    }",
            "}",
        ]
    )


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("", 0),
        (ruleset("inet", "input", "drop"), 0),
        (ruleset("inet", "input", "accept", "ip protocol 112 drop"), 0),
        (ruleset("inet", "output", "accept", "ip protocol 112 drop"), 1),
        (ruleset("ip", "output", "accept", "meta l4proto { 50, 112 } counter reject"), 1),
        (ruleset("inet", "output", "drop"), 1),
        (ruleset("inet", "output", "drop", "ip protocol vrrp accept"), 0),
        (ruleset("inet", "output", "accept", "ip protocol 112 accept"), 0),
        (ruleset("inet", "output", "accept", "ip protocol 1120 drop"), 0),
        (ruleset("netdev", "ingress device eth1", "accept", "ip protocol carp drop"), 1),
    ],
)
def test_only_what_stops_packet_sockets_or_unicast_is_told(rules: str, said: int) -> None:
    assert len(hosts.firewall(rules)) == said


def test_what_is_stopped_depends_on_where() -> None:
    (out,) = hosts.firewall(ruleset("inet", "output", "accept", "ip protocol 112 drop"))
    (device,) = hosts.firewall(ruleset("netdev", "ingress device eth1", "accept", "ip protocol 112 drop"))
    assert "drops advertisements by unicast" in out
    assert "drops advertisements (" in device
    (unsure,) = hosts.firewall(ruleset("inet", "output", "drop"))
    assert "may drop" in unsure


@pytest.mark.parametrize(
    ("active", "answers", "said"),
    [
        ([], {}, []),
        (["systemd-networkd.service"], {"networkctl": "2 eth1 ether routable configured"}, ["systemd-networkd"]),
        (["systemd-networkd.service"], {"networkctl": "2 eth1 ether routable unmanaged"}, []),
        (["NetworkManager.service"], {"nmcli": "100 (connected)"}, ["NetworkManager"]),
        (["NetworkManager.service"], {"nmcli": "10 (unmanaged)"}, []),
        (["networking.service"], {"ifquery": "eth1=eth1"}, ["ifdown,"]),
        (["networking.service"], {}, []),
    ],
)
def test_network_managers_that_are_at_work_on_the_interface(
    active: list[str], answers: dict[str, str], said: list[str]
) -> None:
    def run(command: list[str]) -> tuple[int, str, str]:
        if command[0] == "systemctl":
            return (0 if command[-1] in active else 3), "", ""
        return (0, answers[command[0]], "") if command[0] in answers else (1, "", "")

    found = hosts.managers(run, "eth1")
    assert [text.split()[1] for text in found] == said
    assert all(text.startswith("eth1: ") for text in found)


class Clock:
    """Sleeps too long now and then."""

    def __init__(self, *late: float) -> None:
        self.now = 0.0
        self._late = list(late)

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds + (self._late.pop(0) if self._late else 0.0)


def test_late_wake_ups_are_measured() -> None:
    clock = Clock(0.0, 0.3, 0.001)
    late = hosts.wake_ups(1.0, clock.time, clock.sleep)
    assert [round(one, 6) for one in late[:4]] == [0.0, 0.3, 0.001, 0.0]
    assert len(late) > 100


def test_the_real_thing_ends_as_it_began() -> None:
    found = hosts.measured(0.05)
    assert found["samples"] >= 1
    assert 0 <= found["p99_ms"] <= found["worst_ms"]


@pytest.mark.parametrize(
    ("worst", "realtime", "profile"),
    [
        (0.0002, True, "fast"),
        (0.0002, False, "default"),
        (0.05, True, "default"),
        (0.4, True, "vm"),
        (0.4, False, "vm"),
    ],
)
def test_profiles(worst: float, realtime: bool, profile: str) -> None:
    assert hosts.profile_for(worst, realtime) == profile


@pytest.mark.parametrize(
    ("vip", "code", "said"),
    [
        ({"virtual_mac": True}, 1, ["macvlan"]),
        ({"virtual_mac": "yes", "drain": 5}, 1, ["macvlan", "nf_tables"]),
        ({"virtual_mac": True}, 0, []),
        ({"virtual_mac": True}, 127, []),
        ({"virtual_mac": False, "drain": 0}, 1, []),
    ],
)
def test_what_the_kernel_lacks_for_what_is_asked_for(
    tmp_path: Path, vip: dict[str, Any], code: int, said: list[str]
) -> None:
    (tmp_path / "lib/modules/6.1").mkdir(parents=True)
    told = hosts.lacks(lambda _command: (code, "", ""), [vip], "6.1", str(tmp_path))
    assert [text.split()[4].rstrip(",") for text in told] == said


def test_nothing_is_said_of_a_kernel_whose_files_are_not_there(tmp_path: Path) -> None:
    assert hosts.lacks(lambda _command: (1, "", ""), [{"virtual_mac": True}], "6.1", str(tmp_path)) == []


@pytest.mark.parametrize(
    ("built", "said"), [("# CONFIG_INET_DIAG_DESTROY is not set", 1), ("CONFIG_INET_DIAG_DESTROY=y", 0)]
)
def test_a_kernel_that_cannot_end_connections(tmp_path: Path, built: str, said: int) -> None:
    (tmp_path / "boot").mkdir()
    (tmp_path / "boot/config-6.1").write_text(f"CONFIG_INET=y\n{built}\n")
    assert len(hosts.lacks(lambda _command: (0, "", ""), [{"drain": 5}], "6.1", str(tmp_path))) == said
    assert hosts.lacks(lambda _command: (0, "", ""), [{}], "6.1", str(tmp_path)) == []
