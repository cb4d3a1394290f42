# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs Ansible with its tasks as progress, and its whole output in a file."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess

from drill.machines import LabError

from .progress import Progress

TASK = re.compile(r"^(?:TASK|RUNNING HANDLER) \[(.*?)\] \**$")
TAIL = 40
"""Lines of the output that are shown when a playbook failed."""


class Playbooks:
    """The playbooks of one run; ``logs`` is where their output goes."""

    def __init__(self, root: pathlib.Path, logs: pathlib.Path, progress: Progress) -> None:
        self._root = root
        self._logs = logs
        self._progress = progress
        logs.mkdir(parents=True, exist_ok=True)

    def run(self, name: str, playbook: str) -> None:
        """Run one playbook, by its path or by its name in the collection."""
        log = self._logs / f"{name}.log"
        # The example's inventory, as it is, and then what makes containers of its hosts.
        inventories = ["inventories/example", "molecule/shared/inventory"]
        command = ["ansible-playbook", *(f"--inventory={self._root / path}" for path in inventories), playbook]
        environment = {
            **os.environ,
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_FORCE_COLOR": "0",
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
            "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "0",
        }
        with (
            log.open("w") as out,
            subprocess.Popen(
                command, cwd=self._root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            ) as process,
        ):
            assert process.stdout is not None
            for line in process.stdout:
                out.write(line)
                task = TASK.match(line)
                if task:
                    self._progress.detail(task[1])
        if process.returncode != 0:
            tail = "".join(log.read_text().splitlines(keepends=True)[-TAIL:])
            raise LabError(f"{tail}\nansible-playbook {playbook} failed; all of its output is in {log}")
