# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sick mail service on a living server: C1 to C7. No fault that moves the address loses an accepted mail."""

from __future__ import annotations

import contextlib
import time

from drill.failover import ADDRESS, CLIENT, PREFERRED, STANDBY
from drill.machines import LabError

from . import faults
from .faults import Fault, shell
from .stage import ENDLESS, SERVERS, Stage, Stream

DETECTED = 12.0
WAITERS = 5
RATE = 20
"""Mails per second during a fault."""


def hung(stage: Stage) -> None:
    """C1: postfix hangs; the clients that wait for it must be told."""
    stream = _mail(stage)
    with faults.hung(PREFERRED):
        began = time.monotonic()
        stage.recorder.start(CLIENT, "waiters", ADDRESS, "25", str(WAITERS))
        stage.wait(
            "all clients connected",
            lambda events: sum(e.kind == "connected" and e.at >= began for e in events) == WAITERS,
            10,
        )
        moved = _moved(stage, began, 30)
        reset = _reset_after(stage, began, moved)
    stage.settle()
    kept, lost = _kept(stream)
    measured = f"address at the other server after {moved:.1f} s, {reset}; {kept}"
    told = [e for e in stage.recorder.events() if e.kind == "left" and e.at >= began]
    fine = moved <= DETECTED and len(told) == WAITERS and all(e.at <= began + moved + 1.0 for e in told)
    fine = fine and lost == 0
    bound = "<= 12 s, the clients reset <= 1 s later, 0 lost"
    stage.row("C1", f"master and smtpd stopped (SIGSTOP), {WAITERS} clients waiting", measured, bound, fine)


def stopped_and_killed(stage: Stage) -> None:
    """C2: postfix is stopped, or dies."""
    stream = _mail(stage)
    with faults.stopped(PREFERRED):
        began = time.monotonic()
        moved = _moved(stage, began, 30)
    stage.settle()
    kept, lost = _kept(stream)
    measured = f"address at the other server after {moved:.1f} s; {kept}"
    stage.row("C2", "postfix stopped", measured, "<= 5 s, 0 lost", moved <= 5.0 and lost == 0)
    stream = _mail(stage)
    shell(PREFERRED, f"kill -KILL {faults.MASTER}")
    began = time.monotonic()
    served = stage.until("somebody answers", _greets, 30) - began
    how = "the other server" if stage.got(STANDBY, began) is not None else "systemd, on the same server"
    stage.settle()
    kept, lost = _kept(stream)
    measured = f"answered again after {served:.1f} s, by {how}; {kept}"
    fine = served <= 5.0 and lost == 0
    stage.row("C2", "postfix killed (SIGKILL)", measured, "restarted, or moved, <= 5 s, 0 lost", fine)


def out_of_order(stage: Stage) -> None:
    """C3: faults that only a check as deep as RCPT TO sees."""
    with faults.small_queue(PREFERRED):
        stage.settle()
        _move_by(stage, "C3", "queue disk full", faults.disk_full)
        _move_by(stage, "C3", "queue disk out of inodes", faults.inodes_full)
    stage.settle()
    _move_by(stage, "C3", "access map lost", faults.no_map)
    _move_by(stage, "C3", "milter dead", faults.no_milter)


def firewalled(stage: Stage) -> None:
    """C4: only others see that the service is not there."""
    stream = _mail(stage)
    with faults.firewall(PREFERRED):
        began = time.monotonic()
        moved = _moved(stage, began, 30)
        seen = stage.failing(STANDBY)
        reason = stage.status(PREFERRED)["reason"].rpartition("; ")[2]
    stage.settle()
    kept, lost = _kept(stream)
    measured = f"address at the other server after {moved:.1f} s; there: {seen}; here: {reason}; {kept}"
    fine = moved <= DETECTED and "mail-at-peer" in seen and lost == 0
    bound = "peer's view reports it, <= 12 s, 0 lost"
    stage.row("C4", "answers of port 25 dropped on the active server", measured, bound, fine)


def shared(stage: Stage, seconds: float) -> None:
    """C5: what both lack moves nothing."""
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        for server in SERVERS:
            stack.enter_context(faults.no_resolver(server))
        time.sleep(seconds)
        seen = stage.failing(PREFERRED) or "no check fails"
        moves = stage.moves(began)
    stage.settle()
    measured = f"{moves} moves in {seconds:.0f} s ({seen})"
    stage.row("C5", "resolver dead on both servers", measured, "0 moves", moves == 0)


