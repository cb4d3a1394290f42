# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each network manager that is at work gets what keeps it off, and no other does; all of it can be taken back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.failover.carp.plugins.module_utils._files import Owner
from ansible_collections.failover.carp.plugins.module_utils.hostnet import managers
from ansible_collections.failover.carp.plugins.module_utils.hostnet.files import Ledger

NETWORK = {
    # What networkctl calls the file by which it manages eth0: Debian's own way, and netplan's, as Ubuntu has it.
    "debian": "/etc/systemd/network/lan.network",
    "ubuntu": "/run/systemd/network/10-netplan-eth0.network",
}


class Machine:
    """A host that answers commands."""

    def __init__(self, root: Path, *active: str, network: str = "") -> None:
        self.root, self.active, self.network = root, active, network
        self.told: list[str] = []

    def run(self, command: list[str]) -> tuple[int, str, str]:
        text = " ".join(command)
        if command[:2] == ["systemctl", "is-active"]:
            return (0 if command[-1].partition(".")[0] in self.active else 3), "", ""
        if "status" in command:
            file = self.network or "n/a"
            return 0, f"* 2: eth0\n                     Link File: n/a\n                  Network File: {file}\n", ""
        self.told.append(text)
        return 0, "", ""

    def ledger(self, check: bool = False) -> Ledger:
        return Ledger(check, Owner(os.geteuid(), os.getegid()), str(self.root))

    def keep_off(self, check: bool = False) -> tuple[Ledger, list[str]]:
        ledger = self.ledger(check)
        return ledger, managers.keep_off(self.run, ledger, ["eth0"])

    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file())


@pytest.mark.parametrize("kind", NETWORK)
def test_networkd_keeps_the_address_whoever_wrote_the_network(tmp_path: Path, kind: str) -> None:
    machine = Machine(tmp_path, "systemd-networkd", network=NETWORK[kind])
    ledger, left = machine.keep_off()
    name = os.path.basename(NETWORK[kind])
    drop_in = tmp_path / "etc/systemd/network" / f"{name}.d" / "failover-carp.conf"
    assert drop_in.read_text().endswith("[Network]\nKeepConfiguration=yes\n")
    assert "Unmanaged=yes" in (tmp_path / "etc/systemd/network/00-failover-carp.network").read_text()
    assert (ledger.changed, left, machine.told) == (True, [], ["networkctl reload"])
    assert not machine.keep_off()[0].changed
    assert machine.told == ["networkctl reload"]
    managers.let_go(machine.run, machine.ledger())
    assert machine.files() == []
    assert not drop_in.parent.exists()


def test_check_mode_says_the_same_and_writes_nothing(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "systemd-networkd", "NetworkManager", network=NETWORK["debian"])
    foretold = machine.keep_off(check=True)[0]
    assert (machine.files(), machine.told) == ([], [])
    assert foretold.diff == machine.keep_off()[0].diff
    assert len(foretold.diff) == 3


@pytest.mark.parametrize("setting", ["DHCP=yes", "dhcp = ipv4", "DHCP=both"])
def test_a_lease_that_ends_must_end(tmp_path: Path, setting: str) -> None:
    network = tmp_path / NETWORK["debian"].lstrip("/")
    network.parent.mkdir(parents=True)
    network.write_text(f"[Match]\nName=eth0\n[Network]\n{setting}\n")
    machine = Machine(tmp_path, "systemd-networkd", network=NETWORK["debian"])
    _ledger, left = machine.keep_off()
    assert left == ["eth0: /etc/systemd/network/lan.network asks for an address by DHCP, and was left as it is"]
    assert not list(tmp_path.rglob("*.d"))


def test_what_one_manager_needed_goes_with_it(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "systemd-networkd", network=NETWORK["ubuntu"])
    machine.keep_off()
    machine.active = ("NetworkManager",)
    assert machine.keep_off()[0].changed
    assert machine.files() == ["etc/NetworkManager/conf.d/failover-carp.conf"]
    assert machine.told[-1] == "nmcli general reload conf"


def test_where_none_is_at_work_nothing_is_written(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    assert not machine.keep_off()[0].changed
    assert machine.files() == machine.told == []
