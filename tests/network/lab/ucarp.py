# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's ucarp as a peer, with scripts that do what its packaged ones do through ifupdown."""

from __future__ import annotations

from dataclasses import dataclass

from .daemon import Daemon
from .process import Process
from .segment import INTERFACE, Lab, with_prefix

SCRIPT = "#!/bin/sh\nexec ip addr {verb} {address} dev {interface}\n"


@dataclass(frozen=True)
class UcarpOptions:
    """Its command line in our words."""

    vhid: int = 1
    password: str = "lab secret"
    advbase: int = 1
    advskew: int = 0
    preempt: bool = False
    broadcast: bool = False


class Ucarp(Daemon):
    """One ucarp on one host."""

    def __init__(self, lab: Lab, host: str, address: str, options: UcarpOptions) -> None:
        super().__init__(lab, host)
        self.options = options
        self._password = self.directory / "password"
        self._password.write_text(f"{options.password}\n")
        self._up = self._script("up", "add", address)
        self._down = self._script("down", "del", address)
        self.address = address

    def _script(self, name: str, verb: str, address: str) -> str:
        path = self.directory / name
        path.write_text(SCRIPT.format(verb=verb, address=with_prefix(address), interface=INTERFACE))
        path.chmod(0o755)
        return str(path)

    def _launch(self) -> Process:
        options = self.options
        argv = ["ucarp", f"--interface={INTERFACE}", f"--srcip={self.lab.source(self.host)}", f"--vhid={options.vhid}"]
        argv += [f"--passfile={self._password}", f"--addr={self.address}", f"--advbase={options.advbase}"]
        argv += [f"--advskew={options.advskew}", f"--upscript={self._up}", f"--downscript={self._down}"]
        argv += ["--shutdown", "--facility=none", *(["--preempt"] if options.preempt else [])]
        argv += ["--nomcast"] if options.broadcast else []
        return self.lab.spawn(self.host, argv)
