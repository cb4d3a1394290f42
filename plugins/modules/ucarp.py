#!/usr/bin/python
# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ucarp
short_description: Stop ucarp on a host for good, or bring it back as it was
version_added: 0.1.0
description:
  - Ends the processes of ucarp and keeps them from being started again, so that the CARP daemon of this collection can
    take over what they did. What was done is recorded on the host, and can be undone exactly.
  - In C(/etc/network/interfaces), and what that sources, the options of ucarp and the stanzas C(IFACE:ucarp) become
    comments that begin with C(#ucarp:). Services whose names begin with C(ucarp) are disabled. Files in C(/etc/ucarp)
    stay as they are, and so does the package.
  - An address that a process of ucarp leaves behind at its end is removed.
extends_documentation_fragment:
  - failover.carp.attributes
  - failover.carp.attributes.action_group
  - failover.carp.attributes.writes
options:
  state:
    description:
      - With V(absent), ucarp is stopped for good.
      - With V(present), everything that V(absent) did is undone.
    type: str
    choices:
      - absent
      - present
    default: absent
  interfaces:
    description: The file with the stanzas of ifupdown.
    type: path
    default: /etc/network/interfaces
  record:
    description:
      - Where the record is kept. It holds the command lines of the processes, so their passwords, and is for root only.
    type: path
    default: /var/lib/failover-carp/ucarp.json
  timeout:
    description: For how many seconds to wait for a process to end, before it is killed.
    type: float
    default: 15.0
author:
  - The failover.carp authors (@failover-carp)
seealso:
  - module: failover.carp.migration_info
"""

EXAMPLES = r"""
- name: Stop ucarp for good
  failover.carp.ucarp:
    state: absent

- name: Bring it back
  failover.carp.ucarp:
    state: present
"""

RETURN = r"""
ended:
  description: How many processes of ucarp were ended.
  returned: success
  type: int
  sample: 1
started:
  description: How many processes of ucarp were started.
  returned: success
  type: int
  sample: 0
files:
  description: The files that were changed.
  returned: success
  type: list
  elements: str
  sample:
    - /etc/network/interfaces
services:
  description: The services that were disabled or enabled.
  returned: success
  type: list
  elements: str
  sample: []
removed:
  description: The addresses that ucarp left behind at its end and that were removed.
  returned: success
  type: list
  elements: str
  sample: []
"""

import json
import os
import re
from collections.abc import Callable

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.failover.carp.plugins.module_utils import _files
from ansible_collections.failover.carp.plugins.module_utils.legacy import interfaces, processes, ucarp
from ansible_collections.failover.carp.plugins.module_utils.legacy.files import Files

ROOT = _files.Owner(0, 0)


class Failure(Exception):
    """The host does not do what it was asked to; the text says what."""


class Host:
    """Changes the host, or in check mode only says what it would change."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.check = module.check_mode
        self.top = module.params["interfaces"]
        self.record_path = module.params["record"]
        self.result: dict = {"changed": False, "ended": 0, "started": 0, "files": [], "services": [], "removed": []}
        self.diff: list[dict] = []

    def retire(self) -> None:
        """Stop ucarp for good."""
        running = processes.running()
        services = self._enabled_services()
        edits = self._edits(interfaces.without_ucarp)
        if not (running or services or edits):
            return
        self.result["changed"] = True
        self.result["services"] = services
        self.result["ended"] = len(running)
        # First of all: whatever happens from here on can be undone.
        self._keep_record([list(process.words) for process in running], services)
        for service in services:
            self._systemctl("disable", service)
        if not self.check:
            self._end(running)
        # Last: the down script of the package needs the stanza.
        self._write(edits)

    def revive(self) -> None:
        """Undo what ``retire`` did."""
        record = self._record()
        edits = self._edits(interfaces.with_ucarp)
        there = {process.words for process in processes.running()}
        commands = [words for words in record["commands"] if tuple(words) not in there]
        if not (commands or record["services"] or edits):
            return
        self.result["changed"] = True
        self._write(edits)
        for service in record["services"]:
            self._systemctl("enable", service)
        self.result["services"] = record["services"]
        # A service has started its own by now.
        there = {process.words for process in processes.running()}
        for words in commands:
            if tuple(words) not in there and not self.check:
                complaint = processes.start(words)
                if complaint:
                    raise Failure(f"ucarp was not started again: {complaint}")
            self.result["started"] += 1
        if not self.check and os.path.exists(self.record_path):
            os.unlink(self.record_path)

    def _edits(self, change: Callable[[str], str]) -> dict[str, tuple[str, str]]:
        """Return the files that a change concerns, each as it is and as it is to be."""
        files = Files()
        found = {}
        for path in interfaces.paths(files, self.top):
            before = files.read(path) or ""
            after = change(before)
            if after != before:
                found[path] = (before, after)
        return found

    def _write(self, edits: dict[str, tuple[str, str]]) -> None:
        for path, (before, after) in edits.items():
            self.result["files"].append(path)
            self.diff.append(
                {"before_header": path, "after_header": path, "before": hidden(before), "after": hidden(after)}
            )
            if not self.check:
                about = os.stat(path)
                owner = _files.Owner(about.st_uid, about.st_gid)
                _files.write(path, after.encode(errors="surrogateescape"), about.st_mode & 0o7777, owner)

    def _record(self) -> dict[str, list]:
        data = _files.read(self.record_path)
        return {"commands": [], "services": [], **(json.loads(data) if data else {})}

    def _keep_record(self, commands: list[list[str]], services: list[str]) -> None:
        """Add to what an earlier run that broke off has recorded."""
        record = self._record()
        record["commands"] += [words for words in commands if words not in record["commands"]]
        record["services"] += [name for name in services if name not in record["services"]]
        if not self.check:
            _files.make_folder(os.path.dirname(self.record_path), 0o755, ROOT)
            _files.write(self.record_path, json.dumps(record).encode(), 0o600, ROOT)

    def _end(self, running: list[processes.Process]) -> None:
        left = processes.end(running, self.module.params["timeout"])
        processes.kill(left)
        for process in running:
            self._remove_address(process)

    def _remove_address(self, process: processes.Process) -> None:
        try:
            virtual = ucarp.read_command(process.words[1:], "", Files())
        except ucarp.NotUcarp:
            return
        for interface, texts in processes.held(self.module.run_command).items():
            for text in texts:
                if text.split("/")[0] == virtual.address:
                    self._run("ip", "address", "del", text, "dev", interface)
                    self.result["removed"].append(f"{text} on {interface}")

    def _enabled_services(self) -> list[str]:
        systemctl = self.module.get_bin_path("systemctl")
        if systemctl is None:
            return []
        code, out, _err = self.module.run_command(
            [systemctl, "list-unit-files", "--no-legend", "--no-pager", "--plain", "--state=enabled", "ucarp*.service"]
        )
        return sorted(line.split()[0] for line in out.splitlines() if line.strip()) if code == 0 else []

    def _systemctl(self, verb: str, service: str) -> None:
        if not self.check:
            self._run("systemctl", verb, "--now", service)

    def _run(self, *command: str) -> None:
        code, _out, err = self.module.run_command(list(command))
        if code:
            raise Failure(f"{' '.join(command)}: {err.strip()}")


def hidden(text: str) -> str:
    """Return a file's text as it may be shown."""
    lines = text.split("\n")
    for line in interfaces.logical_lines(text.replace(interfaces.MARK, "")):
        if interfaces.option_name(line.words[0]) == "ucarp-password":
            lines[line.first] = re.sub(r"(?i)(ucarp[-_]password).*", r"\1 (not shown)", lines[line.first])
            lines[line.first + 1 : line.last + 1] = ["(not shown)"] * (line.last - line.first)
    return "\n".join(lines)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["absent", "present"], "default": "absent"},
            "interfaces": {"type": "path", "default": "/etc/network/interfaces"},
            "record": {"type": "path", "default": "/var/lib/failover-carp/ucarp.json"},
            "timeout": {"type": "float", "default": 15.0},
        },
        supports_check_mode=True,
    )
    host = Host(module)
    try:
        host.retire() if module.params["state"] == "absent" else host.revive()
    except Failure as error:
        module.fail_json(msg=str(error), **host.result)
    module.exit_json(diff=host.diff, **host.result)


if __name__ == "__main__":
    main()
