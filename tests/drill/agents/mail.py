# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Agent on the client: send numbered mails at an even pace, each again and again until it is accepted.

It does what every mail system does: a mail is the server's only after the server's 250, and until then it is tried
again. Usage: ``mail.py SERVER RECIPIENT RUN RATE``; RUN tells the mails of this run from those of earlier ones.
"""

from __future__ import annotations

import os
import queue
import smtplib
import sys
import threading
import time

from agent import emit, listen

# Below the 50 sessions that postfix grants one client.
WORKERS = 40
CONNECT_TIMEOUT = 1.0
REPLY_TIMEOUT = 5.0
PAUSE = 0.1
SENDER = "drill@client.example.com"


def deliver(server: str, recipient: str, text: str) -> None:
    """Hand one mail over; returns after the 250, raises otherwise."""
    with smtplib.SMTP(timeout=CONNECT_TIMEOUT, local_hostname="client.example.com") as session:
        code, reply = session.connect(server, 25)
        if code != 220:
            raise smtplib.SMTPConnectError(code, reply)
        assert session.sock is not None
        session.sock.settimeout(REPLY_TIMEOUT)
        session.sendmail(SENDER, [recipient], text)


class Stream:
    """Numbers the mails, paces them, and counts what came of them."""

    def __init__(self, server: str, recipient: str, run: str, rate: float) -> None:
        self._server = server
        self._recipient = recipient
        self._run = run
        self._interval = 1 / rate
        self._waiting: queue.Queue[int] = queue.Queue()
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Begin no more mails."""
        self._stopped.set()

    def run(self) -> int:
        """Send until stopped, then until all are accepted; return how many."""
        for worker in range(WORKERS):
            threading.Thread(target=self._work, name=f"worker {worker}", daemon=True).start()
        number = 0
        due = time.monotonic()
        # The wait for the next turn is also where a stop is heard.
        while not self._stopped.wait(max(0.0, due - time.monotonic())):
            number += 1
            due += self._interval
            self._waiting.put(number)
        emit("sent", mails=number)
        self._waiting.join()
        return number

    def _work(self) -> None:
        while True:
            number = self._waiting.get()
            self.insist(number)
            self._waiting.task_done()

    def insist(self, number: int) -> None:
        headers = [
            f"From: {SENDER}",
            f"To: {self._recipient}",
            f"Subject: mail {number}",
            f"X-Drill: {self._run} {number}",
        ]
        text = "\n".join([*headers, "", f"This is mail {number}.", ""])
        began = time.monotonic()
        tries = 1
        while True:
            try:
                deliver(self._server, self._recipient, text)
            except (OSError, smtplib.SMTPException) as error:
                emit("refused", mail=number, why=f"{type(error).__name__}: {error}")
                tries += 1
                time.sleep(PAUSE)
            else:
                emit("accepted", mail=number, began=began, tries=tries)
                return


def main(server: str, recipient: str, run: str, rate: str) -> None:
    """Send until the driver says stop or is gone."""
    stream = Stream(server, recipient, run, float(rate))
    listen(stop=stream.stop, gone=lambda: os._exit(0))
    emit("finished", mails=stream.run())


if __name__ == "__main__":
    main(*sys.argv[1:])
