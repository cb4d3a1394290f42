# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims of others: a conflict is told of and defended against, the ordinary course of a handover is not."""

from __future__ import annotations

import math
from ipaddress import IPv4Address

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd.neighbours import Neighbour
from ansible_collections.failover.carp.plugins.module_utils.carpd.rivals import (
    CONFIRM_TIME,
    DEFEND_INTERVAL,
    GRACE_TIME,
    MOST_CLAIMS,
    Rivals,
)
from hypothesis import given
from hypothesis import strategies as st

FIRST, SECOND = IPv4Address("172.17.0.73"), IPv4Address("172.17.0.74")
ADDRESSES = [FIRST, SECOND]
STRANGER, PEER = bytes.fromhex("020000000066"), bytes.fromhex("020000000002")
START = 1000.0


class Watch:
    """Rivals in time: what they find is kept with the time at which they did."""

    def __init__(self) -> None:
        self.rivals = Rivals()
        self.now = START
        self.asked: list[tuple[float, list[IPv4Address]]] = []
        self.announced: list[float] = []
        self.told: list[tuple[float, str, bytes]] = []

    def become_master(self) -> None:
        self.rivals.took_over(ADDRESSES, self.now)

    def until(self, time: float) -> None:
        """Pass the time until so many seconds after the start."""
        while self.rivals.next_timer() <= START + time:
            self.now = max(self.now, self.rivals.next_timer())
            self.look()
        self.now = START + time

    def look(self) -> None:
        found, since = self.rivals.due(self.now), self.now - START
        self.asked.extend([(since, found.ask)] if found.ask else [])
        self.announced.extend([since] if found.announce else [])
        self.told.extend((since, "began", claim.mac) for claim in found.began)
        self.told.extend((since, "ended", claim.mac) for claim in found.ended)

    def claim(self, mac: bytes = STRANGER, address: IPv4Address = SECOND) -> None:
        self.rivals.claimed(Neighbour(address, mac), self.now)


@pytest.fixture(name="watch")
def watch_() -> Watch:
    watch = Watch()
    watch.become_master()
    return watch


def test_at_takeover_all_are_asked_for_once(watch: Watch) -> None:
    watch.until(1000)
    assert (watch.asked, watch.announced, watch.told) == ([(0.0, ADDRESSES)], [], [])
    assert watch.rivals.next_timer() == math.inf


def test_who_comes_later_is_told_of_after_a_moment(watch: Watch) -> None:
    watch.until(100)
    watch.claim()
    watch.until(100 + CONFIRM_TIME - 0.001)
    assert watch.told == []
    watch.until(100 + CONFIRM_TIME)
    assert watch.told == [(101.0, "began", STRANGER)]
    assert watch.announced == [101.0]
    assert watch.asked[1:] == [(101.0, [SECOND])]
    (claim,) = watch.rivals.conflicts()
    assert (claim.address, claim.mac, claim.count) == (SECOND, STRANGER, 1)


def test_who_answered_at_takeover_is_asked_again_and_then_told_of(watch: Watch) -> None:
    watch.until(0.001)
    watch.claim()
    watch.until(GRACE_TIME)
    assert watch.told == []
    assert watch.asked[1:] == [(GRACE_TIME, [SECOND])]
    watch.now += 0.001
    watch.claim()
    watch.until(10)
    assert [(kind, mac) for _time, kind, mac in watch.told] == [("began", STRANGER)]


def test_the_old_master_s_last_words_are_none(watch: Watch) -> None:
    """Its answer to the question at takeover, its late announcement; asked again it is silent."""
    for time in (0.001, 0.002, 1.0, 2.5):
        watch.until(time)
        watch.claim(PEER)
        watch.claim(PEER, FIRST)
    watch.until(100)
    assert (watch.told, watch.announced) == ([], [])
    assert watch.asked[1:] == [(GRACE_TIME, ADDRESSES)]


def test_the_new_master_s_first_word_is_none(watch: Watch) -> None:
    """It announces the address before it advertises."""
    watch.until(100)
    watch.claim(PEER)
    watch.now += 0.01
    watch.rivals.gave_up()
    watch.until(200)
    assert (watch.told, watch.announced, watch.rivals.conflicts()) == ([], [], [])
    assert watch.rivals.owner(SECOND).mac == PEER
    assert watch.rivals.owner(FIRST) is None
    watch.become_master()
    watch.until(300)
    assert watch.told == [], "what was right then is no conflict later"


def test_it_is_defended_against_as_long_as_it_lasts_and_once_more(watch: Watch) -> None:
    watch.until(100)
    watch.claim()
    for _number in range(30):  # every second, and it answers whenever it is asked
        watch.until(watch.now - START + 1.0)
        watch.claim()
    last = watch.now - START
    watch.until(1000)
    times = watch.announced
    assert all(later - earlier >= DEFEND_INTERVAL for earlier, later in zip(times, times[1:]))
    assert [kind for _time, kind, _mac in watch.told] == ["began", "ended"]
    ended = watch.told[-1][0]
    assert last < ended < last + 2.5 * DEFEND_INTERVAL
    assert times[-1] == ended, "whoever believed it shall know better now"
    assert times[0] == 101.0
    assert max(later - earlier for earlier, later in zip(times, times[1:])) <= DEFEND_INTERVAL
    assert watch.rivals.conflicts() == []


def test_after_a_new_takeover_it_is_a_new_matter(watch: Watch) -> None:
    watch.until(100)
    watch.claim()
    watch.until(102)
    watch.rivals.gave_up()
    assert watch.rivals.conflicts() == []
    assert watch.rivals.next_timer() == math.inf
    watch.become_master()
    watch.until(200)
    assert len(watch.told) == 1


def test_with_a_mac_of_their_own_nobody_is_asked_until_the_old_master_is_gone() -> None:
    watch = Watch()
    watch.rivals.took_over(ADDRESSES, watch.now, patiently=True)
    watch.until(1000)
    assert watch.asked == [(GRACE_TIME, ADDRESSES)]


def test_the_latest_claim_is_the_owner_s(watch: Watch) -> None:
    watch.rivals.gave_up()
    watch.claim(PEER)
    watch.now += 1
    watch.claim(STRANGER)
    assert watch.rivals.owner(SECOND).mac == STRANGER


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 200), st.booleans()), max_size=200))
def test_a_flood_of_claims(claims: list[tuple[float, int, bool]]) -> None:
    """The book stays small, and however many there are, what it makes this host send is bounded."""
    watch = Watch()
    watch.become_master()
    for pause, number, first in claims:
        watch.until(watch.now - START + pause)
        watch.claim(number.to_bytes(6, "big"), FIRST if first else SECOND)
    assert len(watch.rivals.conflicts()) <= MOST_CLAIMS
    watch.until(watch.now - START + 100)
    assert watch.rivals.conflicts() == []
    length = watch.now - START
    assert len(watch.asked) <= 2 + length / CONFIRM_TIME
    assert len(watch.announced) <= 1 + length
