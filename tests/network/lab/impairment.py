# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bad segment does to frames between two of its hosts, by nftables in the bridge's namespace.

Not tc-netem(8): not every kernel has it.
"""

from __future__ import annotations

import time

from .namespaces import run
from .segment import Lab

TABLE = "netdev impairment"
CARP = "ip protocol 112"
MULTICAST = "ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00 ether type ip"


class Impairment:
    """Of one lab. Everything is whole again after ``mend``."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._count = 0

    def drop(self, sender: str, receiver: str, match: str = "", percent: int = 100) -> None:
        """Lose frames of one host on their way to another: all, or such as match, or at random so many of a hundred."""
        chance = f"numgen random mod 100 < {percent}" if percent < 100 else ""
        self._add("egress", receiver, f"ether saddr {self._lab.mac(sender)} {match} {chance} drop")
        self._lab.recorder.note(time.monotonic(), sender, f"to {receiver}: {percent} % lost {match}")

    def duplicate(self, sender: str, receiver: str) -> None:
        """Let each frame of one host arrive twice at another."""
        self._add("ingress", sender, f"dup to {receiver}")

    def mend(self) -> None:
        """Let everything pass again."""
        if self._count:
            self._nft(f"delete table {TABLE}")
            self._count = 0

    def _add(self, hook: str, port: str, rule: str) -> None:
        self._count += 1
        chain = f"chain{self._count}"
        self._nft(
            f"add table {TABLE}\n"
            f"add chain {TABLE} {chain} {{ type filter hook {hook} device {port} priority 0; }}\n"
            f"add rule {TABLE} {chain} {rule}\n"
        )

    def _nft(self, script: str) -> None:
        run(self._lab.bridge.argv(["nft", script]))
