# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real mail server as client: F1. What it defers it tries again after five minutes only."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from drill.events import Event
from drill.failover import ADDRESS, CLIENT, PREFERRED

from .faults import shell
from .stage import RECIPIENT, Stage

LOG = "/var/log/failover-postfix.log"
SUBMITTED = """
import smtplib, sys, time
count, rate, run = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
session = smtplib.SMTP("127.0.0.1", 25, local_hostname="client.example.com")
due = time.monotonic()
for number in range(1, count + 1):
    time.sleep(max(0.0, due - time.monotonic()))
    due += 1 / rate
    text = f"To: RECIPIENT\\nX-Drill: {run} {number}\\n\\nThis is mail {number}.\\n"
    session.sendmail("drill@client.example.com", ["RECIPIENT"], text)
""".replace("RECIPIENT", RECIPIENT)


@contextlib.contextmanager
def real_client() -> Iterator[None]:
    """Make the client a mail server that gives all to the shared address."""
    shell(
        CLIENT,
        "postconf -e myhostname=client.example.com 'mydestination=' relayhost=[" + ADDRESS + "]"
        " inet_interfaces=loopback-only maillog_file=" + LOG + " mynetworks=127.0.0.0/8 compatibility_level=3.6"
        " && newaliases && : >" + LOG + " && postfix start",
    )
    try:
        yield
    finally:
        shell(CLIENT, "postfix stop; postsuper -d ALL 2>/dev/null")


def planned(stage: Stage, count: int) -> None:
    """A planned move."""
    _sends(stage, count, "planned move", stage.move_away)
    stage.move_back()


def reload(stage: Stage, count: int) -> None:
    """A reload on the active server."""
    _sends(stage, count, "reload on the active server", lambda: PREFERRED.run("postfix", "reload"))


def cable(stage: Stage, count: int) -> None:
    """The link of the active server is cut."""
    try:
        _sends(stage, count, "active server's link cut", PREFERRED.unplug)
    finally:
        PREFERRED.plug()
    stage.settle()


def _sends(stage: Stage, count: int, what: str, do: Callable[[], object]) -> None:
    run = f"client-{time.monotonic_ns()}"
    began = time.monotonic()
    with real_client():
        shell(
            CLIENT,
            f"cat >/root/submit.py <<'END'\n{SUBMITTED}\nEND\n"
            f"python3 /root/submit.py {count} 50 {run} >/root/submit.log 2>&1 &",
        )

        def arrived(events: list[Event]) -> int:
            return len({e.facts["mail"] for e in events if e.kind == "arrived" and e.facts["run"] == run})

        stage.wait("a third of the mails", lambda events: arrived(events) >= count // 3, 60)
        do()
        until = time.monotonic() + 30
        while arrived(stage.recorder.events()) < count and time.monotonic() < until:
            time.sleep(0.5)
        delays = shell(CLIENT, f"sed -n 's/.* delay=\\([0-9.]*\\).*status=sent.*/\\1/p' {LOG}").split()
        deferred = int(shell(CLIENT, f"grep -c status=deferred {LOG} || :"))
    slowest = max(map(float, delays), default=0.0)
    measured = (
        f"{len(delays)} sent, {deferred} deferred, largest delay {slowest:.1f} s, "
        f"{arrived(stage.recorder.events())} at the sink {time.monotonic() - began:.0f} s after the beginning"
    )
    fine = len(delays) == count and deferred == 0
    stage.row("F1", f"Postfix as client, {count} mails at 50/s: {what}", measured, "0 deferred, all sent", fine)
