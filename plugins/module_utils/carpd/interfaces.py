# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture of this host's interfaces and addresses, kept up to date from the kernel's notices."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from ipaddress import IPv4Network, IPv6Network

from .config import Vip
from .logs import log
from .netlink import AddressGone, AddressThere, Link, LinkGone, Requests
from .options import Interface
from .packet import Address
from .typed import Union

Network = Union[IPv4Network, IPv6Network]

# A network manager that sets an interface up anew takes its addresses away and puts them back: systemd-networkd 252
# within 16 ms, as measured. For so many seconds, by IP version, advertisements go on from an address that has gone, as
# they can: what is at stake is no more than with a host that falls silent, which peers bear for 3 s. A link-local
# address that the kernel makes anew is looked for on the segment first, for 2 s at most (RFC 4862, 5.1 and 5.4).
PATIENCE = {4: 1.0, 6: 2.5}


class Obstacle(Exception):
    """Why a virtual host cannot work on its interface for now."""


class Interfaces:
    """Interfaces by name, and the addresses on them. ``clock`` returns monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._links: dict[int, Link] = {}
        self._addresses: dict[int, dict[Interface, AddressThere]] = {}
        self._awaited: dict[tuple[int, Address], float] = {}  # until when, since advertisements come from it
        self.next_timer = math.inf  # when the answer of ``usable`` may change by time alone

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

    def awaits(self, ifindex: int, version: int) -> bool:
        """Tell whether an address of the interface has gone that advertisements come from, but may be back."""
        return any((index, address.version) == (ifindex, version) for index, address in self._awaited)

    def forget(self) -> None:
        """Wait no longer for what has not come back in time."""
        now = self._clock()
        self._awaited = {key: until for key, until in self._awaited.items() if now < until}
        self._plan()

    def _plan(self) -> None:
        self.next_timer = min(self._awaited.values(), default=math.inf)

    def usable(
        self, vip: Vip, virtual: Collection[Address], holds: bool, used: Mapping[int, Address]
    ) -> tuple[Link, dict[int, Address]]:
        """Return the interface of a virtual host and, by IP version, the addresses that its advertisements come from.

        ``virtual`` are all virtual addresses of this host: none of them is an address of its own. ``holds`` tells that
        the virtual host has its addresses now; else one that has no lease is somebody else's doing. ``used`` is what
        its advertisements come from so far: each of these is kept if it can be, and waited for if it has just gone.
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
        own.sort(key=lambda address: address.ip not in used.values())
        awaited = {version: address for version, address in used.items() if self._is_awaited(address, own, link)}
        return link, {version: awaited.get(version) or _source(version, vip, link, own) for version in vip.versions}

    def _is_awaited(self, address: Address, own: Collection[Interface], link: Link) -> bool:
        """Tell whether an address in use is not there, but has not been away for long."""
        key, now, patience = (link.ifindex, address), self._clock(), PATIENCE[address.version]
        if address in [one.ip for one in own]:
            if self._awaited.pop(key, None) is not None:
                self._plan()
                log.info("%s has %s again", link.name, address)
            return False
        if key not in self._awaited:
            self._awaited[key] = now + patience
            self._plan()
            log.warning("%s has lost %s, which may be back within %g s", link.name, address, patience)
        return now < self._awaited[key]

    def overtaken(self, virtual: Collection[Address]) -> set[tuple[int, Network]]:
        """Return the networks, by interface, in which a virtual address stands before the host's own ones.

        That is so when the host's own were away for a moment. The kernel then takes the virtual address as the source
        of connections that this host begins.
        """
        own = [
            (index, there)
            for index, each in self._addresses.items()
            for there in each.values()
            if there.address.ip not in virtual
        ]
        # Who stands before them is not looked for: what this host adds itself, the kernel does not tell.
        behind = {(index, there.address.network) for index, there in own if there.secondary}
        return behind - {(index, there.address.network) for index, there in own if not there.secondary}

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
