# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses and interfaces by the kernel's routing netlink: add, renew, remove, list, watch.

Only what a daemon needs that holds a few addresses (rtnetlink(7); linux/rtnetlink.h, if_addr.h, if_link.h).
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface

from .filters import attach, echo_filter
from .options import Interface
from .typed import NamedTuple

_NLMSG = struct.Struct("=IHHII")
_IFADDRMSG = struct.Struct("=BBBBI")
_IFINFOMSG = struct.Struct("=BxHiII")
_CACHEINFO = struct.Struct("=IIII")
_ATTRIBUTE = struct.Struct("=HH")

_NLMSG_ERROR, _NLMSG_DONE, _NLMSG_OVERRUN = 2, 3, 4
_RTM_NEWLINK, _RTM_DELLINK, _RTM_GETLINK, _RTM_SETLINK = 16, 17, 18, 19
_RTM_NEWADDR, _RTM_DELADDR, _RTM_GETADDR = 20, 21, 22
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_CREATE, _REPLACE, _EXCLUSIVE = 0x400, 0x100, 0x200
_IFA_ADDRESS, _IFA_LOCAL, _IFA_CACHEINFO = 1, 2, 6
_IFA_FLAGS, _NO_PREFIX_ROUTE = 8, 0x200
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_LINK, _IFLA_LINKINFO, _IFLA_AF_SPEC = 1, 3, 5, 18, 26
_INFO_KIND, _INFO_DATA, _MACVLAN_MODE, _PRIVATE = 1, 2, 1, 1
_INET_CONF, _INET6_ADDR_GEN_MODE, _GENERATE_NONE = 1, 8, 1
_IFF_UP, _IFF_RUNNING = 0x1, 0x40
_GROUP_LINK, _GROUP_IPV4_ADDRESS, _GROUP_IPV6_ADDRESS = 0x1, 0x10, 0x100
_SECONDARY = 0x01  # IFA_F_SECONDARY; of IPv6 it means something else
_NO_DAD = 0x02  # IFA_F_NODAD: a takeover cannot wait for two seconds of duplicate address detection
_PROMOTE_SECONDARIES = 20  # of linux/ip.h
_FOREVER = 0xFFFFFFFF
_BUFFER = 65536
_READ_AT_ONCE = 256
# How long a new IPv6 address may take until it answers: the kernel makes its route in a work queue (Linux
# net/ipv6/addrconf.c addrconf_dad_work), half a millisecond later on a quiet host.
_SETTLING_TIME = 0.05


class Link(NamedTuple):
    """A network interface. ``running`` means that it is up and has carrier."""

    ifindex: int
    name: str
    mac: bytes
    running: bool


class LinkGone(NamedTuple):
    """An interface that was removed."""

    ifindex: int


class AddressThere(NamedTuple):
    """An address that an interface has, or was just given.

    ``leased`` means that it ends unless renewed; ``secondary`` that another IPv4 address of its network came before it.
    """

    ifindex: int
    address: Interface
    leased: bool
    secondary: bool = False


class AddressGone(NamedTuple):
    """An address that was just removed, by whomever, or whose lease ended."""

    ifindex: int
    address: Interface


class Missed(NamedTuple):
    """So much happened that the kernel dropped notices: look at everything again."""


