#!/usr/bin/python
# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: drill_probe
short_description: See an address as a client does
version_added: 0.1.0
description:
  - Sends requests to an address at an even pace, a thousand a second by default, and notes which are not answered.
  - Pings hosts at addresses of their own, too, ten times a second. There M(failover.carp.drill_watch) notes when that
    arrives, so that the clocks of the hosts can be compared.
  - It does so until a file is removed. So run it with C(async) and C(poll=0), on a host that never has the address.
  - Needs root, or a kernel that lets everybody ping (C(net.ipv4.ping_group_range)).
extends_documentation_fragment:
  - failover.carp.attributes
  - failover.carp.attributes.action_group
  - failover.carp.attributes.info
options:
  address:
    description: The address, without prefix length.
    type: str
    required: true
  rate:
    description: How many requests to send a second.
    type: float
    default: 1000.0
  clocks:
    description: Addresses of their own of hosts whose clocks are to be compared, by name.
    type: dict
    default: {}
  run:
    description: 16 hexadecimal digits, another for each run.
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
  - module: failover.carp.drill_watch
  - module: failover.carp.drill_service
"""

EXAMPLES = r"""
- name: Begin to probe
  failover.carp.drill_probe:
    address: 192.0.2.74
    run: 0123456789abcdef
    while_file: /run/drill
  async: 900
  poll: 0
  register: probe
"""

RETURN = r"""
sent:
  description: How many requests were sent.
  returned: success
  type: int
  sample: 60000
answered:
  description: How many of them were answered.
  returned: success
  type: int
  sample: 60000
repeated:
  description: How many were answered more than once.
  returned: success
  type: int
  sample: 0
interval:
  description: The pace, in seconds.
  returned: success
  type: float
  sample: 0.001
start:
  description: When the first was sent, in seconds of the monotonic clock.
  returned: success
  type: float
  sample: 5120.1
end:
  description: When the last was sent.
  returned: success
  type: float
  sample: 5180.1
lost:
  description:
    - Those without answer. C(start) is when the first of C(count) was sent, and C(end) when the next one that was
      answered.
  returned: success
  type: list
  elements: dict
  sample:
    - start: 5121.0
      end: 5124.0
      count: 3000
stalls:
  description: From when to when nothing was sent, since the machine was too busy.
  returned: success
  type: list
  elements: dict
  sample: []
clocks:
  description: For each host and second the quickest request, with its number, and when it was sent and answered.
  returned: success
  type: list
  elements: dict
  sample: []
now:
  description: The same moment by the C(monotonic) clock, and by the C(real) one, which counts from 1970.
  returned: success
  type: dict
  sample:
    monotonic: 5181.1
    real: 1790000000.0
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.failover.carp.plugins.module_utils.rehearsal.leave import Leave, clocks
from ansible_collections.failover.carp.plugins.module_utils.rehearsal.probing import Prober


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "address": {"type": "str", "required": True},
            "rate": {"type": "float", "default": 1000.0},
            "clocks": {"type": "dict", "default": {}},
            "run": {"type": "str", "required": True},
            "while_file": {"type": "path", "required": True},
            "seconds": {"type": "float", "default": 900.0},
        },
        supports_check_mode=True,
    )
    given = module.params
    if not 0 < given["rate"] <= 10000:
        module.fail_json(msg=f"rate={given['rate']:g}: must be above 0, and at most 10000")
    leave = Leave(given["while_file"], 0 if module.check_mode else given["seconds"])
    try:
        prober = Prober(given["address"], given["rate"], bytes.fromhex(given["run"]), given["clocks"])
        prober.run(leave)
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"{given['address']} cannot be probed from here: {error}")
    prober.close()
    module.exit_json(changed=False, now=clocks(), **prober.result())


if __name__ == "__main__":
    main()
