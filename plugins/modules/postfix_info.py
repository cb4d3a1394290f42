#!/usr/bin/python
# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: postfix_info
short_description: Tell how Postfix is configured, so that servers can be compared
version_added: 0.1.0
description:
  - Collects all that must be equal on servers that share an address, and what keeps Postfix from working with it.
  - Of tables, certificates and other files only digests are returned.
extends_documentation_fragment:
  - failover.carp.attributes
  - failover.carp.attributes.action_group
  - failover.carp.attributes.info
options:
  config_dir:
    description: The configuration directory.
    type: path
    default: /etc/postfix
  files:
    description: More files that must be equal.
    type: list
    elements: path
    default: []
author:
  - The failover.carp authors (@failover-carp)
seealso:
  - plugin: failover.carp.mail_drift
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Look at Postfix
  failover.carp.postfix_info:
    files:
      - /etc/mailname
  register: mail_found
"""

RETURN = r"""
main:
  description: The parameters in C(main.cf).
  returned: success
  type: dict
  sample:
    biff: "no"
master:
  description: The services of C(master.cf) by name and type.
  returned: success
  type: dict
  sample:
    smtp/inet: "n - y - 100 smtpd"
tables:
  description: Digests of the lookup tables, C(text) and C(index).
  returned: success
  type: dict
  sample:
    lmdb:/etc/aliases:
      text: 4e0f...
      index: 9ab1...
files:
  description: Digests of certificates and other files.
  returned: success
  type: dict
  sample:
    /etc/mailname: 77ac...
certificate:
  description: What is wrong with the certificate (C(fault)), its C(names), and when it C(ends), in seconds since 1970.
  returned: success
  type: dict
  sample:
    fault: ""
    names:
      - mail.example.com
    ends: 1800000000.0
packages:
  description: The versions of the packages.
  returned: success
  type: dict
  sample:
    postfix: 3.7.11-0+deb12u1
types:
  description: The types of tables that Postfix has.
  returned: success
  type: list
  elements: str
  sample:
    - lmdb
running:
  description: Whether Postfix runs.
  returned: success
  type: bool
  sample: true
unread:
  description: The files that were changed after Postfix last read them.
  returned: success
  type: list
  elements: str
  sample:
    - /etc/postfix/main.cf
problems:
  description: Why Postfix would not start or not work, if it had to start now.
  returned: success
  type: list
  elements: str
  sample: []
"""

import os
import tempfile
from collections.abc import Sequence
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.failover.carp.plugins.module_utils.postfix import inspection

STAGES = "/run"


def inspect(inspector: inspection.Inspector, files: Sequence[str], root: str) -> dict[str, Any]:
    """Return all that there is to know; ``root`` is a folder that only root may enter."""
    settings = inspector.settings()
    tables = inspector.tables()
    found = inspector.certificate(settings, root)
    return {
        "main": settings,
        "master": inspector.services(),
        "tables": tables,
        "files": inspector.files(settings, files),
        "certificate": {} if found is None else {**found._asdict(), "names": list(found.names)},
        "packages": inspector.packages(),
        "types": inspector.types(),
        "running": inspector.is_running(),
        "unread": inspector.unread(settings, tables),
        "problems": inspector.problems(root),
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "config_dir": {"type": "path", "default": "/etc/postfix"},
            "files": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )

    def run(command: Sequence[str], text: str) -> tuple[int, str, str]:
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "LANGUAGE": "C"}
        try:
            return module.run_command(
                list(command), data=text, binary_data=True, environ_update=environment, handle_exceptions=False
            )
        except FileNotFoundError:
            return 127, "", f"there is no program {os.path.basename(command[0])}"

    inspector = inspection.Inspector(module.params["config_dir"], run)
    try:
        with tempfile.TemporaryDirectory(prefix="postfix-", dir=STAGES) as root:
            result = inspect(inspector, module.params["files"], root)
    except PermissionError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}; the configuration is root's: use become")
    except (ValueError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
