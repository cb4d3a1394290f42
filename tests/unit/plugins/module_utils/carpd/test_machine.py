# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One election, event by event: what it does, when it wants to be called again, and what it must never do."""

from __future__ import annotations

import math
from ipaddress import IPv4Address
from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd.actions import (
    Advertise,
    Announce,
    Ask,
    Changed,
    Count,
    Hold,
    HoldBack,
    LetIn,
    Release,
    Reset,
)
from ansible_collections.failover.carp.plugins.module_utils.carpd.drain import (
    ANSWER_TIME,
    COUNT_INTERVAL,
    NO_DRAIN,
    Drain,
)
from ansible_collections.failover.carp.plugins.module_utils.carpd.machine import (
    HOLD_TIME,
    REFRESH_INTERVAL,
    REFUSAL_TIME,
    Machine,
)
from ansible_collections.failover.carp.plugins.module_utils.carpd.packet import Advertisement
from ansible_collections.failover.carp.plugins.module_utils.carpd.standing import (
    SEND_ERROR_DEMOTION,
    SEND_PENALTY_TIME,
    WORST_SKEW,
)
from ansible_collections.failover.carp.plugins.module_utils.carpd.timing import LEASE_LATENESS, Failback, Timing
from ansible_collections.failover.carp.plugins.module_utils.carpd.transitions import Event, State
from hypothesis import given
from hypothesis import strategies as st

OWN, LOWER, HIGHER = IPv4Address("10.99.0.2"), IPv4Address("10.99.0.1"), IPv4Address("10.99.0.3")
BOW_OUT = Advertise(255, 255)


class Host:
    """A machine with a clock of its own, that performs every action at once and well."""

    def __init__(
        self,
        advbase: int = 1,
        advskew: int = 100,
        preempt: bool = True,
        dead_ratio: int = 3,
        stable_for: float = 0.0,
        drain: Drain = NO_DRAIN,
    ) -> None:
        self.now = 1000.0
        self.machine = Machine(Timing(advbase, advskew, dead_ratio), Failback(preempt, stable_for), self.now, drain)
        self.sending_works = True

    def perform(self) -> list[object]:
        """Return what was done, the sending included."""
        done: list[object] = []
        while True:
            actions = self.machine.actions()
            if not actions:
                return [action for action in done if not isinstance(action, Changed)]
            for action in actions:
                done.append(action)
                if isinstance(action, Advertise):
                    self.machine.sent(self.sending_works, self.now)

    def event(self, event: Event) -> list[object]:
        self.machine.event(event, self.now, event.value)
        return self.perform()

    def demote(self, demotion: int, doubts: int = 0) -> list[object]:
        self.machine.demote(demotion, doubts, self.now)
        return self.perform()

    def hear(self, advbase: int, advskew: int, source: IPv4Address = LOWER, demotion: int = 0) -> list[object]:
        advertisement = Advertisement(1, advbase, advskew, demotion, 1, bytes(20))
        self.machine.received(advertisement, source, OWN, self.now)
        return self.perform()

    def wait(self, seconds: float) -> list[object]:
        """Let time pass, waking up exactly at each deadline."""
        end, done = self.now + seconds, []
        while self.machine.next_timer() <= end:
            self.now = max(self.now, self.machine.next_timer())
            self.machine.due(self.now)
            done += self.perform()
        self.now = end
        return done

    def sleep(self, seconds: float) -> list[object]:
        """Let time pass without waking up, as when the process is stopped."""
        self.now += seconds
        self.machine.due(self.now)
        return self.perform()

    @classmethod
    def backup(cls, **options: Any) -> Host:
        host = cls(**options)
        host.event(Event.UP)
        return host

    @classmethod
    def master(cls, **options: Any) -> Host:
        host = cls.backup(**options)
        while host.machine.state is State.BACKUP:
            host.wait(host.machine.next_timer() - host.now)
        assert host.machine.state is State.MASTER
        return host


def test_it_waits_for_its_interface() -> None:
    host = Host()
    assert host.machine.next_timer() == math.inf
    assert host.event(Event.UP) == []
    assert host.machine.state is State.BACKUP


@pytest.mark.parametrize(
    ("advbase", "advskew", "seconds"), [(1, 0, 3.0), (1, 100, 3 + 100 / 256), (2, 254, 6 + 254 / 256), (60, 0, 180.0)]
)
def test_the_patience_of_ucarp_and_freebsd(advbase: int, advskew: int, seconds: float) -> None:
    host = Host.backup(advbase=advbase, advskew=advskew)
    start = host.now
    host.wait(seconds + 0.1)
    assert host.machine.state is State.MASTER
    assert host.machine.since - start == pytest.approx(seconds)


def test_below_one_second_the_promise_of_the_master_counts() -> None:
    host = Host.backup(advbase=0, advskew=26)
    heard = host.now
    host.hear(0, 13)
    host.wait(3 * 13 / 256)
    assert host.machine.state is State.BACKUP
    host.wait(0.2 * 13 / 256)
    assert host.machine.state is State.MASTER
    assert host.machine.since - heard == pytest.approx(host.machine.timing.patience(13 / 256))


def test_silence_makes_a_master_that_claims_then_announces_then_advertises() -> None:
    host = Host.backup()
    done = [action for action in host.wait(3.391) if action != Ask()]
    assert done == [Hold(2), Announce(), Advertise(1, 100)]
    assert "no advertisement for 3.391 s" in host.machine.reason


def test_a_master_keeps_the_beat_and_renews_its_lease_with_each_advertisement() -> None:
    host = Host.master(advskew=0)
    done = [action for action in host.wait(10.0) if not isinstance(action, Announce)]
    assert done == [Advertise(1, 0), Hold(2)] * 10


def test_lateness_does_not_add_up() -> None:
    host = Host.master(advskew=0)
    start = host.now
    for _turn in range(10):
        host.now = host.machine.next_timer() + 0.01
        host.machine.due(host.now)
        host.perform()
    sent = [host.wait(0.985), host.now - start]
    assert sent[1] < 11.0


def test_announcements_are_repeated_and_refreshed() -> None:
    host = Host.master()
    announced = []
    for _turn in range(80):
        announced += [host.now for action in host.wait(1.0) if isinstance(action, Announce)]
    assert len(announced) >= 5 + 2
    assert announced[-1] - announced[-2] == pytest.approx(REFRESH_INTERVAL, abs=1.0)


