# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon's loop, turn by turn: a story tells what happens before each turn, and what must have been done by then.

Kernel, guard, wires, signals and clock are stand-ins; the loop, its selector and the control socket are real.
"""

from __future__ import annotations

import errno
import logging
import selectors
import signal
import socket
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd import daemon as daemon_module
from ansible_collections.failover.carp.plugins.module_utils.carpd import reading as reading_module
from ansible_collections.failover.carp.plugins.module_utils.carpd import wires as wires_module
from ansible_collections.failover.carp.plugins.module_utils.carpd.config import Vip, load
from ansible_collections.failover.carp.plugins.module_utils.carpd.control import (
    ControlError,
    ControlServer,
    Items,
    Request,
)
from ansible_collections.failover.carp.plugins.module_utils.carpd.daemon import Daemon
from ansible_collections.failover.carp.plugins.module_utils.carpd.digest import Digest
from ansible_collections.failover.carp.plugins.module_utils.carpd.interfaces import PATIENCE
from ansible_collections.failover.carp.plugins.module_utils.carpd.neighbours import Neighbour
from ansible_collections.failover.carp.plugins.module_utils.carpd.netlink import (
    AddressGone,
    AddressThere,
    Link,
    LinkGone,
    Missed,
)
from ansible_collections.failover.carp.plugins.module_utils.carpd.packet import (
    GROUPS,
    Advertisement,
    Datagram,
    PacketError,
)
from ansible_collections.failover.carp.plugins.module_utils.carpd.paths import Copy
from ansible_collections.failover.carp.plugins.module_utils.carpd.virtualhost import VirtualHost

ETH1 = Link(3, "eth1", bytes.fromhex("020000000001"), True)
OWN = AddressThere(3, IPv4Interface("172.17.0.75/20"), False)
VIRTUAL = IPv4Interface("172.17.0.74/20")
PEER = IPv4Address("172.17.0.76")
SMTP = "[vip smtp]\ninterface = eth1\nvhid = 1\naddresses = 172.17.0.74/20\npassword = sesame\n"
IMAP = "[vip imap]\ninterface = eth1\nvhid = 2\naddresses = 172.17.0.73/20\npassword = sesame\n"
PASS_TIME = "pass time"  # what a story says when nothing happens until the loop's next deadline

Story = Iterator[Any]


class World:
    """Everything around the daemon."""

    def __init__(self, config: Path) -> None:
        self.config = config
        self.now = 1000.0
        self.links: list[Link] = [ETH1]
        self.addresses: list[AddressThere] = [OWN]
        self.done: list[tuple[Any, ...]] = []
        self.wires: list[Wire] = []
        self.watch: Watch
        self.guard: Guard
        self.daemon: Daemon
        self.signals, self.signalled = socket.socketpair()
        self.signalled.setblocking(False)
        self.reverse = False
        self.unusable: set[str] = set()

    def take(self) -> list[str]:
        done, self.done = self.done, []
        return [" ".join(map(str, each)) for each in done]

    def send(self, number: signal.Signals) -> None:
        self.signals.send(bytes((number,)))

    def happen(self, *notices: Any) -> None:
        self.watch.notices.extend(notices)
        self.watch.far.send(b"x")

    def arrive(self, advbase: int = 1, advskew: int = 0, vhid: int = 1, address: str = "172.17.0.74") -> None:
        mac = Digest(b"sesame", vhid, [IPv4Address(address)]).mac(7)
        payload = Advertisement(vhid, advbase, advskew, 0, 7, mac).encode()
        self.wires[-1].put(Datagram(PEER, GROUPS[4], payload))

    def states(self) -> dict[str, str]:
        return {one["name"]: one["state"] for one in self.ask("status")}

    def ask(self, verb: str, **arguments: Any) -> Any:
        """Ask the daemon as a client would, within a turn of the loop; a list comes whole."""
        answer = self.daemon._verbs.answer(Request(verb, arguments, "root"))
        return list(answer) if isinstance(answer, Items) else answer


class Watch:
    def __init__(self) -> None:
        self.near, self.far = socket.socketpair()
        self.notices: deque[Any] = deque()

    def fileno(self) -> int:
        return self.near.fileno()

    def read(self) -> Iterator[Any]:
        self.near.recv(4096)
        while self.notices:
            yield self.notices.popleft()

    def close(self) -> None:
        self.near.close()
        self.far.close()


class Requests:
    def __init__(self, world: World) -> None:
        self._world = world

    def links(self) -> list[Link]:
        return self._world.links

    def addresses(self) -> list[AddressThere]:
        return self._world.addresses

    def add(self, index: int, addresses: Iterable[Any], _lease: int, _routed: bool) -> None:
        self._world.done.append(("add", index, *addresses))

    def hold(self, index: int, addresses: Iterable[Any], _lease: int, _routed: bool) -> None:
        self._world.done.append(("hold", index, *addresses))

    def release(self, index: int, addresses: Iterable[Any]) -> None:
        self._world.done.append(("release", index, *addresses))

    def keep_apart(self, _index: int) -> None:
        """That it is asked for is the virtual hosts' own business."""

    def step_behind(self, index: int, addresses: Iterable[Any], _lease: int) -> None:
        self._world.done.append(("step behind", index, *addresses))

    def close(self) -> None:
        self._world.done.append(("requests closed",))


