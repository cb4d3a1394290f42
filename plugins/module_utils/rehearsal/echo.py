# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Echo requests and replies (RFC 792, RFC 4443) that carry a number, so that each one is known again."""

from __future__ import annotations

import os
import socket
import struct
from typing import NamedTuple

# Payload: what tells ours from all others, the purpose, the run, the number.
_PAYLOAD = struct.Struct("!8sB8sQ")
_MAGIC = b"carpdril"
_HEADER = struct.Struct("!BBHHH")
_REQUEST = {socket.AF_INET: 8, socket.AF_INET6: 128}
_REPLY = {socket.AF_INET: 0, socket.AF_INET6: 129}

PROBE, CLOCK = 1, 2
"""Purposes: to see whether somebody answers, and to compare clocks."""


class Echo(NamedTuple):
    """What a packet of ours says. ``run`` has 8 bytes."""

    is_request: bool
    purpose: int
    run: bytes
    number: int


def family_of(address: str) -> socket.AddressFamily:
    """Return the address family of an address without prefix length."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def request(family: int, purpose: int, run: bytes, number: int) -> bytes:
    """Return an echo request, from its header on."""
    payload = _PAYLOAD.pack(_MAGIC, purpose, run, number)
    sequence, identifier = number & 0xFFFF, os.getpid() & 0xFFFF
    header = _HEADER.pack(_REQUEST[socket.AddressFamily(family)], 0, 0, identifier, sequence)
    # The kernel counts the sum of IPv6, and of what goes through its own echo socket.
    return _HEADER.pack(header[0], 0, checksum(header + payload), identifier, sequence) + payload


def parse(family: int, data: bytes, with_header: bool) -> Echo | None:
    """Read a packet; None if it is none of ours. ``with_header`` tells whether an IPv4 header stands before it."""
    if with_header and family == socket.AF_INET and data:
        data = data[(data[0] & 0x0F) * 4 :]
    if len(data) < _HEADER.size + _PAYLOAD.size:
        return None
    kind = data[0]
    magic, purpose, run, number = _PAYLOAD.unpack_from(data, _HEADER.size)
    if magic != _MAGIC or kind not in (_REQUEST[socket.AddressFamily(family)], _REPLY[socket.AddressFamily(family)]):
        return None
    return Echo(kind == _REQUEST[socket.AddressFamily(family)], purpose, run, number)


def checksum(data: bytes) -> int:
    """Return the sum of RFC 1071."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class EchoSocket:
    """Sends requests and receives replies, as root or, where the kernel lets everybody ping, as anybody.

    Raises OSError if neither is possible.
    """

    def __init__(self, family: socket.AddressFamily) -> None:
        self.family = family
        protocol = socket.IPPROTO_ICMPV6 if family == socket.AF_INET6 else socket.IPPROTO_ICMP
        self._raw = False
        try:
            self.socket = socket.socket(family, socket.SOCK_DGRAM, protocol)
        except PermissionError:
            self.socket = socket.socket(family, socket.SOCK_RAW, protocol)
            self._raw = True
        self.socket.setblocking(False)
        # A second of answers, however late this process is woken.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)

    def fileno(self) -> int:
        """Return the descriptor, by which to wait for replies."""
        return self.socket.fileno()

    def send(self, address: str, purpose: int, run: bytes, number: int) -> bool:
        """Send a request; False if the kernel would not, as when there is no route or no neighbour."""
        try:
            self.socket.sendto(request(self.family, purpose, run, number), (address, 0))
        except OSError:
            return False
        return True

    def receive(self) -> Echo | None:
        """Return the next reply. None if it was none of ours; raises BlockingIOError if there is none."""
        try:
            data = self.socket.recv(2048)
        except BlockingIOError:
            raise
        except OSError:
            # What the kernel has to say about an earlier request: it is seen by its reply not coming.
            return None
        echo = parse(self.family, data, self._raw)
        return None if echo is None or echo.is_request else echo

    def close(self) -> None:
        """Close it."""
        self.socket.close()