def test_a_master_yields_to_a_better_one_at_once() -> None:
    host = Host.master()
    assert host.hear(1, 0) == [Advertise(1, 100), Release()]
    assert host.machine.state is State.BACKUP
    assert host.machine.master is not None and host.machine.master.source == LOWER


def test_a_master_answers_a_worse_one_at_once_but_not_without_end() -> None:
    host = Host.master()
    host.wait(0.5)
    answered = []
    for _turn in range(1000):
        host.hear(1, 200)
        answered += [action for action in host.wait(0.001) if action == Advertise(1, 100)]
    assert 15 <= len(answered) <= 20


def test_its_answer_comes_with_an_announcement() -> None:
    host = Host.master()
    host.wait(0.5)
    host.hear(1, 200)
    assert host.wait(0.0) == [Advertise(1, 100), Announce(), Hold(2)]


@pytest.mark.parametrize(("source", "state"), [(LOWER, State.BACKUP), (HIGHER, State.MASTER)])
def test_equal_masters_are_told_apart_by_address(source: IPv4Address, state: State) -> None:
    host = Host.master()
    host.hear(1, 100, source)
    assert host.machine.state is state


def test_the_tie_break_reads_addresses_as_ucarp_does() -> None:
    """There the last octet decides first: 10.99.1.1 beats 10.99.0.2 (measured with the real ucarp)."""
    host = Host.master()
    host.hear(1, 100, IPv4Address("10.99.1.1"))
    assert host.machine.state is State.BACKUP


def test_a_preferred_host_takes_over_from_a_worse_master() -> None:
    host = Host.backup(advskew=0)
    host.hear(1, 100)
    assert host.wait(0.0) == [Hold(2), Announce(), Advertise(1, 0)]


def test_of_several_preferred_hosts_the_best_is_first() -> None:
    host = Host.backup(advskew=50)
    host.hear(1, 100)
    host.wait(0.004)
    host.hear(1, 20, HIGHER)
    host.wait(2.9)
    assert host.machine.state is State.BACKUP


def test_a_worse_claim_is_nothing_while_a_better_master_is_fresh() -> None:
    host = Host.backup(advskew=50)
    host.hear(1, 0)
    host.hear(1, 100, HIGHER)
    host.wait(1.0)
    assert host.machine.state is State.BACKUP
    assert host.machine.master is not None and host.machine.master.source == LOWER


def test_without_preempt_it_leaves_a_worse_master_in_peace() -> None:
    host = Host.backup(advskew=0, preempt=False)
    for _turn in range(20):
        assert host.hear(1, 100) == []
        host.wait(1.39)
    assert host.machine.state is State.BACKUP


def test_a_goodbye_is_followed_within_milliseconds() -> None:
    host = Host.backup(advskew=254)
    host.hear(1, 0)
    host.hear(255, 255)
    assert Advertise(1, 254) in host.wait(0.03)
    assert "says goodbye" in host.machine.reason


def test_a_master_that_promises_less_than_we_wait_for_is_as_good_as_gone() -> None:
    host = Host.backup()
    host.hear(5, 0)
    host.wait(0.03)
    assert host.machine.state is State.MASTER


@pytest.mark.parametrize("event", [Event.STOP, Event.STEP_DOWN])
def test_whoever_leaves_says_goodbye_first_and_holds_on(event: Event) -> None:
    host = Host.master()
    done = host.event(event)
    assert done[0] == BOW_OUT and Release() not in done
    assert host.machine.state.holds


@pytest.mark.parametrize(
    ("event", "heard", "after"),
    [
        (Event.STOP, (1, 0), State.ENDED),
        (Event.STOP, (1, 200), State.ENDED),
        (Event.STEP_DOWN, (1, 0), State.BACKUP),
        (Event.STEP_DOWN, (1, 200), State.BACKUP),
    ],
)
def test_it_lets_go_when_it_hears_its_successor(event: Event, heard: tuple[int, int], after: State) -> None:
    host = Host.master()
    host.event(event)
    assert host.hear(*heard) == [Release()]
    assert host.machine.state is after


def test_a_second_goodbye_is_no_successor() -> None:
    host = Host.master()
    host.event(Event.STOP)
    assert host.hear(255, 255) == []


def test_the_goodbye_is_repeated_until_the_bound() -> None:
    host = Host.master()
    host.event(Event.STOP)
    done = host.wait(HOLD_TIME)
    assert done.count(BOW_OUT) >= 3
    assert done[-1] == Release() and host.machine.state is State.ENDED


def test_stepping_down_where_nobody_takes_over_goes_on_as_master() -> None:
    host = Host.master()
    host.event(Event.STEP_DOWN)
    assert Release() not in host.wait(HOLD_TIME)
    assert host.machine.state is State.MASTER


def test_whoever_stepped_down_does_not_come_straight_back() -> None:
    host = Host.master(advskew=0)
    host.event(Event.STEP_DOWN)
    host.hear(1, 100)
    for _turn in range(5):
        host.wait(1.3)
        host.hear(1, 100)
    assert host.machine.state is State.BACKUP
    host.hear(255, 255)  # but when the other one goes, it is there
    host.wait(0.01)
    assert host.machine.state is State.MASTER
    host.hear(1, 100)
    assert host.machine.state is State.MASTER


def test_the_loss_of_the_interface_gives_everything_up() -> None:
    host = Host.master()
    assert host.event(Event.DOWN) == [BOW_OUT, Release()]
    assert host.machine.next_timer() == math.inf


def test_an_address_that_others_remove_is_back_at_once() -> None:
    host = Host.master()
    host.wait(0.5)
    assert host.event(Event.ADDRESS_LOST) == [Advertise(1, 100), Hold(2)]
    assert host.wait(0.0) == [Announce()]


def test_an_address_is_not_brought_back_by_a_host_that_nobody_hears() -> None:
    host = Host.master(advskew=0)
    host.sending_works = False
    host.wait(2.4)
    assert Hold(2) not in host.event(Event.ADDRESS_LOST)


def test_an_address_that_the_kernel_refuses_sends_the_mastership_away() -> None:
    host = Host.master(advskew=0)
    assert host.event(Event.ADDRESS_REFUSED) == [BOW_OUT, Release()]
    host.hear(1, 100)
    assert host.machine.state is State.BACKUP


