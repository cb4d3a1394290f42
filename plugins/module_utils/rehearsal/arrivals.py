# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which mails of a drill have arrived on a host: in a mailbox, or still in the queue of Postfix."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator

from .service import HEADER

Run = Callable[[list[str]], str]
"""Runs a command and returns what it printed; nothing if it failed."""


def numbers(text: str, run: str) -> list[int]:
    """Return the numbers of the run's mails in ``text``, a number that occurs twice twice."""
    return [int(found) for found in re.findall(rf"^{HEADER}: {re.escape(run)} (\d+)\s*$", text, re.MULTILINE)]


def in_mailbox(path: str, run: str) -> list[int]:
    """Return the numbers of the run's mails in a file (mbox) or in all files of a folder (Maildir)."""
    return [number for file in _files(path) for number in numbers(_text(file), run)]


def in_queue(command: Run, run: str) -> list[int]:
    """Return the numbers of the run's mails that are in the queue of Postfix."""
    found = []
    for line in command(["postqueue", "-j"]).splitlines():
        # A mail that was delivered since the listing is no longer found; it is in the mailbox then.
        found += numbers(command(["postcat", "-qh", json.loads(line)["queue_id"]]), run)
    return found


def _files(path: str) -> Iterator[str]:
    if not os.path.isdir(path):
        yield path
    for folder, _folders, names in os.walk(path):
        for name in names:
            yield os.path.join(folder, name)


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        # No mail yet, or a mail that was read meanwhile.
        return ""
