# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold new TCP connections back, with an nftables table of our own, by netlink: the program nft need not be there.

What is dropped, and not refused, the client's kernel sends again a second later: to whoever has the address by then.
The table belongs to our socket and to nobody else: however the daemon ends, the kernel removes it with the socket
(linux/netfilter/nf_tables.h NFT_TABLE_F_OWNER, Linux 5.12). Where a kernel does not know that, nothing is held back.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Collection, Iterable, Iterator

from .netlink import attribute, message, messages
from .packet import Address

# linux/netlink.h, linux/netfilter/nfnetlink.h and nf_tables.h, as numbers.
_NETLINK_NETFILTER = 12
_REQUEST, _ACK, _CREATE, _APPEND = 0x1, 0x4, 0x400, 0x800
_BATCH_BEGIN, _BATCH_END, _ERROR = 16, 17, 2
_SUBSYSTEM = 10  # NFNL_SUBSYS_NFTABLES
_NEW_TABLE, _DELETE_TABLE, _NEW_CHAIN, _NEW_RULE = (_SUBSYSTEM << 8 | kind for kind in (0, 2, 3, 6))
_FAMILY_NONE, _FAMILY_INET = 0, 1
_TABLE_NAME, _TABLE_FLAGS, _OWNED = 1, 2, 0x2
_CHAIN_TABLE, _CHAIN_NAME, _CHAIN_HOOK, _CHAIN_POLICY, _CHAIN_TYPE = 1, 3, 4, 5, 7
_HOOK_NUMBER, _HOOK_PRIORITY, _LOCAL_IN, _ACCEPT = 1, 2, 1, 1
_RULE_TABLE, _RULE_CHAIN, _RULE_EXPRESSIONS = 1, 2, 4
_ELEMENT, _EXPRESSION_NAME, _EXPRESSION_DATA = 1, 1, 2
_NESTED = 0x8000
_REGISTER, _VERDICT = 1, 0  # a general one, of 16 bytes, and where a verdict goes
_VALUE, _DATA_VERDICT, _VERDICT_CODE, _DROP = 1, 2, 1, 0
_META_TO, _META_KEY, _META_INTERFACE, _META_FAMILY, _META_PROTOCOL = 1, 2, 4, 15, 16
_COMPARE_FROM, _COMPARE_HOW, _COMPARE_WITH, _EQUAL, _DIFFERENT = 1, 2, 3, 0, 1
_PAYLOAD_TO, _PAYLOAD_BASE, _PAYLOAD_OFFSET, _PAYLOAD_LENGTH, _NETWORK, _TRANSPORT = 1, 2, 3, 4, 1, 2
_BITS_FROM, _BITS_TO, _BITS_LENGTH, _BITS_MASK, _BITS_FLIP = 1, 2, 3, 4, 5

_CHAIN = "input"
_PRIORITY = -300  # before everybody else's chains: whoever tracks connections need not learn of these
_LOOPBACK = 1  # its number in every network namespace; what this host's own checks ask for goes on
_DESTINATION = {4: (2, 16), 6: (10, 24)}  # by IP version: the family's number, and where the address is in its header
_TCP, _PORT_AT, _FLAGS_AT = 6, 2, 13
_SYN, _SYN_RST_ACK_FIN = 0x02, 0x17
_BUFFER = 65536
_ROOM = 1 << 20  # bytes for a batch with the rules of many addresses


class HeldBack:
    """Knows for which virtual hosts new connections are held back. A call waits for the kernel's answer.

    Raises OSError when there is no nftables here, or no permission. The kernel may load modules by the first call,
    which takes its time: this is not for the daemon's loop.
    """

    def __init__(self) -> None:
        flags = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_NETLINK, flags, _NETLINK_NETFILTER)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _ROOM)
        self._socket.bind((0, 0))
        self._sequence = 0
        self._tables: set[str] = set()

    def hold(self, name: str, addresses: Iterable[Address], ports: Collection[int]) -> None:
        """Drop what begins a TCP connection to these addresses and ports, or if there is none, to all ports."""
        self.let_in(name)
        table = _table(name)
        self._transact([table, _chain(name), *_rules(name, addresses, ports)])
        self._tables.add(name)

    def let_in(self, name: str) -> None:
        """End that, if it was so."""
        if name in self._tables:
            self._tables.discard(name)
            self._transact([(_DELETE_TABLE, 0, _named(_TABLE_NAME, name))])

    def close(self) -> None:
        """End it for all."""
        for name in list(self._tables):
            try:
                self.let_in(name)
            except OSError:
                continue  # it goes with the socket
        self._socket.close()

    def _transact(self, requests: Iterable[tuple[int, int, bytes]]) -> None:
        """Have all done, or nothing."""
        data, last = batch(requests, self._sequence + 1)
        self._sequence = last
        self._socket.send(data)
        wrong = 0
        while True:
            for kind, sequence, body in messages(self._socket.recv(_BUFFER)):
                if kind == _ERROR and len(body) >= 4:
                    (code,) = struct.unpack_from("=i", body)
                    wrong = wrong or -code
                    if sequence == last or code:
                        break
            else:
                continue
            break
        self._drain()
        if wrong:
            raise OSError(wrong, os.strerror(wrong))

    def _drain(self) -> None:
        """Forget further answers to what is settled."""
        while True:
            try:
                self._socket.recv(_BUFFER, socket.MSG_DONTWAIT)
            except OSError as error:
                if error.errno == errno.EAGAIN:
                    return