def test_after_a_pause_it_gives_up_before_anything_else() -> None:
    host = Host.master(advskew=0)
    assert host.sleep(10.0) == [Release()]
    assert host.machine.state is State.BACKUP
    assert "another host may have taken over" in host.machine.reason


def test_the_end_of_a_lease_during_a_pause_does_not_bring_the_address_back() -> None:
    host = Host.master(advskew=0)
    host.now += 10.0
    assert host.event(Event.ADDRESS_LOST) == [Release()]


def test_a_short_pause_costs_nothing() -> None:
    host = Host.master(advskew=0)
    assert Advertise(1, 0) in host.sleep(2.9)
    assert host.machine.state is State.MASTER


def test_packets_that_waited_during_a_pause_are_no_silence() -> None:
    host = Host.backup()
    host.now += 10.0
    host.hear(1, 0)
    host.machine.due(host.now)
    assert host.machine.state is State.BACKUP


def test_no_lease_is_renewed_for_what_did_not_leave() -> None:
    host = Host.master(advskew=0)
    host.sending_works = False
    done = host.wait(2.9)
    assert Advertise(1, 0) in done and Hold(2) not in done
    assert Release() in host.wait(0.1)
    assert host.machine.state is State.BACKUP


def test_failed_sends_count_as_a_bad_rank_until_they_heal() -> None:
    host = Host.master(advskew=0)
    host.sending_works = False
    host.wait(3.5)
    assert (host.machine.advskew, host.machine.demotion) == (WORST_SKEW, SEND_ERROR_DEMOTION)
    host.sending_works = True
    host.wait(15.0)
    assert host.machine.state is State.MASTER and host.machine.demotion == 0


def test_the_penalty_for_failed_sends_ends_in_a_backup_too() -> None:
    """With ucarp it never does, since a backup sends nothing."""
    host = Host.master(advskew=0)
    host.sending_works = False
    host.wait(3.5)
    host.sending_works = True
    while host.machine.state is State.BACKUP and host.now < 1000 + 2 * SEND_PENALTY_TIME:
        host.hear(1, 100)
        host.wait(1.39)
    assert host.machine.state is State.MASTER and host.machine.demotion == 0


def test_new_timing_is_taken_over_in_place() -> None:
    host = Host.master()
    host.machine.reconfigure(Timing(2, 50), True, host.now)
    assert host.perform() == [Advertise(2, 50), Hold(5)]
    assert host.machine.state is State.MASTER


def test_a_master_tells_of_its_demotion_at_once_and_keeps_the_new_beat() -> None:
    host = Host.master(advskew=20)
    host.wait(0.5)
    assert host.demote(50)[0] == Advertise(1, 70, 50)
    assert host.machine.demotion == 50
    assert Advertise(1, 70, 50) not in host.wait(1.27)
    assert Advertise(1, 70, 50) in host.wait(0.01)
    assert host.demote(0)[0] == Advertise(1, 20, 0)


def test_nothing_is_sent_for_a_demotion_that_does_not_change_or_that_nobody_asks_about() -> None:
    host = Host.master()
    host.demote(50)
    assert host.demote(50) == []
    backup = Host.backup()
    assert backup.demote(50) == []


@pytest.mark.parametrize(
    ("configured", "demotion", "skew", "byte"),
    [(0, 254, 240, 254), (100, 200, 240, 200), (245, 10, 245, 10), (20, 999, 240, 255), (20, 3, 23, 3)],
)
def test_demotion_goes_into_both_fields_within_their_bounds(
    configured: int, demotion: int, skew: int, byte: int
) -> None:
    host = Host.master(advskew=configured)
    assert host.demote(demotion)[0] == Advertise(1, skew, byte)


@pytest.mark.parametrize("preempt", [True, False])
def test_a_sicker_master_is_taken_over_from_even_without_preempt(preempt: bool) -> None:
    host = Host.backup(advskew=100, preempt=preempt)
    host.hear(1, 0)
    host.hear(1, 10, demotion=10)  # its skew alone is still better
    assert host.wait(0.02)[:2] == [Hold(2), Announce()]
    assert "demoted by 10" in host.machine.reason


def test_the_demoted_master_yields_to_the_healthy_one() -> None:
    host = Host.master(advskew=0)
    host.demote(10)
    assert host.hear(1, 100) == [Advertise(1, 10, 10), Release()]
    host.wait(1.3)
    host.hear(1, 100)
    assert host.wait(0.5) == [] and host.machine.state is State.BACKUP


def test_a_healthy_master_does_not_yield_to_a_demoted_one() -> None:
    host = Host.master(advskew=100)
    host.hear(1, 10, demotion=10)
    assert host.machine.state is State.MASTER


@pytest.mark.parametrize("preempt", [True, False])
def test_hosts_with_equal_demotion_keep_their_order(preempt: bool) -> None:
    host = Host.backup(advskew=20, preempt=preempt)
    host.demote(50)
    for _turn in range(5):
        host.hear(1, 50, demotion=50)
        host.wait(1.2)
    assert host.machine.state is State.BACKUP


def test_both_at_the_worst_skew_leave_each_other_in_peace() -> None:
    host = Host.backup(advskew=20)
    host.demote(254)
    for _turn in range(5):
        host.hear(1, 240, HIGHER, demotion=254)
        host.wait(1.9)
    assert host.machine.state is State.BACKUP


def test_who_fears_the_same_fault_does_not_take_over() -> None:
    host = Host.backup(advskew=20)
    host.demote(0, doubts=50)
    host.hear(1, 50, demotion=50)
    host.wait(1.1)
    assert host.machine.state is State.BACKUP
    host.demote(0)  # but the fear was for nothing
    host.hear(1, 50, demotion=50)
    host.wait(0.01)
    assert host.machine.state is State.MASTER


def test_fear_is_no_reason_to_leave_a_silent_master_its_place() -> None:
    host = Host.backup(advskew=20)
    host.demote(0, doubts=50)
    host.hear(1, 0)
    host.wait(3.1)
    assert host.machine.state is State.MASTER


def test_of_two_backups_the_healthier_is_first() -> None:
    sick, well = Host.backup(advskew=0), Host.backup(advskew=20)
    sick.demote(100)
    for host in (sick, well):
        host.hear(1, 0)
        host.wait(5.0)
    assert well.machine.since < sick.machine.since


