#!/usr/bin/python
# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: drill_watch
short_description: Note when a host has an address
version_added: 0.1.0
description:
  - Notes when an address comes to a host and leaves it, and when its link goes down and up, as the kernel tells it. The
    CARP daemon is not asked.
  - It does so until a file is removed. So run it with C(async) and C(poll=0).
extends_documentation_fragment:
  - failover.carp.attributes
  - failover.carp.attributes.action_group
  - failover.carp.attributes.info
options:
  interface:
    description: The network interface whose link is watched.
    type: str
    required: true
  address:
    description: The address, without prefix length.
    type: str
    required: true
  run:
    description:
      - 16 hexadecimal digits, the same for M(failover.carp.drill_probe), whose requests for comparing clocks this
        module notes.
    type: str
    required: true
  while_file:
    description: The module works as long as this file exists.
    type: path
    required: true
  seconds:
    description: And for so many seconds at most.
    type: float
    default: 900.0
author:
  - The failover.carp authors (@failover-carp)
seealso:
  - module: failover.carp.drill_probe
"""

EXAMPLES = r"""
- name: Begin to watch
  failover.carp.drill_watch:
    interface: eth0
    address: 192.0.2.74
    run: 0123456789abcdef
    while_file: /run/drill
  async: 900
  poll: 0
  register: watch
"""

RETURN = r"""
events:
  description:
    - What happened, C(at) which second of the host's monotonic clock. C(what) is V(address) or V(link), and C(is) tells
      whether it is there. The first ones say how it was in the beginning.
  returned: success
  type: list
  elements: dict
  sample:
    - at: 5120.1
      what: address
      is: true
clocks:
  description: The numbers of the requests for comparing clocks, and when each arrived.
  returned: success
  type: list
  elements: list
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.failover.carp.plugins.module_utils.rehearsal.leave import Leave
from ansible_collections.failover.carp.plugins.module_utils.rehearsal.watching import watch


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "interface": {"type": "str", "required": True},
            "address": {"type": "str", "required": True},
            "run": {"type": "str", "required": True},
            "while_file": {"type": "path", "required": True},
            "seconds": {"type": "float", "default": 900.0},
        },
        supports_check_mode=True,
    )
    given = module.params
    leave = Leave(given["while_file"], 0 if module.check_mode else given["seconds"])
    try:
        result = watch(given["interface"], given["address"], bytes.fromhex(given["run"]), leave)
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"{given['interface']} and {given['address']} cannot be watched: {error}")
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