def table_name(name: str) -> str:
    """Return what the table of a virtual host is called, as nft(8) shows it."""
    return f"carpd-{name}"


def batch(requests: Iterable[tuple[int, int, bytes]], sequence: int) -> tuple[bytes, int]:
    """Return the bytes of one transaction, and the number of its last request, whose answer tells how it went.

    Each request is a type, flags and attributes; numbers begin with ``sequence``.
    """
    kinds = list(requests)
    parts = [message(_BATCH_BEGIN, _REQUEST, sequence, _head(_FAMILY_NONE, _SUBSYSTEM))]
    for number, (kind, flags, attributes) in enumerate(kinds, sequence + 1):
        wanted = _ACK if number == sequence + len(kinds) else 0
        parts.append(message(kind, _REQUEST | flags | wanted, number, _head(_FAMILY_INET, 0) + attributes))
    last = sequence + len(kinds)
    parts.append(message(_BATCH_END, _REQUEST, last + 1, _head(_FAMILY_NONE, _SUBSYSTEM)))
    return b"".join(parts), last


def _table(name: str) -> tuple[int, int, bytes]:
    return _NEW_TABLE, _CREATE, _named(_TABLE_NAME, name) + _number(_TABLE_FLAGS, _OWNED)


def _chain(name: str) -> tuple[int, int, bytes]:
    hook = _number(_HOOK_NUMBER, _LOCAL_IN) + _number(_HOOK_PRIORITY, _PRIORITY & 0xFFFFFFFF)
    attributes = _named(_CHAIN_TABLE, name) + _text(_CHAIN_NAME, _CHAIN) + _nested(_CHAIN_HOOK, hook)
    return _NEW_CHAIN, _CREATE, attributes + _number(_CHAIN_POLICY, _ACCEPT) + _text(_CHAIN_TYPE, "filter")


def _rules(name: str, addresses: Iterable[Address], ports: Collection[int]) -> Iterator[tuple[int, int, bytes]]:
    """Yield a rule for each address and port: simple, and there are few."""
    for address in addresses:
        for port in ports or (None,):
            expressions = b"".join(_nested(_ELEMENT, one) for one in _expressions(address, port))
            attributes = _named(_RULE_TABLE, name) + _text(_RULE_CHAIN, _CHAIN)
            yield _NEW_RULE, _CREATE | _APPEND, attributes + _nested(_RULE_EXPRESSIONS, expressions)


def _expressions(address: Address, port: int | None) -> Iterator[bytes]:
    """Yield what a rule does, step by step, as nft --debug=netlink shows it."""
    family, offset = _DESTINATION[address.version]
    yield _meta(_META_INTERFACE)
    yield _compare(_DIFFERENT, struct.pack("=I", _LOOPBACK))
    yield _meta(_META_FAMILY)
    yield _compare(_EQUAL, bytes([family]))
    yield _payload(_NETWORK, offset, len(address.packed))
    yield _compare(_EQUAL, address.packed)
    yield _meta(_META_PROTOCOL)
    yield _compare(_EQUAL, bytes([_TCP]))
    yield _payload(_TRANSPORT, _FLAGS_AT, 1)
    yield _mask(bytes([_SYN_RST_ACK_FIN]))
    yield _compare(_EQUAL, bytes([_SYN]))
    if port is not None:
        yield _payload(_TRANSPORT, _PORT_AT, 2)
        yield _compare(_EQUAL, struct.pack("!H", port))
    verdict = _nested(_DATA_VERDICT, _number(_VERDICT_CODE, _DROP))
    yield _expression("immediate", _number(1, _VERDICT) + _nested(2, verdict))


def _meta(key: int) -> bytes:
    return _expression("meta", _number(_META_KEY, key) + _number(_META_TO, _REGISTER))


def _compare(how: int, value: bytes) -> bytes:
    wanted = _number(_COMPARE_FROM, _REGISTER) + _number(_COMPARE_HOW, how)
    return _expression("cmp", wanted + _nested(_COMPARE_WITH, attribute(_VALUE, value)))


def _payload(base: int, offset: int, length: int) -> bytes:
    wanted = _number(_PAYLOAD_TO, _REGISTER) + _number(_PAYLOAD_BASE, base)
    return _expression("payload", wanted + _number(_PAYLOAD_OFFSET, offset) + _number(_PAYLOAD_LENGTH, length))


def _mask(bits: bytes) -> bytes:
    wanted = _number(_BITS_FROM, _REGISTER) + _number(_BITS_TO, _REGISTER) + _number(_BITS_LENGTH, len(bits))
    wanted += _nested(_BITS_MASK, attribute(_VALUE, bits)) + _nested(_BITS_FLIP, attribute(_VALUE, bytes(len(bits))))
    return _expression("bitwise", wanted)


def _expression(name: str, data: bytes) -> bytes:
    return _text(_EXPRESSION_NAME, name) + _nested(_EXPRESSION_DATA, data)


def _head(family: int, resource: int) -> bytes:
    """Return linux/netfilter/nfnetlink.h struct nfgenmsg."""
    return struct.pack("!BBH", family, 0, resource)


def _named(kind: int, name: str) -> bytes:
    return _text(kind, table_name(name))


def _text(kind: int, text: str) -> bytes:
    return attribute(kind, text.encode() + b"\0")


def _number(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("!I", value))


def _nested(kind: int, inside: bytes) -> bytes:
    return attribute(kind | _NESTED, inside)