def test_even_who_stepped_down_helps_a_sick_master_out() -> None:
    host = Host.master(advskew=0)
    host.event(Event.STEP_DOWN)
    host.hear(1, 100)
    host.hear(1, 150, demotion=50)
    host.wait(0.01)
    assert host.machine.state is State.MASTER


def test_but_not_who_could_not_hold_the_addresses_a_moment_ago() -> None:
    host = Host.master(advskew=0)
    host.event(Event.ADDRESS_REFUSED)
    claims = []
    while host.machine.state is not State.MASTER:
        host.hear(1, 150, demotion=50)
        claims.append(host.wait(1.0))
    assert len(claims) == pytest.approx(REFUSAL_TIME + 1, abs=1)


def test_a_heavier_promise_moves_the_moment_of_giving_up_only_when_it_has_left() -> None:
    """Below one second the peers' patience follows what they have heard, not what could not be sent."""
    host = Host.master(advbase=0, advskew=5)
    host.sending_works = False
    left = host.now
    host.demote(200)
    host.wait(0.2)
    assert host.machine.state is State.BACKUP
    assert host.machine.since - left <= 3 * 5 / 256 + 0.001


def test_a_fault_hands_over_and_then_stays_away() -> None:
    host = Host.master(advskew=0)
    done = host.event(Event.FAULT)
    assert done[0] == BOW_OUT and Release() not in done
    assert host.hear(1, 100) == [Release()]
    assert host.wait(60.0) == []
    host.hear(255, 255)
    assert host.wait(60.0) == [] and host.machine.state is State.FAULTY


def test_a_fault_lets_go_even_where_nobody_takes_over() -> None:
    host = Host.master(advskew=0)
    host.event(Event.FAULT)
    done = host.wait(HOLD_TIME)
    assert done.count(BOW_OUT) >= 3 and done[-1] == Release()
    assert host.machine.state is State.FAULTY


def test_after_healing_it_is_backup_and_takes_its_place_again() -> None:
    host = Host.master(advskew=0)
    host.event(Event.FAULT)
    host.hear(1, 100)
    assert host.event(Event.HEALED) == []
    assert host.machine.state is State.BACKUP
    host.hear(1, 100)
    host.wait(0.0)
    assert host.machine.state is State.MASTER


def test_a_fault_that_heals_while_it_hands_over_goes_on_handing_over_in_the_same_time() -> None:
    host = Host.master(advskew=0)
    begun = host.now
    host.event(Event.FAULT)
    host.wait(0.4)
    host.event(Event.HEALED)
    assert host.machine.state is State.LEAVING
    host.event(Event.FAULT)
    host.event(Event.HEALED)
    while host.machine.state is State.LEAVING:
        host.wait(0.01)
    assert host.machine.state is State.MASTER
    assert host.now - begun == pytest.approx(HOLD_TIME, abs=0.02)


def test_a_fault_is_remembered_while_there_is_no_interface() -> None:
    host = Host()
    host.event(Event.FAULT)
    assert host.machine.state is State.INIT
    host.event(Event.UP)
    assert host.machine.state is State.FAULTY
    host.event(Event.DOWN)
    host.event(Event.HEALED)
    host.event(Event.UP)
    assert host.machine.state is State.BACKUP


def test_a_faulty_host_still_ends() -> None:
    host = Host.backup()
    host.event(Event.FAULT)
    assert host.event(Event.STOP) == [] and host.machine.state is State.ENDED


@given(st.integers(0, 255), st.integers(0, 254), st.integers(2, 255), st.integers(0, 254))
def test_the_lease_ends_before_the_patience_and_after_the_next_advertisement(
    advbase: int, advskew: int, dead_ratio: int, peer_skew: int
) -> None:
    timing, peer = Timing(advbase, advskew, dead_ratio), Timing(advbase, peer_skew, dead_ratio)
    if advbase:
        assert timing.lease + LEASE_LATENESS <= peer.patience(advbase + advskew / 256)
    assert timing.interval(advskew) < timing.lease


@pytest.mark.parametrize("event", [Event.STEP_DOWN, Event.FAULT, Event.STOP])
@pytest.mark.parametrize("late", [0.2, 1.5])
def test_who_cannot_send_lets_go_before_a_peer_takes_over_also_while_leaving(event: Event, late: float) -> None:
    host = Host.master(advskew=0)
    host.sending_works = False
    left = host.now
    host.wait(late)
    host.event(event)
    host.wait(left + 3.0 - host.now)
    assert not host.machine.state.holds


@pytest.mark.parametrize("advbase", [0, 1])
def test_who_can_send_returns_to_be_master_if_nobody_takes_over(advbase: int) -> None:
    host = Host.master(advbase=advbase, advskew=2)
    host.event(Event.STEP_DOWN)
    assert Release() not in host.wait(HOLD_TIME + 0.1)
    assert host.machine.state is State.MASTER


