# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong between the plans of several hosts, each of which is right by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..module_utils.carpd.config import as_text
from ..module_utils.carpd.options import VIP_OPTIONS
from . import networks
from .entry import equal_preference, line
from .text import listed

Vips = Iterable[Mapping[str, Any]]


def find_conflicts(plans: Mapping[str, Vips]) -> list[str]:
    """Return every mistake in the plans, which are by host and as ``make_plan`` returns them."""
    pairs = [(host, vip) for host, vips in plans.items() for vip in vips]
    return [*_equal_preferences(pairs), *_differences(pairs), *_shared_vhids(pairs)]


def _equal_preferences(pairs: list[tuple[str, Mapping[str, Any]]]) -> Iterator[str]:
    hosts: dict[tuple[str, int, int], list[str]] = {}
    for host, vip in pairs:
        advbase = int(vip.get("advbase", VIP_OPTIONS["advbase"].default))
        hosts.setdefault((vip["name"], advbase, int(vip["advskew"])), []).append(host)
    for (name, _advbase, advskew), equals in hosts.items():
        if len(equals) > 1:
            yield line(name, equal_preference(advskew, equals))


def _differences(pairs: list[tuple[str, Mapping[str, Any]]]) -> Iterator[str]:
    """Find what goes into the digest and is not alike: each host would take the others for strangers."""
    values: dict[tuple[str, str], dict[str, list[str]]] = {}
    for host, vip in pairs:
        for option in ("vhid", "addresses"):
            values.setdefault((vip["name"], option), {}).setdefault(as_text(vip[option]), []).append(host)
    for (name, option), hosts in values.items():
        if len(hosts) > 1:
            each = "; ".join(f"{text} on {listed(where)}" for text, where in hosts.items())
            yield line(name, f"{option} must be the same on all hosts, and it is {each}")


def _shared_vhids(pairs: list[tuple[str, Mapping[str, Any]]]) -> Iterator[str]:
    """Find two virtual IPs with one number in one network; on one and the same host the plan has found them already."""
    users: dict[tuple[str, int], dict[str, set[str]]] = {}
    for host, vip in pairs:
        place = networks.network_of(vip["addresses"][0]), int(vip["vhid"])
        users.setdefault(place, {}).setdefault(vip["name"], set()).add(host)
    for (network, vhid), names in users.items():
        first, *others = names
        for other in others:
            if not names[first] & names[other]:
                rule = f"another number than that of [vip {first}] on {listed(sorted(names[first]))}"
                yield line(other, f"vhid = {vhid}: must be {rule}, since both are in the network {network}")
