# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of a command that was watched."""

from __future__ import annotations

from dataclasses import replace

import pytest
from drill.analysis import Span
from drill.watched import Seen, arguments, kept

LIMITS = ["--lost=0", "--stays", "--failed=0", "--unserved=2", "0.5", "0.1", "command", "--its", "argument"]
GOOD = Seen(0, [Span(1, 1.4)], [Span(1, 1.05)], ["server2"], 100, 0, 50, 0, True, [Span(1, 3)])


def test_the_command_keeps_its_arguments() -> None:
    assert arguments().parse_args(LIMITS).command == ["command", "--its", "argument"]


def test_what_is_within_the_limits() -> None:
    assert kept(GOOD, arguments().parse_args(LIMITS))


@pytest.mark.parametrize(
    "worse",
    [
        {"gaps": [Span(1, 1.4), Span(2, 2.6)]},
        {"both": [Span(1, 1.2)]},
        {"lost": 1},
        {"owners": ["server2", "server1"]},
        {"failed": 1},
        {"serving": False},
        {"unserved": [Span(1, 3.1)]},
    ],
)
def test_what_is_not(worse: dict[str, object]) -> None:
    assert not kept(replace(GOOD, **worse), arguments().parse_args(LIMITS))


def test_without_a_limit_all_pings_may_be_lost() -> None:
    assert kept(replace(GOOD, lost=100, failed=50), arguments().parse_args(["--unserved=2", "0.5", "0.1", "command"]))


def test_it_is_told_in_a_line_and_with_reasons() -> None:
    told = replace(GOOD, failed=2, reasons=["refused", "timed out"]).told()
    assert told.splitlines() == [
        "longest gap 0.400 s of 1, longest time of two owners 0.050 s of 1; 0 of 100 pings lost; "
        "it was with server2; 2 of 50 requests failed, longest 2.000 s unserved",
        "refused",
        "timed out",
    ]
