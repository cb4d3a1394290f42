# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel is asked for to hold new connections back, byte for byte, and what its answers mean."""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator
from ipaddress import ip_address

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd import nftables
from ansible_collections.failover.carp.plugins.module_utils.carpd.nftables import HeldBack

# As nft 1.0.6 writes it, seen by strace(1), but for the order of attributes in a table.
BEGIN = "14000000 1000 0100 01000000 00000000 0000000a"
TABLE = "28000000 000a 0104 02000000 00000000 01000000 0c000100 6361727064 2d6d 00 08000200 00000002"
CHAIN = (
    "54000000 030a 0104 03000000 00000000 01000000 0c000100 63617270642d6d00 0a000300 696e707574000000"
    "14000480 08000100 00000001 08000200 fffffed4 08000500 00000001 0b000700 66696c74657200 00"
)
END = "14000000 1100 0100 05000000 00000000 0000000a"


def flat(text: str) -> bytes:
    return bytes.fromhex(text.replace(" ", ""))


class Kernel:
    """A netlink socket that answers as the kernel does: to what wants an answer, and to what it refuses."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.wrong: dict[int, int] = {}  # by the type of a request
        self.answers: list[bytes] = []
        self.closed = False

    def setsockopt(self, *_arguments: int) -> None:
        return

    def bind(self, address: tuple[int, int]) -> None:
        assert address == (0, 0)

    def send(self, data: bytes) -> None:
        self.sent.append(data)
        for kind, flags, sequence, _body in requests(data):
            code = self.wrong.get(kind & 0xFF, 0) if kind > 0xFF else 0
            if code or flags & 4:
                body = struct.pack("=i", -code) + data[:16]
                self.answers.append(struct.pack("=IHHII", 16 + len(body), 2, 0, sequence, 0) + body)

    def recv(self, _size: int, flags: int = 0) -> bytes:
        if not self.answers:
            assert flags, "a call that would wait for ever"
            raise BlockingIOError(errno.EAGAIN, "nothing more")
        return self.answers.pop(0)

    def close(self) -> None:
        self.closed = True


def requests(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield the messages of a batch."""
    while data:
        length, kind, flags, sequence, _port = struct.unpack_from("=IHHII", data)
        yield kind, flags, sequence, data[16:length]
        data = data[length:]


@pytest.fixture(name="kernel")
def kernel_(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    kernel = Kernel()
    monkeypatch.setattr(nftables.socket, "socket", lambda *_arguments: kernel)
    return kernel


def test_table_and_chain_byte_for_byte(kernel: Kernel) -> None:
    HeldBack().hold("m", [], ())
    (sent,) = kernel.sent
    parts = [sent[at : at + length] for at, length in ((0, 20), (20, 40), (60, 84), (144, 20))]
    assert parts[0] == flat(BEGIN)
    assert parts[1] == flat(TABLE)
    assert parts[2].hex() == flat(CHAIN.replace("0104 0300", "0504 0300")).hex()
    assert parts[3] == flat(END.replace("05000000", "04000000"))


@pytest.mark.parametrize(
    ("address", "family", "header"),
    [("172.17.0.74", "02", "00000010 08000400 00000004"), ("2001:db8::74", "0a", "00000018 08000400 00000010")],
)
def test_a_rule_byte_for_byte(kernel: Kernel, address: str, family: str, header: str) -> None:
    HeldBack().hold("m", [ip_address(address)], (25,))
    rule = [body for kind, _flags, _sequence, body in requests(kernel.sent[0]) if kind == 0x0A06]
    (attributes,) = rule
    packed = ip_address(address).packed
    value = struct.pack("=HH", 4 + len(packed), 1) + packed
    compared = struct.pack("=HH", 4 + len(value), 0x8003) + value
    wanted = [
        "0c000100 6d65746100 000000",  # meta
        "08000200 00000004 08000100 00000001",  # iif
        "08000100 00000001 08000200 00000001 0c000380 08000100 01000000",  # is not the loopback
        "08000200 0000000f 08000100 00000001",  # nfproto
        f"0c000380 05000100 {family}000000",
        f"08000200 00000001 08000300 {header}",  # the destination in the network header
        compared.hex(),
        "08000200 00000010 08000100 00000001",  # l4proto
        "0c000380 05000100 06000000",  # is TCP
        "08000200 00000002 08000300 0000000d 08000400 00000001",  # the flags in the transport header
        "08000300 00000001 0c000480 05000100 17000000 0c000580 05000100 00000000",  # fin, syn, rst and ack of them
        "0c000380 05000100 02000000",  # are syn alone
        "08000200 00000002 08000300 00000002 08000400 00000002",  # the destination port
        "0c000380 06000100 00190000",  # is 25
        "08000100 00000000 10000280 0c000280 08000100 00000000",  # drop
    ]
    rest = attributes
    for text in wanted[1:]:
        _before, found, rest = rest.partition(flat(text))
        assert found, (text, attributes.hex())


def test_a_rule_for_each_address_and_port(kernel: Kernel) -> None:
    held = HeldBack()
    addresses = [ip_address("10.0.0.1"), ip_address("fd00::1")]
    held.hold("a", addresses, (25, 465, 587))
    held.hold("b", addresses, ())
    counts = [sum(kind == 0x0A06 for kind, *_rest in requests(data)) for data in kernel.sent]
    assert counts == [6, 2]


def test_letting_in_removes_the_table_once(kernel: Kernel) -> None:
    held = HeldBack()
    held.hold("m", [], ())
    held.let_in("m")
    held.let_in("m")
    held.let_in("other")
    assert len(kernel.sent) == 2
    assert [(kind, body) for kind, _flags, _sequence, body in requests(kernel.sent[1]) if kind > 255] == [
        (0x0A02, flat("01000000 0c000100 63617270642d6d00"))
    ]


def test_holding_again_replaces(kernel: Kernel) -> None:
    held = HeldBack()
    held.hold("m", [], ())
    held.hold("m", [ip_address("10.0.0.1")], ())
    assert [[kind & 0xFF for kind, *_rest in requests(data) if kind > 255] for data in kernel.sent] == [
        [0, 3],
        [2],
        [0, 3, 6],
    ]


@pytest.mark.parametrize(("kind", "code"), [(0, errno.EPERM), (3, errno.EOPNOTSUPP), (6, errno.ENOENT)])
def test_a_refusal_is_told_and_nothing_is_left_to_remove(kernel: Kernel, kind: int, code: int) -> None:
    held = HeldBack()
    kernel.wrong[kind] = code
    with pytest.raises(OSError) as caught:
        held.hold("m", [ip_address("10.0.0.1")], ())
    assert caught.value.errno == code
    kernel.wrong.clear()
    held.let_in("m")
    assert len(kernel.sent) == 1
    held.hold("m", [], ())  # the answers to what was refused are not mistaken for those to this
    held.close()
    assert kernel.closed and len(kernel.sent) == 3


def test_numbers_go_on_from_batch_to_batch(kernel: Kernel) -> None:
    held = HeldBack()
    for _number in range(3):
        held.hold("m", [], ())
    numbers = [sequence for data in kernel.sent for kind, _flags, sequence, _body in requests(data) if kind > 255]
    assert len(set(numbers)) == len(numbers)
