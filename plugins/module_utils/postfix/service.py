# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The running Postfix: whether it may be restarted, and making it follow a change."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Sequence

from . import changes
from .staging import Run

POLICIES = ("always", "never", "never_on_vip")


class Unit:
    """The systemd unit that runs Postfix."""

    def __init__(self, name: str, run: Run) -> None:
        self.name = name
        self._run = run

    def is_active(self) -> bool:
        """Tell whether Postfix runs."""
        return self._run(["systemctl", "is-active", "--quiet", self.name], "")[0] == 0

    def follow(self, action: str) -> str:
        """Reload or restart Postfix, and return what went wrong, or nothing."""
        status, _output, errors = self._run(["systemctl", action, self.name], "")
        return "" if status == 0 else errors.strip() or f"systemctl ended with status {status}"


def refusal(need: changes.Need, policy: str, vips: Sequence[str], unit: Unit, run: Run) -> str:
    """Return why Postfix may not be restarted now, or nothing if it may or need not."""
    if need.action != changes.RESTART or policy == "always":
        return ""
    held = [] if policy == "never" else held_addresses(vips, run)
    if policy == "never_on_vip" and not held:
        return ""
    reason = f"this host holds {', '.join(held)}" if held else "restart_policy is never"
    way_out = "Move the address to another host and run this again" if held else "Run this again with another policy"
    return (
        f"a change of {', '.join(need.restart_for)} needs a restart of {unit.name}, which cuts all sessions, "
        f"and {reason}. Nothing was changed. {way_out}."
    )


def held_addresses(addresses: Sequence[str], run: Run) -> list[str]:
    """Return those of the addresses that this host has now."""
    status, output, errors = run(["ip", "-json", "address", "show"], "")
    if status != 0:
        raise OSError(f"cannot tell which addresses this host has: {errors.strip()}")
    own = {
        ipaddress.ip_address(info["local"])
        for link in json.loads(output)
        for info in link.get("addr_info", [])
        if "local" in info
    }
    return [address for address in addresses if ipaddress.ip_address(address) in own]
