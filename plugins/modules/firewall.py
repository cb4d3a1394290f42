#!/usr/bin/python
# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: firewall
short_description: Let CARP pass the firewall of a host
version_added: 0.1.0
description:
  - Lets IP protocol 112 pass where a firewall is at work that drops what it does not know, in and out.
  - With nftables that is a rule in each chain whose policy is to drop, and a drop-in of C(nftables.service) that puts
    it there again whenever the service reads its rules. With ufw it is a block in C(before.rules) and C(before6.rules),
    with firewalld a service in the zone of each interface.
  - A rule that drops the protocol by name is not overruled in a chain that does not drop by policy; module
    M(failover.carp.preflight#module) tells of it.
extends_documentation_fragment:
  - failover.carp.attributes
  - failover.carp.attributes.action_group
  - failover.carp.attributes.writes
options:
  interfaces:
    description: The interfaces on which virtual addresses live.
    type: list
    elements: str
    default: []
  state:
    description: Whether to open the firewall, or to take that back.
    type: str
    choices:
      - absent
      - present
    default: present
author:
  - The failover.carp authors (@failover-carp)
seealso:
  - module: failover.carp.preflight
"""

EXAMPLES = r"""
- name: Open the firewall
  failover.carp.firewall:
    interfaces:
      - eth1

- name: Take that back
  failover.carp.firewall:
    state: absent
"""

RETURN = r"""
firewalls:
  description: The firewalls that are at work.
  returned: success
  type: list
  elements: str
  sample:
    - ufw
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.failover.carp.plugins.module_utils import _files
from ansible_collections.failover.carp.plugins.module_utils.hostnet import firewalls
from ansible_collections.failover.carp.plugins.module_utils.hostnet.files import Ledger


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "interfaces": {"type": "list", "elements": "str", "default": []},
            "state": {"type": "str", "choices": ["absent", "present"], "default": "present"},
        },
        supports_check_mode=True,
    )
    interfaces = list(dict.fromkeys(module.params["interfaces"]))
    ledger = Ledger(module.check_mode, _files.Owner(os.geteuid(), os.getegid()))

    def run(command: list[str]) -> tuple[int, str, str]:
        return module.run_command(command) if module.get_bin_path(command[0]) else (127, "", "")

    works: list[str] = []
    try:
        if module.params["state"] == "present":
            works = firewalls.open_all(run, ledger, interfaces)
        else:
            firewalls.close_all(run, ledger)
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}")
    module.exit_json(changed=ledger.changed, diff=ledger.diff, firewalls=works)


if __name__ == "__main__":
    main()
