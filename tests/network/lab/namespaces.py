# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network namespaces of this run: made, entered, emptied and removed."""

from __future__ import annotations

import concurrent.futures
import contextlib
import ctypes
import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

CLONE_NEWNET = 0x40000000
NETNS_DIR = Path("/run/netns")
PREFIX = "cp"
"""Names are cp<process id>.<number>-<label>; the process id tells whose they are."""

T = TypeVar("T")
_libc = ctypes.CDLL(None, use_errno=True)


def run(argv: Sequence[str]) -> str:
    """Run a command that has to succeed and return what it printed."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}: {done.stderr.strip()}")
    return done.stdout


class Namespace:
    """A named network namespace."""

    def __init__(self, name: str, label: str) -> None:
        self.name = name
        self.label = label
        run(["ip", "netns", "add", name])
        self.ip("link", "set", "lo", "up")
        # Inherited from the machine it would make a former owner pass packets on, and hide their loss.
        self.sysctl("net.ipv4.ip_forward", "0")

    def pids(self) -> list[int]:
        """The processes inside."""
        return pids(self.name)

    def ip(self, *words: str) -> str:
        """Run ip(8) in the namespace."""
        return run(["ip", "-n", self.name, *words])

    def sysctl(self, key: str, value: str) -> None:
        """Set a network sysctl of the namespace."""
        self.inside(lambda: Path("/proc/sys", *key.split(".")).write_text(value))

    def addresses(self, interface: str) -> list[str]:
        """Its addresses but the link-local ones, with prefix length, as iproute2 sees them: an oracle of its own."""
        found: list[dict[str, Any]] = json.loads(self.ip("-j", "addr", "show", "dev", interface))
        infos = [info for link in found for info in link.get("addr_info", [])]
        return [f"{info['local']}/{info['prefixlen']}" for info in infos if info["scope"] != "link"]

    def mac(self, interface: str) -> str:
        """The hardware address of an interface."""
        found: list[dict[str, Any]] = json.loads(self.ip("-j", "link", "show", "dev", interface))
        return str(found[0]["address"])

    def argv(self, command: Sequence[str]) -> list[str]:
        """The command line that runs ``command`` inside; the process id stays that of the command."""
        return ["ip", "netns", "exec", self.name, *command]

    def socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A socket that lives in the namespace although the caller does not."""
        return self.inside(lambda: socket.socket(family, kind, protocol))

    def inside(self, action: Callable[[], T]) -> T:
        """Call ``action`` in a thread that has entered the namespace, which nothing else of the process does."""
        with concurrent.futures.ThreadPoolExecutor(max_workers=1, initializer=self._enter) as executor:
            return executor.submit(action).result()

    def _enter(self) -> None:
        with open(NETNS_DIR / self.name, "rb") as handle:
            if _libc.setns(handle.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"setns to {self.name}")

    def send_all(self, number: signal.Signals) -> None:
        """Signal every process inside, whatever session or group it is in."""
        signal_inside(self.name, number)

    def kill_all(self) -> None:
        """What a power cut does: all end together, so that none sees another's end."""
        kill_inside(self.name)

    def remove(self) -> None:
        """Kill what is inside and delete the namespace."""
        remove(self.name)


def pids(name: str) -> list[int]:
    """The processes in the namespace ``name``."""
    return [int(word) for word in run(["ip", "netns", "pids", name]).split()]


def signal_inside(name: str, number: signal.Signals) -> None:
    """Send a signal to every process in the namespace ``name``."""
    for pid in pids(name):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def kill_inside(name: str) -> None:
    """SIGKILL every process in the namespace ``name``, all stopped before the first is killed."""
    signal_inside(name, signal.SIGSTOP)
    signal_inside(name, signal.SIGKILL)


def remove(name: str) -> None:
    """Kill what is inside the namespace ``name`` and delete it."""
    if (NETNS_DIR / name).exists():
        kill_inside(name)
        run(["ip", "netns", "del", name])


def remove_stale() -> None:
    """Remove what a run left behind that was itself killed with SIGKILL."""
    if not NETNS_DIR.is_dir():
        return
    for path in NETNS_DIR.iterdir():
        match = re.fullmatch(rf"{PREFIX}(\d+)\.\d+-\w+", path.name)
        if match and not Path("/proc", match[1]).exists():
            remove(path.name)
