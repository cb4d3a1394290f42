# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's machines, as containers of Podman, and their cables."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass

INTERFACE = "eth0"


class LabError(Exception):
    """Something about the lab itself is not as it should be."""


@dataclass(frozen=True)
class Machine:
    """One container. Its cable is the pair of interfaces between it and the lab's bridge."""

    name: str
    container: str

    def command(self, *words: str) -> list[str]:
        """What to run here in order to run ``words`` in there, with its input connected."""
        return ["podman", "exec", "--interactive", self.container, *words]

    def run(self, *words: str) -> str:
        """Run a command in the machine and return what it printed."""
        done = subprocess.run(
            self.command(*words), check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise LabError(f"{self.name}: {' '.join(words)}: {done.stderr.strip() or f'exit code {done.returncode}'}")
        return done.stdout

    def unplug(self) -> None:
        """Pull the cable: the machine's interface loses its carrier and keeps all its settings."""
        self._cable("down")

    def plug(self) -> None:
        """Put the cable back."""
        self._cable("up")

    def _cable(self, state: str) -> None:
        # The far end, at the bridge. The machine itself has no say in whether it is up, as with a switch.
        index = int(self.run("cat", f"/sys/class/net/{INTERFACE}/iflink"))
        shown = subprocess.run(["ip", "-json", "link", "show"], check=True, capture_output=True, text=True)
        for link in json.loads(shown.stdout):
            if link["ifindex"] == index:
                subprocess.run(["ip", "link", "set", "dev", link["ifname"], state], check=True)
                return
        raise LabError(f"{self.name}: the far end of {INTERFACE} (index {index}) is not on this machine")
