# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes on to the new master, byte for byte, and what must not; and what the neighbour is told."""

from __future__ import annotations

import logging
import selectors
import socket
import struct
from ipaddress import IPv4Address, IPv6Address, ip_interface
from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd import forwarding as forwarding_module
from ansible_collections.failover.carp.plugins.module_utils.carpd.announce import ADVERTISEMENT, neighbour_message
from ansible_collections.failover.carp.plugins.module_utils.carpd.config import Vip
from ansible_collections.failover.carp.plugins.module_utils.carpd.forwarding import (
    MOST_NEIGHBOUR_MESSAGES,
    MOST_NEIGHBOURS,
    MOST_PACKETS,
    Forwarding,
    hints,
    passed_on,
)
from ansible_collections.failover.carp.plugins.module_utils.carpd.neighbours import read_arp, read_neighbour_message
from ansible_collections.failover.carp.plugins.module_utils.carpd.netlink import Link
from ansible_collections.failover.carp.plugins.module_utils.carpd.packet import checksum
from hypothesis import given
from hypothesis import strategies as st

OWN, MASTER, CLIENT = (bytes.fromhex(f"0200000000{last}") for last in ("0a", "0b", "0c"))
VIRTUAL, VIRTUAL_6 = IPv4Address("10.0.0.74"), IPv6Address("fd00::74")
PEER, PEER_6 = IPv4Address("10.0.0.9"), IPv6Address("fd00::9")


def frame4(ttl: int = 64, identification: int = 1, sender: bytes = CLIENT, target: IPv4Address = VIRTUAL) -> bytes:
    fields = [0x45, 0, 24, identification, 0, ttl, 6, 0, PEER.packed, target.packed]
    fields[7] = checksum(struct.pack("!BBHHHBBH4s4s", *fields))
    return OWN + sender + b"\x08\x00" + struct.pack("!BBHHHBBH4s4s", *fields) + b"data"


def frame6(hops: int = 64, sender: bytes = CLIENT) -> bytes:
    header = struct.pack("!IHBB16s16s", 0x60000000, 4, 6, hops, PEER_6.packed, VIRTUAL_6.packed)
    return OWN + sender + b"\x86\xdd" + header + b"data"


def answer6() -> bytes:
    """A client's answer to a new master that asks for its MAC."""
    message = neighbour_message(ADVERTISEMENT, 0, PEER_6, (PEER_6, VIRTUAL_6), (2, CLIENT))
    return OWN + CLIENT + b"\x86\xdd" + message.payload


@given(st.integers(2, 255), st.integers(0, 65535))
def test_ipv4_goes_on_with_one_hop_less_and_a_right_sum(ttl: int, identification: int) -> None:
    onward = passed_on(frame4(ttl, identification), OWN, MASTER)
    assert onward is not None
    assert onward[:14] == MASTER + OWN + b"\x08\x00"
    assert onward[22] == ttl - 1
    assert checksum(onward[14:34]) == 0
    assert onward[34:] == b"data"


def test_ipv6_goes_on_with_one_hop_less() -> None:
    onward = passed_on(frame6(64), OWN, MASTER)
    assert onward == MASTER + OWN + frame6(63)[12:]


def test_what_a_client_answers_to_the_new_masters_question_goes_on_as_it_is() -> None:
    """A neighbour message with another number of hops than 255 is refused."""
    onward = passed_on(answer6(), OWN, MASTER)
    assert onward == MASTER + OWN + answer6()[12:]
    assert read_neighbour_message(onward[14:]) is not None


@pytest.mark.parametrize(
    ("frame", "master"),
    [
        (frame4(sender=MASTER), MASTER),  # it would come back
        (frame6(sender=MASTER), MASTER),
        (frame4(sender=OWN), MASTER),
        (frame4(ttl=1), MASTER),
        (frame6(hops=1), MASTER),
        (frame4(), b""),  # nobody is known to be master
        (frame4()[:20], MASTER),
        (frame6()[:50], MASTER),
        (frame4()[:12] + b"\x08\x06" + frame4()[14:], MASTER),
        (b"", MASTER),
    ],
)
def test_what_does_not_go_on(frame: bytes, master: bytes) -> None:
    assert passed_on(frame, OWN, master) is None


def test_two_hosts_that_take_each_other_for_the_master_pass_nothing_in_circles() -> None:
    onward = passed_on(frame4(), OWN, MASTER)
    assert onward is not None
    assert passed_on(onward, MASTER, OWN) is None


def test_the_sender_alone_is_told_where_the_address_is() -> None:
    (arp,) = [hint for hint in hints(frame4(), OWN, MASTER, VIRTUAL) if hint[20:22] == b"\x00\x02"]
    assert arp[:14] == CLIENT + OWN + b"\x08\x06"
    told = read_arp(arp[14:])
    assert told is not None and (told.address, told.mac) == (VIRTUAL, MASTER)
    (message,) = hints(frame6(), OWN, MASTER, VIRTUAL_6)
    assert message[:14] == CLIENT + OWN + b"\x86\xdd"
    told = read_neighbour_message(message[14:])
    assert told is not None and (told.address, told.mac) == (VIRTUAL_6, MASTER)