def both_sick(stage: Stage, seconds: float) -> None:
    """C6: both get sick, together or one after the other."""
    # The last is the likeliest to go wrong, and waits for the longest.
    for pause, wait in ((0.0, seconds / 2), (1.0, seconds / 2), (8.0, seconds)):
        began = time.monotonic()
        with faults.stopped(PREFERRED):
            time.sleep(pause)
            with faults.stopped(STANDBY):
                time.sleep(wait)
                moves = stage.moves(began)
        stage.settle()
        what = f"postfix stopped on both, the second {pause:g} s after the first"
        stage.row("C6", what, f"{moves} moves in {wait:.0f} s", "<= 1", moves <= 1)


def cost(stage: Stage, seconds: float) -> None:
    """C7: what the checks take."""
    pid = shell(PREFERRED, "systemctl show -P MainPID carpd.service").strip()
    # The checker is the daemon's only child with threads: one for each check.
    checker = shell(
        PREFERRED,
        f"for p in $(pgrep -P {pid}); do test $(ls /proc/$p/task | wc -l) -gt 1 && echo $p; done",
    ).split()[0]

    def used() -> tuple[float, int]:
        fields = shell(PREFERRED, f"cut -d' ' -f14,15 /proc/{checker}/stat").split()
        # All lines of postfix's smtpd: nobody else talks to it here but the two servers' checks.
        lines = shell(PREFERRED, "journalctl -o short -q --no-pager _COMM=smtpd + SYSLOG_IDENTIFIER=postfix/smtpd")
        return sum(map(int, fields)) / 100, len(lines)

    before = used()
    time.sleep(seconds)
    after = used()
    checks = len(stage.status(PREFERRED)["checks"])
    runs = checks * seconds / 2
    cpu, log = (after[0] - before[0]) / runs * 1000, (after[1] - before[1]) / runs
    measured = f"{cpu:.1f} ms of CPU, {log:.0f} bytes of log per run, of {runs:.0f}"
    fine = cpu <= 5.0 and 0 < log <= 400
    stage.row("C7", "what one look costs, RCPT TO every 2 s", measured, "<= 5 ms, <= 400 bytes", fine)


def _move_by(stage: Stage, number: str, what: str, fault: Fault) -> None:
    stream = _mail(stage)
    with fault(PREFERRED):
        began = time.monotonic()
        moved = _moved(stage, began, 30)
        reason = stage.failing(PREFERRED)
    stage.settle()
    kept, lost = _kept(stream)
    measured = f"address at the other server after {moved:.1f} s; {reason}; {kept}"
    fine = moved <= DETECTED and "mail:" in reason and lost == 0
    stage.row(number, what, measured, "reported with the reason and moved <= 12 s, 0 lost", fine)


def _mail(stage: Stage) -> Stream:
    """Begin to send."""
    stream = Stream(stage, RATE, ENDLESS)
    stream.wait_accepted(RATE / ENDLESS)
    return stream


def _kept(stream: Stream) -> tuple[str, int]:
    """End what ``_mail`` began; return what became of the mails, and how many are lost."""
    stream.end()
    mail = stream.finish()
    return f"{len(mail.accepted)} mails at {RATE}/s, {mail.lost} lost, {mail.doubled} doubled", mail.lost


def _moved(stage: Stage, began: float, seconds: float) -> float:
    """Wait until the other server has the address; return how long that took."""
    stage.until("the other server has the address", lambda: stage.got(STANDBY, began) is not None, seconds)
    return stage.got(STANDBY, began) or 0.0


def _reset_after(stage: Stage, began: float, moved: float) -> str:
    def told() -> list[float]:
        return [e.at - began for e in stage.recorder.events() if e.kind == "left" and e.at >= began]

    with contextlib.suppress(LabError):
        stage.until("all waiting clients are reset", lambda: len(told()) == WAITERS, 5)
    if len(told()) < WAITERS:
        return f"{WAITERS - len(told())} of {WAITERS} clients still waiting 5 s later"
    return f"the clients reset {max(told()) - moved:+.2f} s later"


def _greets() -> bool:
    script = (
        "import socket; s = socket.create_connection(('" + ADDRESS + "', 25), 1); s.settimeout(1);"
        " assert s.recv(3) == b'220'"
    )
    try:
        CLIENT.run("python3", "-c", script)
    except LabError:
        return False
    return True
