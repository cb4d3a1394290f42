# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Speakers that hear each other's real packets, in memory: who is master, and what nobody heeds."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd.actions import Advertise
from ansible_collections.failover.carp.plugins.module_utils.carpd.config import Vip
from ansible_collections.failover.carp.plugins.module_utils.carpd.packet import Advertisement, Datagram
from ansible_collections.failover.carp.plugins.module_utils.carpd.records import replace
from ansible_collections.failover.carp.plugins.module_utils.carpd.speaker import Speaker, same_identity
from ansible_collections.failover.carp.plugins.module_utils.carpd.transitions import Event, State
from ansible_collections.failover.carp.plugins.module_utils.carpd.trust import TAG_BITS, KnownPeer

VIP = Vip(
    name="smtp",
    interface="eth1",
    vhid=1,
    addresses=(IPv4Interface("172.17.0.74/20"),),
    password=b"secret",
    advbase=1,
    advskew=0,
    preempt=True,
    dead_ratio=3,
    source=None,
)


class Segment:
    """A cable that loses nothing, between speakers with a common clock."""

    def __init__(self, *vips: Vip) -> None:
        self.now = 0.0
        self.speakers = [Speaker(vip, 1000 * number, 0.0) for number, vip in enumerate(vips)]
        self.packets: list[bytes] = []
        self.carried = {4, 6}  # the IP versions that come through
        for number, speaker in enumerate(self.speakers):
            speaker.sources = {4: IPv4Address("172.17.0.75") + number}
            if 6 in vips[number].versions:
                speaker.sources[6] = IPv6Address("fe80::75") + number
            speaker.machine.event(Event.UP, 0.0, "up")

    def states(self) -> list[State]:
        return [speaker.machine.state for speaker in self.speakers]

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        self.exchange()
        while min(speaker.machine.next_timer() for speaker in self.speakers) <= end:
            self.now = max(self.now, min(speaker.machine.next_timer() for speaker in self.speakers))
            for speaker in self.speakers:
                speaker.machine.due(self.now)
            self.exchange()
        self.now = end

    def exchange(self) -> None:
        busy = True
        while busy:
            busy = False
            for speaker in self.speakers:
                for action in speaker.machine.actions():
                    busy = True
                    if isinstance(action, Advertise):
                        packets = speaker.packets(action.advbase, action.advskew, action.demotion).values()
                        speaker.machine.sent(True, self.now)
                        self.packets.extend(packets)
                        for packet in packets:
                            if packet[0] >> 4 in self.carried:
                                self.deliver(packet, speaker)

    def deliver(self, packet: bytes, sender: Speaker | None = None) -> list[str | None]:
        datagram = Datagram.decode(packet)
        return [other.received(datagram, self.now) for other in self.speakers if other is not sender]


def pair() -> Segment:
    return Segment(VIP, replace(VIP, advskew=20))


def test_the_preferred_host_becomes_master_and_stays_it() -> None:
    segment = pair()
    segment.run(60.0)
    assert segment.states() == [State.MASTER, State.BACKUP]
    assert [speaker.machine.transitions for speaker in segment.speakers] == [2, 1]


def test_a_stop_moves_the_mastership_at_once() -> None:
    segment = pair()
    segment.run(10.0)
    segment.speakers[0].machine.event(Event.STOP, segment.now, "stop")
    segment.run(0.01)
    assert segment.states() == [State.ENDED, State.MASTER]


def test_three_hosts_have_one_master_after_a_goodbye() -> None:
    segment = Segment(VIP, replace(VIP, advskew=20), replace(VIP, advskew=40))
    segment.run(10.0)
    segment.speakers[0].machine.event(Event.STOP, segment.now, "stop")
    segment.run(5.0)
    assert segment.states() == [State.ENDED, State.MASTER, State.BACKUP]
    assert segment.speakers[2].machine.transitions == 1


def test_three_milliseconds_apart_without_flapping() -> None:
    segment = Segment(replace(VIP, advbase=0, advskew=1), replace(VIP, advbase=0, advskew=2))
    segment.run(30.0)
    assert segment.states() == [State.MASTER, State.BACKUP]
    assert segment.speakers[1].machine.transitions == 1


@pytest.mark.parametrize("preempt", [True, False])
@pytest.mark.parametrize(("advbase", "settled"), [(0, 2.0), (1, 10.0)])
def test_demotion_moves_the_mastership_and_equal_demotion_does_not(advbase: int, settled: float, preempt: bool) -> None:
    options = {"advbase": advbase, "preempt": preempt}
    segment = Segment(replace(VIP, advskew=1, **options), replace(VIP, advskew=2, **options))
    one, other = (speaker.machine for speaker in segment.speakers)
    segment.run(settled)
    assert segment.states() == [State.MASTER, State.BACKUP]
    one.demote(100, 0, segment.now)
    segment.run(0.05)
    assert segment.states() == [State.BACKUP, State.MASTER]
    other.demote(100, 0, segment.now)
    segment.run(0.05)
    assert segment.states() == [State.BACKUP, State.MASTER], "it stays: a second fault moves nothing back"
    moves = [machine.transitions for machine in (one, other)]
    segment.run(60.0)
    for machine in (other, one):
        machine.demote(0, 0, segment.now)
        segment.run(60.0)
    assert segment.states() == ([State.MASTER, State.BACKUP] if preempt else [State.BACKUP, State.MASTER])
    assert [machine.transitions - before for machine, before in zip((one, other), moves)] == [preempt, preempt]


