# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The message authentication of CARP: HMAC-SHA1 over version, type, vhid, addresses and counter.

It does not cover advbase, advskew, demotion or the sender's address; that is how all implementations do it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from .packet import Address

# The interpreter's own SHA-1: hashlib loads OpenSSL, which costs 4 MB and which a FIPS policy may forbid to do SHA-1.
try:
    from _sha1 import sha1  # type: ignore[import-not-found]
except ImportError:
    from hashlib import sha1

KEY_SIZE = 19  # a buffer of 20 bytes whose last byte stays zero (ifconfig's bounded copy; UCarp src/carp.c docarp)
_BLOCK = 64
_START = bytes((2, 1))  # version 2, type 1, whatever the packet says (UCarp src/carp.c carp_hmac_prepare)


class Digest:
    """The authentication of one virtual host.

    OpenBSD leaves link-local IPv6 addresses out when it sends and accepts both forms; FreeBSD always includes them.
    This does as OpenBSD does (ip_carp.c carp_hmac_generate and carp_hmac_verify).

    ``lladdr`` is a hardware address that was set by hand on an OpenBSD carp interface: that peer's message has it too.
    """

    def __init__(self, password: bytes, vhid: int, addresses: Iterable[Address], lladdr: bytes = b"") -> None:
        key = password[:KEY_SIZE].ljust(_BLOCK, b"\0")
        every = set(addresses)
        sent = [address for address in every if not address.is_link_local or address.version == 4]
        self._outer = sha1(bytes(byte ^ 0x5C for byte in key))
        inner = sha1(bytes(byte ^ 0x36 for byte in key) + _START + lladdr + bytes((vhid,)))
        self._inners = []
        for chosen in (sent, every):
            variant = inner.copy()
            variant.update(_packed(chosen))
            self._inners.append(variant)
            if len(sent) == len(every):
                break
        self._key = inner.copy()

    def mac(self, counter: int) -> bytes:
        """Return the 20 bytes that authenticate an advertisement with this counter (64 bits)."""
        return self._hmac(self._inners[0], struct.pack("!Q", counter))

    def accepts(self, counter: int, mac: bytes) -> bool:
        """Tell whether a peer that knows the password and has the same addresses made this MAC.

        Both sides are hashed once more with the key before they are compared, so that the time taken says nothing
        about how many bytes of a guess were right.
        """
        given = self._hmac(self._key, mac)
        message = struct.pack("!Q", counter)
        return given in [self._hmac(self._key, self._hmac(inner, message)) for inner in self._inners]

    def tag(self, fields: bytes) -> bytes:
        """Return the 20 bytes that authenticate, between our own daemons, what the MAC does not cover."""
        return self._hmac(self._key, b"tag" + fields)

    def _hmac(self, inner: sha1, message: bytes) -> bytes:
        first, second = inner.copy(), self._outer.copy()
        first.update(message)
        second.update(first.digest())
        return bytes(second.digest())


def _packed(addresses: Iterable[Address]) -> bytes:
    """IPv4 before IPv6, each ascending by value: the order in which the BSD kernels hash them."""
    return b"".join(address.packed for address in sorted(addresses, key=lambda each: (each.version, int(each))))
