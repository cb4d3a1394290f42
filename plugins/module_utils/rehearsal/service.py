# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client of the service sees: connections, or numbered mails, begun at an even pace.

A mail is repeated until it is accepted, as every mail system does: only the server's 250 makes it the server's.
"""

from __future__ import annotations

import queue
import smtplib
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from .leave import Leave

# Below the 50 sessions that postfix grants one client.
WORKERS = 40
CONNECT_TIMEOUT = 1.0
REPLY_TIMEOUT = 5.0
PAUSE = 0.1
"""Seconds before something that failed is tried again."""
LAST = 60.0
"""For how many seconds what was begun may go on after the end."""
HEADER = "X-Failover-Drill"
NAME = "drill.invalid"

Attempt = Callable[[int], None]
"""Does the thing with this number once. Raises OSError or SMTPException if it failed."""


def connect(address: str, port: int, banner: bool) -> Attempt:
    """Return an attempt that opens a connection, and with ``banner`` waits for the first words of the server."""

    def attempt(_number: int) -> None:
        with socket.create_connection((address, port), timeout=CONNECT_TIMEOUT) as connection:
            if banner:
                connection.settimeout(REPLY_TIMEOUT)
                if not connection.recv(1):
                    raise ConnectionResetError("closed without a word")

    return attempt


def mail(address: str, port: int, sender: str, recipient: str, run: str) -> Attempt:
    """Return an attempt that hands a mail over, and knows it to be the server's once that has said 250."""

    def attempt(number: int) -> None:
        headers = [
            f"From: {sender}",
            f"To: {recipient}",
            f"Subject: failover drill, mail {number}",
            f"{HEADER}: {run} {number}",
        ]
        text = "\n".join([*headers, "", f"This is mail {number} of a failover drill.", ""])
        with smtplib.SMTP(timeout=CONNECT_TIMEOUT, local_hostname=NAME) as session:
            code, reply = session.connect(address, port)
            if code != 220:
                raise smtplib.SMTPConnectError(code, reply)
            if session.sock is not None:
                session.sock.settimeout(REPLY_TIMEOUT)
            session.sendmail(sender, [recipient], text)

    return attempt


class Stream:
    """Numbers what is begun, paces it, and keeps what came of it. Times are in seconds of the monotonic clock."""

    def __init__(self, attempt: Attempt, rate: float, insist: bool) -> None:
        self._attempt = attempt
        self._interval = 1 / rate
        self._insist = insist
        self._waiting: queue.Queue[int] = queue.Queue()
        self._began: dict[int, float] = {}
        self._lock = threading.Lock()
        self._given_up = threading.Event()
        self.done: list[dict[str, Any]] = []
        self.failures: list[dict[str, Any]] = []

    def run(self, leave: Leave) -> None:
        """Begin something as long as there is leave, and wait for the end of all that was begun."""
        for worker in range(WORKERS):
            threading.Thread(target=self._work, name=f"worker {worker}", daemon=True).start()
        number = 0
        due = time.monotonic()
        while leave:
            now = time.monotonic()
            if now >= due:
                number += 1
                due += self._interval
                self._began[number] = now
                self._waiting.put(number)
            time.sleep(max(0.0, min(due - time.monotonic(), Leave.INTERVAL)))
        end = time.monotonic() + LAST
        while self._waiting.unfinished_tasks and time.monotonic() < end:
            time.sleep(PAUSE)
        self._given_up.set()

    def _work(self) -> None:
        while True:
            number = self._waiting.get()
            self.see_to(number)
            self._waiting.task_done()

    def see_to(self, number: int) -> None:
        """Do one thing, if need be again and again."""
        began = self._began.setdefault(number, time.monotonic())
        tries = 0
        while not self._given_up.is_set():
            tries += 1
            try:
                self._attempt(number)
            except (OSError, smtplib.SMTPException) as error:
                failure = {"number": number, "at": time.monotonic(), "why": f"{type(error).__name__}: {error}"}
                with self._lock:
                    self.failures.append(failure)
                if not self._insist:
                    return
                self._given_up.wait(PAUSE)
            else:
                with self._lock:
                    self.done.append({"number": number, "began": began, "at": time.monotonic(), "tries": tries})
                return

    def result(self) -> dict[str, Any]:
        """Return what was found, as JSON can carry it."""
        with self._lock:
            return {
                "begun": len(self._began),
                "done": sorted(self.done, key=lambda each: float(each["at"])),
                "failures": sorted(self.failures, key=lambda each: float(each["at"])),
            }
