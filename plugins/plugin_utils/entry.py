# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One entry of carp_vips, seen from one host: what it leaves out is found, what is wrong with it is told."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from ..module_utils.carpd import config
from ..module_utils.carpd.options import PROFILES, VIP_OPTIONS
from . import networks, passwords
from .acquaintance import known_peers
from .hosts import ADVSKEW_MAX, Host, Order, repeated
from .text import listed, nearest

WHERE = "carp_vips"
# What an entry may say beside the options of a [vip] section.
OWN_KEYS = ("name", "hosts")

# What peers may say instead of addresses.
FROM_INVENTORY = "inventory"

# Stand in for an option that something was said about already, so that all others are still checked.
PLACEHOLDERS: dict[str, object] = {"interface": "wrong", "addresses": "192.0.2.1/24", "vhid": 1, "advskew": 1}


class Entry:
    """An entry with a name. Each mistake is a line given to ``tell``."""

    def __init__(
        self, entry: Mapping[str, Any], host: str, order: Order, hosts: Mapping[str, Host], tell: Callable[[str], None]
    ) -> None:
        self.name = str(entry["name"])
        self._entry = {str(key): value for key, value in entry.items()}
        self._host = host
        self._order = order
        self._hosts = hosts
        self._tell = tell
        self._faulty: set[str] = set()
        self._options: dict[str, object] = {}
        self._members = self._find_members()

    def check(
        self, secrets: Mapping[str, Any], accepted: Mapping[str, Any], running: Collection[str] | None
    ) -> config.Vip | None:
        """Look at everything; return what the daemon makes of it if it concerns this host and is sound enough.

        ``running`` are the hosts that run carpd, or will in a moment; None if they shall not know each other.
        """
        self._check_keys()
        wrong = passwords.fault(self._entry, secrets)
        if wrong is not None:
            self._problem("password", wrong)
        wrong = passwords.accepted_fault(self._entry, accepted)
        if wrong is not None:
            self._problem("accept_password", wrong)
        if self._host not in self._members:
            return None
        known = {key: value for key, value in self._entry.items() if key in VIP_OPTIONS and value is not None}
        for option in ("password", "accept_password"):
            known.pop(option, None)
        self._options = known
        self._find_place()
        self._find_peers()
        self._find_known_peers(running)
        self._find_vhid()
        self._find_advskew()
        self._options.update({key: value for key, value in PLACEHOLDERS.items() if key in self._faulty})
        # The password was looked at above, by whatever way it comes to the host.
        elsewhere = {} if "password_credential" in self._options else {"password_file": "given"}
        vip, problems = config.parse_vip(self.name, {**elsewhere, **self._options}, WHERE, None)
        for problem in problems:
            self._tell(str(problem))
        return None if self._faulty & PLACEHOLDERS.keys() else vip

    def options(self) -> dict[str, Any]:
        """Return the entry as module vip takes it, complete but for the password."""
        return {"name": self.name, **self._options}

    def _find_members(self) -> list[str]:
        given = self._entry.get("hosts")
        if given is None:
            return list(dict.fromkeys(self._order.hosts))
        return [str(host) for host in given] if isinstance(given, (list, tuple)) else [str(given)]

    def _check_keys(self) -> None:
        known = [*OWN_KEYS, *VIP_OPTIONS]
        for key in self._entry:
            if key not in known:
                self._problem("", f"there is no option {key}; {nearest(key, known)}")
        for host in self._members:
            if host not in self._order.hosts:
                self._problem("hosts", f"hosts has {host}, which is not in carp_hosts ({listed(self._order.hosts)})")
        for host in repeated(tuple(self._members)):
            self._problem("hosts", f"hosts has {host} twice: a host has one place in the order")

    def _find_place(self) -> None:
        """Find the interface, and the prefix lengths that are not given, from the host's own networks."""
        texts = address_texts(self._options.get("addresses"))
        virtual = [address for address in map(networks.bare, texts) if address is not None]
        interface = None if self._options.get("interface") is None else str(self._options["interface"])
        if not texts or len(virtual) < len(texts):
            # The parser says better than we could what is wrong with them; without addresses there is no interface.
            self._options.setdefault("interface", PLACEHOLDERS["interface"])
            return
        for address in virtual:
            self._check_foreign(address)
        if interface is not None and "source" in self._options and all("/" in text for text in texts):
            # Whoever states all three means it, even where the address is in no network of the host.
            self._options["addresses"] = texts
            return
        own = self._hosts.get(self._host, Host()).own_addresses
        complete: list[str] = []
        for text, address in zip(texts, virtual):
            places = networks.locate(address, own, interface)
            if not places:
                self._outside(address, own, interface)
                continue
            if len(places) > 1:
                where = f"{address} is in the networks of {listed(places)} on {self._host}"
                self._problem("interface", f"{where}: say which by interface")
            interface = places[0].interface
            complete.append(text if "/" in text else f"{text}/{places[0].prefix}")
        self._options["interface"] = interface or PLACEHOLDERS["interface"]
        self._options["addresses"] = complete

    def _find_peers(self) -> None:
        """Find the other hosts' own addresses in the networks of the virtual ones, if the inventory shall tell."""
        if self._options.get("peers") not in (FROM_INVENTORY, [FROM_INVENTORY]):
            return
        texts = [address for address in map(networks.bare, address_texts(self._options.get("addresses"))) if address]
        # One of each IP version that the virtual host speaks.
        wanted = list({":" in address: address for address in reversed(texts)}.values())
        found: list[str] = []
        for name in self._members:
            if name == self._host:
                continue
            own = self._hosts.get(name, Host()).own_addresses
            for address in wanted:
                places = networks.locate(address, own)
                if len(places) == 1:
                    found.append(places[0].address)
                else:
                    has = f"it has {listed(places)}" if places else "none is known"
                    self._problem(
                        "peers",
                        f"peers = {FROM_INVENTORY}: {name} needs one address in the network of {address}, and {has};"
                        " gather its facts, or list the peers",
                    )
        self._options["peers"] = found

    def _find_known_peers(self, running: Collection[str] | None) -> None:
        """Let the hosts know each other, if all of them run carpd: one that still runs ucarp would not be believed."""
        if running is None or "known_peers" in self._options or not set(self._members) <= set(running):
            return
        addresses = [
            address for address in map(networks.bare, address_texts(self._options.get("addresses"))) if address
        ]
        others = [self._hosts.get(name, Host()) for name in self._members if name != self._host]
        self._options["known_peers"] = known_peers(self._options, addresses, others)

    def _outside(self, address: str, own: list[networks.HostAddress], interface: str | None) -> None:
        here = [known for known in own if interface in (None, known.interface) and known.like(address)]
        on = "" if interface is None else f" on {interface}"
        has = listed(f"{known} (network {known.network()})" for known in here) if here else "none"
        self._problem(
            "addresses",
            f"addresses = {address}: must be in the network of an address that {self._host} has{on}, and it has {has}; "
            "where an address outside of them is meant, give interface, prefix length and source",
        )

    def _check_foreign(self, address: str) -> None:
        """Find a host that has the address by itself: on a network there is one owner, and that is the master."""
        for name in self._order.hosts:
            for known in self._hosts.get(name, Host()).own_addresses:
                if known.address == address and known.main:
                    rule = f"an address that no host has of its own, and it is the one of {name} on {known.interface}"
                    self._problem("addresses", f"addresses = {address}: must be {rule}")
                elif known.address == address:
                    self._problem(
                        "addresses",
                        f"addresses = {address}: must be left to carpd, and something else put it on {known.interface} "
                        f"of {name}: take it out of that host's network configuration, or stop what holds it there "
                        f"(ucarp, keepalived), and run 'ip address del {address}/{known.prefix} dev {known.interface}'",
                    )

    def _find_vhid(self) -> None:
        addresses = [networks.bare(text) for text in address_texts(self._options.get("addresses"))]
        if self._options.get("vhid") is None and "addresses" not in self._faulty and addresses and addresses[0]:
            self._options["vhid"] = networks.last_octet(addresses[0])
        # Where there is no address to take it from, the address is what is wrong.
        self._options.setdefault("vhid", PLACEHOLDERS["vhid"])

    def _find_advskew(self) -> None:
        given = self._options.get("advskew")
        if isinstance(given, Mapping):
            self._check_advskews(given)
            self._options["advskew"] = given.get(self._host, PLACEHOLDERS["advskew"])
        elif given is None:
            # With advbase 0 the interval is the advskew alone, and must not be nothing.
            fast = str(self._options.get("advbase", self._profile("advbase"))) == "0"
            steps = self._order.steps(fast=fast)
            advskew = self._options["advskew"] = (self._members.index(self._host) + fast) * steps
            if advskew > ADVSKEW_MAX:
                self._problem(
                    "advskew",
                    f"advskew would be {advskew} on {self._host}, by its place in the order and carp_advskew_step = "
                    f"{steps}, and it must be {ADVSKEW_MAX} at most: lower carp_advskew_step",
                )
            elif not steps:
                self._faulty.add("advskew")

    def _profile(self, option: str) -> str | None:
        """Return what the entry's profile says about an option, if it does."""
        return PROFILES.get(str(self._options.get("profile")), {}).get(option)

    def _check_advskews(self, given: Mapping[str, object]) -> None:
        for host in self._members:
            if host not in given:
                self._problem(
                    "advskew", f"advskew has no value for {host}: give one for each of {listed(self._members)}"
                )
        for host in given:
            if host not in self._members:
                self._problem("advskew", f"advskew has a value for {host}, which is not one of {listed(self._members)}")
        by_value: dict[str, list[str]] = {}
        for host, value in given.items():
            by_value.setdefault(str(value), []).append(str(host))
        for value, equals in by_value.items():
            if len(equals) > 1 and value.isdigit():
                self._problem("advskew", equal_preference(int(value), equals))

    def _problem(self, option: str, text: str) -> None:
        self._faulty.add(option)
        self._tell(line(self.name, text))


def address_texts(value: object) -> list[str]:
    """Return the addresses of an entry, given as a list or as one text."""
    parts = value if isinstance(value, (list, tuple)) else re.split(r"[,\s]+", str(value or ""))
    return [str(part).strip() for part in parts if str(part).strip()]


def equal_preference(advskew: int, hosts: Iterable[str]) -> str:
    """Say that no host is preferred."""
    rule = "must be different on each host, since the lowest is preferred"
    return f"advskew = {advskew}: {rule}, and {listed(hosts)} have the same"


def line(vip_name: str, text: str) -> str:
    """Return a message in the form that the daemon uses for its own."""
    return f"{WHERE}: [vip {vip_name}] {text}"
