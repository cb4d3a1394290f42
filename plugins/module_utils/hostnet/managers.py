# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps network managers from addresses that carpd holds.

Measured with systemd 252 and 257: only KeepConfiguration=yes lets an address stay that networkd did not set when an
interface is reconfigured (252 and 257), when networkd is restarted, or when the carrier is lost (257). Neither
KeepConfiguration=static nor ManageForeignRoutes=no does. NetworkManager (1.42, 1.52) has no such setting: it removes
the address when a connection is activated or reapplied, and not at a restart.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable

from .files import Ledger, Run

_NETWORKS = "/etc/systemd/network"
_DROP_IN = "failover-carp.conf"
# First of all files, since networkd takes the first that fits: some networks are for every interface.
_OWN_LINKS = f"{_NETWORKS}/00-failover-carp.network"
_OWN_DEVICES = "/etc/NetworkManager/conf.d/failover-carp.conf"
_HEAD = "# Ansible managed: keeps this service from what carpd does.\n"
_KEEP = _HEAD + "[Network]\nKeepConfiguration=yes\n"
_NOT_OURS = _HEAD + "[Match]\nName=carp*-*\nKind=macvlan\n\n[Link]\nUnmanaged=yes\n"
_NO_DEVICE = _HEAD + "[device-failover-carp]\nmatch-device=interface-name:carp*-*\nmanaged=0\n"
# With it, networkd would keep the address of a lease that has ended.
_DHCP = re.compile(r"(?mi)^\s*DHCP\s*=\s*(yes|true|1|on|both|ipv4)\s*$")


def keep_off(run: Run, ledger: Ledger, interfaces: Iterable[str]) -> list[str]:
    """Write what the managers at work need, remove what they do not need, and return what remains to be said."""
    said: list[str] = []
    wanted: dict[str, str] = {}
    networkd = _is_active(run, "systemd-networkd.service")
    if networkd:
        wanted[_OWN_LINKS] = _NOT_OURS
        for interface in interfaces:
            network = _network_file(run, interface)
            if not network:
                continue
            if _DHCP.search(ledger.read(network) or ""):
                said.append(f"{interface}: {network} asks for an address by DHCP, and was left as it is")
                continue
            wanted[f"{_NETWORKS}/{os.path.basename(network)}.d/{_DROP_IN}"] = _KEEP
    networkmanager = _is_active(run, "NetworkManager.service")
    if networkmanager:
        wanted[_OWN_DEVICES] = _NO_DEVICE
    changed = [path for path, text in wanted.items() if ledger.put(path, text)]
    changed += [path for path in _present(ledger) if path not in wanted and ledger.drop(path)]
    if not ledger.check:
        _tell(run, changed, networkd, networkmanager)
    return said


def let_go(run: Run, ledger: Ledger) -> None:
    """Remove all that was written."""
    changed = [path for path in _present(ledger) if ledger.drop(path)]
    if not ledger.check:
        _tell(run, changed, _is_active(run, "systemd-networkd.service"), _is_active(run, "NetworkManager.service"))


def _tell(run: Run, changed: list[str], networkd: bool, networkmanager: bool) -> None:
    if networkd and any(path.startswith(_NETWORKS) for path in changed):
        run(["networkctl", "reload"])
    if networkmanager and _OWN_DEVICES in changed:
        run(["nmcli", "general", "reload", "conf"])


def _present(ledger: Ledger) -> list[str]:
    drop_ins = glob.glob(f"{ledger.path(_NETWORKS)}/*.network.d/{_DROP_IN}")
    folders = [f"{_NETWORKS}/{os.path.basename(os.path.dirname(path))}/{_DROP_IN}" for path in sorted(drop_ins)]
    return [*folders, *(path for path in (_OWN_LINKS, _OWN_DEVICES) if ledger.read(path) is not None)]


def _is_active(run: Run, unit: str) -> bool:
    return run(["systemctl", "is-active", "--quiet", unit])[0] == 0


def _network_file(run: Run, interface: str) -> str:
    """Return the file by which networkd manages an interface, empty if it does not."""
    code, out, _err = run(["networkctl", "--no-pager", "--lines=0", "status", interface])
    found = re.search(r"(?m)^\s*Network File:\s*(/\S+\.network)", out)
    return found[1] if code == 0 and found else ""
