# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Spans out of events."""

from __future__ import annotations

import pytest
from drill.analysis import Span, gained, held, longest, overlaps, pauses, unplugged
from drill.events import Event
from hypothesis import given
from hypothesis import strategies as st
from made_up import address, link


def test_an_event_is_read_from_a_line() -> None:
    line = '{"kind": "address", "at": 1.5, "held": true}'
    assert Event.parse("server1", line) == Event(1.5, "server1", "address", {"held": True})


def test_held_from_gain_to_loss_and_to_the_end() -> None:
    events = [address(1, "a", True), address(3, "a", False), address(4, "b", True), address(5, "a", True)]
    assert held(events, "a", end=9) == [Span(1, 3), Span(5, 9)]
    assert held(events, "b", end=9) == [Span(4, 9)]
    assert held(events, "c", end=9) == []


def test_unplugged_from_loss_to_return() -> None:
    assert unplugged([link(1, "a", True), link(2, "a", False), link(3, "a", True)], "a", end=9) == [Span(2, 3)]


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ([Span(0, 5)], [Span(5, 9)], []),
        ([Span(0, 5)], [Span(4, 9)], [Span(4, 5)]),
        ([Span(0, 9)], [Span(1, 2), Span(3, 4)], [Span(1, 2), Span(3, 4)]),
        ([], [Span(0, 1)], []),
    ],
)
def test_overlaps(one: list[Span], other: list[Span], both: list[Span]) -> None:
    assert overlaps({"a": one, "b": other}) == both


SPANS = st.lists(st.integers(0, 30), max_size=8, unique=True).map(
    lambda edges: [Span(a, b) for a, b in zip(sorted(edges)[::2], sorted(edges)[1::2])]
)


@given(SPANS, SPANS)
def test_overlaps_agree_with_counting_each_instant(one: list[Span], other: list[Span]) -> None:
    instants = [n + 0.5 for n in range(30)]
    both = sum(any(s.start < i < s.end for s in one) and any(s.start < i < s.end for s in other) for i in instants)
    assert sum(span.seconds for span in overlaps({"a": one, "b": other})) == both


def test_longest_counts_what_reaches_into_the_time() -> None:
    spans = [Span(0, 4), Span(5, 6), Span(7, 20)]
    assert longest(spans, Span(3, 7)) == 4
    assert longest(spans, Span(4, 7)) == 1
    assert longest(spans, Span(30, 40)) == 0


def test_pauses_are_between_moments_in_any_order() -> None:
    assert pauses([3, 1, 2.5]) == [Span(1, 2.5), Span(2.5, 3)]
    assert pauses([1]) == []


def test_gained_is_the_first_gain_after_the_moment() -> None:
    holders = {"a": [Span(0, 2), Span(5, 6), Span(8, 9)], "b": []}
    assert gained(holders, "a", after=1) == 4
    assert gained(holders, "a", after=9) is None
    assert gained(holders, "b", after=0) is None
