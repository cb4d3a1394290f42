#!/usr/bin/python
# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: postfix_drift
short_description: Note how Postfix was deployed, and install what tells where that has changed since
version_added: 0.1.0
description:
  - Writes two files into O(folder), which only root can read. C(deployed) has the configuration as it is now, of
    tables and other files digests only. C(drift) is a program in one file that compares the host with that.
  - Writes a service and a timer that run the program, C(failover-carp-drift), into O(units). They are neither loaded
    nor started.
  - What other tools keep (tables and certificates that M(failover.carp.postfix_config) did not write) is not noted.
  - The program changes nothing. It names file and key of each difference, and says what would keep Postfix from
    starting again with what is there. It ends with status 1 if it said anything.
extends_documentation_fragment:
  - failover.carp.attributes
  - failover.carp.attributes.action_group
attributes:
  check_mode:
    support: partial
    details: What is on the host now is not what it would have after the play, so that of C(deployed) is told only
      that it is missing.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  state:
    description: With V(absent), the files and their folder are removed. The timer must have been stopped.
    type: str
    choices: [absent, present]
    default: present
  folder:
    description: Where the files are.
    type: path
    default: /usr/local/lib/failover-carp-postfix
  units:
    description: Where systemd looks for units.
    type: path
    default: /etc/systemd/system
  config_dir:
    description: The configuration directory of Postfix.
    type: path
    default: /etc/postfix
  files:
    description: More files to note, beside those that Postfix's configuration names.
    type: list
    elements: path
    default: []
author:
  - The failover.carp authors (@failover-carp)
seealso:
  - module: failover.carp.postfix_info
"""

EXAMPLES = r"""
- name: Note how Postfix was deployed
  failover.carp.postfix_drift:
    files:
      - /etc/mailname
  register: drift

- name: Compare, now and every hour
  ansible.builtin.systemd_service:
    name: failover-carp-drift.timer
    state: started
    enabled: true
    daemon_reload: "{{ drift.reload_needed }}"
"""

RETURN = r"""
command:
  description: The command that compares the host with what was noted.
  returned: success
  type: list
  elements: str
  sample:
    - /usr/local/lib/failover-carp-postfix/drift
    - /usr/local/lib/failover-carp-postfix/deployed
reload_needed:
  description: Whether a unit was written, so that systemd has to read it.
  returned: success
  type: bool
  sample: false
files:
  description: The files that were written or removed.
  returned: success
  type: list
  elements: str
  sample:
    - /usr/local/lib/failover-carp-postfix/deployed
"""

import inspect
import io
import json
import os
import sys
import zipfile
from collections.abc import Sequence

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.failover.carp.plugins.module_utils import _files

# What the program imports, each named here: a unit test runs the program with nothing else.
from ansible_collections.failover.carp.plugins.module_utils.postfix import (
    certificate,
    changes,
    drift,
    drift_program,
    files,
    inspection,
    main_cf,
    master_cf,
    restrictions,
    staging,
    tables,
    values,
)

PARTS = (
    certificate,
    changes,
    drift,
    drift_program,
    files,
    inspection,
    main_cf,
    master_cf,
    restrictions,
    staging,
    tables,
    values,
)
PROGRAM = "drift"
NOTE = "deployed"
MAIN = "from failover_carp.postfix.drift_program import main\n\nraise SystemExit(main())\n"
#: The same for the same parts, so that the file changes only with them.
LONG_AGO = (1980, 1, 1, 0, 0, 0)
UNITS = {
    "failover-carp-drift.service": """\
# Managed by Ansible (failover.carp.postfix_drift).
[Unit]
Description=Tell where this mail server is not any more as it was deployed
After=postfix.service postfix@-.service

[Service]
Type=oneshot
ExecStart={program} {note}
SyslogIdentifier=failover-carp-drift
Nice=10
""",
    # Postfix has some seconds to start at boot.
    "failover-carp-drift.timer": """\
# Managed by Ansible (failover.carp.postfix_drift).
[Unit]
Description=Look for what changed on this mail server since it was deployed

