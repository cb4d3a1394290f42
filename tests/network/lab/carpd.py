# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""carpd from this checkout, run as its users run it: a config file, a runtime directory, signals, carpctl."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .daemon import Daemon
from .process import DEADLINE, Process
from .segment import INTERFACE, Lab, with_prefix

PACKAGE = Path(__file__).parents[3] / "plugins" / "module_utils"
ENVIRONMENT = {"PYTHONPATH": str(PACKAGE), "PYTHONDONTWRITEBYTECODE": "1"}


@dataclass(frozen=True)
class Vip:
    """A ``[vip NAME]`` section."""

    name: str
    addresses: tuple[str, ...]
    vhid: int = 1
    password: str | None = "lab secret"
    interface: str = INTERFACE
    options: dict[str, object] = field(default_factory=dict)

    def section(self) -> str:
        """The section as text, written without any help of carpd's."""
        lines = [f"[vip {self.name}]", f"interface = {self.interface}", f"vhid = {self.vhid}"]
        lines.append(f"addresses = {', '.join(map(with_prefix, self.addresses))}")
        if self.password is not None:
            lines.append(f"password = {self.password}")
        lines += [f"{key} = {value}" for key, value in self.options.items()]
        return "\n".join(lines) + "\n"


class Carpd(Daemon):
    """One carpd on one host of a lab."""

    def __init__(self, lab: Lab, host: str, vips: Sequence[Vip], priority: int | None = None) -> None:
        super().__init__(lab, host)
        self._priority = "" if priority is None else f"priority = {priority}\n"
        self.config = self.directory / "carpd.conf"
        self.runtime = self.directory / "run"
        self.socket = self.runtime / "control.sock"
        self.program = PACKAGE
        self.write(vips)

    def write(self, vips: Sequence[Vip]) -> None:
        """Write the config file; a running daemon sees it at its next reload."""
        self.write_text(f"[carpd]\nlog_level = info\n{self._priority}\n" + "\n".join(vip.section() for vip in vips))

    def write_text(self, text: str) -> None:
        """Write the config file as given."""
        self.config.write_text(text)
        self.config.chmod(0o600)

    def _launch(self) -> Process:
        """Start it; returns when it has said READY=1, as the service manager would."""
        notify = self.directory / "notify.sock"
        notify.unlink(missing_ok=True)
        ready = False
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.bind(str(notify))

            def readable(now: float) -> bool:
                nonlocal ready
                text = sock.recv(4096).decode()
                ready = ready or "READY=1" in text.splitlines()
                self.lab.recorder.note(now, self.host, f"notifies {' '.join(text.split())}")
                return True

            self.lab.recorder.add(sock, readable)
            try:
                argv = self.argv("run", "--config", str(self.config), "--runtime-dir", str(self.runtime))
                environment = {**ENVIRONMENT, "PYTHONPATH": str(self.program), "NOTIFY_SOCKET": str(notify)}
                process = self.lab.spawn(self.host, argv, environment)
                self.lab.wait(lambda: ready or not process.running, f"READY=1 of carpd on {self.host}")
            finally:
                self.lab.recorder.remove(sock)
        assert process.running, process.output
        return process

    @staticmethod
    def argv(*words: str) -> list[str]:
        """The command line of the daemon's own program."""
        return [sys.executable, "-m", "carpd.cli", *words]

    def cli(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run ``carpd WORDS --config FILE`` to its end, on this host."""
        return self._run(self.argv(*words, "--config", str(self.config)))

    def ctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run ``carpctl --socket SOCKET WORDS``."""
        return self._run([sys.executable, "-m", "carpd.ctl", "--socket", str(self.socket), *words])

    def _run(self, argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.lab.hosts[self.host].argv(argv),
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
            env={**os.environ, **ENVIRONMENT},
        )

    def all_status(self) -> list[dict[str, Any]]:
        """The status of all VIPs by ``carpctl status --json``."""
        done = self.ctl("status", "--json")
        assert done.returncode == 0, done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found

    def status(self, name: str | None = None) -> dict[str, Any]:
        """The status of one VIP, the first if not named."""
        return next(entry for entry in self.all_status() if name in (None, entry["name"]))

    def wait_state(self, state: str, name: str | None = None, timeout: float = DEADLINE) -> dict[str, Any]:
        """Ask until the VIP is in ``state``; for states that nothing on the wire tells of."""
        deadline = time.monotonic() + timeout
        while (status := self.status(name))["state"] != state:
            assert time.monotonic() < deadline, f"{self.host}: {status}, not {state}\n{self.lab.recorder.timeline()}"
        return status