class Wire:
    def __init__(self, world: World, name: str, ifindex: int, mac: bytes, version: int) -> None:
        if name in world.unusable:
            raise OSError(errno.EPERM, "Operation not permitted")
        self._world = world
        self.name, self.ifindex, self.mac, self.version = name, ifindex, mac, version
        self.near, self.far = socket.socketpair()
        self.ear = None
        self.incoming: deque[Any] = deque()
        self.watched: set[Any] = set()
        self.closed = False
        world.wires.append(self)

    def put(self, *datagrams: Any) -> None:
        self.incoming.extend(datagrams)
        self.far.send(b"x")

    def fileno(self) -> int:
        return self.near.fileno()

    def read(self) -> Iterator[Any]:
        self.near.recv(4096)  # of a closed socket, this fails as a real one does
        while self.incoming:
            yield self.incoming.popleft()

    def send(self, copy: Copy) -> None:
        one = Advertisement.decode(Datagram.decode(copy.packet).payload)
        self._world.done.append(("send", f"{one.vhid}:{one.advbase}/{one.advskew}"))

    def announce(self, address: Any, _made: Link | None) -> None:
        self._world.done.append(("announce", address))

    def ask(self, target: Any, source: Any) -> None:
        """Whom the virtual hosts ask for is their own business."""

    def watch(self, addresses: Collection[Any]) -> None:
        if "watch" in self._world.unusable:
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        self.watched = set(addresses)

    def close(self) -> None:
        self.closed = True
        self.near.close()
        self.far.close()


class Guard:
    def __init__(self) -> None:
        self.near, self.far = socket.socketpair()
        self.patience = float("inf")
        self.acted = False
        self.beats = self.replaced = 0
        self.promised = 0.0

    def fileno(self) -> int:
        return self.near.fileno()

    def beat(self, until: float) -> None:
        self.beats += 1
        self.promised = until

    def hold(
        self, _vip: Vip, _link: Link, _bow_outs: Collection[Copy], patience: float, _made: Link | None = None
    ) -> None:
        self.patience = patience

    def release(self, _name: str) -> None:
        self.patience = float("inf")

    def die(self) -> None:
        self.far.close()

    def replace(self) -> None:
        self.close()
        self.near, self.far = socket.socketpair()
        self.acted = False
        self.replaced += 1

    def close(self) -> None:
        self.near.close()
        self.far.close()


