# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The TCP connections to our addresses: count them, and end them so that both sides know.

By the kernel's socket diagnosis (sock_diag(7); linux/inet_diag.h), which picks them itself: a busy host has many more
than ours. A connection that is destroyed while its address is here sends a reset to the client; later it cannot, and is
at least no longer held by a process of this host.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Collection, Iterable, Iterator

from .netlink import attribute, message, messages
from .packet import Address
from .typed import NamedTuple

# linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h, as numbers.
_NETLINK_SOCK_DIAG = 4
_REQUEST, _ACK, _DUMP, _ERROR, _DONE = 0x1, 0x4, 0x300, 2, 3
_BY_FAMILY, _DESTROY = 20, 21
_BYTECODE = 1
_JUMP, _SOURCE_MATCHES = 1, 7
_STEP = struct.Struct("=BBH")
_HOST = struct.Struct("=BBxxi")
_ANY_PORT = -1
_ASK = struct.Struct("=BBxxI48s")
_TOLD = struct.Struct("=BBxx48s20x")  # what the kernel calls a socket begins with our port
# It has ended by itself meanwhile; or this kernel cannot do it at all.
_LATE, _UNABLE = errno.ENOENT, errno.EOPNOTSUPP

# States of a connection (linux/net/tcp_states.h), as bits.
_ESTABLISHED, _SYN_RECEIVED, _FIN_WAIT_1, _FIN_WAIT_2 = (1 << number for number in (1, 3, 4, 5))
_CLOSE_WAIT, _LAST_ACK, _CLOSING = (1 << number for number in (8, 9, 11))
# Those in which something may still be under way to the client. In FIN_WAIT_2 it has had everything, the end included.
_RUNNING = _ESTABLISHED | _SYN_RECEIVED | _FIN_WAIT_1 | _CLOSE_WAIT | _LAST_ACK | _CLOSING
_LEFT = _RUNNING | _FIN_WAIT_2
_BUFFER = 16384  # some hundred answers: to read them must not take a thread's time from the daemon's loop for long


class Session(NamedTuple):
    """A TCP connection of this host: the family of its socket, our port, and what the kernel calls it."""

    family: int
    port: int
    identity: bytes


class Sessions:
    """Looks at TCP connections, whoever has them. A call waits for the kernel's answer: not for the daemon's loop.

    Raises OSError when the kernel has no diagnosis of sockets.
    """

    def __init__(self) -> None:
        flags = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_NETLINK, flags, _NETLINK_SOCK_DIAG)
        self._socket.bind((0, 0))
        self._sequence = 0

    def find(self, addresses: Collection[Address], ports: Collection[int], all_left: bool = False) -> list[Session]:
        """Return the connections that these addresses of ours have, at these ports or without any at all of them.

        Those to which there is nothing more to send are left out, unless ``all_left``. Raises OSError.
        """
        states = _LEFT if all_left else _RUNNING
        found: list[Session] = []
        for family in (socket.AF_INET, socket.AF_INET6):
            try:
                # A socket of IPv6 may have a connection of IPv4, too.
                for body in self._converse(_BY_FAMILY, _DUMP, question(family, addresses, states)):
                    session = read(body)
                    if session is not None and (not ports or session.port in ports):
                        found.append(session)
            except OSError as error:
                if family == socket.AF_INET or error.errno != errno.ENOENT:  # a host without IPv6
                    raise
        return found

    def destroy(self, sessions: Iterable[Session]) -> int:
        """End these connections, and return how many there still were. Raises OSError."""
        count, unable = 0, False
        for one in sessions:
            request = _ASK.pack(one.family, socket.IPPROTO_TCP, 0xFFFFFFFF, one.identity)
            try:
                for _body in self._converse(_DESTROY, _ACK, request):
                    pass
                count += 1
            except OSError as error:
                if error.errno not in (_LATE, _UNABLE):
                    raise
                unable = unable or error.errno == _UNABLE
        if unable and not count:
            raise OSError(_UNABLE, os.strerror(_UNABLE))
        return count

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _converse(self, kind: int, flags: int, payload: bytes) -> Iterator[bytes]:
        self._sequence += 1
        self._socket.send(message(kind, _REQUEST | flags, self._sequence, payload))
        while True:
            for answer, sequence, body in messages(self._socket.recv(_BUFFER)):
                if sequence != self._sequence:
                    continue
                if answer == _DONE:
                    return
                if answer == _ERROR:
                    (code,) = struct.unpack_from("=i", body)
                    if code:
                        raise OSError(-code, os.strerror(-code))
                    return
                yield body


def question(family: int, addresses: Iterable[Address], states: int) -> bytes:
    """Return the request for all TCP sockets of a family that have one of these addresses, in one of these states."""
    ask = _ASK.pack(family, socket.IPPROTO_TCP, states, bytes(48))
    return ask + attribute(_BYTECODE, picking(addresses))


def picking(addresses: Iterable[Address]) -> bytes:
    """Return the program by which the kernel picks sockets that have one of these addresses as their own.

    Each step that matches goes to the next, a jump to the end, which is yes; else to the one after that. What leads
    beyond the end is no (net/ipv4/inet_diag.c inet_diag_bc_run).
    """
    program = b""
    for address in sorted(addresses, key=lambda one: one.packed, reverse=True):
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        host = _HOST.pack(family, address.max_prefixlen, _ANY_PORT) + address.packed
        size = _STEP.size + len(host)
        jump = _STEP.pack(_JUMP, _STEP.size, _STEP.size + len(program)) if program else b""
        program = _STEP.pack(_SOURCE_MATCHES, size, size + _STEP.size) + host + jump + program
    return program


def read(body: bytes) -> Session | None:
    """Return what the kernel tells of a socket; None for nonsense."""
    if len(body) < _TOLD.size:
        return None
    family, _state, identity = _TOLD.unpack_from(body)
    return Session(family, int.from_bytes(identity[:2], "big"), identity)
