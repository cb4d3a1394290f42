# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Agent on a server: tell which of a run's mails are in a user's mailbox or still in the queue.

Usage: ``arrivals.py USER RUN``. Prints one report and ends.
"""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import sys

from agent import emit


def numbers(text: str, run: str) -> list[int]:
    """The numbers of the run's mails in ``text``, a number that occurs twice twice."""
    return [int(found) for found in re.findall(rf"^X-Drill: {re.escape(run)} (\d+)\s*$", text, re.MULTILINE)]


def queued() -> str:
    """The headers of all mails in the queue."""
    listed = subprocess.run(["postqueue", "-j"], check=True, capture_output=True, text=True).stdout
    headers = []
    for line in listed.splitlines():
        # A mail that was delivered since the listing is no longer found; it is in the mailbox then.
        shown = subprocess.run(
            ["postcat", "-qh", json.loads(line)["queue_id"]], check=False, capture_output=True, text=True
        )
        headers.append(shown.stdout)
    return "\n".join(headers)


def main(user: str, run: str) -> None:
    """Look at the queue first: a mail on its way from there to the mailbox is then seen at least once."""
    waiting = numbers(queued(), run)
    box = pathlib.Path("/var/mail") / user
    delivered = numbers(box.read_text(errors="replace") if box.exists() else "", run)
    emit("arrivals", queued=waiting, delivered=delivered)


if __name__ == "__main__":
    main(*sys.argv[1:])
