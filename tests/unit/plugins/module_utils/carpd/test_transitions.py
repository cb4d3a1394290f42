# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of transitions: complete, reachable and true to its promises, row by row."""

from __future__ import annotations

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd.transitions import (
    TRANSITIONS,
    Event,
    Reaction,
    State,
)

ROWS = sorted(TRANSITIONS, key=str)


def test_every_state_knows_every_event() -> None:
    assert set(TRANSITIONS) == {(state, event) for state in State for event in Event}


def test_every_state_can_be_reached_and_every_state_can_end() -> None:
    reached = {State.INIT}
    while True:
        found = {TRANSITIONS[state, event].state for state in reached for event in Event}
        if found <= reached:
            break
        reached |= found
    assert reached == set(State)
    for state in State:
        after_stop = TRANSITIONS[state, Event.STOP].state
        assert State.ENDED in (after_stop, TRANSITIONS[after_stop, Event.HOLD_ENDED].state)


def test_nothing_leads_out_of_the_end() -> None:
    for event in Event:
        assert TRANSITIONS[State.ENDED, event] == (State.ENDED, ())


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_addresses_are_released_exactly_when_they_are_given_up(row: tuple[State, Event]) -> None:
    after, reactions = TRANSITIONS[row]
    assert (Reaction.RELEASE in reactions) == (row[0].holds and not after.holds)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_addresses_are_claimed_exactly_when_the_host_becomes_master(row: tuple[State, Event]) -> None:
    after, reactions = TRANSITIONS[row]
    becomes_master = after is State.MASTER and not row[0].advertises
    # Whoever resumes has them already, and renews their lease only with an advertisement that left.
    assert (Reaction.CLAIM in reactions) == (becomes_master and row[1] is not Event.RESUME)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_whoever_becomes_backup_begins_to_listen(row: tuple[State, Event]) -> None:
    after, reactions = TRANSITIONS[row]
    if after is State.BACKUP and row[0] is not State.BACKUP:
        assert reactions[-1] is Reaction.LISTEN


@pytest.mark.parametrize("event", list(Event), ids=str)
def test_a_backup_is_promoted_by_silence_alone(event: Event) -> None:
    """A goodbye or a worse master only shorten the count of it."""
    assert (TRANSITIONS[State.BACKUP, event].state is State.MASTER) == (event is Event.SILENCE)


@pytest.mark.parametrize("state", [state for state in State if state.holds], ids=str)
def test_no_holder_keeps_the_addresses_without_an_interface(state: State) -> None:
    assert not TRANSITIONS[state, Event.DOWN].state.holds


@pytest.mark.parametrize("state", list(State), ids=str)
def test_whoever_has_a_fault_is_not_master_and_does_not_become_it(state: State) -> None:
    """Whatever follows the fault, but its healing."""
    reached = {TRANSITIONS[state, Event.FAULT].state}
    while True:
        # Without the interface nothing is decided: what the machine remembers of the fault counts when it is back.
        asked = [
            (one, event) for one in reached for event in Event if event is not Event.HEALED and one is not State.INIT
        ]
        found = {TRANSITIONS[row].state for row in asked}
        if found <= reached:
            break
        reached |= found
    assert not reached & {State.MASTER, State.BACKUP, State.LEAVING}


@pytest.mark.parametrize("state", [state for state in State if state.leaves], ids=str)
def test_whoever_leaves_does_not_put_off_its_deadline(state: State) -> None:
    for event in Event:
        after, reactions = TRANSITIONS[state, event]
        assert not (after.leaves and Reaction.HOLD in reactions)
