# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of hosts, in the form in which Ansible gathers them."""

from __future__ import annotations

from typing import Any

import pytest


def _entry(text: str) -> dict[str, str]:
    address, _slash, prefix = text.partition("/")
    if ":" in address:
        return {"address": address, "prefix": prefix, "scope": "link" if address.startswith("fe80") else "global"}
    return {"address": address, "prefix": prefix, "netmask": "", "network": "", "broadcast": ""}


def make_facts(**interfaces: list[str]) -> dict[str, Any]:
    """Return a host's facts; an interface has its addresses in the order in which the kernel tells them."""
    found: dict[str, Any] = {
        "python_version": "3.11.2",
        "service_mgr": "systemd",
        "interfaces": ["lo"],
        "lo": {"device": "lo", "ipv4": _entry("127.0.0.1/8")},
    }
    for name, addresses in interfaces.items():
        about: dict[str, Any] = {"device": name}
        old, new = ([_entry(each) for each in addresses if (":" in each) is is_new] for is_new in (False, True))
        if old:
            about["ipv4"] = old[0]
        if old[1:]:
            about["ipv4_secondaries"] = old[1:]
        if new:
            about["ipv6"] = new
        found["interfaces"].append(name)
        found[name] = about
    return found


@pytest.fixture
def facts() -> Any:
    """Return the function that makes facts."""
    return make_facts