class TestQuestions:
    """A backup asks who has the addresses before it takes a silence for the death of the master."""

    INTERVAL = 13 / 256

    def backup(self) -> Host:
        host = Host.backup(advbase=0, advskew=26)
        host.hear(0, 13)
        return host

    def wait_answered(self, host: Host, seconds: float, by_master: bool) -> list[object]:
        """Let time pass in which every question is answered."""
        end, done = host.now + seconds, []
        while host.machine.next_timer() <= end and host.machine.state is State.BACKUP:
            asked = host.wait(host.machine.next_timer() - host.now)
            if Ask() in asked:
                host.machine.answered(by_master, host.now)
            done += asked
        host.now = max(host.now, end)
        return done

    def test_are_put_while_the_silence_is_counted(self) -> None:
        host = self.backup()
        assert host.wait(1.49 * self.INTERVAL) == []
        assert host.wait(0.02 * self.INTERVAL) == [Ask()]
        assert host.wait(1.0 * self.INTERVAL) == [Ask()]

    def test_cost_no_time_where_nobody_answers(self) -> None:
        host = self.backup()
        start = host.now
        host.wait(4 * self.INTERVAL)
        assert host.machine.since - start == pytest.approx(host.machine.timing.patience(self.INTERVAL))

    @pytest.mark.parametrize("by_master", [False, True])
    def test_answers_mean_waiting_for_the_end_of_the_lease(self, by_master: bool) -> None:
        host = self.backup()
        self.wait_answered(host, 1 + LEASE_LATENESS - 0.1, by_master)
        assert host.machine.state is State.BACKUP

    def test_when_they_cease_the_addresses_are_free(self) -> None:
        host = self.backup()
        self.wait_answered(host, 0.8, by_master=True)
        host.wait(0.31)
        assert host.machine.state is State.MASTER

    def test_one_that_is_lost_does_not_matter(self) -> None:
        host = self.backup()
        self.wait_answered(host, 0.8, by_master=True)
        asked = 0
        while host.machine.state is State.BACKUP and host.now < 1003:
            if Ask() in host.wait(host.machine.next_timer() - host.now):
                asked += 1
                if asked % 3:
                    host.machine.answered(True, host.now)
        assert host.machine.state is State.BACKUP

    def test_a_stranger_is_waited_for_no_longer_than_a_lease(self) -> None:
        host = self.backup()
        self.wait_answered(host, 1 + LEASE_LATENESS + 0.2, by_master=False)
        assert host.machine.state is State.MASTER

    @pytest.mark.parametrize(("advbase", "advskew"), [(0, 13), (1, 0)])
    def test_a_master_that_is_only_not_heard_keeps_them(self, advbase: int, advskew: int) -> None:
        host = Host.backup(advbase=advbase, advskew=26)
        host.hear(advbase, advskew)
        self.wait_answered(host, 60.0, by_master=True)
        assert host.machine.state is State.BACKUP
        assert host.machine.is_unheard_of(host.now)
        host.hear(advbase, advskew)
        assert not host.machine.is_unheard_of(host.now)
        host.wait(4.0)
        assert host.machine.state is State.MASTER

    def test_an_advertisement_ends_the_waiting(self) -> None:
        host = self.backup()
        self.wait_answered(host, 0.3, by_master=True)
        host.hear(0, 13)
        host.wait(3.5 * self.INTERVAL)
        assert host.machine.state is State.MASTER

    def test_a_goodbye_needs_no_answer(self) -> None:
        host = self.backup()
        self.wait_answered(host, 2 * self.INTERVAL, by_master=True)
        host.hear(255, 255)
        host.wait(0.01)
        assert host.machine.state is State.MASTER

    @pytest.mark.parametrize("when", [0.0, 1.0])
    def test_what_nobody_asked_for_says_nothing(self, when: float) -> None:
        host = self.backup()
        host.wait(when * self.INTERVAL)
        host.machine.answered(True, host.now)
        host.wait(4 * self.INTERVAL)
        assert host.machine.state is State.MASTER

    def test_who_has_heard_nobody_asks_as_well(self) -> None:
        host = Host.backup(advbase=0, advskew=26)
        self.wait_answered(host, 1.2, by_master=False)
        assert host.machine.state is State.BACKUP

    def test_who_was_late_himself_gives_time_to_answer(self) -> None:
        host = self.backup()
        assert host.sleep(5.0) == [Ask()]
        assert host.machine.state is State.BACKUP
        host.wait(1.1 * self.INTERVAL)
        assert host.machine.state is State.MASTER


class TestOpposition:
    """A peer that is alive, but different, and holds the addresses is an alarm and no reason to take over."""

    def oppose(self, host: Host, seconds: float, answers: bool) -> None:
        end = host.now + seconds
        while host.now < end:
            host.machine.opposed(HIGHER, host.now)
            for _turn in range(20):
                if Ask() in host.wait(0.05) and answers:
                    host.machine.answered(False, host.now)

    def test_while_the_addresses_are_somewhere_nothing_moves(self) -> None:
        host = Host.backup(advskew=20)
        host.hear(1, 0)
        self.oppose(host, 30, answers=True)
        assert host.machine.state is State.BACKUP
        assert host.machine.opponent(host.now) == HIGHER

    def test_noise_alone_does_not_prevent_a_failover(self) -> None:
        host = Host.backup(advskew=20)
        host.hear(1, 0)
        self.oppose(host, 5, answers=False)
        assert host.machine.state is State.MASTER

    def test_once_it_is_over_silence_counts_again(self) -> None:
        host = Host.backup(advskew=20)
        host.hear(1, 0)
        self.oppose(host, 10, answers=True)
        host.wait(7.0)
        assert host.machine.state is State.MASTER
        assert host.machine.opponent(host.now) is None

    def test_a_master_stays_master(self) -> None:
        host = Host.master()
        self.oppose(host, 5, answers=True)
        assert host.machine.state is State.MASTER
        assert host.machine.opponent(host.now) == HIGHER


class TestFailback:
    """When a better host takes over again."""

    def worse_for(self, host: Host, seconds: float) -> None:
        for _turn in range(round(seconds)):
            host.hear(1, 200)
            host.wait(1.0)

    def test_after_it_was_stable_for_long_enough(self) -> None:
        host = Host.backup(advskew=0, stable_for=30.0)
        self.worse_for(host, 29)
        assert host.machine.state is State.BACKUP
        self.worse_for(host, 2)
        assert host.machine.state is State.MASTER

    @pytest.mark.parametrize(("bad", "good"), [(Event.FAULT, Event.HEALED), (Event.DOWN, Event.UP)])
    def test_trouble_begins_the_time_anew(self, bad: Event, good: Event) -> None:
        host = Host.backup(advskew=0, stable_for=30.0)
        self.worse_for(host, 20)
        host.event(bad)
        host.event(good)
        self.worse_for(host, 29)
        assert host.machine.state is State.BACKUP
        self.worse_for(host, 2)
        assert host.machine.state is State.MASTER

    def test_so_does_a_fault_that_heals_while_it_hands_over(self) -> None:
        host = Host.master(advskew=0, stable_for=30.0)
        host.wait(60.0)
        host.event(Event.FAULT)
        host.event(Event.HEALED)
        self.worse_for(host, 29)
        assert host.machine.state is State.BACKUP
        self.worse_for(host, 2)
        assert host.machine.state is State.MASTER

    def test_so_does_a_demotion(self) -> None:
        host = Host.backup(advskew=0, stable_for=30.0)
        self.worse_for(host, 20)
        host.demote(250)
        host.demote(0)
        self.worse_for(host, 29)
        assert host.machine.state is State.BACKUP

    def test_silence_and_a_sicker_master_do_not_wait(self) -> None:
        host = Host.backup(advskew=0, stable_for=30.0)
        host.hear(1, 200, demotion=10)
        host.wait(0.1)
        assert host.machine.state is State.MASTER


