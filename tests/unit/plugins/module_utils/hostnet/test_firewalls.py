# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each firewall that is at work is opened, once, and closed again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.failover.carp.plugins.module_utils._files import Owner
from ansible_collections.failover.carp.plugins.module_utils.hostnet import firewalls
from ansible_collections.failover.carp.plugins.module_utils.hostnet.files import Ledger

CLOSED = """\
table inet site {
\tset known {
\t\ttype ipv4_addr
\t}

\tchain incoming {
\t\ttype filter hook input priority filter; policy drop;
\t\ticmp type echo-request accept
\t}

\tchain outgoing {
\t\ttype filter hook output priority filter; policy accept;
\t}

\tchain helper {
\t\taccept
\t}
}
"""
RULE = 'meta l4proto 112 accept comment "failover.carp"'
RULES = "# rules.before\n# End required lines\n\n# don't delete the 'COMMIT' line\nCOMMIT\n"


class Machine:
    """A host that answers commands."""

    def __init__(self, root: Path, ruleset: str = "", firewalld: bool = False) -> None:
        self.root, self.ruleset, self.firewalld = root, ruleset, firewalld
        self.told: list[str] = []
        self.services: set[str] = set()

    def run(self, command: list[str]) -> tuple[int, str, str]:
        text = " ".join(command)
        if text.startswith("systemctl is-active"):
            return (0 if self.firewalld else 3), "", ""
        if text == "nft list ruleset":
            return 0, self.ruleset, ""
        if text.startswith("nft --handle list chain"):
            return 0, f"\t\t{RULE} # handle 7\n\t\taccept # handle 8\n", ""
        if "--get-" in text:
            return (
                0,
                {"--get-zones": "block public", "--get-default-zone": "public"}.get(command[-1], "no zone") + "\n",
                "",
            )
        if "--query-service" in text:
            return (0 if "failover-carp" in self.services else 1), "", ""
        self.told.append(text)
        if "--add-service" in text:
            self.services.add("failover-carp")
        if text.startswith("nft insert"):
            self.ruleset = self.ruleset.replace("policy drop;\n", f"policy drop;\n\t\t{RULE}\n")
        return 0, "", ""

    def ledger(self, check: bool = False) -> Ledger:
        return Ledger(check, Owner(os.geteuid(), os.getegid()), str(self.root))

    def open(self, check: bool = False) -> tuple[Ledger, list[str]]:
        ledger = self.ledger(check)
        return ledger, firewalls.open_all(self.run, ledger, ["eth0"])

    def files(self) -> dict[str, str]:
        found = [path for path in self.root.rglob("*") if path.is_file()]
        return {str(path.relative_to(self.root)): path.read_text() for path in found}


def with_ufw(machine: Machine) -> Machine:
    folder = machine.root / "etc/ufw"
    folder.mkdir(parents=True)
    (folder / "ufw.conf").write_text("ENABLED=yes\nLOGLEVEL=low\n")
    for name in ("before.rules", "before6.rules"):
        (folder / name).write_text(RULES)
    machine.ruleset = (
        "table ip filter {\n\tchain INPUT {\n\t\ttype filter hook input priority 0; policy drop;\n\t}\n}\n"
    )
    return machine


def test_chains_are_read() -> None:
    assert [each[:5] for each in firewalls.chains(CLOSED)] == [
        ("inet", "site", "incoming", "input", "drop"),
        ("inet", "site", "outgoing", "output", "accept"),
    ]


def test_a_chain_that_drops_is_opened_now_and_for_ever(tmp_path: Path) -> None:
    machine = Machine(tmp_path, CLOSED)
    assert machine.open()[1] == ["nftables"]
    assert machine.told == ["systemctl daemon-reload", f"nft insert rule inet site incoming {RULE}"]
    assert machine.files()["etc/nftables-failover-carp.nft"] == f"insert rule inet site incoming {RULE}\n"
    assert "ExecReload=-/usr/sbin/nft -f /etc/nftables-failover-carp.nft" in str(machine.files())
    assert not machine.open()[0].changed
    firewalls.close_all(machine.run, machine.ledger())
    assert machine.files() == {}
    assert machine.told[-1] == "nft delete rule inet site incoming handle 7"


def test_ufw_is_opened_in_its_own_files(tmp_path: Path) -> None:
    machine = with_ufw(Machine(tmp_path))
    assert machine.open()[1] == ["ufw"]
    assert "-A ufw6-before-output -p 112 -j ACCEPT" in machine.files()["etc/ufw/before6.rules"]
    assert machine.told == ["ufw reload"]
    assert not machine.open()[0].changed
    firewalls.close_all(machine.run, machine.ledger())
    assert machine.files()["etc/ufw/before.rules"] == RULES


def test_firewalld_gets_a_service(tmp_path: Path) -> None:
    machine = Machine(tmp_path, CLOSED.replace("site", "firewalld"), firewalld=True)
    assert machine.open()[1] == ["firewalld"]
    assert machine.told == [
        "firewall-cmd --reload",
        "firewall-cmd --permanent --zone=public --add-service=failover-carp",
        "firewall-cmd --reload",
    ]
    assert not machine.open()[0].changed
    firewalls.close_all(machine.run, machine.ledger())
    assert machine.files() == {}
    assert "firewall-cmd --permanent --zone=public --remove-service=failover-carp" in machine.told


@pytest.mark.parametrize("kind", ["nftables", "ufw", "firewalld"])
def test_check_mode_says_the_same_and_changes_nothing(tmp_path: Path, kind: str) -> None:
    machine = Machine(tmp_path, CLOSED if kind == "nftables" else "", firewalld=kind == "firewalld")
    if kind == "ufw":
        with_ufw(machine)
    before = machine.files()
    foretold = machine.open(check=True)[0]
    assert (machine.files(), machine.told) == (before, [])
    assert foretold.changed
    assert foretold.diff == machine.open()[0].diff


def test_where_none_is_at_work_nothing_is_changed(tmp_path: Path) -> None:
    machine = Machine(tmp_path, CLOSED.replace("policy drop", "policy accept"))
    assert machine.open()[1] == []
    assert machine.files() == {}
    assert machine.told == []
