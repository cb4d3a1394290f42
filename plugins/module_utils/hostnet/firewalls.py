# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets IP protocol 112 pass the firewalls that are at work on a host, also after they have read their rules anew."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from .files import Ledger, Run

MARK = "failover.carp"
_RULE = f'meta l4proto 112 accept comment "{MARK}"'
NFT_FILE = "/etc/nftables-failover-carp.nft"
_NFT_UNIT = "/etc/systemd/system/nftables.service.d/failover-carp.conf"
_NFT_SERVICE = f"""\
# Ansible managed: an accepting table of our own would not do, since any chain may drop what another one lets pass.
[Service]
ExecStartPost=-/usr/sbin/nft -f {NFT_FILE}
ExecReload=-/usr/sbin/nft -f {NFT_FILE}
"""
_UFW_CONF = "/etc/ufw/ufw.conf"
_UFW = {"/etc/ufw/before.rules": "ufw-before", "/etc/ufw/before6.rules": "ufw6-before"}
_UFW_PLACE = "# End required lines\n"
_UFW_BLOCK = re.compile(rf"# BEGIN {re.escape(MARK)}\n.*?# END {re.escape(MARK)}\n", re.DOTALL)
_FIREWALLD_NAME = "failover-carp"
_FIREWALLD = f"/etc/firewalld/services/{_FIREWALLD_NAME}.xml"
_FIREWALLD_SERVICE = """\
<?xml version="1.0" encoding="utf-8"?>
<service>
  <short>CARP</short>
  <description>Advertisements of failover.carp</description>
  <protocol value="112"/>
</service>
"""


class Chain(NamedTuple):
    """A chain of nftables that packets pass: where it is, its policy, and its rules."""

    family: str
    table: str
    name: str
    hook: str
    policy: str
    rules: tuple[str, ...]

    @property
    def opened(self) -> bool:
        """Whether our rule is in it."""
        return any(MARK in rule for rule in self.rules)


def chains(ruleset: str) -> list[Chain]:
    """Return the base chains of a ruleset, as ``nft list ruleset`` tells them."""
    found: list[Chain] = []
    family = table = name = hook = policy = ""
    rules: list[str] = []
    for line in ruleset.splitlines():
        words = line.split()
        if words[:1] == ["table"]:
            family, table = words[1:3]
        elif words[:1] == ["chain"]:
            name, hook, policy, rules = words[1], "", "accept", []
        elif "hook" in words:
            hook = words[words.index("hook") + 1]
            policy = "drop" if "policy drop" in line else "accept"
        elif words == ["}"] and name:
            if hook:
                found.append(Chain(family, table, name, hook, policy, tuple(rules)))
            name = ""
        elif name and words:
            rules.append(line.strip())
    return found


def open_all(run: Run, ledger: Ledger, interfaces: Iterable[str]) -> list[str]:
    """Open the firewalls that are at work, and return their names."""
    works = []
    ufw = bool(re.search(r"(?m)^ENABLED=yes", ledger.read(_UFW_CONF) or ""))
    firewalld = run(["systemctl", "is-active", "--quiet", "firewalld.service"])[0] == 0
    if ufw:
        works.append("ufw")
    _ufw(run, ledger, ufw)
    if firewalld:
        works.append("firewalld")
        _firewalld(run, ledger, interfaces)
    # Those two have tables of their own, which they fill anew.
    others = [
        chain
        for chain in chains(run(["nft", "list", "ruleset"])[1])
        if chain.policy == "drop"
        and chain.hook in ("input", "output", "ingress", "egress")
        and not (firewalld and chain.table == "firewalld")
        and not (ufw and (chain.family, chain.table) in (("ip", "filter"), ("ip6", "filter")))
    ]
    if others:
        works.append("nftables")
        _nftables(run, ledger, others)
    else:
        _forget_nftables(run, ledger, [])
    return works


def close_all(run: Run, ledger: Ledger) -> None:
    """Take back what was opened."""
    _ufw(run, ledger, False)
    if ledger.read(_FIREWALLD) is not None:
        zones = run(["firewall-cmd", "--permanent", "--get-zones"])[1].split()
        ledger.drop(_FIREWALLD)
        if not ledger.check:
            for zone in zones:
                run(["firewall-cmd", "--permanent", f"--zone={zone}", f"--remove-service={_FIREWALLD_NAME}"])
            run(["firewall-cmd", "--reload"])
    _forget_nftables(run, ledger, chains(run(["nft", "list", "ruleset"])[1]))


def _nftables(run: Run, ledger: Ledger, closed: list[Chain]) -> None:
    text = "".join(f"insert rule {each.family} {each.table} {each.name} {_RULE}\n" for each in closed)
    written = [ledger.put(path, made) for path, made in ((NFT_FILE, text), (_NFT_UNIT, _NFT_SERVICE))]
    if written[1] and not ledger.check:
        run(["systemctl", "daemon-reload"])
    for each in closed:
        if not each.opened:
            place = [each.family, each.table, each.name]
            ledger.record("nftables " + " ".join(place), "", _RULE + "\n")
            if not ledger.check:
                run(["nft", "insert", "rule", *place, *_RULE.replace('"', "").split()[:-1], f'"{MARK}"'])


def _forget_nftables(run: Run, ledger: Ledger, there: list[Chain]) -> None:
    gone = [ledger.drop(path) for path in (NFT_FILE, _NFT_UNIT)]
    if ledger.check:
        return
    if gone[1]:
        run(["systemctl", "daemon-reload"])
    for chain in there:
        if chain.opened:
            place = [chain.family, chain.table, chain.name]
            listed = run(["nft", "--handle", "list", "chain", *place])[1]
            for handle in re.findall(rf"{re.escape(MARK)}.*# handle (\d+)", listed):
                run(["nft", "delete", "rule", *place, "handle", handle])


def _ufw(run: Run, ledger: Ledger, wanted: bool) -> None:
    changed = False
    for path, prefix in _UFW.items():
        text = ledger.read(path)
        if text is None:
            continue
        new = _UFW_BLOCK.sub("", text)
        if wanted:
            rules = "".join(f"-A {prefix}-{way} -p 112 -j ACCEPT\n" for way in ("input", "output"))
            new = new.replace(_UFW_PLACE, f"{_UFW_PLACE}# BEGIN {MARK}\n{rules}# END {MARK}\n", 1)
        changed = ledger.put(path, new) or changed
    if changed and not ledger.check:
        run(["ufw", "reload"])


def _firewalld(run: Run, ledger: Ledger, interfaces: Iterable[str]) -> None:
    new = ledger.put(_FIREWALLD, _FIREWALLD_SERVICE)
    if new and not ledger.check:
        # Without that it does not know the service.
        run(["firewall-cmd", "--reload"])
    opened = False
    for interface in interfaces:
        code, zone, _err = run(["firewall-cmd", f"--get-zone-of-interface={interface}"])
        if code != 0 or not zone.strip() or " " in zone.strip():
            zone = run(["firewall-cmd", "--get-default-zone"])[1]
        place = ["firewall-cmd", "--permanent", f"--zone={zone.strip()}"]
        if run([*place, f"--query-service={_FIREWALLD_NAME}"])[0] == 0 and not (new and ledger.check):
            continue
        opened = True
        ledger.record(f"firewalld zone {zone.strip()}", "", f"service {_FIREWALLD_NAME}\n")
        if not ledger.check:
            run([*place, f"--add-service={_FIREWALLD_NAME}"])
    if opened and not ledger.check:
        run(["firewall-cmd", "--reload"])
