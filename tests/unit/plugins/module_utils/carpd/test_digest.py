# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The authentication: it equals a textbook HMAC-SHA1, and nothing but the right key and addresses passes."""

from __future__ import annotations

import hashlib
import hmac
import importlib.util
import sys
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Union

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd import digest
from ansible_collections.failover.carp.plugins.module_utils.carpd.digest import Digest
from hypothesis import given
from hypothesis import strategies as st

Address = Union[IPv4Address, IPv6Address]

# Without zero bytes at the end: a key is filled up with zeros, so "x" and "x\0" are the same one.
PASSWORDS = st.binary(max_size=19).filter(lambda password: not password.endswith(b"\0"))
VHIDS = st.integers(1, 255)
COUNTERS = st.integers(0, 2**64 - 1)
# Among those of IPv6 some whose number is smaller than that of every IPv4 address.
GLOBAL = st.ip_addresses(v=4) | st.ip_addresses(v=6, network="2001:db8::/32") | st.ip_addresses(v=6, network="::/108")
ADDRESSES = st.lists(GLOBAL, min_size=1, max_size=4, unique=True)
LINK_LOCAL = st.lists(st.ip_addresses(v=6, network="fe80::/64"), min_size=1, max_size=2, unique=True)


def textbook(password: bytes, vhid: int, ordered: list[Address], counter: int, lladdr: bytes = b"") -> bytes:
    """HMAC-SHA1 by the standard library; the addresses come in the order in which they are hashed."""
    packed = b"".join(address.packed for address in ordered)
    message = b"\x02\x01" + lladdr + bytes((vhid,)) + packed + counter.to_bytes(8, "big")
    return hmac.new(password[:19], message, hashlib.sha1).digest()


def in_order(addresses: list[Address]) -> list[Address]:
    return [
        *sorted((one for one in addresses if one.version == 4), key=lambda one: one.packed),
        *sorted((one for one in addresses if one.version == 6), key=lambda one: one.packed),
    ]


@given(PASSWORDS, VHIDS, ADDRESSES, COUNTERS)
def test_equals_the_textbook(password: bytes, vhid: int, addresses: list[Address], counter: int) -> None:
    mac = Digest(password, vhid, addresses).mac(counter)
    assert mac == textbook(password, vhid, in_order(addresses), counter)


@given(PASSWORDS, VHIDS, ADDRESSES, COUNTERS)
def test_accepts_its_own(password: bytes, vhid: int, addresses: list[Address], counter: int) -> None:
    one = Digest(password, vhid, addresses)
    assert one.accepts(counter, one.mac(counter))


@given(ADDRESSES, st.randoms(use_true_random=False), COUNTERS)
def test_order_and_repetition_do_not_matter(addresses: list[Address], random: object, counter: int) -> None:
    again = [*addresses, *addresses]
    random.shuffle(again)
    assert Digest(b"secret", 1, again).mac(counter) == Digest(b"secret", 1, addresses).mac(counter)


@given(COUNTERS, st.integers(0, 159))
def test_any_flipped_bit_is_refused(counter: int, bit: int) -> None:
    one = Digest(b"secret", 1, [IPv4Address("10.99.0.50")])
    mac = bytearray(one.mac(counter))
    mac[bit // 8] ^= 0x80 >> bit % 8
    assert not one.accepts(counter, bytes(mac))


@pytest.mark.parametrize("mac", [b"", b"\0", bytes(20), bytes(21), bytes(64)])
def test_what_is_no_mac_is_refused(mac: bytes) -> None:
    assert not Digest(b"secret", 1, [IPv4Address("10.99.0.50")]).accepts(5, mac)


@pytest.mark.parametrize(
    ("password", "vhid", "addresses", "counter"),
    [
        (b"Secret", 1, ["10.99.0.50"], 5),
        (b"", 1, ["10.99.0.50"], 5),
        (b"secret", 2, ["10.99.0.50"], 5),
        (b"secret", 1, ["10.99.0.51"], 5),
        (b"secret", 1, ["10.99.0.50", "10.99.0.51"], 5),
        (b"secret", 1, [], 5),
        (b"secret", 1, ["10.99.0.50"], 6),
    ],
)
def test_whoever_differs_is_refused(password: bytes, vhid: int, addresses: list[str], counter: int) -> None:
    theirs = Digest(password, vhid, [ip_address(text) for text in addresses]).mac(counter)
    assert not Digest(b"secret", 1, [IPv4Address("10.99.0.50")]).accepts(5, theirs)


def test_only_19_bytes_of_a_password_count() -> None:
    addresses = [IPv4Address("10.99.0.50")]
    assert Digest(b"0123456789abcdefghi", 1, addresses).mac(5) == Digest(b"0123456789abcdefghiJKL", 1, addresses).mac(5)
    assert Digest(b"0123456789abcdefghi", 1, addresses).mac(5) != Digest(b"0123456789abcdefgh", 1, addresses).mac(5)


@given(ADDRESSES, LINK_LOCAL, COUNTERS)
def test_link_local_addresses_are_not_sent_but_accepted(
    addresses: list[Address], link_local: list[Address], counter: int
) -> None:
    with_them, without = in_order([*addresses, *link_local]), in_order(addresses)
    one = Digest(b"secret", 1, with_them)
    assert one.mac(counter) == textbook(b"secret", 1, without, counter)
    assert one.accepts(counter, textbook(b"secret", 1, without, counter))
    assert one.accepts(counter, textbook(b"secret", 1, with_them, counter))
    assert not Digest(b"secret", 1, without).accepts(counter, textbook(b"secret", 1, with_them, counter))


def test_link_local_addresses_of_ipv4_are_like_any_other() -> None:
    addresses: list[Address] = [IPv4Address("169.254.7.7"), IPv4Address("10.99.0.50")]
    assert Digest(b"secret", 1, addresses).mac(5) == textbook(b"secret", 1, in_order(addresses), 5)


def test_a_hardware_address_set_by_hand_is_hashed_before_the_vhid() -> None:
    address, lladdr = IPv4Address("10.99.0.50"), bytes.fromhex("020000000001")
    one = Digest(b"secret", 30, [address], lladdr)
    assert one.mac(5) == textbook(b"secret", 30, [address], 5, lladdr)
    assert not one.accepts(5, textbook(b"secret", 30, [address], 5))


def test_without_the_built_in_sha1_hashlib_does_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "_sha1", None)
    spec = importlib.util.spec_from_file_location(f"{digest.__name__}_without_sha1", digest.__file__)
    other = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(other)
    assert other.sha1 is hashlib.sha1
    address = IPv4Address("10.99.0.50")
    assert other.Digest(b"secret", 1, [address]).mac(5) == Digest(b"secret", 1, [address]).mac(5)
