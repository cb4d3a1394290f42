# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One virtual host's hands: what the election decides is done in order, and what fails is told but stops nothing."""

from __future__ import annotations

import errno
import json
import logging
from collections.abc import Collection, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_interface
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd import virtualhost as virtualhost_module
from ansible_collections.failover.carp.plugins.module_utils.carpd.config import Vip
from ansible_collections.failover.carp.plugins.module_utils.carpd.digest import Digest
from ansible_collections.failover.carp.plugins.module_utils.carpd.neighbours import Neighbour
from ansible_collections.failover.carp.plugins.module_utils.carpd.netlink import Link
from ansible_collections.failover.carp.plugins.module_utils.carpd.packet import GROUPS, Advertisement, Datagram
from ansible_collections.failover.carp.plugins.module_utils.carpd.paths import Copy
from ansible_collections.failover.carp.plugins.module_utils.carpd.records import replace
from ansible_collections.failover.carp.plugins.module_utils.carpd.tracking import Verdict
from ansible_collections.failover.carp.plugins.module_utils.carpd.transitions import Event, State
from ansible_collections.failover.carp.plugins.module_utils.carpd.virtualhost import VirtualHost

ETH1 = Link(3, "eth1", bytes.fromhex("020000000001"), True)
OWN, PEER, OWN_6 = IPv4Address("172.17.0.75"), IPv4Address("172.17.0.76"), IPv6Address("fe80::75")
VIRTUAL = IPv4Address("172.17.0.74")
ADDRESSES = ("172.17.0.74/20", "172.17.0.73/20")
DUAL = ("172.17.0.74/20", "2001:db8::74/64")


def vip(*addresses: str, **changed: Any) -> Vip:
    interfaces = tuple(ip_interface(address) for address in addresses or ADDRESSES)
    fields = {"name": "smtp", "interface": "eth1", "vhid": 1, "addresses": interfaces, "password": b"sesame"}
    timing = {"advbase": 1, "advskew": 0, "preempt": True, "dead_ratio": 3, "source": None}
    return Vip(**{**fields, **timing, **changed})