[Timer]
OnActiveSec=10
OnUnitActiveSec=1h
AccuracySec=1

[Install]
WantedBy=timers.target
""",
}


def program() -> bytes:
    """Return the program: Python runs an archive of which it knows the first line, see PEP 441."""
    inside = {"__main__.py": MAIN.encode(), "failover_carp/__init__.py": b"", "failover_carp/postfix/__init__.py": b""}
    for part in (_files, *PARTS):
        folder = "failover_carp/" if part is _files else "failover_carp/postfix/"
        inside[f"{folder}{part.__name__.rpartition('.')[2]}.py"] = inspect.getsource(part).encode()
    archive = io.BytesIO()
    # Neither the environment nor what is installed decides what is imported, and nothing is written.
    archive.write(f"#!{sys.executable} -ISB\n".encode())
    with zipfile.ZipFile(archive, "a") as file:
        for name, data in sorted(inside.items()):
            file.writestr(zipfile.ZipInfo(name, LONG_AGO), data)
    return archive.getvalue()


def note(module: AnsibleModule) -> bytes:
    """Return what is deployed now, as text."""

    def run(command: Sequence[str], text: str) -> tuple[int, str, str]:
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "LANGUAGE": "C"}
        return module.run_command(list(command), data=text, binary_data=True, environ_update=environment)

    inspector = inspection.Inspector(module.params["config_dir"], run)
    found = {"config_dir": module.params["config_dir"], **drift.note(inspector, module.params["files"])}
    return (json.dumps(found, indent=1, sort_keys=True) + "\n").encode()


def paths(module: AnsibleModule) -> dict[str, str]:
    """Return where each file is."""
    places = {**dict.fromkeys((PROGRAM, NOTE), "folder"), **dict.fromkeys(UNITS, "units")}
    return {name: os.path.join(module.params[place], name) for name, place in places.items()}


def install(module: AnsibleModule) -> list[str]:
    """Write what is missing or different; return the paths."""
    owner = _files.Owner(os.geteuid(), os.getegid())
    path = paths(module)
    units = {name: text.format(program=path[PROGRAM], note=path[NOTE]).encode() for name, text in UNITS.items()}
    wanted = [(path[PROGRAM], program(), 0o700), *((path[name], data, 0o644) for name, data in units.items())]
    if not module.check_mode:
        wanted.append((path[NOTE], note(module), 0o600))
    done = [file for file, data, mode in wanted if not _files.holds(file, data, mode, owner)]
    if module.check_mode:
        return done + [file for file in [path[NOTE]] if not os.path.exists(file)]
    folder = module.params["folder"]
    if not _files.belongs(folder, 0o700, owner):
        _files.make_folder(folder, 0o700, owner)
        done.insert(0, folder)
    for file, data, mode in wanted:
        if file in done:
            _files.write(file, data, mode, owner)
    return done


def remove(module: AnsibleModule) -> list[str]:
    """Remove what is there; return the paths. What else is in the folder stays, and so does the folder then."""
    folder = module.params["folder"]
    done = [path for path in paths(module).values() if os.path.exists(path)]
    rest = {os.path.join(folder, name) for name in _files.names(folder)} - set(done)
    if not module.check_mode:
        for path in done:
            os.unlink(path)
    if os.path.isdir(folder) and not rest:
        done.append(folder)
        if not module.check_mode:
            os.rmdir(folder)
    return done


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["absent", "present"], "default": "present"},
            "folder": {"type": "path", "default": "/usr/local/lib/failover-carp-postfix"},
            "units": {"type": "path", "default": "/etc/systemd/system"},
            "config_dir": {"type": "path", "default": "/etc/postfix"},
            "files": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )
    try:
        done = (install if module.params["state"] == "present" else remove)(module)
    except PermissionError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}; the configuration is root's: use become")
    except (ValueError, OSError) as error:
        module.fail_json(msg=str(error))
    path = paths(module)
    module.exit_json(
        changed=bool(done),
        files=done,
        command=[path[PROGRAM], path[NOTE]],
        reload_needed=any(path[name] in done for name in UNITS),
    )


if __name__ == "__main__":
    main()
