# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each promise is seen to be broken when it is."""

from __future__ import annotations

from drill.report import Report, seconds
from made_up import address, gap, good


def broken(report: Report) -> list[str]:
    """The first words of the promises that were not kept."""
    return [promise.text.split(" within")[0].split(",")[0] for promise in report.promises() if not promise.kept]


def test_a_good_drill_keeps_all_promises() -> None:
    report = good()
    assert broken(report) == []
    assert report.takeover == 3
    assert report.failback == 0.5
    assert round(report.overlap, 6) == 0.01
    assert report.sent == len(report.accepted) == 20
    assert (report.lost, report.doubled) == ([], [])


def test_a_missing_mail_is_lost() -> None:
    report = good(arrived={"server1": [*range(19)], "server2": []})
    assert report.lost == [19]
    assert broken(report) == ["every accepted mail is in a mailbox or a queue"]


def test_a_mail_on_both_servers_is_doubled_not_lost() -> None:
    report = good(arrived={"server1": [*range(20)], "server2": [4]})
    assert report.doubled == [4]
    assert broken(report) == []


def test_a_mail_that_was_never_accepted_breaks_a_promise() -> None:
    assert broken(good(mails=21)) == ["every mail is accepted"]


def test_no_mail_at_all_is_no_success() -> None:
    report = good(mails=0)
    assert "every mail is accepted" in broken(report)


def test_two_owners() -> None:
    report = good(address(109, "server1", True), address(110, "server1", False))
    assert report.overlap == 1
    assert "never two owners for longer than 0.5 s" in broken(report)


def test_an_address_that_answers_late_breaks_the_takeover() -> None:
    assert broken(good(gap(107, 112))) == ["server2 takes the address over"]


def test_silence_after_the_failback() -> None:
    assert broken(good(gap(113, 115))) == ["server1 gets it back"]


def test_durations() -> None:
    assert [seconds(value) for value in (None, 0, 0.0456, 3.0812)] == ["never", "0 ms", "46 ms", "3.08 s"]