class World:
    """The kernel, the guard, the wires and the clock; everything that is done to them, in order."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.done: list[tuple[Any, ...]] = []
        self.fails: dict[str, int] = {}
        self.paths: list[str] = []
        self.promoting: list[int] = []  # interfaces
        self.broken_path = ""
        self.guarded: Link | None = None
        self.connections: Any = None
        self.forwards = ""

    def clock(self) -> float:
        return self.now

    def do(self, what: str, *arguments: Any) -> None:
        if what in self.fails:
            raise OSError(self.fails[what], "it does not work")
        self.done.append((what, *arguments))

    def take(self) -> list[str]:
        """Return the names of what was done since the last call."""
        done, self.done = self.done, []
        return [what for what, *_rest in done]

    def forget(self, *what: str) -> None:
        """Act as if these had not been done."""
        self.done = [one for one in self.done if one[0] not in what]

    def details(self, what: str) -> list[tuple[Any, ...]]:
        return [tuple(rest) for name, *rest in self.done if name == what]


class Requests:
    def __init__(self, world: World) -> None:
        self._world = world

    def add(self, index: int, addresses: Iterable[Any], lease: int, routed: bool) -> None:
        assert routed is (index == ETH1.ifindex)
        self._world.do("add", index, [str(address) for address in addresses], lease)

    def switch(self, index: int, on: bool) -> None:
        self._world.do("switch", index, on)

    def hold(self, index: int, addresses: Iterable[Any], lease: int, routed: bool) -> None:
        assert routed is (index == ETH1.ifindex)
        self._world.do("hold", index, [str(address) for address in addresses], lease)

    def release(self, index: int, addresses: Iterable[Any]) -> None:
        self._world.do("release", index, [str(address) for address in addresses])

    def keep_apart(self, index: int) -> None:
        self._world.promoting.append(index)
        if "keep apart" in self._world.fails:
            raise OSError(self._world.fails["keep apart"], "it does not work")

    def step_behind(self, index: int, addresses: Iterable[Any], lease: int) -> None:
        self._world.do("step behind", index, [str(address) for address in addresses], lease)


class Guard:
    def __init__(self, world: World) -> None:
        self._world = world

    def hold(self, one: Vip, link: Link, bow_outs: Collection[Copy], patience: float, made: Link | None = None) -> None:
        self._world.guarded = made
        self._world.do("guard", one.name, link.name, [copy.packet for copy in bow_outs], patience)

    def release(self, name: str) -> None:
        self._world.do("unguard", name)


class Connections:
    """The connections to the addresses; ``told`` is who wants to hear what comes of the last request."""

    def __init__(self, world: World) -> None:
        self._world = world
        world.connections = self
        self.told: tuple[Any, ...] = ()

    def hold_back(self, one: Vip, failed: Any) -> None:
        self._world.do("hold back", one.name)
        self.failed = failed

    def let_in(self, one: Vip) -> None:
        self._world.do("let in", one.name)

    def count(self, one: Vip, counted: Any, failed: Any) -> None:
        self._world.do("count", one.name)
        self.counted = counted

    def reset(self, one: Vip, done: Any, lost: bool) -> None:
        self._world.do("clear" if lost else "reset", one.name)
        self.reset_done = done


class Forwarding:
    def __init__(self, world: World) -> None:
        self._world = world

    def begin(self, one: Vip, link: Link) -> None:
        self._world.do("forward", one.name, link.name)

    def aim(self, name: str, master: bytes) -> None:
        self._world.do("aim", name, master.hex(":"))

    def end(self, name: str) -> None:
        self._world.forwards = name


class Wire:
    def __init__(self, world: World, version: int) -> None:
        self._world, self._version = world, version

    def send(self, copy: Copy) -> None:
        if copy.path == self._world.broken_path:
            raise OSError(errno.ENETUNREACH, "it does not work")
        self._world.do(f"send{self._version}", copy.packet)
        self._world.paths.append(copy.path)

    def announce(self, address: Any, made: Link | None) -> None:
        self._world.do(f"announce{self._version}", str(address), *([made.name] if made else []))

    def ask(self, target: Any, source: Any) -> None:
        self._world.do(f"ask{self._version}", str(target), str(source))


@pytest.fixture(name="world")
def world_(caplog: pytest.LogCaptureFixture) -> World:
    caplog.set_level(logging.INFO)
    return World()


def make(world: World, one: Vip | None = None) -> VirtualHost:
    return VirtualHost(
        one or vip(), Requests(world), Guard(world), 41, world.clock, Connections(world), Forwarding(world)
    )


def attach(world: World, host: VirtualHost) -> None:
    sources = {4: OWN, 6: OWN_6}
    versions = host.vip.versions
    host.attach(ETH1, {each: Wire(world, each) for each in versions}, {each: sources[each] for each in versions})


def master(world: World, one: Vip | None = None) -> VirtualHost:
    """Return a virtual host that has just become master, and forget what it did on its way."""
    host = make(world, one)
    attach(world, host)
    end_silence(world, host)
    assert host.state is State.MASTER
    world.take()
    return host


def end_silence(world: World, host: VirtualHost) -> None:
    """Let time pass until a backup has tried to take over, and forget the questions that it asked meanwhile."""
    before = host.status()["transitions"]
    while host.status()["transitions"] == before:
        world.forget("ask4", "ask6")
        assert host.next_timer() < world.now + 10
        world.now = host.next_timer()
        host.due()


def advertisement(advbase: int = 1, advskew: int = 0, password: bytes = b"sesame", **changed: Any) -> Datagram:
    mac = Digest(password, 1, [ip_interface(address).ip for address in ADDRESSES]).mac(7)
    payload = Advertisement(1, advbase, advskew, 0, 7, mac).encode()
    return Datagram(**{"source": PEER, "destination": GROUPS[4], "payload": payload, **changed})


def sent(world: World, version: int = 4) -> list[tuple[int, int]]:
    """Return advbase and advskew of what was sent since the last take."""
    payloads = [Datagram.decode(packet).payload for (packet,) in world.details(f"send{version}")]
    return [(each.advbase, each.advskew) for each in map(Advertisement.decode, payloads)]


class TestTakingOver:
    def test_waits_first(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        host = make(world)
        assert (host.state, host.obstacle, host.ifindex) == (State.INIT, "starting", None)
        attach(world, host)
        assert (host.state, host.obstacle, host.ifindex) == (State.BACKUP, "", 3)
        assert world.done == []
        assert caplog.messages == [
            "smtp: eth1 is ready, advertising from 172.17.0.75",
            "smtp: INIT -> BACKUP: eth1 is ready",
        ]

    def test_the_guard_knows_before_the_kernel_does(self, world: World) -> None:
        host = make(world)
        attach(world, host)
        end_silence(world, host)
        assert world.details("add") == [(3, list(ADDRESSES), 2)]
        assert world.details("announce4")[:2] == [("172.17.0.74",), ("172.17.0.73",)]
        assert sent(world) == [(1, 0)]
        ((name, interface, bow_outs, patience),) = world.details("guard")
        assert (name, interface, patience) == ("smtp", "eth1", 1.0)
        (goodbye,) = [Datagram.decode(packet) for packet in bow_outs]
        assert (goodbye.source, goodbye.destination) == (OWN, GROUPS[4])
        assert Advertisement.decode(goodbye.payload).is_bow_out
        order = world.take()
        assert order.index("guard") < order.index("add") < order.index("announce4") < order.index("send4")

    def test_renews_with_its_advertisements_and_tells_the_guard_once(self, world: World) -> None:
        host = master(world)
        end = world.now + 1.5
        while host.next_timer() <= end:
            world.now = host.next_timer()
            host.due()
        names = world.take()
        assert names.count("send4") == names.count("hold") == 1
        assert "guard" not in names

    def test_both_families(self, world: World) -> None:
        host = make(world, vip(*DUAL))
        attach(world, host)
        end_silence(world, host)
        assert sent(world, 4) == sent(world, 6) == [(1, 0)]
        assert world.details("announce4") == [("172.17.0.74",)]
        assert world.details("announce6") == [("2001:db8::74",)]
        ((_name, _interface, bow_outs, _patience),) = world.details("guard")
        assert [Datagram.decode(packet).source for packet in bow_outs] == [OWN, OWN_6]

    def test_no_secret_in_the_log(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        master(world)
        assert caplog.messages
        assert "sesame" not in caplog.text


class TestPaths:
    def test_each_takes_a_copy_and_so_does_the_goodbye(self, world: World) -> None:
        paths = {"paths": ("multicast", "unicast", "broadcast"), "peers": (PEER, IPv4Address("172.17.0.77"))}
        host = make(world, vip(**paths))
        attach(world, host)
        end_silence(world, host)
        packets = [Datagram.decode(packet) for (packet,) in world.details("send4")]
        assert world.paths == ["multicast", "broadcast", "unicast", "unicast"]
        assert [packet.destination for packet in packets] == [GROUPS[4], GROUPS[4], *host.vip.peers]
        assert len({packet.payload for packet in packets}) == 1, "copies, which are told by their counter"
        ((_name, _interface, bow_outs, _patience),) = world.details("guard")
        assert [Datagram.decode(packet).destination for packet in bow_outs] == [GROUPS[4], GROUPS[4], *host.vip.peers]

    def test_one_that_leaves_is_enough(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        host = master(world, vip(paths=("multicast", "unicast"), peers=(PEER,)))
        for path in ("unicast", "multicast"):
            world.broken_path = path
            end = world.now + 5
            while host.next_timer() <= end:
                world.now = host.next_timer()
                host.due()
            assert host.status()["demotion"] == 0
        assert "smtp: send by unicast failed on eth1: it does not work" in caplog.messages
        assert "smtp: send failed on eth1: it does not work" in caplog.messages


class TestVirtualMac:
    MADE = Link(9, "carp3-1", bytes.fromhex("00005e000101"), False)

    def test_the_addresses_live_on_an_interface_of_their_own(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def switch_off(home: Link) -> Any:
            world.do("switch", home.ifindex, False)
            return SimpleNamespace(join=lambda: world.do("wait"))

        monkeypatch.setattr(virtualhost_module, "switch_off", switch_off)
        host = make(world, vip(virtual_mac=True))
        host.attach(ETH1, {4: Wire(world, 4)}, {4: OWN}, self.MADE)
        assert host.ifindex == 9
        end_silence(world, host)
        order = world.take()
        assert order.index("guard") < order.index("switch") < order.index("add") < order.index("announce4")
        assert world.guarded == self.MADE
        host.due()
        assert "ask4" not in world.take(), "an answer would lead the switches back to the old master"
        host.release()
        assert world.done == [("release", 9, list(ADDRESSES)), ("switch", 9, False), ("unguard", "smtp")]
        world.take()
        host.attach(ETH1, host.wires, {4: OWN}, self.MADE)
        world.now += 0.5
        while "switch" not in (names := [name for name, *_rest in world.done]):
            world.now = host.next_timer()
            host.due()
        assert names.index("wait") < names.index("switch"), "on comes after off"
        assert world.details("announce4")[-1] == ("172.17.0.73", "carp3-1")


class TestBesideOwnAddresses:
    def test_neither_go_with_the_other(self, world: World) -> None:
        host = make(world)
        attach(world, host)
        assert world.promoting == [3]
        world.promoting.clear()
        made = make(world, vip(virtual_mac=True))
        made.attach(ETH1, {4: Wire(world, 4)}, {4: OWN}, TestVirtualMac.MADE)
        assert world.promoting == [], "there they are among themselves"

    def test_a_refusal_stops_nothing(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        world.fails["keep apart"] = errno.EPERM
        host = make(world)
        attach(world, host)
        assert "smtp: protect failed on eth1: it does not work" in caplog.messages
        assert host.state is State.BACKUP

    def test_stepping_behind(self, world: World) -> None:
        host = master(world, vip(*DUAL))
        host.step_behind()
        assert world.done == [("step behind", 3, ["172.17.0.74/20"], 2)], "IPv6 addresses have no such order"

    def test_a_refused_step_is_told_and_no_more(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        host = master(world)
        world.fails["step behind"] = errno.EPERM
        host.step_behind()
        assert "smtp: hold failed on eth1: it does not work" in caplog.messages
        assert host.state is State.MASTER

    def test_no_step_on_an_interface_of_its_own_or_on_none(self, world: World) -> None:
        host = make(world)
        host.step_behind()
        host = make(world, vip(virtual_mac=True))
        host.attach(ETH1, {4: Wire(world, 4)}, {4: OWN}, TestVirtualMac.MADE)
        host.step_behind()
        assert world.done == []


class TestAnotherMac:
    OTHER = ETH1._replace(mac=bytes.fromhex("020000000099"))

    def test_it_is_announced_as_after_a_takeover(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        host = master(world)
        end = world.now + 10
        while host.next_timer() <= end:
            world.now = host.next_timer()
            host.due()
        world.take()
        host.renew(ETH1)
        assert world.take() == []
        host.renew(self.OTHER)
        world.now += 1
        while host.next_timer() <= world.now:
            host.due()
        assert world.details("announce4")[:2] == [("172.17.0.74",), ("172.17.0.73",)]
        assert host.state is State.MASTER
        assert caplog.messages[-1] == "smtp: eth1 has the MAC 02:00:00:00:00:99 now"

    def test_on_a_backup_there_is_nothing_to_announce(self, world: World) -> None:
        host = make(world)
        attach(world, host)
        host.renew(self.OTHER)
        assert world.done == []

    def test_addresses_with_a_mac_of_their_own_keep_it(self, world: World) -> None:
        host = make(world, vip(virtual_mac=True))
        host.attach(ETH1, {4: Wire(world, 4)}, {4: OWN}, TestVirtualMac.MADE)
        world.now = host.next_timer()
        host.due()
        world.take()
        host.renew(self.OTHER)
        assert world.take() == []


class TestGivingUp:
    def test_an_obstacle(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        host = master(world)
        host.detach("eth1 is down or has no carrier")
        assert host.state is State.INIT
        assert sent(world) == [(255, 255)]
        assert world.details("release") == [(3, list(ADDRESSES))]
        assert world.take() == ["send4", "release", "unguard"]
        assert (host.ifindex, host.wires) == (None, {})
        assert "smtp: eth1 is down or has no carrier" in caplog.messages

    def test_the_same_obstacle_again_is_no_news(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        host = master(world)
        host.detach("eth1 is down")
        world.take()
        caplog.clear()
        host.detach("eth1 is down")
        assert (world.take(), caplog.messages) == ([], [])
        host.detach("there is no interface eth1")
        assert caplog.messages == ["smtp: there is no interface eth1"]

    def test_a_better_master(self, world: World) -> None:
        host = master(world, vip(advskew=100))
        host.received(advertisement(advskew=0))
        assert host.state is State.BACKUP
        names = world.take()
        assert "release" in names
        assert "unguard" in names

    def test_removing_fails(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        host = master(world)
        world.fails["release"] = errno.EPERM
        host.release()
        assert caplog.messages[-1] == "smtp: the addresses could not be removed: it does not work"
        assert world.take() == ["unguard"], "it is the daemon that lives, so the guard must not do it again"

    def test_without_an_interface_there_is_nothing_to_remove(self, world: World) -> None:
        make(world).release()
        assert world.take() == []

    def test_held_again_the_guard_is_told_again(self, world: World) -> None:
        host = master(world)
        host.detach("eth1 is down")
        attach(world, host)
        world.take()
        end_silence(world, host)
        assert "guard" in world.take()


class TestFailures:
    def test_sending_fails(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        host = master(world)
        caplog.clear()
        world.fails["send4"] = errno.ENOBUFS
        end = world.now + 2.5
        while host.next_timer() <= end:
            world.now = host.next_timer()
            host.due()
        assert caplog.messages == ["smtp: send failed on eth1: it does not work"], "twice, but told once"
        assert "hold" not in world.take(), "what did not leave renews no lease"

    def test_three_failed_sends_are_a_demotion(self, world: World) -> None:
        host = master(world)
        world.fails["send4"] = errno.ENOBUFS
        count = 0
        while host.status()["demotion"] == 0:
            assert count < 100
            world.now = host.next_timer()
            host.due()
            count += 1
        assert host.status()["demotion"] == 240

    def test_one_family_that_leaves_is_enough(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        host = master(world, vip(*DUAL))
        world.fails["send6"] = errno.EADDRNOTAVAIL
        end = world.now + 10
        while host.next_timer() <= end:
            world.now = host.next_timer()
            host.due()
        assert host.state is State.MASTER
        assert host.status()["demotion"] == 0
        assert world.take().count("hold") >= 9, "the lease is renewed"
        assert "smtp: send failed on eth1: it does not work" in caplog.messages

    def test_an_address_that_the_kernel_refuses(self, world: World) -> None:
        host = make(world)
        attach(world, host)
        world.fails["add"] = errno.EACCES
        end_silence(world, host)
        assert host.state is State.BACKUP
        assert host.status()["reason"] == "no address could be added: it does not work"
        assert sent(world) == [(255, 255)], "it never claims what it does not have, and lets others take over"
        done = set(world.take())
        assert {"release", "unguard"} <= done
        assert "announce4" not in done

    def test_announcing_fails(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        host = make(world)
        attach(world, host)
        world.fails["announce4"] = errno.ENOBUFS
        end_silence(world, host)
        assert host.state is State.MASTER
        assert "smtp: announce failed on eth1: it does not work" in caplog.messages

    def test_a_family_that_cannot_be_announced_does_not_silence_the_other(self, world: World) -> None:
        host = make(world, vip(*DUAL))
        attach(world, host)
        world.fails["announce4"] = errno.ENOBUFS
        end_silence(world, host)
        assert world.details("announce6") == [("2001:db8::74",)]


class TestRefusals:
    @pytest.mark.parametrize(
        ("datagram", "kind", "why"),
        [
            (advertisement(password=b"wrong"), "digest", "its digest is wrong: another password or another list"),
            (advertisement(source=OWN), "echo", "it is our own: a switch or hypervisor sends it back"),
            (advertisement(destination=PEER), "destination", "it is for neither our group nor our address"),
            (advertisement(ttl=254), "ttl", "it passed a router"),
            (advertisement(payload=bytes(36)), "version", "bad version"),
            (advertisement(payload=b""), "short", "bad short"),
        ],
        ids=["digest", "echo", "destination", "ttl", "version", "short"],
    )
    def test_are_counted_and_told_now_and_then(
        self, world: World, caplog: pytest.LogCaptureFixture, datagram: Datagram, kind: str, why: str
    ) -> None:
        host = make(world)
        attach(world, host)
        caplog.clear()
        for _number in range(100):
            world.now += 0.5
            host.received(datagram)
        assert host.status()["refused"] == {kind: 100}
        assert len(caplog.messages) == 1
        assert caplog.messages[0].startswith(f"smtp: an advertisement from {datagram.source} is not heeded: {why}")
        world.now += 60.0
        host.received(datagram)
        assert len(caplog.messages) == 2

    def test_each_kind_is_told_by_itself(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        host = make(world)
        attach(world, host)
        caplog.clear()
        host.received(advertisement(source=OWN))
        host.received(advertisement(password=b"wrong"))
        assert len(caplog.messages) == 2
        assert host.status()["refused"] == {"echo": 1, "digest": 1}

    def test_another_vhid_is_nobody_s_mistake(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        host = make(world)
        attach(world, host)
        caplog.clear()
        host.received(advertisement(payload=Advertisement(2, 1, 0, 0, 7, bytes(20)).encode()))
        assert host.status()["refused"] == {}
        assert caplog.messages == []


class TestReconfiguring:
    def test_goes_on_without_a_gap(self, world: World) -> None:
        host = master(world)
        host.reconfigure(vip(advskew=7, preempt=False))
        assert host.state is State.MASTER
        assert sent(world) == [(1, 7)]
        assert "release" not in world.take()
        status = host.status()
        assert (status["advskew"], status["preempt"]) == (7, False)

    def test_another_lease_is_another_patience_of_the_guard(self, world: World) -> None:
        host = master(world)
        host.reconfigure(vip(advbase=10))
        leases = [lease for _index, _addresses, lease in world.details("hold") + world.details("add")]
        assert leases == [29]
        assert [patience for *_rest, patience in world.details("guard")] == [14.5]

    def test_another_source_is_another_goodbye(self, world: World) -> None:
        host = master(world)
        other = IPv4Address("172.17.0.80")
        host.attach(ETH1, host.wires, {4: other})
        assert host.state is State.MASTER
        world.now = host.next_timer()
        while not world.details("guard"):
            world.now = host.next_timer()
            host.due()
        ((_name, _interface, (goodbye,), _patience),) = world.details("guard")
        assert Datagram.decode(goodbye).source == other


class TestJudging:
    def test_a_demotion_goes_out_at_once_in_both_fields(self, world: World) -> None:
        host = master(world)
        host.judge(Verdict(50, 0, "", "check smtp fails: refused"))
        (packet,) = world.details("send4")[0]
        told = Advertisement.decode(Datagram.decode(packet).payload)
        assert (told.advbase, told.advskew, told.demotion) == (1, 50, 50)
        assert host.status()["demotion"] == 50
        assert host.status()["reason"].endswith("; demoted by 50: check smtp fails: refused")

    def test_the_same_verdict_again_is_no_news(self, world: World) -> None:
        host = master(world)
        host.judge(Verdict(50, 0, "", "x"))
        world.take()
        host.judge(Verdict(50, 0, "", "x"))
        assert world.take() == []

    def test_failed_sends_are_told_beside_what_the_checks_say(self, world: World) -> None:
        host = master(world)
        world.fails["send4"] = errno.ENOBUFS
        while not host.status()["demotion"]:
            world.now = host.next_timer()
            host.due()
        host.judge(Verdict(10, 0, "", "check smtp fails: refused"))
        assert host.status()["demotion"] == 250
        assert host.status()["reason"].endswith("check smtp fails: refused; advertisements could not be sent")

    def test_a_fault_hands_over_and_is_the_reason(self, world: World) -> None:
        host = master(world)
        host.judge(Verdict(fault="check smtp fails: refused"))
        assert sent(world) == [(255, 255)]
        assert (host.status()["state"], host.status()["leaving"]) == ("MASTER", True)
        host.received(advertisement(advskew=100))
        status = host.status()
        assert (status["state"], status["fault"]) == ("INIT", "check smtp fails: refused")
        assert status["reason"] == "check smtp fails: refused"
        host.judge(Verdict(fault="check smtp fails: no answer within 3 s"))
        assert host.status()["reason"].endswith("no answer within 3 s")
        host.judge(Verdict())
        assert (host.state, host.status()["fault"]) == (State.BACKUP, "")

    def test_a_fault_from_before_the_beginning_counts(self, world: World) -> None:
        host = make(world)
        host.judge(Verdict(fault="check smtp fails: refused"))
        attach(world, host)
        assert host.state is State.FAULTY and host.next_timer() == float("inf")


class TestRivals:
    STRANGER = bytes.fromhex("020000000066")
    CLAIM = Neighbour(IPv4Address("172.17.0.74"), STRANGER)

    def pass_time(self, world: World, host: VirtualHost, seconds: float) -> None:
        end = world.now + seconds
        while host.next_timer() <= end:
            world.now = host.next_timer()
            host.due()
        world.now = end

    def test_all_addresses_are_asked_for_at_takeover_without_claiming_them(self, world: World) -> None:
        host = make(world, vip(*DUAL))
        attach(world, host)
        end_silence(world, host)
        self.pass_time(world, host, 0.5)
        assert world.details("ask4") == [("172.17.0.74", "0.0.0.0")]
        assert world.details("ask6") == [("2001:db8::74", str(OWN_6))]
        names = world.take()
        assert names.index("send4") < names.index("ask4"), "first of all, the peers must know"

    def test_a_stranger(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        host = master(world)
        self.pass_time(world, host, 40.0)
        assert host.status()["rivals"] == []
        world.take()
        host.neighbour(self.CLAIM)
        host.neighbour(Neighbour(PEER, self.STRANGER))  # what was asked for, but is none of ours
        world.now += 1.0
        host.due()
        assert host.status()["rivals"] == [
            {"address": "172.17.0.74", "mac": "02:00:00:00:00:66", "age": 1.0, "count": 1}
        ]
        assert world.details("announce4") == [("172.17.0.74",), ("172.17.0.73",)]
        assert world.details("ask4") == [("172.17.0.74", "0.0.0.0")]
        wanted = "smtp: another host, with the MAC 02:00:00:00:00:66, says to have 172.17.0.74"
        assert caplog.messages[-1] == wanted
        self.pass_time(world, host, 25.0)
        assert host.status()["rivals"] == []
        assert caplog.messages[-1] == wanted.replace("says", "no longer says")

    def test_it_is_told_now_and_then(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        host = master(world)
        self.pass_time(world, host, 5.0)
        for _number in range(4):
            host.neighbour(self.CLAIM)
            self.pass_time(world, host, 25.0)
        told = [message for message in caplog.messages if message.endswith("66, says to have 172.17.0.74")]
        assert len(told) == 2

    def test_a_successor_is_none(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        host = master(world, vip(advskew=100))
        self.pass_time(world, host, 10.0)
        host.neighbour(self.CLAIM)
        host.received(advertisement(advskew=0))
        assert host.state is State.BACKUP
        self.pass_time(world, host, 2.0)
        assert host.status()["rivals"] == []
        assert host.status()["master"]["mac"] == "02:00:00:00:00:66"
        assert "another host" not in caplog.text

    def test_asking_fails(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        host = make(world)
        attach(world, host)
        world.fails["ask4"] = errno.ENOBUFS
        self.pass_time(world, host, 4.0)
        assert host.state is State.MASTER
        assert caplog.messages.count("smtp: ask failed on eth1: it does not work") == 1


class TestAsking:
    """The election asks who has an address; its questions go out by the wire, and answers come back."""

    def silent(self, world: World, host: VirtualHost) -> None:
        """Let time pass until the first question."""
        end = world.now + 10
        while not world.details("ask4") and host.next_timer() <= end:
            world.now = host.next_timer()
            host.due()

    @pytest.mark.parametrize("advbase", [0, 1])
    def test_a_silent_master_is_asked_for(self, world: World, advbase: int) -> None:
        host = make(world, vip(advbase=advbase, advskew=100))
        attach(world, host)
        host.received(advertisement(advbase, 50))
        self.silent(world, host)
        assert host.state is State.BACKUP
        assert world.details("ask4") == [("172.17.0.74", "0.0.0.0"), ("172.17.0.73", "0.0.0.0")]

    MASTERS, OTHERS = bytes.fromhex("020000000002"), bytes.fromhex("020000000003")

    @pytest.mark.parametrize(
        ("address", "mac", "waits"), [(VIRTUAL, MASTERS, 1.6), (VIRTUAL, OTHERS, 1.0), (PEER, MASTERS, 0.0)]
    )
    def test_who_answers_matters(self, world: World, address: IPv4Address, mac: bytes, waits: float) -> None:
        """The master, who may keep the address; anybody else, whose lease would end; or nobody who has it."""
        host = make(world, vip(advbase=0, advskew=100))
        attach(world, host)
        host.received(advertisement(0, 50)._replace(mac=self.MASTERS))
        heard_at, asked = world.now, 0
        while host.state is not State.MASTER and world.now < heard_at + 3:
            world.now = host.next_timer()
            host.due()
            if len(world.details("ask4")) > asked and world.now < heard_at + 2:
                asked = len(world.details("ask4"))
                host.neighbour(Neighbour(address, mac))
        assert host.state is State.MASTER
        assert waits <= world.now - heard_at < waits + 1

    def test_a_master_that_is_not_heard_is_an_alarm(self, world: World) -> None:
        host = make(world, vip(advskew=100))
        attach(world, host)
        host.received(advertisement(1, 50)._replace(mac=self.MASTERS))
        end = world.now + 20
        while world.now < end:
            world.now = host.next_timer()
            host.due()
            host.neighbour(Neighbour(VIRTUAL, self.MASTERS))
        assert host.state is State.BACKUP
        assert host.status()["alarm"].startswith("the master has the addresses, but its advertisements do not arrive")


class TestStatus:
    def test_of_a_backup(self, world: World) -> None:
        host = make(world, vip(advskew=100))
        attach(world, host)
        world.now += 1.0
        host.received(advertisement(advskew=3))
        world.now += 0.25
        status = host.status()
        assert status == {
            "name": "smtp",
            "interface": "eth1",
            "vhid": 1,
            "state": "BACKUP",
            "leaving": False,
            "draining": None,
            "addresses": list(ADDRESSES),
            "advbase": 1,
            "advskew": 100,
            "demotion": 0,
            "preempt": True,
            "operator": "",
            "since": 1.25,
            "transitions": 1,
            "master": {"source": "172.17.0.76", "advbase": 1, "advskew": 3, "demotion": 0, "age": 0.25, "mac": ""},
            "reason": "eth1 is ready",
            "refused": {},
            "sent": 0,
            "heard": 1,
            "fault": "",
            "alarm": "",
            "election": {
                "state": "BACKUP",
                "yielding": False,
                "claiming": False,
                "preempt": True,
                "stable_for": 0.0,
                "sound_for": 1.25,
                "patience": 3.391,
                "silence_left": 3.141,
                "obstacle": "",
                "causes": [],
            },
            "rivals": [],
        }
        assert json.loads(json.dumps(status)) == status
        assert host.sources == {4: OWN}

    @pytest.mark.parametrize("event", [Event.STEP_DOWN, Event.STOP])
    def test_whoever_hands_over_still_is_master(self, world: World, event: Event) -> None:
        host = master(world)
        host.event(event, "asked to")
        status = host.status()
        assert (status["state"], status["leaving"], status["reason"]) == ("MASTER", True, "asked to")

    def test_an_obstacle_is_the_reason(self, world: World) -> None:
        host = make(world)
        host.detach("there is no interface eth1")
        status = host.status()
        assert (status["state"], status["reason"]) == ("INIT", "there is no interface eth1")

    def test_after_its_end_it_says_init(self, world: World) -> None:
        """For the moment until it is forgotten; users know three states."""
        host = make(world)
        host.event(Event.STOP, "the daemon ends")
        assert host.state is State.ENDED
        assert host.status()["state"] == "INIT"


def test_the_configuration_in_force(world: World) -> None:
    host = make(world)
    changed = replace(host.vip, advskew=9)
    host.reconfigure(changed)
    assert host.vip == changed


class TestDraining:
    """What the election wants about connections is asked for, and the answers reach it."""

    def test_from_order_to_handover(self, world: World) -> None:
        host = master(world, vip(drain=10.0, reset_sessions=True))
        host.demote("demoted by root")
        assert world.take() == ["hold back", "count"]
        assert host.status()["draining"] == {"since": 0.0, "connections": None, "left": 10.0}
        assert (host.status()["state"], host.status()["demotion"], host.operator) == ("MASTER", 0, "demoted by root")
        world.connections.counted(2)
        assert host.status()["draining"]["connections"] == 2
        for _second in range(10):
            world.now += 1.0
            host.due()
        assert "reset" in world.take() and host.state is State.DRAINING
        world.connections.reset_done()
        assert host.state is State.LEAVING
        assert host.status()["draining"] is None
        world.take()
        host.event(Event.DOWN, "no link")
        assert world.take() == ["release", "unguard", "clear", "let in"]

    def test_what_cannot_be_held_back_is_not_waited_for(self, world: World) -> None:
        host = master(world, vip(drain=10.0, reset_sessions=True))
        host.demote("demoted by root")
        world.connections.failed()
        host.due()
        assert "reset" in world.take()

    def test_rivals_are_watched_for_as_long_as_it_is_master(self, world: World) -> None:
        host = master(world, vip(drain=10.0, reset_sessions=True))
        since = host._rivals._master_since
        assert since is not None
        world.now += 1.0
        host.demote("demoted by root")
        host.promote()
        assert host._rivals._master_since == since
        host.demote("demoted by root")
        assert host._rivals._master_since == since
        world.connections.counted(0)
        assert host._rivals._master_since is None

    def test_it_does_not_stand_aside_meanwhile(self, world: World) -> None:
        host = master(world, vip(drain=10.0, reset_sessions=True))
        host.demote("demoted by root")
        assert host.turns(1.0) is None


class TestForwarding:
    MAC = bytes.fromhex("020000000002")

    def hear(self, host: VirtualHost) -> None:
        one = host.vip
        mac = Digest(one.password, one.vhid, [address.ip for address in one.addresses]).mac(7)
        payload = Advertisement(1, 1, 20, 0, 7, mac).encode()
        host.received(Datagram(PEER, GROUPS[4], payload)._replace(mac=self.MAC))

    def test_it_begins_when_the_successor_is_heard(self, world: World) -> None:
        host = master(world, vip(forward=30.0))
        host.demote("demoted by root")
        world.take()
        self.hear(host)
        assert host.state is State.BACKUP
        assert world.details("forward") == [("smtp", "eth1")]
        assert world.details("aim") == [("smtp", "02:00:00:00:00:02")]

    @pytest.mark.parametrize(
        "options", [{}, {"forward": 30.0, "virtual_mac": True}, {"forward": 30.0, "routed_peers": True}]
    )
    def test_where_it_makes_no_sense(self, world: World, options: dict[str, Any]) -> None:
        host = master(world, vip(**options))
        host.demote("demoted by root")
        self.hear(host)
        assert world.details("forward") == []

    def test_it_ends_when_this_host_is_master_again(self, world: World) -> None:
        host = master(world, vip(forward=30.0))
        host.demote("demoted by root")
        self.hear(host)
        world.forwards = ""
        host.promote()
        world.now += 10.0
        end_silence(world, host)
        assert host.state is State.MASTER and world.forwards == "smtp"
