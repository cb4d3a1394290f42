# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host's facts say about its addresses and networks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

try:
    import netaddr  # type: ignore[import-untyped]
except ImportError:
    netaddr = None

NETADDR_MISSING = (
    "the Python package netaddr is needed on the machine that runs Ansible, in the same Python as Ansible: "
    "pip install netaddr, or pipx inject ansible-core netaddr"
)


@dataclass(frozen=True)
class HostAddress:
    """An address of a host. ``main`` tells an interface's first IPv4 address from those added to it."""

    interface: str
    address: str
    prefix: int
    main: bool

    def __str__(self) -> str:
        return f"{self.interface} {self.address}/{self.prefix}"

    def network(self) -> str:
        """Return the network that the address is in, such as 172.17.0.0/20."""
        return network_of(f"{self.address}/{self.prefix}")

    def like(self, address: str) -> bool:
        """Tell whether another address is of the same version of the protocol."""
        return bool(netaddr.IPAddress(address).version == netaddr.IPAddress(self.address).version)

    def network_has(self, address: str) -> bool:
        """Tell whether another address is in the same network."""
        return netaddr.IPAddress(address) in netaddr.IPNetwork(f"{self.address}/{self.prefix}")


def host_addresses(facts: Mapping[str, Any]) -> list[HostAddress]:
    """Return a host's addresses, as Ansible's facts (without ``ansible_``) tell them.

    Left out are the loopback's and those that hold on one link only.
    """
    found: dict[tuple[str, str], HostAddress] = {}
    for name in facts.get("interfaces") or []:
        # Facts spell eth0:1 and br-lan as eth0_1 and br_lan.
        about = facts.get(str(name).replace("-", "_").replace(":", "_"))
        if not isinstance(about, Mapping):
            continue
        interface = str(about.get("device") or _device_of(str(name), facts))
        main = about.get("ipv4")
        entries = [(main, "device" in about)] if main else []
        entries += [(entry, False) for entry in about.get("ipv4_secondaries") or []]
        entries += [(entry, False) for entry in about.get("ipv6") or [] if entry.get("scope") == "global"]
        for entry, is_main in entries:
            address = str(entry["address"])
            if interface != "lo":
                host_address = HostAddress(interface, address, _prefix(entry), is_main)
                found.setdefault((interface, address), host_address)
    return list(found.values())


def link_local(facts: Mapping[str, Any], interface: str) -> list[str]:
    """Return the IPv6 addresses of an interface that hold on its link only."""
    about = facts.get(interface.replace("-", "_"))
    entries = about.get("ipv6") or [] if isinstance(about, Mapping) else []
    return [str(entry["address"]) for entry in entries if entry.get("scope") == "link"]


def locate(address: str, addresses: Iterable[HostAddress], interface: str | None = None) -> list[HostAddress]:
    """Return the host's address on each interface, or on the one given, whose network has the address.

    Where an interface has several such networks, the narrowest counts.
    """
    best: dict[str, HostAddress] = {}
    for candidate in addresses:
        if interface in (None, candidate.interface) and candidate.network_has(address):
            known = best.get(candidate.interface)
            if known is None or known.prefix < candidate.prefix:
                best[candidate.interface] = candidate
    return list(best.values())


def bare(address: str) -> str | None:
    """Return an IP address without its prefix length and in its usual form, or None if it is none."""
    try:
        return str(netaddr.IPAddress(address.partition("/")[0], flags=netaddr.INET_PTON))
    except (netaddr.AddrFormatError, ValueError):
        return None


def network_of(address: str) -> str:
    """Return the network of an address with its prefix length."""
    return str(netaddr.IPNetwork(address).cidr)


def last_octet(address: str) -> int:
    """Return the number behind the last dot of an address."""
    return int(netaddr.IPAddress(address).value) & 0xFF


def _device_of(alias: str, facts: Mapping[str, Any]) -> str:
    """Return the interface that an address's label such as eth0:1 or eth0_1 belongs to."""
    names = [str(name) for name in facts.get("interfaces") or []]
    owners = [name for name in names if name != alias and alias.startswith((name + ":", name + "_"))]
    return max(owners, key=len, default=alias)


def _prefix(entry: Mapping[str, Any]) -> int:
    if entry.get("prefix"):
        return int(entry["prefix"])
    return int(netaddr.IPNetwork(f"{entry['address']}/{entry['netmask']}").prefixlen)
