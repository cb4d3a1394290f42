#!/usr/bin/python
# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: postfix_drift
short_description: Note how Postfix was deployed, and install a program that tells what changed since
version_added: 0.1.0
description:
  - Writes two files into O(folder), which only root can read. C(deployed) has the configuration as it is now, of
    tables and other files digests only. C(drift) is a program in one file that compares the host with that.
  - What other tools keep (tables and certificates that M(failover.carp.postfix_config) did not write) is not noted.
  - The program changes nothing. It names file and key of each difference, and says what would keep Postfix from
    starting again with what is there. It ends with status 1 if it said anything.
extends_documentation_fragment:
  - failover.carp.attributes
  - failover.carp.attributes.action_group
attributes:
  check_mode:
    support: partial
    details: What is on the host now is not what it would have after the play, so that only missing files are told.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  state:
    description: With V(absent), both files and their folder are removed.
    type: str
    choices: [absent, present]
    default: present
  folder:
    description: Where the files are.
    type: path
    default: /usr/local/lib/failover-carp-postfix
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

- name: Say what changed since
  ansible.builtin.command: "{{ drift.command | join(' ') }}"
  changed_when: false
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
PROGRAM, NOTE = "drift", "deployed"
MAIN = "from failover_carp.postfix.drift_program import main\n\nraise SystemExit(main())\n"
#: The same for the same parts, so that the file changes only with them.
LONG_AGO = (1980, 1, 1, 0, 0, 0)


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


def install(module: AnsibleModule, folder: str) -> list[str]:
    """Write what is missing or different; return the paths."""
    owner = _files.Owner(os.geteuid(), os.getegid())
    paths = {name: os.path.join(folder, name) for name in (PROGRAM, NOTE)}
    if module.check_mode:
        return [path for path in paths.values() if not os.path.exists(path)]
    done = []
    if not _files.belongs(folder, 0o700, owner):
        _files.make_folder(folder, 0o700, owner)
        done.append(folder)
    for path, data, mode in ((paths[PROGRAM], program(), 0o700), (paths[NOTE], note(module), 0o600)):
        if not _files.holds(path, data, mode, owner):
            _files.write(path, data, mode, owner)
            done.append(path)
    return done


def remove(module: AnsibleModule, folder: str) -> list[str]:
    """Remove what is there; return the paths. What else is in the folder stays, and so does the folder then."""
    done = [path for path in (os.path.join(folder, name) for name in (PROGRAM, NOTE)) if os.path.exists(path)]
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
            "config_dir": {"type": "path", "default": "/etc/postfix"},
            "files": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )
    folder = module.params["folder"]
    try:
        done = (install if module.params["state"] == "present" else remove)(module, folder)
    except PermissionError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}; the configuration is root's: use become")
    except (ValueError, OSError) as error:
        module.fail_json(msg=str(error))
    command = [os.path.join(folder, name) for name in (PROGRAM, NOTE)]
    module.exit_json(changed=bool(done), files=done, command=command)


if __name__ == "__main__":
    main()
