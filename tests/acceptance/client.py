# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real mail server as client: F1 and D6. What it defers it tries again after five minutes only."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence

from drill.events import Event
from drill.failover import ADDRESS, CLIENT, PREFERRED, STANDBY
from drill.machines import LabError, Machine

from .faults import shell
from .planned import SWITCHOVER
from .stage import RECIPIENT, SERVERS, Stage

LOG = "/var/log/failover-postfix.log"
ENOUGH, SUBMITTED = "/root/enough", "/root/submitted"
SUBMIT = """
import itertools, math, os, smtplib, sys, threading, time
count, rate, run = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
# One session does about a hundred mails a second.
sessions = math.ceil(rate / 50)
numbers = itertools.count(1)
sent = []
def submit(first):
    session = smtplib.SMTP("127.0.0.1", 25, local_hostname="client.example.com")
    due = first
    while len(sent) < count or not os.path.exists("ENOUGH"):
        time.sleep(max(0.0, due - time.monotonic()))
        due += sessions / rate
        number = next(numbers)
        text = f"To: RECIPIENT\\nX-Drill: {run} {number}\\n\\nThis is mail {number}.\\n"
        session.sendmail("drill@client.example.com", ["RECIPIENT"], text)
        sent.append(number)
began = time.monotonic()
threads = [threading.Thread(target=submit, args=(began + number / rate,)) for number in range(sessions)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(sent), round(len(sent) / (time.monotonic() - began)))
""".replace("RECIPIENT", RECIPIENT).replace("ENOUGH", ENOUGH)
"""Sends so many mails, and then more until it was enough; prints how many it were, and how many in a second."""
RESTARTING = "--extra-vars=postfix_backlog=1001"
"""What changes a setting that a running Postfix does not take on."""
SITE = "molecule/mail_planned/converge.yml"


@contextlib.contextmanager
def real_client() -> Iterator[None]:
    """Make the client a mail server that gives all to the shared address."""
    shell(
        CLIENT,
        "postfix stop 2>/dev/null; postconf -e myhostname=client.example.com 'mydestination=' relayhost=["
        + ADDRESS
        + "]"
        " inet_interfaces=loopback-only maillog_file=" + LOG + " mynetworks=127.0.0.0/8 compatibility_level=3.6"
        " && newaliases && : >" + LOG + " && postfix start",
    )
    try:
        yield
    finally:
        shell(CLIENT, "postsuper -d ALL 2>/dev/null; postfix stop 2>/dev/null || :")


def planned(stage: Stage, count: int, rate: float = 50) -> None:
    """A planned move."""
    _sends(stage, count, "planned move", stage.move_away, rate=rate)
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


def restart(stage: Stage, count: int) -> None:
    """D6: a change that needs a restart, on both servers, done by switchovers."""
    before = {server: _master(server) for server in SERVERS}
    wrong: list[str] = []

    def change() -> None:
        if stage.play(SITE, RESTARTING)[0] or _master(PREFERRED) != before[PREFERRED]:
            wrong.append("restarted while it had the address")
        stage.must_play(SWITCHOVER)
        stage.wait_owner(STANDBY, PREFERRED, 20)
        stage.must_play(SITE, RESTARTING)
        stage.must_play(SWITCHOVER)
        stage.wait_owner(PREFERRED, STANDBY, 20)
        wrong.extend(f"{server.name} not restarted" for server in SERVERS if _master(server) == before[server])

    _sends(stage, count, "backlog changed on both servers by the playbooks", change, "D6", 10, wrong)


def _master(server: Machine) -> str:
    return shell(server, "cat /var/spool/postfix/pid/master.pid").strip()


def _sends(
    stage: Stage,
    count: int,
    what: str,
    do: Callable[[], object],
    test: str = "F1",
    rate: float = 50,
    wrong: Sequence[str] = (),
) -> None:
    """Send so many mails, or more until ``do`` is done; what is ``wrong`` beside the mail is known by then."""
    run = f"client-{time.monotonic_ns()}"
    began = time.monotonic()
    with real_client():
        shell(
            CLIENT,
            f"rm -f {ENOUGH} {SUBMITTED}; cat >/root/submit.py <<'END'\n{SUBMIT}\nEND\n"
            f"python3 /root/submit.py {count} {rate} {run} >{SUBMITTED} 2>&1 &",
        )

        def arrived(events: list[Event]) -> int:
            return len({e.facts["mail"] for e in events if e.kind == "arrived" and e.facts["run"] == run})

        def submitted() -> str:
            return shell(CLIENT, f"cat {SUBMITTED}").strip()

        third = min(count // 3, 100)
        stage.wait(f"{third} mails", lambda events: arrived(events) >= third, 60)
        do()
        shell(CLIENT, f"touch {ENOUGH}")
        stage.until("all are submitted", lambda: bool(submitted()), 60)
        words = submitted().split()
        if len(words) != 2 or not all(map(str.isdigit, words)):
            raise LabError(f"the mails could not be submitted: {submitted()}")
        count = int(words[0])
        until = time.monotonic() + 30
        while arrived(stage.recorder.events()) < count and time.monotonic() < until:
            time.sleep(0.5)
        delays = shell(CLIENT, f"sed -n 's/.* delay=\\([0-9.]*\\).*status=sent.*/\\1/p' {LOG}").split()
        deferred = int(shell(CLIENT, f"grep -c status=deferred {LOG} || :"))
    slowest = max(map(float, delays), default=0.0)
    measured = (
        f"{len(delays)} of {count} sent, at {words[1]}/s, {deferred} deferred, largest delay {slowest:.1f} s, "
        f"{arrived(stage.recorder.events())} at the sink {time.monotonic() - began:.0f} s after the beginning"
    )
    measured = "; ".join([measured, *wrong])
    fine = len(delays) == count and deferred == 0 and not wrong
    stage.row(test, f"Postfix as client, mails at {rate:g}/s: {what}", measured, "0 deferred, all sent", fine)