def test_equal_hosts_that_start_together_have_one_master_in_the_end() -> None:
    segment = Segment(VIP, VIP)
    segment.run(20.0)
    assert sorted(state.value for state in segment.states()) == ["BACKUP", "MASTER"]


DUAL = replace(VIP, addresses=(*VIP.addresses, IPv6Interface("2001:db8::74/64")))


def test_a_dual_stack_pair_speaks_both_families_and_needs_one() -> None:
    segment = Segment(DUAL, replace(DUAL, advskew=20))
    segment.run(10.0)
    assert segment.states() == [State.MASTER, State.BACKUP]
    assert {Datagram.decode(packet).destination.version for packet in segment.packets} == {4, 6}
    segment.carried = {6}
    segment.run(30.0)
    assert [speaker.machine.transitions for speaker in segment.speakers] == [2, 1]


def test_equal_dual_stack_hosts_have_one_master_in_the_end() -> None:
    segment = Segment(DUAL, DUAL)
    segment.run(20.0)
    assert sorted(state.value for state in segment.states()) == ["BACKUP", "MASTER"]


def test_another_password_is_refused_and_counted() -> None:
    segment = Segment(VIP, replace(VIP, password=b"other"))
    segment.run(10.0)
    assert all(speaker.refused["digest"] for speaker in segment.speakers)


def test_our_own_packet_that_comes_back_is_an_echo() -> None:
    segment = pair()
    segment.run(5.0)
    assert segment.speakers[0].received(Datagram.decode(segment.packets[-1]), segment.now) == "echo"
    assert segment.states()[0] is State.MASTER


def test_another_vhid_is_nobodys_mistake() -> None:
    segment = pair()
    segment.run(5.0)
    other = Speaker(replace(VIP, vhid=2), 5, 0.0)
    other.sources = {4: IPv4Address("172.17.0.99")}
    assert segment.deliver(other.packets(0, 1)[4]) == [None, None]
    assert segment.states() == [State.MASTER, State.BACKUP]
    assert not segment.speakers[0].refused


@pytest.mark.parametrize(("destination", "refused"), [("172.17.0.75", None), ("172.17.0.77", "destination")])
def test_what_is_for_neither_the_group_nor_us_is_refused(destination: str, refused: str | None) -> None:
    segment = pair()
    datagram = Datagram.decode(segment.speakers[1].packets(1, 0)[4])
    unicast = datagram._replace(destination=IPv4Address(destination))
    assert segment.speakers[0].received(unicast, segment.now) == refused


class TestRouted:
    """What passed a router has another TTL than 255."""

    @pytest.mark.parametrize("ttl", [0, 64, 254])
    @pytest.mark.parametrize(
        ("change", "refused"),
        [
            ({}, "ttl"),
            ({"routed_peers": True}, "ttl"),
            ({"peers": (IPv4Address("172.17.0.76"),)}, "ttl"),
            ({"routed_peers": True, "peers": (IPv4Address("172.17.0.77"),)}, "ttl"),
            ({"routed_peers": True, "peers": (IPv4Address("172.17.0.76"),)}, None),
        ],
    )
    def test_only_from_peers_and_if_asked_for(self, ttl: int, change: dict[str, Any], refused: str | None) -> None:
        segment = Segment(replace(VIP, **change), replace(VIP, advskew=20))
        datagram = Datagram.decode(segment.speakers[1].packets(1, 0)[4])
        routed = datagram._replace(ttl=ttl, destination=IPv4Address("172.17.0.75"))
        assert segment.speakers[0].received(routed, segment.now) == refused


class TestCopies:
    """Of an advertisement that comes by several paths, the first counts."""

    def test_a_copy_is_heard_once(self) -> None:
        segment = pair()
        segment.run(5.0)
        backup, packet = segment.speakers[1], segment.speakers[0].packets(1, 0)[4]
        datagram = Datagram.decode(packet)
        assert backup.received(datagram, segment.now) is None
        patience = backup.machine.next_timer()
        unicast = datagram._replace(destination=IPv4Address("172.17.0.76"))
        assert backup.received(unicast, segment.now + 0.05) is None
        assert backup.machine.next_timer() == patience
        assert not backup.refused

    def test_the_same_bytes_an_interval_later_are_no_copy(self) -> None:
        """As a quiet OpenBSD master sends them."""
        segment = pair()
        segment.run(5.0)
        segment.speakers.pop(0)  # from now on only the same packet is heard, again and again
        packet = segment.packets[-1]
        for _turn in range(20):
            segment.deliver(packet)
            segment.run(1.0)
        assert segment.states() == [State.BACKUP]