def test_who_is_demoted_just_before_it_takes_over_does_not() -> None:
    host = Host.backup(advskew=20)
    host.hear(1, 100)
    host.demote(100)
    host.wait(1.0)
    assert host.machine.state is State.BACKUP


def test_but_a_goodbye_counts_all_the_same() -> None:
    host = Host.backup(advskew=20)
    host.hear(1, 100)
    host.hear(255, 255)
    host.demote(100)
    host.wait(0.1)
    assert host.machine.state is State.MASTER


def test_the_next_program_goes_on_as_master() -> None:
    host, successor = Host.master(advskew=0), Host(advskew=0)
    successor.machine.inherit(host.machine.legacy())
    assert successor.event(Event.RESUME) == [Advertise(1, 0), Hold(2)]
    assert successor.wait(0.0) == [Announce()]
    assert successor.machine.state is State.MASTER
    assert successor.machine.transitions == host.machine.transitions + 1


def test_but_its_lease_is_not_renewed_without_an_advertisement() -> None:
    host, successor = Host.master(advskew=0), Host(advskew=0)
    successor.machine.inherit(host.machine.legacy())
    successor.sending_works = False
    assert Hold(2) not in successor.event(Event.RESUME)


def test_before_the_program_is_replaced_the_lease_is_renewed_by_an_advertisement_that_left() -> None:
    host = Host.master(advskew=0)
    host.machine.renew(host.now)
    assert host.perform() == [Advertise(1, 0), Hold(2)]
    assert not host.machine.failing
    host.sending_works = False
    host.machine.renew(host.now)
    assert host.perform() == [Advertise(1, 0)]
    assert host.machine.failing


def test_a_fault_that_is_known_before_it_resumes_counts() -> None:
    host = Host(advskew=0)
    host.event(Event.FAULT)
    host.event(Event.RESUME)
    assert host.machine.state is State.FAILING


def test_a_worse_master_that_stays_is_no_silence_though_a_better_one_was_heard() -> None:
    host = Host.backup(advskew=254, dead_ratio=2, preempt=False)
    host.hear(1, 240)
    for _second in range(4):
        host.wait(0.95)
        host.hear(1, 255, source=HIGHER)
    assert host.machine.state is State.BACKUP


def test_stepping_down_counts_while_it_leaves_for_another_reason() -> None:
    host = Host.master(advskew=0)
    host.event(Event.FAULT)
    host.event(Event.HEALED)
    assert host.machine.state is State.LEAVING
    host.event(Event.STEP_DOWN)
    host.hear(1, 100)
    host.hear(1, 100)
    host.wait(1.0)
    assert host.machine.state is State.BACKUP


def test_and_still_yields_to_whom_the_last_one_did() -> None:
    host, successor = Host.backup(advskew=0), Host(advskew=0)
    host.event(Event.STEP_DOWN)
    successor.machine.inherit(host.machine.legacy())
    successor.event(Event.UP)
    successor.hear(1, 100)
    successor.wait(1.0)
    assert successor.machine.state is State.BACKUP


class TestOperator:
    """demote and promote."""

    def test_a_demoted_master_hands_over_and_stays_away(self) -> None:
        host = Host.master(advskew=0)
        host.machine.retire(host.now, "asked to")
        done = host.perform()
        assert done[0] == BOW_OUT and Release() not in done  # an advertisement could overtake the goodbye
        assert host.hear(1, 100)[-1] == Release()
        for _turn in range(10):
            host.wait(1.0)
            host.hear(1, 100)
        assert host.machine.state is State.BACKUP and host.machine.retirement == "asked to"

    def test_it_is_better_than_nobody(self) -> None:
        host = Host.backup(advskew=0)
        host.machine.retire(host.now, "asked to")
        host.perform()
        host.wait(4.1)
        assert host.machine.state is State.MASTER
        assert host.machine.demotion == 240

    def test_promotion_ends_it(self) -> None:
        host = Host.backup(advskew=0)
        host.hear(1, 100)
        host.machine.retire(host.now, "asked to")
        assert host.machine.promote(host.now) == ""
        host.hear(1, 100)
        host.wait(0.1)
        assert host.machine.state is State.MASTER and not host.machine.retirement

    def test_its_end_alone_leaves_it_to_the_policy(self) -> None:
        for preempt, state in ((True, State.MASTER), (False, State.BACKUP)):
            host = Host.backup(advskew=0, preempt=preempt)
            host.hear(1, 100)
            host.machine.retire(host.now, "asked to")
            host.machine.retire(host.now, "")
            host.hear(1, 100)
            host.wait(0.1)
            assert host.machine.state is state

    def test_promotion_does_not_ask_for_the_policy(self) -> None:
        host = Host.backup(advskew=0, preempt=False)
        host.hear(1, 100)
        host.wait(1.0)
        assert host.machine.promote(host.now) == ""
        host.hear(1, 100)
        host.wait(0.1)
        assert host.machine.state is State.MASTER

    def test_it_says_who_is_better(self) -> None:
        host = Host.backup(advskew=50)
        host.hear(1, 20)
        assert host.machine.promote(host.now) == (
            f"{LOWER} advertises 1+20/256 s, which is better than ours: demote it there"
        )

    def test_it_says_what_is_in_the_way(self) -> None:
        host = Host.backup(advskew=0)
        host.event(Event.FAULT)
        assert host.machine.promote(host.now) == "fault"

    def test_a_master_is_one(self) -> None:
        host = Host.master()
        assert host.machine.promote(host.now) == "" and host.machine.state is State.MASTER


class TestLeaseOfWhoLeaves:
    """It lasts as long as the goodbyes are heard, and no longer."""

    def test_is_renewed_with_goodbyes_that_left(self) -> None:
        host = Host.master(advskew=0)
        host.event(Event.STEP_DOWN)
        assert Hold(2) in host.wait(1.0)

    def test_is_not_renewed_with_those_that_did_not(self) -> None:
        host = Host.master(advskew=0)
        host.wait(0.9)
        host.sending_works = False
        assert Hold(2) not in host.event(Event.STEP_DOWN) + host.wait(1.0)


def test_a_forged_promise_of_no_pause_at_all_keeps_nobody_busy() -> None:
    host = Host.backup(advbase=0, advskew=26)
    host.hear(0, 0)
    assert host.machine.master is not None and host.machine.master.interval == 1 / 256
    assert host.wait(0.02).count(Ask()) <= 6


