# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The set of wires: one for each interface and IP version, open and watched as long as somebody uses it."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Iterator

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd import wires as wires_module
from ansible_collections.failover.carp.plugins.module_utils.carpd.events import dispatch
from ansible_collections.failover.carp.plugins.module_utils.carpd.netlink import Link
from ansible_collections.failover.carp.plugins.module_utils.carpd.wires import Wires

ETH1, ETH2 = Link(3, "eth1", bytes(6), True), Link(4, "eth2", bytes(6), True)


class Wire:
    """Stands in for a wire, with a descriptor that can be watched."""

    made: list[Wire]

    def __init__(self, name: str, ifindex: int, mac: bytes, version: int) -> None:
        if name == "broken":
            raise OSError(19, "No such device")
        self.name, self.ifindex, self.mac, self.version = name, ifindex, mac, version
        self.near, self.far = socket.socketpair()
        self.ear, self.ear_far = socket.socketpair() if version == 4 else (None, None)
        self.closed = False
        self.made.append(self)

    def fileno(self) -> int:
        return self.near.fileno()

    def read(self) -> Iterator[str]:
        yield "packets"

    def read_ear(self) -> Iterator[str]:
        yield "ARP"

    def descriptors(self) -> set[int]:
        return {self.near.fileno(), *([self.ear.fileno()] if self.ear else [])}

    def close(self) -> None:
        self.closed = True
        for one in (self.near, self.far, self.ear, self.ear_far):
            if one is not None:
                one.close()


class Fixture:
    def __init__(self) -> None:
        self.selector = selectors.SelectSelector()
        self.read: list[tuple[Wire, list[str]]] = []
        self.wires = Wires(self.selector, lambda wire, heard: self.read.append((wire, list(heard))))

    def watched(self) -> set[int]:
        return set(self.selector.get_map())


@pytest.fixture(name="world")
def world_(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fixture]:
    Wire.made = []
    monkeypatch.setattr(wires_module, "Wire", Wire)
    yield Fixture()
    for wire in Wire.made:
        wire.close()


def test_one_for_each_interface_and_version(world: Fixture) -> None:
    four, six, other = world.wires.get(ETH1, 4), world.wires.get(ETH1, 6), world.wires.get(ETH2, 4)
    assert [(each.name, each.ifindex, each.version) for each in (four, six, other)] == [
        ("eth1", 3, 4),
        ("eth1", 3, 6),
        ("eth2", 4, 4),
    ]
    assert world.wires.get(ETH1, 4) is four
    assert world.wires.get(ETH1, 6) is six
    assert Wire.made == [four, six, other]


def test_the_reader_gets_the_wire_that_has_something(world: Fixture) -> None:
    world.wires.get(ETH1, 4)
    other = world.wires.get(ETH2, 4)
    other.far.send(b"x")
    dispatch(world.selector, 0.0)
    assert world.read == [(other, ["packets"])]
    other.near.recv(1)
    other.ear_far.send(b"x")
    dispatch(world.selector, 0.0)
    assert world.read[1:] == [(other, ["ARP"])]


def test_a_new_mac_is_taken_over(world: Fixture) -> None:
    wire = world.wires.get(ETH1, 4)
    assert world.wires.get(ETH1._replace(mac=b"newmac"), 4) is wire
    assert wire.mac == b"newmac"


def test_what_nobody_uses_is_closed(world: Fixture) -> None:
    four, six = world.wires.get(ETH1, 4), world.wires.get(ETH1, 6)
    world.wires.keep({four})
    assert (four.closed, six.closed) == (False, True)
    assert world.watched() == four.descriptors()
    assert world.wires.get(ETH1, 6) is not six, "and opened anew when it is needed again"


def test_at_the_end_nothing_is_left(world: Fixture) -> None:
    world.wires.get(ETH1, 4)
    world.wires.get(ETH2, 6)
    world.wires.keep([])
    assert all(wire.closed for wire in Wire.made)
    assert not world.watched()


def test_an_interface_with_another_name(world: Fixture) -> None:
    old = world.wires.get(ETH1, 4)
    new = world.wires.get(ETH1._replace(name="wan"), 4)
    assert (old.closed, new.closed, new.name) == (True, False, "wan")
    assert world.watched() == new.descriptors()


def test_an_interface_that_came_back_with_another_number(world: Fixture) -> None:
    old = world.wires.get(ETH1, 4)
    new = world.wires.get(ETH1._replace(ifindex=9), 4)
    world.wires.keep({new})
    assert (old.closed, new.closed) == (True, False)


def test_one_that_cannot_be_opened_changes_nothing(world: Fixture) -> None:
    old = world.wires.get(ETH1, 4)
    with pytest.raises(OSError, match="No such device"):
        world.wires.get(ETH1._replace(name="broken"), 4)
    assert not old.closed
    assert world.watched() == old.descriptors()