class Wire:
    """A packet socket."""

    def __init__(self) -> None:
        self.near, self.far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.near.setblocking(False)
        self.waiting: list[bytes] = []
        self.sent: list[bytes] = []
        self.closed = False

    def fileno(self) -> int:
        return self.near.fileno()

    def setsockopt(self, *_arguments: Any) -> None:
        return

    def bind(self, _address: tuple[str, int]) -> None:
        return

    def recv(self, _size: int) -> bytes:
        if not self.waiting:
            raise BlockingIOError
        return self.waiting.pop(0)

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def close(self) -> None:
        self.closed = True
        self.near.close()
        self.far.close()


class Scene:
    """A host that has handed 10.0.0.74 over; its socket, its clock and what passes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.wire = Wire()
        self.kernel_forwards = False
        monkeypatch.setattr(forwarding_module.socket, "socket", lambda *_arguments: self.wire)
        monkeypatch.setattr(forwarding_module, "attach", lambda *_arguments: None)
        monkeypatch.setattr(forwarding_module, "_kernel_forwards", lambda *_arguments: self.kernel_forwards)
        self.selector = selectors.SelectSelector()
        self.forwarding = Forwarding(self.selector, lambda: self.now)
        fields: dict[str, Any] = {"interface": "eth1", "vhid": 1, "password": b"x", "advbase": 1, "advskew": 0}
        fields.update(addresses=(ip_interface("10.0.0.74/24"),), preempt=True, dead_ratio=3, source=None)
        self.vip = Vip(name="smtp", forward=30.0, **fields)

    def begin(self) -> None:
        self.forwarding.begin(self.vip, Link(3, "eth1", OWN, True))

    def arrive(self, *frames: bytes) -> list[bytes]:
        """Return what is sent for these."""
        self.wire.waiting = [bytes(10) + frame for frame in frames]
        self.wire.sent = []
        (key,) = self.selector.get_map().values()
        while self.wire.waiting:
            key.data()
        return [data[10:] for data in self.wire.sent]


@pytest.fixture(name="scene")
def scene_(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Scene:
    caplog.set_level(logging.INFO)
    return Scene(monkeypatch)


def test_from_the_beginning_to_the_end(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.begin()
    assert scene.arrive(frame4()) == []
    scene.forwarding.aim("smtp", MASTER)
    assert scene.arrive(frame4())[0] == passed_on(frame4(), OWN, MASTER)
    assert scene.arrive(frame4(target=IPv4Address("10.0.1.74"))) == []  # which the filter cannot tell apart
    assert scene.forwarding.next_timer() == 1030.0
    scene.now = 1029.9
    scene.forwarding.due()
    assert not scene.wire.closed
    scene.now = 1030.0
    scene.forwarding.due()
    assert scene.wire.closed and not scene.selector.get_map()
    assert caplog.messages == ["smtp: passed 1 packets on to the new master"]
    scene.forwarding.close()


def test_a_neighbour_is_told_once_in_a_while_and_not_too_many_are(scene: Scene) -> None:
    scene.begin()
    scene.forwarding.aim("smtp", MASTER)
    assert [len(scene.arrive(frame4())) for _number in range(3)] == [3, 1, 1]
    scene.now += 1.0
    senders = [struct.pack("!HI", 0x0200, number) for number in range(100, 200)]
    sent = scene.arrive(*(frame4(sender=sender) for sender in senders))
    assert len(sent) == 100 + 2 * MOST_NEIGHBOURS


def test_not_more_than_a_segment_can_bear(scene: Scene) -> None:
    scene.begin()
    scene.forwarding.aim("smtp", MASTER)
    assert sum(len(scene.arrive(*[frame4()] * 1000)) for _part in range(MOST_PACKETS // 1000 + 3)) == MOST_PACKETS + 2
    scene.now += 1.0
    scene.forwarding._passages["smtp"]._addresses[VIRTUAL_6.packed] = VIRTUAL_6
    onward = [one for one in scene.arrive(*[answer6()] * 1000) if one[:6] == MASTER]
    assert len(onward) == MOST_NEIGHBOUR_MESSAGES


def test_where_the_kernel_forwards_it_does_not(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.kernel_forwards = True
    scene.begin()
    assert not scene.selector.get_map()
    assert caplog.messages == ["smtp: packets that still arrive are passed on by the kernel"]


def test_what_cannot_be_is_told(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_arguments: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(forwarding_module, "attach", refuse)
    scene.begin()
    assert scene.wire.closed and not scene.selector.get_map()
    assert caplog.messages == ["smtp: packets that still arrive are not passed on: Operation not permitted"]
