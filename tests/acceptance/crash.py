# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Crashes: B1 to B5."""

from __future__ import annotations

import subprocess
import time

from drill.analysis import held, overlaps
from drill.failover import PREFERRED, STANDBY
from drill.machines import Machine

from .stage import SERVERS, Stage, Stream

DETECTION = 3.0 + 20 / 256
"""Three advertisements of a second, and the standby's own skew."""
IN_FLIGHT = 20
"""default_destination_concurrency_limit."""


def cable(stage: Stage, rate: float = 50, count: int = 200) -> None:
    """B1: the active server's link is cut; at 300 a second B3."""
    before = _overflows(STANDBY)
    stream = Stream(stage, rate, count)
    stream.wait_accepted(0.3)
    try:
        cut = time.monotonic()
        PREFERRED.unplug()
        stage.until("the other server has the address", lambda: stage.got(STANDBY, cut) is not None, 15)
        # The mails in the old server's queue come out when it is back.
        stream.wait_accepted(1.0)
    finally:
        PREFERRED.plug()
    stage.settle()
    mail = stream.finish()
    grown = _overflows(STANDBY) - before
    if rate < 300:
        fine = (len(mail.arrived), mail.lost) == (count, 0) and mail.doubled <= mail.ambiguous
        fine = fine and mail.gap <= DETECTION + 0.5
        bound = f"{count} distinct, 0 lost, doubled <= {mail.ambiguous} cut at the dot, gap <= {DETECTION + 0.5:.2f} s"
        stage.row("B1", f"active server's link cut, {count} mails at {rate:g}/s", str(mail), bound, fine)
    else:
        # Who has sent all and waits for the answer of a server that is dead cannot be told: its own timeout ends that.
        # Until the other server has the address there is no connection to that one.
        taken = cut + (stage.got(STANDBY, cut) or 0.0)
        dumb = {number for number, connected in mail.silent.items() if connected < taken}
        half_open = len(mail.silent) - len(dumb)
        slowest = mail.slowest_but(dumb)
        measured = (
            f"{mail}; {len(dumb)} clients waited for an answer of the dead server until their own timeout, "
            f"slowest of the others {slowest:.2f} s; {half_open} half-open; ListenOverflows grew by {grown}"
        )
        fine = (mail.lost, half_open, grown) == (0, 0, 0) and slowest <= 6.0
        fine = fine and mail.doubled <= IN_FLIGHT + mail.ambiguous
        bound = (
            f"0 lost, doubled <= {IN_FLIGHT} in flight + {mail.ambiguous} cut at the dot, nobody else waits > 6 s, "
            "0 half-open, ListenOverflows grows by 0"
        )
        stage.row("B3", f"active server's link cut, {count} mails at {rate:g}/s", measured, bound, fine)


def killed(stage: Stage) -> None:
    """B2 and B4: the active server is killed while deliveries are slow, and comes back."""
    stage.count_mail(delay=1.0)
    stream = Stream(stage, 100, 600)
    stream.wait_accepted(0.5)
    stage.watch_no_more(PREFERRED)
    _podman("kill", PREFERRED)
    killed_at = time.monotonic()
    stage.until("the other server has the address", lambda: stage.got(STANDBY, killed_at) is not None, 15)
    stream.wait_accepted(1.0)
    _podman("start", PREFERRED)
    began = time.monotonic()
    stage.until("the server is back", lambda: _answers(PREFERRED), 60)
    stage.watch(PREFERRED)
    stage.settle()
    returned = time.monotonic()
    mail = stream.finish(90)
    flushed = time.monotonic() - returned
    # Only now: a sink that ends with deliveries in flight doubles them.
    stage.count_mail()
    limit = IN_FLIGHT + mail.ambiguous
    fine = mail.lost == 0 and mail.doubled <= limit and flushed <= 60
    measured = f"{mail}; all delivered {flushed:.0f} s after the return"
    bound = f"0 lost, doubled <= {IN_FLIGHT} in flight + {mail.ambiguous}, stranded delivered <= 60 s after return"
    stage.row("B2", "active server killed, slow sink (1 s), 600 mails at 100/s", measured, bound, fine)
    both = _both(stage, began)
    stage.row("B4", "the server comes back", f"address on both for {both:.2f} s", "on one within 5 s", both <= 5.0)


def frozen(stage: Stage) -> None:
    """B5: the active server freezes, and thaws when the other has taken over."""
    began = time.monotonic()
    try:
        _podman("pause", PREFERRED)
        stage.until("the other server has the address", lambda: stage.got(STANDBY, began) is not None, 15)
        time.sleep(2.0)
    finally:
        _podman("unpause", PREFERRED)
    thawed = time.monotonic()
    stage.settle()
    both = _both(stage, thawed)
    taken = stage.got(STANDBY, began)
    measured = f"taken over after {taken:.2f} s; address on both for {both:.2f} s after the thaw"
    stage.row("B5", "active server frozen, and thawed", measured, "on one within 5 s", both <= 5.0)


def _both(stage: Stage, since: float) -> float:
    """Return the longest time since then that both had the address."""
    now = time.monotonic()
    events = stage.recorder.events()
    spans = overlaps({server.name: held(events, server.name, now) for server in SERVERS})
    return max((span.end - max(span.start, since) for span in spans if span.end > since), default=0.0)


def _podman(verb: str, machine: Machine) -> None:
    subprocess.run(["podman", verb, machine.container], check=True, stdout=subprocess.DEVNULL)


def _answers(machine: Machine) -> bool:
    """Whether a machine has booted as far as to have its daemon."""
    return subprocess.run(machine.command("carpctl", "status"), check=False, capture_output=True).returncode == 0


def _overflows(machine: Machine) -> int:
    """Return how often a listening socket of the machine had no room for a connection."""
    lines = [line.split() for line in machine.run("cat", "/proc/net/netstat").splitlines() if line.startswith("TcpExt")]
    return int(dict(zip(lines[0], lines[1]))["ListenOverflows"])
