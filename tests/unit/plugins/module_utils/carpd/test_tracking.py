# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What results mean: rise and fall, sums, faults, doubts, and a checker that falls silent."""

from __future__ import annotations

import math

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd.checkconfig import Check
from ansible_collections.failover.carp.plugins.module_utils.carpd.tracking import MARGIN, Tracker, Verdict
from hypothesis import given
from hypothesis import strategies as st


def check(name: str = "smtp", weight: int | None = 50, vips: tuple[str, ...] = ("mail",), **options: object) -> Check:
    values = {"type": "tcp", "target": "127.0.0.1:25", "recipient": "", "interval": 2.0, "timeout": 3.0}
    values.update({"rise": 3, "fall": 2, **options})
    return Check(name=name, weight=weight, vips=vips, **values)  # type: ignore[arg-type]


class Book:
    """A tracker with a clock of its own."""

    def __init__(self, *checks: Check) -> None:
        self.now = 1000.0
        self.tracker = Tracker()
        self.tracker.configure(checks, self.now)

    def results(self, text: str, name: str = "smtp") -> list[str]:
        """Report a good result for each '+' and a failed one for each '-', an interval apart."""
        said = []
        for sign in text:
            self.now += 2.0
            said.append(self.tracker.report(name, sign == "+", "fine" if sign == "+" else "refused", self.now))
        return said

    def state(self, vip: str = "mail") -> str:
        return str(self.tracker.status(vip, self.now)[0]["state"])


def test_what_is_not_known_yet_is_good() -> None:
    book = Book(check())
    assert book.tracker.verdict("mail") == Verdict()
    assert book.state() == "unknown"
    book.results("+")
    assert book.state() == "good"


@pytest.mark.parametrize(
    ("results", "state"),
    [("-", "good"), ("--", "failing"), ("-+-", "good"), ("-+--", "failing"), ("--++", "failing"), ("--+++", "good")],
)
def test_rise_and_fall_count_results_in_a_row(results: str, state: str) -> None:
    book = Book(check())
    book.results(results)
    assert book.state() == state


@pytest.mark.parametrize("results", ["--++-++", "--+++-"])
def test_one_result_to_the_contrary_begins_the_count_anew(results: str) -> None:
    book = Book(check())
    book.results(results)
    assert book.state() == ("failing" if results.endswith("++") else "good")


def test_it_says_once_what_changed() -> None:
    book = Book(check())
    assert book.results("+---+++") == [
        "", "", "check smtp fails: refused", "", "", "", "check smtp is good again, after 8.0 s",
    ]  # fmt: skip


def test_a_single_failure_is_a_doubt_and_no_demotion() -> None:
    book = Book(check(weight=50))
    book.results("-")
    assert book.tracker.verdict("mail") == Verdict(0, 50)
    book.results("-")
    assert book.tracker.verdict("mail") == Verdict(50, 0, "", "check smtp fails: refused")
    book.results("++")
    assert book.tracker.verdict("mail").doubts == 0


def test_weights_add_up_for_the_virtual_hosts_that_are_meant() -> None:
    book = Book(check("one", 50, ("mail", "web")), check("two", 100, ("web",)))
    for name in ("one", "two"):
        book.results("--", name)
    assert book.tracker.verdict("mail").demotion == 50
    assert book.tracker.verdict("web").demotion == 150
    assert book.tracker.verdict("other") == Verdict()
    assert book.tracker.verdict("web").reason == "check one fails: refused; check two fails: refused"


def test_a_fault_says_why_and_adds_nothing() -> None:
    book = Book(check(weight=None))
    book.results("-")
    assert book.tracker.verdict("mail") == Verdict(0, 255)
    book.results("-")
    assert book.tracker.verdict("mail") == Verdict(0, 0, "check smtp fails: refused", "")
    assert book.tracker.status("mail", book.now)[0]["weight"] == "fault"


def test_status_tells_since_when_and_the_last_detail() -> None:
    book = Book(check())
    book.results("--")
    book.now += 1.5
    (status,) = book.tracker.status("mail", book.now)
    assert status == {
        "name": "smtp", "type": "tcp", "state": "failing", "since": 1.5, "detail": "refused", "weight": 50,
        "peer": "",
    }  # fmt: skip


def test_a_check_whose_results_do_not_come_fails_with_that_reason() -> None:
    book = Book(check())
    book.results("+")
    due = book.tracker.next_timer()
    assert due == book.now + 2 + 3 + MARGIN
    assert book.tracker.due(due - 0.001) == []
    (line,) = book.tracker.due(due)
    assert "no result for 7 s: the checker hangs" in line
    assert book.tracker.verdict("mail").demotion == 50
    assert book.tracker.next_timer() == math.inf
    book.results("+++")
    assert book.state() == "good"


def test_who_slept_too_long_to_have_seen_results_waits_for_new_ones() -> None:
    book = Book(check())
    book.results("+")
    later = book.tracker.next_timer() + 60
    assert book.tracker.due(later) == []
    assert book.state() == "good"
    assert book.tracker.next_timer() == later + 2 + 3 + MARGIN


def test_a_result_of_a_check_that_is_no_more_is_nothing() -> None:
    assert Book(check()).results("-", "gone") == [""]


def test_a_reload_keeps_what_is_known_of_the_same_target_only() -> None:
    book = Book(check())
    book.results("--")
    book.tracker.configure([check(weight=7, interval=5.0)], book.now)
    assert book.tracker.verdict("mail").demotion == 7
    book.tracker.configure([check(target="127.0.0.1:26")], book.now)
    assert book.state() == "unknown"
    book.tracker.configure([], book.now)
    assert book.tracker.verdict("mail") == Verdict() and book.tracker.next_timer() == math.inf


@given(st.text("+-", max_size=60), st.integers(1, 5), st.integers(1, 5))
def test_no_change_without_a_full_row_of_results(results: str, rise: int, fall: int) -> None:
    book = Book(check(rise=rise, fall=fall))
    said = book.results(results)
    for index, line in enumerate(said):
        if line:
            length, sign = (fall, "-") if "fails" in line else (rise, "+")
            assert results[: index + 1].endswith(sign * length)
