# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts tell each other of their services: who is believed, for how long, and that nobody can forge it."""

from __future__ import annotations

import math
from ipaddress import IPv4Address, IPv4Interface

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd.config import Vip
from ansible_collections.failover.carp.plugins.module_utils.carpd.packet import Datagram
from ansible_collections.failover.carp.plugins.module_utils.carpd.records import replace
from ansible_collections.failover.carp.plugins.module_utils.carpd.speaker import Speaker
from ansible_collections.failover.carp.plugins.module_utils.carpd.testimony import (
    INTERVAL,
    LASTS,
    SETTLED,
    View,
)
from ansible_collections.failover.carp.plugins.module_utils.carpd.testimony import (
    Testimony as Book,
)
from ansible_collections.failover.carp.plugins.module_utils.carpd.trust import KnownPeer

HERE, PEER = IPv4Address("172.17.0.75"), IPv4Address("172.17.0.76")
GOOD, DOUBTFUL, FAILING = (
    View(PEER, 100, good=True, failing=False),
    View(PEER, 100, good=False, failing=False),
    View(PEER, 100, good=False, failing=True),
)
VIP = Vip(
    name="smtp",
    interface="eth0",
    vhid=1,
    addresses=(IPv4Interface("172.17.0.74/20"),),
    password=b"secret",
    advbase=1,
    advskew=0,
    preempt=True,
    dead_ratio=3,
    source=None,
)


def test_a_witness_whose_service_is_good_is_believed_as_long_as_it_speaks() -> None:
    testimony = Book()
    testimony.judge([GOOD], True, 0.0)
    assert testimony.demotion(0.0) == 0
    assert testimony.heard(PEER, 1.0)
    assert (testimony.demotion(1.0), testimony.witnesses(1.0)) == (100, [PEER])
    assert testimony.next_timer() == 1.0 + LASTS
    assert testimony.heard(PEER, 3.0)
    assert testimony.demotion(1.0 + LASTS) == 100
    assert testimony.due(3.0 + LASTS) == []
    assert testimony.demotion(3.0 + LASTS) == 0
    assert testimony.next_timer() == math.inf


@pytest.mark.parametrize("view", [DOUBTFUL, FAILING, View(HERE, 100, good=True, failing=False)])
def test_a_witness_that_is_no_better_is_not_believed(view: View) -> None:
    testimony = Book()
    testimony.judge([view], True, 0.0)
    assert not testimony.heard(PEER, 1.0)
    assert testimony.demotion(1.0) == 0


def test_what_is_believed_stays_so_when_the_witness_fails_too() -> None:
    testimony = Book()
    testimony.judge([GOOD], True, 0.0)
    testimony.heard(PEER, 1.0)
    testimony.judge([FAILING], False, 2.0)
    assert testimony.heard(PEER, 3.0)
    assert testimony.demotion(3.0) == 100


def test_only_the_sound_testify_and_each_second() -> None:
    testimony = Book()
    testimony.judge([FAILING], False, 0.0)
    assert (testimony.accused(), testimony.next_timer()) == ([], math.inf)
    testimony.judge([GOOD], True, 1.0)
    start = 2.0 + SETTLED
    testimony.judge([FAILING], True, start)
    assert testimony.next_timer() == start
    assert testimony.due(start) == [PEER]
    testimony.judge([FAILING], True, start + 0.5)
    assert testimony.due(start + 0.5) == []
    assert testimony.next_timer() == start + INTERVAL
    assert testimony.due(start + INTERVAL) == [PEER]
    testimony.judge([GOOD], True, start + 1.5)
    assert testimony.next_timer() == math.inf


def test_who_has_just_recovered_accuses_nobody_of_what_both_had() -> None:
    testimony = Book()
    testimony.judge([FAILING], False, 0.0)
    testimony.judge([FAILING], True, 5.0)
    assert testimony.due(5.0) == []
    testimony.judge([GOOD], True, 5.001)
    assert testimony.next_timer() == math.inf
    testimony.judge([FAILING], True, 6.0)
    assert testimony.next_timer() == 5.0 + SETTLED  # and then it is no longer about that
    assert testimony.due(5.0 + SETTLED) == [PEER]


def _pair(**options: object) -> tuple[Speaker, Speaker]:
    speakers = Speaker(replace(VIP, **options), 100, 0.0), Speaker(replace(VIP, **options), 100, 0.0)
    for speaker, source in zip(speakers, (HERE, PEER)):
        speaker.sources = {4: source}
    speakers[0].testimony.judge([GOOD], True, 0.0)
    return speakers


def _datagram(packet: bytes | None) -> Datagram:
    assert packet is not None
    return Datagram.decode(packet)


@pytest.mark.parametrize("known", [(), (KnownPeer(PEER, True, 0),)])
def test_the_accused_takes_a_testimony_once(known: tuple[KnownPeer, ...]) -> None:
    accused, witness = _pair(known_peers=known)
    datagram = _datagram(witness.testify(HERE))
    assert datagram.destination == HERE and datagram.is_testimony
    assert accused.received(datagram, 1.0) is None
    assert accused.testimony.witnesses(1.0) == [PEER]
    assert accused.received(datagram, 2.0) == "replay"
    assert accused.received(_datagram(witness.testify(HERE)), 2.0) is None


def test_nobody_else_is_accused_and_nothing_else_is_a_testimony() -> None:
    accused, witness = _pair()
    other = IPv4Address("172.17.0.77")
    against_other = _datagram(witness.testify(other))
    assert accused.received(against_other, 1.0) == "destination"
    assert accused.received(against_other._replace(destination=HERE), 1.0) == "tag"
    advertisement = Datagram.decode(witness.packets(1, 0)[4])
    assert not advertisement.is_testimony
    accused.received(advertisement, 1.0)
    # The same with the type of a testimony: the checksum covers that, but the tag does not fit.
    payload = bytearray(advertisement.payload)
    total = int.from_bytes(payload[6:8], "big") - ((0x2C - 0x21) << 8)
    payload[0], payload[6:8] = 0x2C, (total % 0xFFFF).to_bytes(2, "big")
    changed = advertisement._replace(payload=bytes(payload), destination=HERE)
    assert changed.is_testimony
    assert accused.received(changed, 1.0) == "tag"
    assert accused.testimony.witnesses(1.0) == []


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"password": b"another"}, "digest"), ({"vhid": 2}, None)],
)
def test_strangers_are_not_believed(options: dict[str, object], reason: str | None) -> None:
    accused, _witness = _pair()
    _accused, stranger = _pair(**options)
    assert accused.received(_datagram(stranger.testify(HERE)), 1.0) == reason
    assert accused.testimony.witnesses(1.0) == []


def test_a_host_not_among_the_known_peers_is_a_stranger() -> None:
    accused, _witness = _pair(known_peers=(KnownPeer(IPv4Address("172.17.0.77"), True, 0),))
    _accused, witness = _pair()
    assert accused.received(_datagram(witness.testify(HERE)), 1.0) == "stranger"
    assert accused.testimony.witnesses(1.0) == []