class Requests:
    """A socket for changing and listing addresses; a call waits for the kernel's answer, which takes microseconds."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        self._socket.bind((0, 0))
        self._sequence = 0

    @property
    def port(self) -> int:
        """The number by which the kernel knows who asks."""
        port: int = self._socket.getsockname()[0]
        return port

    def hold(self, ifindex: int, addresses: Iterable[Interface], lease: int, routed: bool = True) -> None:
        """Add the addresses to the interface, or renew them, for ``lease`` seconds (1 or more).

        Unless ``routed``, the way to their network does not lead by this interface. Raises OSError with the kernel's
        reason, such as EPERM or ENODEV.
        """
        for address in addresses:
            # Never preferred where that counts: no IPv6 connection of this host's own shall come from the address.
            preferred = lease if address.version == 4 else 0
            lifetime = attribute(_IFA_CACHEINFO, _CACHEINFO.pack(preferred, lease, 0, 0))
            flags = b"" if routed else attribute(_IFA_FLAGS, struct.pack("=I", _NO_PREFIX_ROUTE | _flags(address)))
            self._ask(_RTM_NEWADDR, _CREATE | _REPLACE, _named(ifindex, address) + lifetime + flags)

    def add(self, ifindex: int, addresses: Collection[Interface], lease: int, routed: bool = True) -> None:
        """Add the addresses as ``hold`` does, and return when they answer, after 50 ms at the latest."""
        missing = {address for address in addresses if address.version == 6}
        if not missing:
            self.hold(ifindex, addresses, lease, routed)
            return
        with closing(Watch(_GROUP_IPV6_ADDRESS)) as watch:
            self.hold(ifindex, addresses, lease, routed)
            deadline = time.monotonic() + _SETTLING_TIME
            while missing and select.select([watch], [], [], max(0.0, deadline - time.monotonic()))[0]:
                for notice in watch.read():
                    if isinstance(notice, AddressThere) and notice.ifindex == ifindex:
                        missing.discard(notice.address)

    def release(self, ifindex: int, addresses: Iterable[Interface]) -> list[Interface]:
        """Remove the addresses from the interface and return those that were there.

        Raises OSError with the kernel's reason; that an address or the interface is gone already is none.
        """
        removed = []
        for address in addresses:
            try:
                self._ask(_RTM_DELADDR, 0, _named(ifindex, address))
            except OSError as error:
                if error.errno not in (errno.EADDRNOTAVAIL, errno.ENODEV):
                    raise
            else:
                removed.append(address)
        return removed

    def make_macvlan(self, name: str, parent: int, mac: bytes) -> int:
        """Make an interface beside another one, with a MAC of its own and no link-local address; return its number.

        It is down. Raises OSError with the kernel's reason.
        """
        mode = attribute(_MACVLAN_MODE, struct.pack("=I", _PRIVATE))
        kind = attribute(_INFO_KIND, b"macvlan") + attribute(_INFO_DATA, mode)
        wanted = attribute(_IFLA_IFNAME, name.encode() + b"\0") + attribute(_IFLA_ADDRESS, mac)
        wanted += attribute(_IFLA_LINK, struct.pack("=i", parent)) + attribute(_IFLA_LINKINFO, kind)
        self._ask(_RTM_NEWLINK, _CREATE | _EXCLUSIVE, _numbered(0) + wanted)
        index = socket.if_nametoindex(name)
        none = attribute(_INET6_ADDR_GEN_MODE, bytes([_GENERATE_NONE]))
        try:
            self._ask(_RTM_SETLINK, 0, _numbered(index) + attribute(_IFLA_AF_SPEC, attribute(socket.AF_INET6, none)))
        except OSError as error:
            if error.errno != errno.EAFNOSUPPORT:  # a host without IPv6
                raise
        return index

    def configure(self, ifindex: int, values: Mapping[int, int]) -> None:
        """Set what else is in /proc/sys/net/ipv4/conf, by the numbers of linux/ip.h. Raises OSError."""
        conf = b"".join(attribute(key, struct.pack("=I", value)) for key, value in values.items())
        family = attribute(socket.AF_INET, attribute(_INET_CONF, conf))
        self._ask(_RTM_SETLINK, 0, _numbered(ifindex) + attribute(_IFLA_AF_SPEC, family))

    def keep_apart(self, ifindex: int) -> None:
        """Have no IPv4 address of the interface go with another one of its network. Raises OSError.

        By the kernel's default, all go with the one that was there first; systemd has it otherwise, too.
        """
        self.configure(ifindex, {_PROMOTE_SECONDARIES: 1})

    def step_behind(self, ifindex: int, addresses: Collection[IPv4Interface], lease: int) -> None:
        """Let addresses stand behind those of their network that came later, and answer all the while.

        Meanwhile each is there a second time, in a network of its own. Raises OSError.
        """
        self.keep_apart(ifindex)
        twins = [IPv4Interface(address.ip) for address in addresses]
        self.hold(ifindex, twins, lease)
        try:
            self.release(ifindex, addresses)
            self.hold(ifindex, addresses, lease)
        finally:
            self.release(ifindex, twins)

    def switch(self, ifindex: int, on: bool) -> None:
        """Switch an interface on or off; that it is gone is no failure if it shall be off. Raises OSError."""
        try:
            self._ask(_RTM_SETLINK, 0, _numbered(ifindex, _IFF_UP if on else 0, _IFF_UP))
        except OSError as error:
            if on or error.errno != errno.ENODEV:
                raise

    def remove_link(self, ifindex: int) -> None:
        """Remove an interface; that it is gone already is no failure. Raises OSError."""
        try:
            self._ask(_RTM_DELLINK, 0, _numbered(ifindex))
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise

    def links(self) -> list[Link]:
        """Return all interfaces."""
        wanted = _IFINFOMSG.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
        found = [_notice(kind, data) for kind, data in self._converse(_RTM_GETLINK, _REQUEST | _DUMP, wanted)]
        return [link for link in found if isinstance(link, Link)]

    def addresses(self) -> list[AddressThere]:
        """Return all addresses of all interfaces."""
        wanted = _IFADDRMSG.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
        found = [_notice(kind, data) for kind, data in self._converse(_RTM_GETADDR, _REQUEST | _DUMP, wanted)]
        return [address for address in found if isinstance(address, AddressThere)]

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _ask(self, kind: int, flags: int, payload: bytes) -> None:
        for _kind, _data in self._converse(kind, _REQUEST | _ACK | flags, payload):
            pass

    def _converse(self, kind: int, flags: int, payload: bytes) -> Iterator[tuple[int, bytes]]:
        self._sequence += 1
        self._socket.send(message(kind, flags, self._sequence, payload))
        while True:
            for answer, sequence, data in messages(self._socket.recv(_BUFFER)):
                if sequence != self._sequence:
                    continue
                if answer == _NLMSG_DONE:
                    return
                if answer == _NLMSG_ERROR:
                    if len(data) < 4:
                        raise OSError(errno.EBADMSG, os.strerror(errno.EBADMSG))
                    (code,) = struct.unpack_from("=i", data)
                    if code:
                        raise OSError(-code, os.strerror(-code))
                    return
                yield answer, data


class Watch:
    """A socket that tells of every change to interfaces and addresses, whoever made it.

    But for IPv4 addresses that ``ours`` has added or renewed, which would wake a master up after each advertisement;
    for IPv6, the kernel does not say who it was.
    """

    def __init__(
        self, groups: int = _GROUP_LINK | _GROUP_IPV4_ADDRESS | _GROUP_IPV6_ADDRESS, ours: Requests | None = None
    ) -> None:
        flags = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self._socket = socket.socket(socket.AF_NETLINK, flags, socket.NETLINK_ROUTE)
        if ours is not None:
            attach(self._socket, echo_filter(ours.port, _RTM_NEWADDR))
        self._socket.bind((0, groups))

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._socket.fileno()

    def read(self) -> Iterator[Link | LinkGone | AddressThere | AddressGone | Missed]:
        """Yield what has happened, in order, without waiting; of very much a part, and the rest at the next call."""
        for _number in range(_READ_AT_ONCE):
            try:
                data = self._socket.recv(_BUFFER)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                yield Missed()
                continue
            for kind, _sequence, body in messages(data):
                notice = _notice(kind, body)
                if notice is not None:
                    yield notice

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def _notice(kind: int, body: bytes) -> Link | LinkGone | AddressThere | AddressGone | Missed | None:
    """Return what a message says, or None for one that does not concern us or that makes no sense."""
    try:
        return _parse(kind, body)
    except (struct.error, ValueError):
        return None


def _parse(kind: int, body: bytes) -> Link | LinkGone | AddressThere | AddressGone | Missed | None:
    if kind == _NLMSG_OVERRUN:
        return Missed()
    if kind == _RTM_NEWLINK:
        return _link(body)
    if kind == _RTM_DELLINK:
        # A bridge tells of a port that left it in the same words, with its own family.
        family, _type, index, _flags, _change = _IFINFOMSG.unpack_from(body)
        return LinkGone(index) if family == socket.AF_UNSPEC else None
    if kind in (_RTM_NEWADDR, _RTM_DELADDR):
        found = _address(body)
        if found is not None:
            return found if kind == _RTM_NEWADDR else AddressGone(found.ifindex, found.address)
    return None


def _link(body: bytes) -> Link | None:
    family, _type, index, flags, _change = _IFINFOMSG.unpack_from(body)
    attributes = dict(_attributes(body[_IFINFOMSG.size :]))
    if family != socket.AF_UNSPEC or _IFLA_IFNAME not in attributes:
        return None
    name = attributes[_IFLA_IFNAME].rstrip(b"\0").decode("utf-8", "surrogateescape")
    running = flags & _IFF_UP and flags & _IFF_RUNNING
    return Link(index, name, attributes.get(_IFLA_ADDRESS, b""), bool(running))


def _address(body: bytes) -> AddressThere | None:
    family, prefix, flags, _scope, index = _IFADDRMSG.unpack_from(body)
    attributes = dict(_attributes(body[_IFADDRMSG.size :]))
    packed = attributes.get(_IFA_LOCAL) or attributes.get(_IFA_ADDRESS) or b""
    interface: Interface
    if (family, len(packed)) == (socket.AF_INET, 4):
        interface = IPv4Interface((IPv4Address(packed), prefix))
    elif (family, len(packed)) == (socket.AF_INET6, 16):
        interface = IPv6Interface((IPv6Address(packed), prefix))
    else:
        return None
    info = attributes.get(_IFA_CACHEINFO)
    leased = info is not None and _CACHEINFO.unpack_from(info)[1] != _FOREVER
    return AddressThere(index, interface, leased, family == socket.AF_INET and bool(flags & _SECONDARY))


def removal(ifindex: int, address: Interface) -> bytes:
    """Return the request that removes an address, for a process that has next to nothing but a socket."""
    return message(_RTM_DELADDR, _REQUEST | _ACK, 1, _named(ifindex, address))


def switching_off(ifindex: int) -> bytes:
    """Return the request that switches an interface off, as ``removal`` does."""
    return message(_RTM_SETLINK, _REQUEST | _ACK, 1, _numbered(ifindex, 0, _IFF_UP))


def message(kind: int, flags: int, sequence: int, payload: bytes) -> bytes:
    """Return a netlink message (netlink(7))."""
    return _NLMSG.pack(_NLMSG.size + len(payload), kind, flags, sequence, 0) + payload


def _numbered(ifindex: int, flags: int = 0, change: int = 0) -> bytes:
    return _IFINFOMSG.pack(socket.AF_UNSPEC, 0, ifindex, flags, change)


def _flags(address: Interface) -> int:
    return _NO_DAD if address.version == 6 else 0


def _named(ifindex: int, address: Interface) -> bytes:
    """Return the part of a request that says which address of which interface it is about."""
    prefix, packed = address.network.prefixlen, address.ip.packed
    if address.version == 4:
        head = _IFADDRMSG.pack(socket.AF_INET, prefix, 0, 0, ifindex)
    else:
        head = _IFADDRMSG.pack(socket.AF_INET6, prefix, _NO_DAD, 0, ifindex)
    return head + attribute(_IFA_LOCAL, packed) + attribute(_IFA_ADDRESS, packed)


def attribute(kind: int, value: bytes) -> bytes:
    """Return an attribute of a message, with what fills it up to a multiple of four bytes."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + b"\0" * (-len(value) % 4)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        if length < _ATTRIBUTE.size:
            return
        yield kind & 0x3FFF, data[_ATTRIBUTE.size : length]
        data = data[length + -length % 4 :]


def messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield type, sequence number and body of each message in a datagram."""
    while len(data) >= _NLMSG.size:
        length, kind, _flags, sequence, _port = _NLMSG.unpack_from(data)
        if length < _NLMSG.size:
            return
        yield kind, sequence, data[_NLMSG.size : length]
        data = data[length + -length % 4 :]
