# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's keepalived as a peer to compare with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .daemon import Daemon
from .process import Process
from .segment import INTERFACE, Lab, with_prefix

CONFIG = """\
global_defs {{
    router_id {host}
    vrrp_version {version}
{more}}}
vrrp_instance lab {{
    state {state}
    interface {interface}
    virtual_router_id {vrid}
    priority {priority}
    advert_int {interval:g}
    virtual_ipaddress {{
{addresses}    }}
}}
"""


@dataclass(frozen=True)
class KeepalivedOptions:
    """What differs between two hosts or two settings."""

    master: bool
    priority: int
    interval: float = 1.0
    version: int = 2
    vrid: int = 1
    realtime: int = 0
    """Its priority, if it shall have one from the beginning."""


class Keepalived(Daemon):
    """One keepalived, VRRP part only, on one host, with the state its documentation gives to a host of that rank."""

    def __init__(self, lab: Lab, host: str, address: str, options: KeepalivedOptions, *more: str) -> None:
        super().__init__(lab, host)
        realtime = (
            f"    vrrp_rt_priority {options.realtime}\n    vrrp_rlimit_rttime 1000000\n" if options.realtime else ""
        )
        self.config = self.directory / "keepalived.conf"
        self.config.write_text(
            CONFIG.format(
                host=host,
                version=options.version,
                state="MASTER" if options.master else "BACKUP",
                interface=INTERFACE,
                vrid=options.vrid,
                priority=options.priority,
                interval=options.interval,
                more=realtime,
                addresses="".join(f"        {with_prefix(one)} dev {INTERFACE}\n" for one in (address, *more)),
            )
        )

    def _launch(self) -> Process:
        argv = ["keepalived", "--dont-fork", "--log-console", "--no-syslog", "--log-detail", "--vrrp"]
        argv += [f"--use-file={self.config}", f"--pid={self.directory / 'pid'}"]
        return self.lab.spawn(self.host, [*argv, f"--vrrp_pid={self.worker_file}"])

    @property
    def worker_file(self) -> Path:
        """Where the process that speaks VRRP has its id; the main process only minds that one."""
        return self.directory / "vrrp.pid"

    @property
    def worker(self) -> int:
        return int(self.worker_file.read_text())
