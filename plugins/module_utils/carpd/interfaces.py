# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture of this host's interfaces and addresses, kept up to date from the kernel's notices."""

from __future__ import annotations

from collections.abc import Collection

from .config import Vip
from .netlink import AddressGone, AddressThere, Link, LinkGone, Requests
from .options import Interface
from .packet import Address


class Obstacle(Exception):
    """Why a virtual host cannot work on its interface for now."""


class Interfaces:
    """Interfaces by name, and the addresses on them."""

    def __init__(self) -> None:
        self._links: dict[int, Link] = {}
        self._addresses: dict[int, dict[Interface, AddressThere]] = {}

    def load(self, requests: Requests) -> None:
        """Look at everything anew."""
        self._links = {link.ifindex: link for link in requests.links()}
        self._addresses = {}
        for address in requests.addresses():
            self.note(address)

    def note(self, notice: Link | LinkGone | AddressThere | AddressGone) -> bool:
        """Take in one notice, and return whether it may be news: a renewed lease is none."""
        if isinstance(notice, Link):
            self._links[notice.ifindex] = notice
        elif isinstance(notice, LinkGone):
            self._links.pop(notice.ifindex, None)
            self._addresses.pop(notice.ifindex, None)
        elif isinstance(notice, AddressThere):
            present = self._addresses.setdefault(notice.ifindex, {})
            if present.get(notice.address) == notice:
                return False
            present[notice.address] = notice
        else:
            self._addresses.get(notice.ifindex, {}).pop(notice.address, None)
        return True

    def is_routine(self, notice: object, virtual: Collection[Address]) -> bool:
        """Tell whether a notice says no more than that one of our addresses is there, on a lease as it should be.

        To be asked before it is noted. When a host takes over hundreds of addresses, nothing else must follow from it.
        """
        if not isinstance(notice, AddressThere) or not notice.leased or notice.address.ip not in virtual:
            return False
        before = self._addresses.get(notice.ifindex, {}).get(notice.address)
        return before is None or before.leased

    def usable(self, vip: Vip, virtual: Collection[Address], holds: bool) -> tuple[Link, dict[int, Address]]:
        """Return the interface of a virtual host and, by IP version, the addresses that its advertisements come from.

        ``virtual`` are all virtual addresses of this host: none of them is an address of its own. ``holds`` tells that
        the virtual host has its addresses now; else one that has no lease is somebody else's doing.
        Raises Obstacle, with what is missing.
        """
        link = self.find(vip.interface)
        if link is None:
            raise Obstacle(f"there is no interface {vip.interface}")
        if not link.running:
            raise Obstacle(f"{link.name} is down or has no carrier")
        present = self._addresses.get(link.ifindex, {}).values()
        vip_ips = [address.ip for address in vip.addresses]
        for there in present:
            if not holds and not there.leased and there.address.ip in vip_ips:
                raise Obstacle(f"{there.address} is configured on {link.name} for good: remove it there, it is carpd's")
        own = [there.address for there in present if there.address.ip not in virtual]
        return link, {version: _source(version, vip, link, own) for version in vip.versions}

    def find(self, name: str) -> Link | None:
        """Return the interface of this name, if there is one."""
        return next((link for link in self._links.values() if link.name == name), None)

    def is_ours(self, mac: bytes) -> bool:
        """Tell whether an interface of this host that is up has this MAC."""
        return any(link.running and link.mac == mac for link in self._links.values())

    def left_over(self, vip: Vip, link: Link) -> list[AddressThere]:
        """Return those of the virtual host's addresses that a dead daemon left on the interface."""
        vip_ips = [address.ip for address in vip.addresses]
        return [there for there in self._addresses.get(link.ifindex, {}).values() if there.address.ip in vip_ips]


def _source(version: int, vip: Vip, link: Link, own: list[Interface]) -> Address:
    if version == 6:
        return _source_6(vip, link, [address for address in own if address.version == 6])
    own = [address for address in own if address.version == 4]
    if vip.source is not None:
        if vip.source not in [address.ip for address in own]:
            raise Obstacle(f"{link.name} does not have the source address {vip.source}")
        return vip.source
    first = next(address.ip for address in vip.addresses if address.version == 4)
    near = [address for address in own if first in address.network]
    for address in near or own:
        return address.ip
    raise Obstacle(f"{link.name} has no IPv4 address of its own")


def _source_6(vip: Vip, link: Link, own: list[Interface]) -> Address:
    """Prefer the link-local address, as all others do; a peer elsewhere could not answer that."""
    if all(peer.is_link_local for peer in vip.peers if peer.version == 6):
        for address in own:
            if address.is_link_local:
                return address.ip
        raise Obstacle(f"{link.name} has no link-local IPv6 address")
    own = [address for address in own if not address.is_link_local]
    near = [address for address in own if any(peer in address.network for peer in vip.peers)]
    for address in near or own:
        return address.ip
    raise Obstacle(f"{link.name} has no IPv6 address of its own but a link-local one, as peers ask for")