def leave(host: Host, way: str) -> list[object]:
    """Ask a master to hand over, in one of the ways that are planned."""
    if way == "retire":
        host.machine.retire(host.now, "asked to")
        return host.perform()
    return host.event({"step down": Event.STEP_DOWN, "stop": Event.STOP}[way])


AFTER = {"retire": State.LEAVING, "step down": State.LEAVING, "stop": State.CLOSING}
DRAINED = Drain(10, resets=True)


class TestDraining:
    @pytest.mark.parametrize("way", AFTER)
    def test_it_is_the_master_until_no_connection_is_left(self, way: str) -> None:
        host = Host.master(drain=DRAINED)
        host.wait(5.1)  # until it has announced itself often enough
        assert leave(host, way) == [HoldBack(), Count()]
        assert host.machine.state is State.DRAINING
        assert host.machine.draining(host.now) == {"since": 0.0, "connections": None, "left": 10.0}
        for connections in (3, 1):
            host.machine.counted(connections, host.now)
            assert host.perform() == []
            assert host.wait(COUNT_INTERVAL) == [Count()]
        assert host.machine.draining(host.now) == {"since": 0.04, "connections": 1, "left": 9.96}
        host.machine.counted(0, host.now)
        assert host.perform()[0] == Advertise(255, 255)
        assert host.machine.state is AFTER[way]
        assert host.machine.draining(host.now) is None
        assert host.hear(1, 50) == [Release(), Reset(), LetIn()]

    @pytest.mark.parametrize("way", AFTER)
    def test_it_goes_on_as_master_to_the_others_meanwhile(self, way: str) -> None:
        """At the same beat, with its lease renewed, and not yet demoted."""
        host = Host.master(drain=Drain(5, resets=True), advskew=128)
        host.wait(0.25)
        leave(host, way)
        assert host.machine.demotion == 0
        host.machine.counted(1, host.now)
        done = [action for action in host.wait(4.5) if not isinstance(action, (Count, Announce))]
        assert done == [Advertise(1, 128), Hold(2)] * 3
        assert host.hear(1, 200) + host.wait(0.0) == [Advertise(1, 128), Announce()]
        assert host.machine.state is State.DRAINING

    def test_what_remains_is_reset_while_the_address_is_here(self) -> None:
        host = Host.master(drain=DRAINED)
        leave(host, "retire")
        host.machine.counted(1, host.now)
        done = host.wait(10.0)
        assert Reset() in done and Release() not in done
        assert host.machine.state is State.DRAINING
        assert Count() not in host.wait(0.1)
        host.machine.was_reset(host.now)
        assert host.perform() == [Advertise(255, 255)]
        assert host.machine.demotion == 240

    def test_without_reset_they_are_left_behind(self) -> None:
        host = Host.master(drain=Drain(10))
        leave(host, "retire")
        done = host.wait(10.0)
        assert Reset() not in done and done[-1] == Advertise(255, 255)
        assert host.hear(1, 50) == [Release(), LetIn()]

    def test_without_time_they_are_reset_at_once(self) -> None:
        host = Host.master(drain=Drain(0, resets=True))
        assert leave(host, "stop") == [HoldBack(), Count()]
        assert host.wait(0.0) == [Reset()]

    def test_nothing_is_waited_for_that_does_not_answer(self) -> None:
        host = Host.master(drain=DRAINED)
        leave(host, "stop")
        host.wait(10.0)
        assert host.machine.state is State.DRAINING
        host.wait(ANSWER_TIME)
        assert host.machine.state is State.CLOSING

    def test_what_cannot_be_held_back_is_not_waited_for(self) -> None:
        host = Host.master(drain=DRAINED)
        leave(host, "retire")
        host.machine.cannot_drain(host.now)
        assert host.wait(0.0) == [Reset()]

    def test_a_fault_does_not_wait_for_connections(self) -> None:
        host = Host.master(drain=DRAINED)
        assert host.event(Event.FAULT) == [HoldBack(), Count()]
        assert host.wait(0.0) == [Reset()]
        host.machine.was_reset(host.now)
        assert host.perform() == [Advertise(255, 255)]
        assert host.machine.state is State.FAILING
        assert host.hear(1, 50) == [Release(), Reset(), LetIn()]
        assert host.machine.state is State.FAULTY

    def test_a_fault_cuts_a_drain_short(self) -> None:
        host = Host.master(drain=DRAINED)
        leave(host, "retire")
        host.machine.counted(1, host.now)
        host.event(Event.FAULT)
        assert host.wait(0.0) == [Reset()]
        host.machine.was_reset(host.now)
        assert host.perform() == [Advertise(255, 255)]
        assert host.machine.state is State.FAILING

    def test_a_failing_check_ends_connections_before_others_hear_of_it(self) -> None:
        host = Host.master(drain=DRAINED)
        assert host.demote(100) == [HoldBack(), Count()]
        host.machine.counted(3, host.now)
        assert host.wait(0.0) == [Reset()]
        host.machine.was_reset(host.now)
        assert host.perform() == [Advertise(1, 200, 100)]
        assert host.machine.state is State.DRAINING, "until a better host takes over"
        host.hear(1, 20)
        assert host.machine.state is State.BACKUP

    def test_a_failing_check_where_no_better_host_is_lets_connections_in_again(self) -> None:
        host = Host.master(drain=DRAINED)
        host.demote(100)
        host.machine.counted(0, host.now)
        assert host.perform() == [Advertise(1, 200, 100)]
        assert LetIn() in host.wait(1.0)
        assert host.machine.state is State.MASTER

    def test_others_hear_that_a_check_fails_when_connections_are_reset(self) -> None:
        host = Host.master(drain=DRAINED)
        host.wait(1.0)
        host.demote(100)
        host.machine.counted(3, host.now)
        assert Advertise(1, 100) in host.wait(0.9), "an advertisement that is due says what was true before"
        assert host.machine.demotion == 0
        host.machine.was_reset(host.now)
        assert host.perform()[0] == Advertise(1, 200, 100)

    def test_others_hear_that_a_check_fails_though_the_kernel_does_not_answer(self) -> None:
        host = Host.master(drain=DRAINED, advskew=0)
        host.demote(100)
        host.wait(ANSWER_TIME - 0.01)
        done = host.wait(0.01)
        assert host.machine.state is State.MASTER
        assert Advertise(1, 100, 100) in done and LetIn() in done

    def test_a_check_that_gets_worse_is_told_at_once(self) -> None:
        host = Host.master(drain=DRAINED)
        host.demote(50)
        host.machine.was_reset(host.now)
        host.wait(0.0)
        host.machine.was_reset(host.now)
        host.perform()
        assert host.demote(100) == [Advertise(1, 200, 100)]

    def test_a_check_that_is_good_again_lets_connections_in_at_once(self) -> None:
        host = Host.master(drain=DRAINED)
        host.demote(100)
        assert host.demote(0) == [LetIn()]
        assert host.machine.state is State.MASTER

    @pytest.mark.parametrize("way", AFTER)
    def test_another_reason_to_leave_lets_nobody_in(self, way: str) -> None:
        host = Host.master(drain=DRAINED)
        host.demote(100)
        host.machine.counted(0, host.now)
        host.perform()
        assert leave(host, way) == [Advertise(255, 255)]
        assert host.machine.state is AFTER[way]
        assert host.hear(1, 50) == [Release(), Reset(), LetIn()]

    def test_who_is_retired_already_says_so_while_it_drains(self) -> None:
        host = Host.master()
        leave(host, "retire")
        host.wait(HOLD_TIME)
        host.machine.reconfigure(host.machine.timing, host.machine.failback, host.now, DRAINED)
        host.perform()
        leave(host, "stop")
        assert (host.machine.state, host.machine.demotion) == (State.DRAINING, 240)

    def test_a_fault_that_is_healed_before_is_no_reason(self) -> None:
        host = Host.master(drain=DRAINED)
        host.event(Event.FAULT)
        assert host.event(Event.HEALED) == [LetIn()]
        assert host.machine.state is State.MASTER

    def test_a_fault_that_is_healed_leaves_other_reasons(self) -> None:
        host = Host.master(drain=DRAINED)
        leave(host, "retire")
        host.event(Event.FAULT)
        assert host.event(Event.HEALED) == []
        host.machine.was_reset(host.now)
        host.wait(ANSWER_TIME)
        assert host.machine.state is State.LEAVING

    def test_promoted_it_stays_and_lets_everybody_in(self) -> None:
        host = Host.master(drain=DRAINED)
        leave(host, "retire")
        host.machine.counted(2, host.now)
        assert host.machine.promote(host.now) == ""
        assert host.perform() == [LetIn(), Advertise(1, 100)]
        assert (host.machine.state, host.machine.demotion) == (State.MASTER, 0)
        assert Count() not in host.wait(30.0)

    def test_told_to_stop_it_does_not_stay_when_promoted(self) -> None:
        host = Host.master(drain=DRAINED)
        leave(host, "retire")
        leave(host, "stop")
        host.machine.promote(host.now)
        host.machine.counted(0, host.now)
        assert host.machine.state is State.CLOSING

    def test_without_a_successor_it_lets_everybody_in(self) -> None:
        host = Host.master(drain=DRAINED)
        leave(host, "retire")
        host.machine.counted(0, host.now)
        done = host.wait(HOLD_TIME)
        assert host.machine.state is State.MASTER
        assert [action for action in done if isinstance(action, (LetIn, Release))] == [LetIn()]

    def test_asked_again_to_stop_it_waits_for_nothing(self) -> None:
        host = Host.master(drain=DRAINED)
        leave(host, "stop")
        done = host.event(Event.HOLD_ENDED)
        assert host.machine.state is State.ENDED
        assert done == [Advertise(255, 255), Release(), Reset(), LetIn()]

    @pytest.mark.parametrize("way", AFTER)
    @pytest.mark.parametrize(
        ("event", "then"),
        [(Event.DOWN, State.INIT), (Event.UNHEARD, State.BACKUP), (Event.ADDRESS_REFUSED, State.BACKUP)],
    )
    def test_losing_the_address_ends_it_and_what_it_was_for_still_counts(
        self, way: str, event: Event, then: State
    ) -> None:
        host = Host.master(drain=DRAINED)
        leave(host, way)
        done = host.event(event)
        assert [action for action in done if not isinstance(action, Advertise)] == [Release(), Reset(), LetIn()]
        assert host.machine.state is (State.ENDED if way == "stop" else then)
        assert host.machine.yielding is (way != "stop" or event is Event.ADDRESS_REFUSED)
        assert host.machine.next_timer() > host.now or then is State.BACKUP

    def test_a_better_master_is_given_way_to_at_once(self) -> None:
        host = Host.master(drain=DRAINED)
        leave(host, "retire")
        assert host.hear(1, 50) == [Advertise(1, 240, 240), Release(), Reset(), LetIn()]
        assert host.machine.state is State.BACKUP

    def test_a_plain_master_asks_for_nothing(self) -> None:
        host = Host.master()
        assert leave(host, "retire") == [BOW_OUT]

    def test_a_master_that_is_relieved_clears_what_is_left(self) -> None:
        host = Host.master(drain=Drain(0, resets=True))
        assert host.hear(1, 50) == [Advertise(1, 100), Release(), Reset()]

    def test_a_late_answer_changes_nothing(self) -> None:
        host = Host.master(drain=DRAINED)
        host.machine.counted(0, host.now)
        host.machine.was_reset(host.now)
        host.machine.cannot_drain(host.now)
        assert host.perform() == [] and host.machine.state is State.MASTER

    @given(
        st.lists(st.sampled_from([*Event, "answer 0", "answer 1", "reset", "wait", "promote", "retire"]), max_size=12)
    )
    def test_nothing_is_held_back_but_by_a_master_that_leaves(self, steps: list[Any]) -> None:
        host = Host.master(drain=Drain(1, resets=True))
        held = False
        for step in steps:
            done: list[object] = []
            if isinstance(step, Event):
                done += host.event(step)
            elif step == "wait":
                done += host.wait(0.7)
            elif step == "retire":
                done += leave(host, "retire")
            elif step == "promote":
                host.machine.promote(host.now)
            elif step == "reset":
                host.machine.was_reset(host.now)
            else:
                host.machine.counted(int(step[-1]), host.now)
            done += host.perform()
            for action in done:
                if isinstance(action, (HoldBack, LetIn)):
                    assert held is isinstance(action, LetIn)
                    held = isinstance(action, HoldBack)
            state = host.machine.state
            assert not held or state is State.DRAINING or state.leaves
