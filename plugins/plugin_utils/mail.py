# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the mail servers behind one address must know of each other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\Z")
_HOSTNAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})+\Z")
_HOSTNAME_RULE = "must be a host name with a domain, such as mail.example.com"


@dataclass(frozen=True)
class Node:
    """A mail server: what the inventory calls it, its own name and its own addresses, not the shared ones."""

    host: str
    hostname: str
    addresses: tuple[str, ...]

    def faults(self) -> Iterator[str]:
        """Tell what is wrong with it."""
        if not _HOSTNAME.match(self.hostname):
            yield f"{self.host}: postfix_node_hostname = {self.hostname}: {_HOSTNAME_RULE}"
        if not self.addresses:
            yield (
                f"{self.host}: postfix_node_addresses: nothing tells the addresses of {self.host}; set them, or "
                "run the play on all servers, so that their facts are known"
            )
        for address in self.addresses:
            if not is_address(address):
                yield f"{self.host}: postfix_node_addresses = {address}: must be an address without prefix length"


def find_node(host: str, variables: Mapping[str, Any], domain: str) -> Node:
    """Find out about a server, from the inventory alone if it says enough.

    What the inventory says comes before the facts: these are missing when the play leaves the server out, and the
    configuration of the others must not depend on that.
    """
    hostname = variables.get("postfix_node_hostname") or (host if "." in host else f"{host}.{domain}")
    given = variables.get("postfix_node_addresses") or []
    called = [str(variables.get("ansible_host") or ""), host]
    facts = variables.get("ansible_facts") or {}
    known = [(facts.get(family) or {}).get("address") for family in ("default_ipv4", "default_ipv6")]
    addresses = given or [name for name in called if is_address(name)][:1] or [name for name in known if name]
    return Node(host, str(hostname), tuple(str(address) for address in addresses))


def is_address(text: str) -> bool:
    """Tell whether this is an address, and nothing more."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def bracketed(network: str) -> str:
    """Return an address or network as Postfix has it: one of IPv6 is in brackets, anything else is left alone."""
    address, slash, prefix = network.partition("/")
    try:
        version = ip_network(network, strict=False).version
    except ValueError:
        return network
    return f"[{address}]{slash}{prefix}" if version == 6 else network


def node_faults(nodes: Sequence[Node], service_hostname: str, vips: Sequence[str]) -> Iterator[str]:
    """Tell what is wrong between the servers and with what they share."""
    if not _HOSTNAME.match(service_hostname):
        yield f"postfix_service_hostname = {service_hostname}: {_HOSTNAME_RULE}"
    if not vips:
        yield "postfix_vip_addresses: is empty; give the addresses that the servers share, or carp_vips"
    for address in vips:
        if not is_address(address):
            yield f"postfix_vip_addresses = {address}: must be an address without prefix length"
    for node in nodes:
        yield from node.faults()
        for address in sorted(set(node.addresses) & set(vips)):
            yield f"postfix_vip_addresses = {address}: is {node.host}'s own address; give one that moves"
        if node.hostname == service_hostname:
            # A server takes its own name for itself, and bounces what the other one, as that name, should get.
            yield f"{node.host}: postfix_node_hostname = {node.hostname}: is the name of the service, and needs another"
    by_name: dict[str, list[str]] = {}
    for node in nodes:
        by_name.setdefault(node.hostname.lower(), []).append(node.host)
    for name, hosts in by_name.items():
        if len(hosts) > 1:
            yield (
                f"postfix_node_hostname = {name}: is that of {', '.join(hosts)}; each needs its own, because mail "
                "between two servers of one name bounces"
            )


def host_faults(host: str, facts: Mapping[str, Any]) -> Iterator[str]:
    """Tell what the host lacks."""
    for fact, needed in (("pkg_mgr", "apt"), ("service_mgr", "systemd")):
        if facts.get(fact) != needed:
            yield f"{host}: needs {needed}, as Debian has it, and its facts say {fact} = {facts.get(fact)}"


def setting_faults(
    main: Mapping[str, Any], main_host: Mapping[str, Any], service_hostname: str, vips: Sequence[str]
) -> Iterator[str]:
    """Tell which settings of main.cf a server that shares its address cannot have."""
    for name, settings in (("postfix_main", main), ("postfix_main_host", main_host)):
        if "myhostname" in settings:
            yield f"{name}: myhostname = {settings['myhostname']}: is set by postfix_node_hostname"
        interfaces = settings.get("inet_interfaces", "")
        listed = [str(item) for item in interfaces] if isinstance(interfaces, (list, tuple)) else [str(interfaces)]
        words = {word.strip("[]") for item in listed for word in re.split(r"[,\s]+", item)}
        for word in sorted(words & {service_hostname, *vips}):
            yield (
                f"{name}: inet_interfaces = {word}: a server that does not hold this address now could not start; "
                "leave it at all"
            )


def domain_faults(domains: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Tell which domains Postfix could not place: each belongs to one class."""
    places: dict[str, list[str]] = {}
    for variable, names in domains.items():
        for name in names:
            places.setdefault(str(name).lower(), []).append(variable)
            if not _DOMAIN.match(str(name)):
                yield f"{variable} = {name}: must be a domain, such as example.com"
    for name, variables in places.items():
        if len(set(variables)) > 1:
            yield f"{' and '.join(variables)} = {name}: a domain must be in one of them only"
