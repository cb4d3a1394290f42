# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a group of hosts does what was planned: exactly one master for each virtual IP."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_interface
from typing import Any

from .text import listed

Vips = Iterable[Mapping[str, Any]]


@dataclass(frozen=True)
class Answer:
    """What a host's daemon said about its virtual IPs, or, with ``fault``, why it said nothing."""

    vips: tuple[Mapping[str, Any], ...] = ()
    fault: str = ""


def find_unsettled(plans: Mapping[str, Vips], answers: Mapping[str, Answer], everyone: Iterable[str]) -> list[str]:
    """Return what is not yet, or not at all, as planned; nothing if all is well.

    ``plans`` and ``answers`` are those of the hosts that were asked, ``everyone`` are all hosts. Of those that were not
    asked, one may hold an address as long as it is heard.
    """
    problems: list[str] = []
    states: dict[str, dict[str, Mapping[str, Any]]] = {}
    for host, plan in plans.items():
        answer = answers.get(host, Answer(fault="nobody asked its daemon"))
        if answer.fault:
            problems.append(f"{host}: {answer.fault}")
        actual = {vip["name"]: vip for vip in answer.vips}
        for vip in plan:
            name = vip["name"]
            if name in actual:
                problems.extend(f"{host}: [vip {name}] {text}" for text in _differences(vip, actual[name]))
                states.setdefault(name, {})[host] = actual[name]
            elif not answer.fault:
                problems.append(f"{host}: [vip {name}] is configured, and its daemon does not run it")
        for name in actual.keys() - {vip["name"] for vip in plan}:
            problems.append(f"{host}: [vip {name}] is not configured, and its daemon runs it still")
    all_asked = set(everyone) <= set(plans)
    for name, by_host in states.items():
        problems.extend(f"[vip {name}] {text}" for text in _owners(by_host, all_asked))
    return problems


def _differences(planned: Mapping[str, Any], actual: Mapping[str, Any]) -> list[str]:
    texts = [
        f"runs with {option} {actual[option]}, and {planned[option]} is configured"
        for option in ("interface", "vhid", "advbase", "advskew")
        if option in planned and str(planned[option]) != str(actual[option])
    ]
    if {ip_interface(each) for each in planned["addresses"]} != {ip_interface(each) for each in actual["addresses"]}:
        runs, configured = listed(actual["addresses"]), listed(planned["addresses"])
        texts.append(f"runs with addresses {runs}, and {configured} is configured")
    return texts


def _owners(by_host: Mapping[str, Mapping[str, Any]], all_asked: bool) -> list[str]:
    masters = [host for host, vip in by_host.items() if vip["state"] == "MASTER"]
    idle = [(host, vip["reason"]) for host, vip in by_host.items() if vip["state"] == "INIT"]
    texts = [f"{host} is not ready to take it over: {reason}" for host, reason in idle]
    if len(masters) > 1:
        texts.append(
            f"{listed(masters)} hold it at once, so they do not hear each other: IP protocol 112 to 224.0.0.18 must "
            "pass between them, and both need the same password"
        )
    elif not masters and (all_asked or not any(vip["master"] for vip in by_host.values())):
        each = "; ".join(f"{host} is {vip['state']}: {vip['reason']}" for host, vip in by_host.items())
        texts.append(f"no host holds it ({each})")
    return texts
