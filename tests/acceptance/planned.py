# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planned moves: A1 to A5."""

from __future__ import annotations

import time

from drill.failover import ADDRESS, PREFERRED, STANDBY

from .stage import ENDLESS, Stage, Stream

SWITCHOVER = "failover.carp.switchover"


def one_move(stage: Stage) -> None:
    """A1: one move under short sessions."""
    stream = Stream(stage, 50, 200)
    stream.wait_accepted(0.3)
    stage.move_away()
    mail = stream.finish()
    stage.move_back()
    fine = (len(mail.arrived), mail.lost, mail.doubled, mail.failed) == (200, 0, 0, 0) and mail.slowest <= 1.5
    bound = "200 distinct, 0 lost, 0 doubled, 0 failed, slowest <= 1.5 s"
    stage.row("A1", "planned move, 200 mails at 50/s, one connection each", str(mail), bound, fine)


def fresh(stage: Stage) -> None:
    """D8: the scenario has set both servers up from nothing, and run the roles again, before the first test."""
    fine = bool(stage.rows) and all(row.passed for row in stage.rows if row.number == "A1")
    measured = f"second run changed nothing, A1 {'passed' if fine else 'not passed'}"
    stage.row("D8", "fresh servers: roles, roles again, planned move", measured, "changed=0, A1", fine)


def by_playbook(stage: Stage) -> None:
    """A1 once more, as people do it: by the playbook, there and back."""
    stream = Stream(stage, 50, ENDLESS)
    stream.wait_accepted(50 / ENDLESS)
    stage.must_play(SWITCHOVER, "--extra-vars=carp_switch_probe=false")
    stage.wait_owner(STANDBY, PREFERRED, 20)
    stage.must_play(SWITCHOVER, "--extra-vars=carp_switch_probe=false")
    stage.wait_owner(PREFERRED, STANDBY, 20)
    count = stream.end()
    mail = stream.finish()
    fine = (len(mail.arrived), mail.lost, mail.doubled, mail.failed) == (count, 0, 0, 0) and mail.slowest <= 1.5
    bound = f"{count} distinct, 0 lost, 0 doubled, 0 failed, slowest <= 1.5 s"
    stage.row("A1", "playbook switchover, there and back, mails at 50/s meanwhile", str(mail), bound, fine)


def moves_at_full_rate(stage: Stage, times: int) -> None:
    """A2: moves under 300 mails a second."""
    lost = doubled = failed = 0
    slowest = 0.0
    for _time in range(times):
        stream = Stream(stage, 300, 3000)
        stream.wait_accepted(0.3)
        stage.move_away()
        mail = stream.finish()
        stage.move_back()
        lost, doubled, failed = lost + mail.lost, doubled + mail.doubled, failed + mail.failed
        slowest = max(slowest, mail.slowest)
        stage.tell(f"  {mail}")
    measured = f"{lost} lost, {doubled} doubled, {failed} failed attempts, slowest {slowest:.2f} s"
    fine = (lost, doubled, failed) == (0, 0, 0) and slowest <= 1.5
    bound = "0 lost, 0 doubled, 0 failed, slowest <= 1.5 s"
    stage.row("A2", f"the same at 300/s, 3000 mails, {times} times", measured, bound, fine)


def long_sessions(stage: Stage) -> None:
    """A3 and A5: one move under long sessions, and what is left of them on the old server."""
    stream = Stream(stage, 50, 300, "8")
    stream.wait_accepted(0.3)
    stage.move_away()
    left_at = time.monotonic()

    def gone() -> bool:
        return not PREFERRED.run("ss", "-Htn", "state", "established", "src", ADDRESS).strip()

    try:
        seconds = max(0.0, stage.until("no session is left", gone, 10) - left_at)
        left = f"0 after {seconds:.1f} s"
    except Exception:
        seconds, left = 99.0, "still some after 10 s"
    mail = stream.finish()
    stage.move_back()
    fine = mail.failed <= 8 and (mail.lost, mail.doubled) == (0, 0) and mail.gap <= 1.0
    bound = "<= 8 failed commands, 0 lost, 0 doubled, gap <= 1 s"
    stage.row("A3", "planned move, 8 long sessions", str(mail), bound, fine)
    stage.row("A5", "sessions on the address at the old server", left, "0 after 2 s", seconds <= 2.0)


def there_and_back(stage: Stage, times: int) -> None:
    """A4: many moves under one stream."""
    stream = Stream(stage, 50, 100 * times)
    stream.wait_accepted(0.02)
    for _time in range(times):
        stage.move_away()
        stage.move_back()
    mail = stream.finish()
    fine = (mail.lost, mail.doubled) == (0, 0)
    stage.row("A4", f"there and back {times} times during one stream", str(mail), "0 lost, 0 doubled", fine)
