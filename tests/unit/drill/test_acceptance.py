# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the acceptance tests make of events, and that their table keeps what others measured."""

from __future__ import annotations

from pathlib import Path

import pytest
from acceptance import note, report
from acceptance.mail import judge
from acceptance.table import Row, forget, keep, kept, told
from drill.events import Event


def event(at: float, kind: str, **facts: object) -> Event:
    return Event(at, "client", kind, facts)


def test_lost_and_doubled_mails_are_counted() -> None:
    events = [
        event(0.5, "accepted", mail=9, began=0.4, tries=1),  # of an earlier stream
        event(1.0, "accepted", mail=1, began=0.9, tries=1),
        event(1.1, "failed", mail=2, why="ConnectionResetError", ambiguous=True, connected=1.0),
        event(3.0, "accepted", mail=2, began=1.0, tries=2),
        event(3.1, "accepted", mail=3, began=3.0, tries=1),
        *(event(3.2, "arrived", run="this", mail=number) for number in (1, 2, 2)),
        event(3.2, "arrived", run="another", mail=3),
    ]
    mail = judge(events, "this", 0.8)
    assert (mail.lost, mail.doubled, mail.failed, mail.ambiguous) == (1, 1, 1, 1)
    assert (mail.slowest, mail.gap) == (2.0, 2.0)
    assert str(mail).startswith(
        "2 distinct, 1 lost, 1 doubled, 1 failed attempts (1 ConnectionResetError), slowest 2.00"
    )


def test_a_client_that_waits_in_vain_for_an_answer_is_told_from_one_that_cannot_connect() -> None:
    events = [
        *(event(9.0, "failed", mail=number, why="TimeoutError", ambiguous=False, connected=1.0) for number in (1, 2)),
        event(9.0, "failed", mail=3, why="TimeoutError", ambiguous=False, connected=None),
        event(19.0, "failed", mail=2, why="TimeoutError", ambiguous=False, connected=9.2),
        *(event(20.0 - number, "accepted", mail=number, began=1.0, tries=2) for number in (1, 2, 3)),
    ]
    mail = judge(events, "this", 0.0)
    assert mail.silent == {1: 1.0, 2: 9.2}
    assert (mail.slowest, mail.slowest_but({1}), mail.slowest_but({1, 2, 3})) == (18.0, 17.0, 0.0)


def test_the_table_keeps_what_others_measured(tmp_path: Path) -> None:
    keep(tmp_path, [Row("A1", "move", "1 lost", "0 lost", False, "bookworm")])
    keep(
        tmp_path, [Row("A1", "move", "0 lost", "0 lost", True, "bookworm"), Row("B1", "cut", "x", "y", True, "trixie")]
    )
    lines = told(kept(tmp_path), ["bookworm", "trixie"]).splitlines()
    assert lines[2:4] == [
        "| A1 | move | 0 lost | 0 lost | yes | bookworm |",
        "| B1 | cut | x | y | yes | trixie |",
    ]
    assert lines[5].startswith("bookworm: 1 measurements, 0 out of their bounds; nothing was measured of A2, A3")
    assert ", B1," not in lines[7]
    forget(tmp_path)
    assert kept(tmp_path) == []


def test_playbooks_put_rows_into_the_same_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(note, "FOLDER", tmp_path)
    monkeypatch.setattr(report, "FOLDER", tmp_path)
    monkeypatch.setenv("CARP_TEST_DISTRO", "trixie")
    assert note.main("D1", "again", "nothing changed", "nothing changes") == 0
    assert note.main("Z9", "again", "nothing changed", "nothing changes") == 2
    assert "Z9: there is no such test" in capsys.readouterr().err
    assert report.main(["trixie"]) == 0
    assert "| D1 | again | nothing changed | nothing changes | yes | trixie |\n" in capsys.readouterr().out
    assert "nothing was measured of A1, " in (tmp_path / "acceptance.md").read_text()
    assert report.main(["begin"]) == 0
    assert kept(tmp_path) == []
