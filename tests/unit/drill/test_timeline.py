# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture that the demo draws of a drill."""

from __future__ import annotations

from drill.analysis import Span
from made_up import address, good

from demo.timeline import ASCII, LABEL, Timeline, covered

COLUMNS = LABEL + 40
"""Two columns for each of the twenty seconds of the made-up drill."""


def lanes(timeline: Timeline) -> dict[str, str]:
    """The lanes by their labels, marks only."""
    return {line[:LABEL].strip(): line[LABEL:] for line in timeline.lanes() if line[:LABEL].strip()}


def test_lanes() -> None:
    assert lanes(Timeline(good(), COLUMNS, ASCII)) == {
        "server1": "##########xxxxxxxxxxxxxx.###############",
        "server2": "................#########...............",
        "ping": "++++++++++      ++++++++++++++++++++++++",
        # One mail a second, in every other column; those that waited together in one.
        "mail": " 4 4 4 4 4      74 4 4 4 4 4 4 4 4 4 4 4",
    }


def test_an_unplugged_server_that_keeps_the_address_is_marked() -> None:
    timeline = Timeline(good(address(105.02, "server1", True), address(108, "server1", False)), COLUMNS, ASCII)
    assert lanes(timeline)["server1"] == "##########??????xxxxxxxx.###############"


def test_pointers_stand_above_their_columns() -> None:
    pointers, ruler = Timeline(good(), COLUMNS + 40, ASCII).lanes()[:2]
    assert [at for at, mark in enumerate(pointers) if mark == "v" and pointers[at - 1] == " "] == [
        LABEL + 20,
        LABEL + 48,
    ]
    assert ruler.startswith(" " * LABEL + "0 s")


def test_the_story_is_in_order() -> None:
    assert [line.split(None, 2)[2] for line in Timeline(good(), COLUMNS, ASCII).story()] == [
        "the cable of server1 is pulled",
        "server1 gives 192.0.2.74 up",
        "server2 takes 192.0.2.74",
        "the cable of server1 is plugged in again",
        "server1 takes 192.0.2.74",
        "server2 gives 192.0.2.74 up",
    ]


def test_the_numbers() -> None:
    measured = [line.split() for line in Timeline(good(), COLUMNS, ASCII).measured()]
    assert ["no", "answer", "to", "ping", "3.02", "s", "0", "ms"] in measured
    assert ["two", "owners", "at", "once", "10", "ms"] in measured
    assert measured[-1][:7] == ["mail", "20", "sent,", "20", "accepted,", "0", "lost"]


def test_no_line_is_wider_than_asked() -> None:
    for columns in (80, 100, 200):
        assert max(map(len, Timeline(good(), columns, ASCII).lanes())) <= columns


def test_covered_is_by_more_than_half() -> None:
    assert covered([Span(0, 0.6)], Span(0, 1))
    assert not covered([Span(0, 0.4)], Span(0, 1))
    assert covered([Span(0, 0.3), Span(0.6, 0.9)], Span(0, 1))