def test_no_counter_is_used_twice_and_it_wraps() -> None:
    speaker = Speaker(VIP, 2**44 - 3, 0.0)
    speaker.sources = {4: IPv4Address("172.17.0.75")}
    packets = [speaker.packets(1, 0)[4] for _turn in range(6)]
    counters = [Advertisement.decode(Datagram.decode(packet).payload).counter for packet in packets]
    assert len(set(counters)) == 6
    assert [counter >> TAG_BITS for counter in counters[:3]] == [2**44 - 2, 2**44 - 1, 0]


def test_all_but_place_and_number_change_in_place() -> None:
    addresses = (IPv4Interface("172.17.0.73/20"),)
    for change in ({"advskew": 5}, {"preempt": False}, {"addresses": addresses}, {"password": b"x"}):
        assert same_identity(VIP, replace(VIP, **change))
    for change in ({"interface": "eth2"}, {"vhid": 2}):
        assert not same_identity(VIP, replace(VIP, **change))


class TestKnownPeers:
    """Our own daemons among themselves."""

    def pair(self) -> Segment:
        peers = (KnownPeer(IPv4Address("172.17.0.75"), True, 0), KnownPeer(IPv4Address("172.17.0.76"), True, 20))
        vip = replace(VIP, known_peers=peers)
        return Segment(vip, replace(vip, advskew=20))

    def test_believe_each_other_also_through_handovers(self) -> None:
        segment = self.pair()
        segment.run(10.0)
        segment.speakers[0].machine.event(Event.STEP_DOWN, segment.now, "asked to")
        segment.run(0.1)
        assert segment.states() == [State.BACKUP, State.MASTER]
        segment.speakers[0].machine.promote(segment.now)
        segment.run(2.0)
        assert segment.states() == [State.MASTER, State.BACKUP]
        assert [sum(speaker.refused.values()) for speaker in segment.speakers] == [0, 0]

    def test_a_replay_neither_takes_the_addresses_nor_keeps_the_backup_quiet(self) -> None:
        segment = self.pair()
        segment.run(10.0)
        old = segment.packets[-1]
        altered = bytearray(old)
        altered[20 + 5] = 0  # advbase
        for packet in (old, bytes(altered)):
            assert segment.deliver(packet, segment.speakers[0])[0] != ""
        segment.speakers.pop(0)  # the power is cut
        for _turn in range(50):
            segment.deliver(old)
            segment.run(0.1)
        assert segment.states() == [State.MASTER]

    def test_a_goodbye_signed_in_advance_counts_when_it_is_needed(self) -> None:
        segment = self.pair()
        segment.run(10.0)
        goodbye = segment.speakers[0].goodbyes()[4]
        segment.run(100.0)
        segment.speakers.pop(0)
        assert segment.deliver(goodbye) == [None]
        segment.run(0.1)
        assert segment.states() == [State.MASTER]

    def test_who_goes_on_after_such_a_goodbye_is_believed(self) -> None:
        segment = self.pair()
        segment.run(10.0)
        first = segment.speakers[0]
        segment.deliver(first.goodbyes()[4], first)
        first.skip_goodbyes()
        segment.run(10.0)
        assert segment.states() == [State.MASTER, State.BACKUP]
        assert not segment.speakers[1].refused

    def test_somebody_else_is_an_alarm(self) -> None:
        segment = self.pair()
        segment.run(10.0)
        stranger = Speaker(VIP, 1, 0.0)
        stranger.sources = {4: IPv4Address("172.17.0.99")}
        assert segment.deliver(stranger.packets(0, 0)[4]) == ["stranger", "stranger"]
        assert segment.speakers[1].machine.opponent(segment.now) == IPv4Address("172.17.0.99")
        assert segment.states() == [State.MASTER, State.BACKUP]


class TestChanges:
    """Password and addresses change in three steps, in each of which the hosts understand each other."""

    def change(self, option: str, value: object) -> None:
        segment = pair()
        segment.run(10.0)
        steps = [
            {f"accept_{option}": value},
            {option: value, f"accept_{option}": getattr(VIP, option)},
            {option: value},
        ]
        for step in steps:
            for number, speaker in reversed(list(enumerate(segment.speakers))):
                speaker.reconfigure(replace(VIP, advskew=20 * number, **step), segment.now)
                segment.run(10.0)
        assert [speaker.machine.transitions for speaker in segment.speakers] == [2, 1]
        assert [sum(speaker.refused.values()) for speaker in segment.speakers] == [0, 0]

    def test_of_the_password(self) -> None:
        self.change("password", b"another")

    def test_of_the_addresses(self) -> None:
        self.change("addresses", (*VIP.addresses, IPv4Interface("172.17.0.73/20")))

    def test_in_one_step_the_old_master_stays_while_its_peer_is_different(self) -> None:
        segment = pair()
        segment.run(10.0)
        segment.speakers[1].reconfigure(replace(VIP, advskew=20, password=b"another"), segment.now)
        segment.run(2.0)
        assert segment.states() == [State.MASTER, State.BACKUP]
        assert segment.speakers[1].refused["digest"] == 2