class AtOnce:
    """Does what belongs into the background before it returns: the story goes on by turns of the loop."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        assert isinstance(selector, Scripted)

    def submit(self, work: Callable[[], None], done: Callable[[str], None]) -> None:
        work()
        done("")

    def leave(self) -> None:
        return


class Scripted(selectors.SelectSelector):
    """Before each turn, the story goes on. At its end the daemon is told to end, and time passes until it does."""

    world: World
    story: Story
    turns = 0
    over = False

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.turns += 1
        assert self.turns < 2000, "the daemon does not end"
        wish = None if self.over else next(self.story, self)
        if wish is self:
            self.over = True
            self.world.send(signal.SIGTERM)
        elif wish == PASS_TIME or self.over:
            assert timeout is not None, "nothing would ever happen again"
            self.world.now += timeout
        order = [key.fd for key in self.get_map().values()]
        ready = sorted(super().select(0), key=lambda pair: order.index(pair[0].fd))
        return ready[::-1] if self.world.reverse else ready


@pytest.fixture(name="world")
def world_(
    tmp_path: Path, socket_dir: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Iterator[World]:
    caplog.set_level(logging.DEBUG)
    world = World(tmp_path / "carpd.conf")
    world.config.write_text(SMTP)
    world.watch, world.guard = Watch(), Guard()
    clock = SimpleNamespace(monotonic=lambda: world.now, time=lambda: 1.6e9 + world.now)
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setattr(daemon_module, "time", clock)
    monkeypatch.setattr(daemon_module, "gc", SimpleNamespace(collect=lambda: None, freeze=lambda: None))
    monkeypatch.setattr(daemon_module, "Requests", lambda: Requests(world))
    monkeypatch.setattr(daemon_module, "Watch", lambda ours: world.watch)
    monkeypatch.setattr(daemon_module, "_signal_socket", lambda: world.signalled)
    monkeypatch.setattr(reading_module, "Background", AtOnce)
    monkeypatch.setattr(wires_module, "Wire", lambda *arguments: Wire(world, *arguments))
    world.socket = str(socket_dir / "control.sock")
    world.state = str(tmp_path / "state")
    yield world
    for one in (world.watch, world.guard, world.signals, world.signalled, *world.wires):
        one.close()


def run(world: World, monkeypatch: pytest.MonkeyPatch, tell: Callable[[], Story]) -> None:
    """Run the daemon while a story is told, and then until it has ended."""
    selector = Scripted()
    selector.world, selector.story = world, tell()
    kinds = SimpleNamespace(SelectSelector=lambda: selector, EVENT_READ=selectors.EVENT_READ)
    monkeypatch.setattr(daemon_module, "selectors", kinds)
    world.daemon = Daemon(str(world.config), load(str(world.config)), world.socket, world.state, world.guard)
    world.daemon.run()
    assert selector.over or next(selector.story, selector) is selector, "the daemon ended before the story"
    assert not Path(world.socket).exists()
    assert all(wire.closed for wire in world.wires)
    assert world.done[-1] == ("requests closed",)


@pytest.fixture(name="play")
def play_(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Story]], None]:
    return lambda tell: run(world, monkeypatch, tell)


Play = Callable[[Callable[[], Story]], None]


class TestNeighbours:
    CLAIM = Neighbour(VIRTUAL.ip, bytes.fromhex("020000000002"))

    def test_the_virtual_host_whose_address_it_is_hears_them(
        self, world: World, play: Play, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told: list[tuple[str, Neighbour]] = []
        monkeypatch.setattr(VirtualHost, "neighbour", lambda host, one: told.append((host.vip.name, one)))
        world.config.write_text(SMTP + IMAP + SMTP.replace("smtp", "other").replace("eth1", "eth2"))

        def tell() -> Story:
            yield
            world.wires[0].put(self.CLAIM)
            yield

        play(tell)
        assert told == [("smtp", self.CLAIM)]

    def test_what_another_interface_of_this_host_says_is_nothing_new(
        self, world: World, play: Play, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told: list[Neighbour] = []
        monkeypatch.setattr(VirtualHost, "neighbour", lambda _host, one: told.append(one))
        world.links.append(Link(4, "eth2", self.CLAIM.mac, True))

        def tell() -> Story:
            yield
            world.wires[0].put(self.CLAIM)
            yield

        play(tell)
        assert told == []

    def test_the_wires_watch_what_is_configured(self, world: World, play: Play) -> None:
        def tell() -> Story:
            yield
            assert world.wires[0].watched == {VIRTUAL.ip}
            world.config.write_text(SMTP + IMAP)
            world.send(signal.SIGHUP)
            yield
            assert world.wires[0].watched == {VIRTUAL.ip, IPv4Address("172.17.0.73")}

        play(tell)

    def test_without_them_it_works_all_the_same(
        self, world: World, play: Play, caplog: pytest.LogCaptureFixture
    ) -> None:
        world.unusable.add("watch")

        def tell() -> Story:
            yield from until_master(world)

        play(tell)
        assert "eth1: nobody else's claim to an address will be heard: Cannot allocate memory" in caplog.messages


def until_master(world: World) -> Story:
    for _turn in range(100):
        if "MASTER" in world.states().values():
            return
        yield PASS_TIME
    raise AssertionError(world.states())


class TestFromStartToEnd:
    def test_alone(self, world: World, play: Play) -> None:
        def tell() -> Story:
            yield
            assert world.states() == {"smtp": "BACKUP"}
            yield from until_master(world)
            assert world.now == 1003.0
            assert world.take()[:3] == ["add 3 172.17.0.74/20", "announce 172.17.0.74", "send 1:1/0"]
            world.send(signal.SIGTERM)
            yield
            assert world.take()[0] == "send 1:255/255", "it says goodbye first"
            assert world.states() == {"smtp": "MASTER"}
            yield
            assert not any("release" in each for each in world.take()), "and holds the address meanwhile"
            world.arrive(advskew=100)
            yield

        play(tell)
        assert world.take() == ["release 3 172.17.0.74/20", "requests closed"]

    def test_nobody_takes_over(self, world: World, play: Play) -> None:
        def tell() -> Story:
            yield from until_master(world)

        play(tell)
        assert world.now <= 1003.0 + 2.0

    def test_told_twice_it_does_not_wait(self, world: World, play: Play) -> None:
        times = []

        def tell() -> Story:
            yield from until_master(world)
            world.send(signal.SIGTERM)
            yield
            times.append(world.now)
            world.send(signal.SIGTERM)

        play(tell)
        assert world.now == times[0]

    def test_what_fails_still_leaves_nothing_behind(self, world: World, play: Play) -> None:
        def tell() -> Story:
            yield from until_master(world)
            world.take()
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            play(tell)
        assert "release 3 172.17.0.74/20" in world.take()
        assert all(wire.closed for wire in world.wires)


class TestInterfaces:
    def test_comes_later(self, world: World, play: Play, caplog: pytest.LogCaptureFixture) -> None:
        world.links, world.addresses = [], []

        def tell() -> Story:
            yield
            assert world.states() == {"smtp": "INIT"}
            assert caplog.messages == ["smtp: there is no interface eth1"]
            world.happen(ETH1)
            yield
            world.happen(OWN)
            yield
            yield
            assert world.states() == {"smtp": "BACKUP"}

        play(tell)

    def test_goes_down_and_up(self, world: World, play: Play) -> None:
        def tell() -> Story:
            yield from until_master(world)
            world.take()
            world.happen(ETH1._replace(running=False))
            yield
            yield
            assert world.states() == {"smtp": "INIT"}
            assert world.take() == ["send 1:255/255", "release 3 172.17.0.74/20"]
            assert world.wires[0].closed
            world.happen(ETH1)
            yield
            yield from until_master(world)
            assert len(world.wires) == 2

        play(tell)

    @pytest.mark.parametrize("reverse", [False, True])
    @pytest.mark.parametrize(
        "notice",
        [LinkGone(3), ETH1._replace(running=False), ETH1._replace(name="wan")],
        ids=["gone", "down", "renamed"],
    )
    def test_goes_while_a_packet_waits(self, world: World, play: Play, notice: Any, reverse: bool) -> None:
        """Both are ready in one turn, and the wire may be closed before it is its turn to be read."""

        def tell() -> Story:
            yield
            world.reverse = reverse
            world.arrive()
            world.happen(notice)
            yield
            yield
            assert world.states() == {"smtp": "INIT"}

        play(tell)

    def test_is_replaced_by_another_of_its_name(self, world: World, play: Play) -> None:
        def tell() -> Story:
            yield from until_master(world)
            world.take()
            world.happen(LinkGone(3), ETH1._replace(ifindex=9), OWN._replace(ifindex=9))
            yield
            yield
            assert "release 3 172.17.0.74/20" in world.take()
            assert [(wire.ifindex, wire.closed) for wire in world.wires] == [(3, True), (9, False)]
            yield from until_master(world)
            assert "add 9 172.17.0.74/20" in world.take()

        play(tell)

    def test_cannot_be_used(self, world: World, play: Play) -> None:
        world.unusable = {"eth1"}

        def tell() -> Story:
            yield
            (one,) = world.ask("status")
            assert (one["state"], one["reason"]) == ("INIT", "eth1 cannot be used: Operation not permitted")

        play(tell)

    def test_what_the_kernel_did_not_tell_is_looked_up(self, world: World, play: Play) -> None:
        def tell() -> Story:
            yield
            world.links = [ETH1._replace(running=False)]
            world.happen(Missed())
            yield
            yield
            assert world.states() == {"smtp": "INIT"}

        play(tell)


class TestOwnAddress:
    GONE = AddressGone(3, OWN.address)

    def test_goes_for_a_moment(self, world: World, play: Play) -> None:
        def tell() -> Story:
            yield from until_master(world)
            yield PASS_TIME  # the next advertisement is due in less than the time that is granted
            world.take()
            gone = world.now
            world.happen(self.GONE)
            yield
            yield
            while "send 1:1/0" not in (done := world.take()):
                yield PASS_TIME
            assert done[-1] == "hold 3 172.17.0.74/20"
            assert world.now < gone + PATIENCE[4]
            world.happen(OWN)
            yield
            yield
            while world.now < gone + PATIENCE[4]:
                yield PASS_TIME
            yield
            assert world.states() == {"smtp": "MASTER"}
            assert world.ask("status")[0]["transitions"] == 2

        play(tell)

    def test_goes_for_good(self, world: World, play: Play) -> None:
        def tell() -> Story:
            yield from until_master(world)
            world.take()
            gone = world.now
            world.happen(self.GONE)
            yield
            yield
            while world.states() == {"smtp": "MASTER"}:
                yield PASS_TIME
            assert world.now == gone + PATIENCE[4]
            assert world.take()[-2:] == ["send 1:255/255", "release 3 172.17.0.74/20"]
            (one,) = world.ask("status")
            assert one["reason"] == "eth1 has no IPv4 address of its own"

        play(tell)

    def test_goes_with_the_virtual_one(self, world: World, play: Play) -> None:
        """Which is put back behind it, and not in between: whoever empties the interface comes to an end."""

        def tell() -> Story:
            yield from until_master(world)
            yield PASS_TIME
            world.happen(AddressThere(3, VIRTUAL, True, True))
            yield
            yield
            world.take()
            world.happen(AddressGone(3, VIRTUAL), self.GONE)
            yield
            yield
            assert not any(each.startswith(("add", "hold")) for each in world.take())
            world.happen(OWN)
            yield
            yield
            assert "hold 3 172.17.0.74/20" in world.take()
            assert world.states() == {"smtp": "MASTER"}

        play(tell)

    def test_comes_back_behind_the_virtual_one(self, world: World, play: Play) -> None:
        def tell() -> Story:
            yield from until_master(world)
            world.happen(AddressThere(3, VIRTUAL, True, True), self.GONE, AddressThere(3, VIRTUAL, True))
            yield
            yield
            world.take()
            world.happen(OWN._replace(secondary=True))
            yield
            yield
            assert world.take() == ["step behind 3 172.17.0.74/20"]
            world.happen(ETH1._replace(mac=bytes(6)))
            yield
            yield
            assert not any("step" in each for each in world.take()), "it looked how all is now"

        play(tell)

    def test_is_behind_in_another_network(self, world: World, play: Play) -> None:
        def tell() -> Story:
            yield from until_master(world)
            world.take()
            world.happen(AddressThere(3, IPv4Interface("192.0.2.1/24"), False, True))
            yield
            yield
            assert not any("step" in each for each in world.take())

        play(tell)

    def test_stands_behind_what_somebody_else_holds(self, world: World, play: Play) -> None:
        """It is not for us to put that right."""

        def tell() -> Story:
            yield
            world.happen(AddressThere(3, VIRTUAL, True), OWN._replace(secondary=True))
            yield
            yield
            assert world.states() == {"smtp": "BACKUP"}
            assert not any("step" in each for each in world.take())

        play(tell)


class TestAddresses:
    def test_what_a_dead_daemon_left_is_removed_first(
        self, world: World, play: Play, caplog: pytest.LogCaptureFixture
    ) -> None:
        world.addresses = [OWN, AddressThere(3, VIRTUAL, True)]

        def tell() -> Story:
            yield
            assert world.take() == ["release 3 172.17.0.74/20"]
            assert "smtp: removed 172.17.0.74/20, which a dead daemon had left on eth1" in caplog.messages
            assert world.states() == {"smtp": "BACKUP"}

        play(tell)

    def test_one_that_is_there_for_good_is_not_touched(self, world: World, play: Play) -> None:
        world.addresses = [OWN, AddressThere(3, VIRTUAL, False)]

        def tell() -> Story:
            yield
            assert world.take() == []
            assert world.states() == {"smtp": "INIT"}

        play(tell)

    def test_one_that_is_taken_away_is_put_back(self, world: World, play: Play) -> None:
        def tell() -> Story:
            yield from until_master(world)
            world.happen(AddressThere(3, VIRTUAL, True))
            yield
            yield
            world.take()
            world.happen(AddressGone(3, VIRTUAL))
            yield
            yield
            done = world.take()
            assert done.index("hold 3 172.17.0.74/20") < done.index("announce 172.17.0.74")
            assert world.states() == {"smtp": "MASTER"}

        play(tell)


class TestPackets:
    def test_those_that_wait_already_are_no_silence(self, world: World, play: Play) -> None:
        """A daemon that comes late has to read first what it would else have missed."""

        def tell() -> Story:
            yield
            world.arrive()
            yield
            world.now += 60.0
            world.arrive()
            yield
            yield
            assert world.states() == {"smtp": "BACKUP"}
            assert world.take() == []

        play(tell)

    def test_what_is_no_advertisement_is_passed_over(self, world: World, play: Play) -> None:
        def tell() -> Story:
            yield
            world.wires[0].put(PacketError("ttl"), PacketError("short"))
            world.arrive()
            yield
            yield
            (one,) = world.ask("status")
            assert one["refused"] == {}
            assert one["master"]["source"] == str(PEER)

        play(tell)

    def test_each_virtual_host_gets_its_own(self, world: World, play: Play) -> None:
        world.config.write_text(SMTP + IMAP)

        def tell() -> Story:
            yield
            world.arrive(vhid=2, address="172.17.0.73")
            yield
            yield
            masters = {one["name"]: bool(one["master"]) for one in world.ask("status")}
            assert masters == {"smtp": False, "imap": True}
            assert len(world.wires) == 1, "they share their wire"

        play(tell)


class TestReload:
    def test_what_did_not_change_is_not_touched(self, world: World, play: Play) -> None:
        def tell() -> Story:
            yield from until_master(world)
            world.take()
            world.config.write_text(SMTP + IMAP)
            world.send(signal.SIGHUP)
            yield
            yield
            assert world.states() == {"smtp": "MASTER", "imap": "BACKUP"}
            assert world.take() == []

        play(tell)

    def test_another_timing_is_taken_over_in_place(self, world: World, play: Play) -> None:
        def tell() -> Story:
            yield from until_master(world)
            world.take()
            world.config.write_text(SMTP + "advskew = 9\n")
            world.send(signal.SIGHUP)
            yield
            yield
            assert world.take()[0] == "send 1:1/9"
            assert world.states() == {"smtp": "MASTER"}

        play(tell)

    def test_another_identity_hands_over_before_it_begins_anew(self, world: World, play: Play) -> None:
        def tell() -> Story:
            yield from until_master(world)
            world.take()
            world.config.write_text(SMTP.replace("vhid = 1", "vhid = 5"))
            world.send(signal.SIGHUP)
            yield
            yield
            assert world.take()[0] == "send 1:255/255"
            assert [one["vhid"] for one in world.ask("status")] == [1]
            world.arrive(advskew=100)
            yield
            yield
            assert world.take() == ["release 3 172.17.0.74/20"]
            assert [(one["vhid"], one["state"]) for one in world.ask("status")] == [(5, "BACKUP")]

        play(tell)

    def test_what_is_no_longer_configured_goes(self, world: World, play: Play) -> None:
        world.config.write_text(SMTP + IMAP)

        def tell() -> Story:
            yield
            world.config.write_text(IMAP)
            world.send(signal.SIGHUP)
            yield
            yield
            assert world.states() == {"imap": "BACKUP"}

        play(tell)

    def test_a_broken_file_changes_nothing(self, world: World, play: Play, caplog: pytest.LogCaptureFixture) -> None:
        def tell() -> Story:
            yield from until_master(world)
            world.take()
            world.config.write_bytes(b"[vip smtp]\n\xff\0")
            world.send(signal.SIGHUP)
            yield
            yield
            assert world.take() == []
            assert world.states() == {"smtp": "MASTER"}
            assert caplog.messages[-1] == "the configuration was not reloaded; the old one stays in force"

        play(tell)


class TestSignals:
    def test_to_look(self, world: World, play: Play, caplog: pytest.LogCaptureFixture) -> None:
        def tell() -> Story:
            yield
            world.send(signal.SIGUSR1)
            yield
            yield
            assert caplog.messages[-1] == "smtp: BACKUP: eth1 is ready"

        play(tell)

    def test_to_step_down(self, world: World, play: Play) -> None:
        def tell() -> Story:
            yield from until_master(world)
            world.take()
            world.send(signal.SIGUSR2)
            yield
            yield
            assert world.take()[0] == "send 1:255/255"
            world.arrive(advskew=100)
            yield
            yield
            assert world.states() == {"smtp": "BACKUP"}

        play(tell)


class TestGuard:
    def test_it_hears_of_every_turn(self, world: World, play: Play) -> None:
        def tell() -> Story:
            yield from until_master(world)
            beats = world.guard.beats
            yield PASS_TIME
            yield PASS_TIME
            assert world.guard.beats == beats + 2

        play(tell)

    def test_a_turn_comes_often_enough_for_it(self, world: World, play: Play) -> None:
        world.config.write_text(SMTP + "advbase = 100\n")

        def tell() -> Story:
            yield from until_master(world)
            world.guard.patience = 0.3
            yield  # this turn still follows the old promise
            before = world.now
            for _turn in range(30):
                last = world.now
                assert world.guard.promised <= last + 0.3
                yield PASS_TIME
                assert world.now <= last + 0.3 + 1e-9
            assert world.now > before + 5, "nothing else wakes it so often"

        play(tell)

    def test_it_dies_and_is_replaced_and_nothing_moves(self, world: World, play: Play) -> None:
        def tell() -> Story:
            yield from until_master(world)
            world.take()
            world.guard.die()
            yield
            yield
            assert world.guard.replaced == 1
            assert world.states() == {"smtp": "MASTER"}
            assert world.take() == []

        play(tell)

    @pytest.mark.parametrize("reverse", [False, True])
    def test_it_acted_while_the_daemon_hung(self, world: World, play: Play, reverse: bool) -> None:
        """Whatever comes first, the daemon does not speak as the master that it no longer is."""
        world.config.write_text(SMTP + "advskew = 100\n")

        def tell() -> Story:
            yield from until_master(world)
            world.take()
            world.now += 1.2
            world.guard.acted = True
            world.guard.die()
            world.arrive()  # by now, the peer has taken over
            world.reverse = reverse
            yield
            yield
            assert world.guard.replaced == 1
            assert world.states() == {"smtp": "BACKUP"}
            assert world.take() == ["release 3 172.17.0.74/20"]

        play(tell)


class TestOrders:
    def test_demoted_it_tells_so_at_once_until_it_is_promoted(self, world: World, play: Play) -> None:
        def tell() -> Story:
            yield from until_master(world)
            world.take()
            assert world.ask("demote") == {"vips": ["smtp"]}
            assert world.take()[:1] == ["send 1:255/255"]
            (one,) = world.ask("status")
            assert (one["operator"], one["demotion"]) == ("demoted by root", 240)
            assert one["reason"].endswith("; demoted by 240: demoted by root")
            assert world.ask("promote", vips=["smtp"]) == {"vips": ["smtp"]}
            (one,) = world.ask("status")
            assert (one["operator"], one["demotion"], one["state"]) == ("", 0, "MASTER")
            yield

        play(tell)

    @pytest.mark.parametrize("verb", ["demote", "promote"])
    @pytest.mark.parametrize(
        ("vips", "message"),
        [
            (["smtp", "pop"], "there is no virtual host pop; known are smtp"),
            ("smtp", "vips is a list of names"),
            ([1], "vips is a list of names"),
            ({"smtp": 1}, "vips is a list of names"),
        ],
    )
    def test_of_what_there_is_not(self, world: World, play: Play, verb: str, vips: object, message: str) -> None:
        def tell() -> Story:
            yield
            with pytest.raises(ControlError, match=message):
                world.ask(verb, vips=vips)
            assert world.ask("status")[0]["operator"] == ""

        play(tell)

    def test_maintenance_holds_for_what_a_reload_adds(self, world: World, play: Play) -> None:
        def tell() -> Story:
            yield
            answer = world.ask("maintenance", mode="on")
            assert (answer["on"], answer["by"], answer["vips"]) == (True, "root", ["smtp"])
            world.config.write_text(SMTP + IMAP)
            world.send(signal.SIGHUP)
            yield
            yield
            reason = "this host is in maintenance, as ordered by root"
            assert [one["operator"] for one in world.ask("status")] == [reason, reason]
            with pytest.raises(ControlError, match="this host is in maintenance, as ordered by root: end that first"):
                world.ask("promote")
            world.ask("maintenance", mode="off")
            assert [one["operator"] for one in world.ask("status")] == ["", ""]

        play(tell)
        assert not (Path(world.state) / "maintenance").exists()

    def test_maintenance_outlives_the_daemon(self, world: World, play: Play) -> None:
        Path(world.state).mkdir()
        (Path(world.state) / "maintenance").write_text("user 7\n")

        def tell() -> Story:
            yield
            assert world.ask("maintenance")["by"] == "user 7"
            assert world.ask("status")[0]["demotion"] == 240

        play(tell)

    def test_maintenance_is_on_off_or_status(self, world: World, play: Play) -> None:
        def tell() -> Story:
            yield
            with pytest.raises(ControlError, match="maintenance is on, off or status"):
                world.ask("maintenance", mode="maybe")

        play(tell)

    def test_who_watches_hears_of_it(self, world: World, play: Play) -> None:
        told: list[dict[str, Any]] = []

        def tell() -> Story:
            yield
            server = world.daemon._control
            server.tell = told.append
            type(server).watched = property(lambda _self: True)
            yield from until_master(world)
            world.ask("demote")
            world.daemon._reload()
            yield

        watched = ControlServer.watched
        try:
            play(tell)
        finally:
            ControlServer.watched = watched
        kinds = [(one["event"], one["name"], one["old"], one["new"]) for one in told]
        assert kinds[:5] == [
            ("state", "smtp", "BACKUP", "MASTER"),
            ("state", "smtp", "MASTER", "LEAVING"),
            ("demotion", "smtp", "0", "240"),
            ("order", "smtp", "", "demoted by root"),
            ("reload", "", "", "1 virtual host"),
        ]
        assert [one["status"]["state"] for one in told[:4]] == ["MASTER"] * 4
        assert all(one["at"] > 1e9 for one in told)


class TestRecorder:
    def test_what_led_to_a_change_is_kept(self, world: World, play: Play, socket_dir: Path) -> None:
        world.config.write_text(SMTP + "advskew = 50\n")

        def tell() -> Story:
            yield
            world.arrive(advskew=9)
            yield from until_master(world)
            yield PASS_TIME
            text = "\n".join(world.ask("record"))
            for part in (
                "asked for by root",
                "smtp: heard advertisement 1+9/256 s",
                "smtp: state: BACKUP -> MASTER - no advertisement for 3.195 s",
                "smtp: timer, 0.000 ms late",
                "smtp: sent advertisement 1+50/256 s",
            ):
                assert part in text, (part, text)

        play(tell)
        texts = [file.read_text() for file in (socket_dir / "records").iterdir()]
        assert any("smtp: state: BACKUP -> MASTER" in text for text in texts)
