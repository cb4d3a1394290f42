# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program that a timer runs on each mail server: ``drift NOTE``.

It says in the journal where the server is not any more as it was deployed, and ends with status 1 then, so that its
unit is a failed one for whatever watches units. It changes nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

from . import drift
from .inspection import Inspector

#: In memory, and nobody but root can put anything there: the trial is of the whole configuration, with its secrets.
_STAGES = "/run"
#: How a line begins for systemd to know that it is a warning, see sd-daemon(3).
_WARNING = "<4>"


def run(command: Sequence[str], text: str) -> tuple[int, str, str]:
    """Run a command of Postfix; return its status, output and errors."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "LANGUAGE": "C"}
    try:
        done = subprocess.run(list(command), input=text.encode(), capture_output=True, check=False, env=environment)
    except FileNotFoundError:
        return 127, "", f"there is no program {os.path.basename(command[0])}"
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def find(deployed: dict[str, Any], root: str, now: float) -> list[str]:
    """Return all that is to be told; ``root`` is a folder that only root may enter."""
    inspector = Inspector(deployed["config_dir"], run)
    found = drift.changed(deployed, inspector)
    settings = inspector.settings()
    certificate = inspector.certificate(settings, root)
    found += drift.unfit(
        inspector.is_running(),
        inspector.unread(settings, inspector.tables()),
        inspector.problems(root),
        {} if certificate is None else certificate._asdict(),
        now,
    )
    return found


def main() -> int:
    """Run the program."""
    try:
        with open(sys.argv[1], encoding="utf-8") as file:
            deployed = json.load(file)
        with tempfile.TemporaryDirectory(prefix="postfix-", dir=_STAGES) as root:
            found = find(deployed, root, time.time())
    except (OSError, ValueError) as error:
        found = [f"the configuration cannot be compared: {error}"]
    lines = [f"{_WARNING}{line}" for line in found] or ["The server is as it was deployed."]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if found else 0
