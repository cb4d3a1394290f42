#!/usr/bin/python
# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: drill_service
short_description: See a service as a client does
version_added: 0.1.0
description:
  - Opens connections to a service, or sends it numbered mails, at an even pace, and notes what became of each. A mail
    is tried again until it is accepted.
  - It does so until a file is removed. So run it with C(async) and C(poll=0).
extends_documentation_fragment:
  - failover.carp.attributes
  - failover.carp.attributes.action_group
options:
  kind:
    description:
      - With V(connect), connections are opened and closed.
      - With V(banner), the first words of the server are awaited as well.
      - With V(mail), mails are sent to O(recipient).
    type: str
    choices:
      - connect
      - banner
      - mail
    default: connect
  address:
    description: The address, without prefix length.
    type: str
    required: true
  port:
    description: The TCP port.
    type: int
    required: true
  rate:
    description: How many to begin a second.
    type: float
    default: 10.0
  recipient:
    description: Who gets the mails.
    type: str
    default: ""
  sender:
    description: Who they come from.
    type: str
    default: drill@drill.invalid
  run:
    description: A word that stands in the header C(X-Failover-Drill) of each mail before its number.
    type: str
    default: ""
  while_file:
    description: The module works as long as this file exists.
    type: path
    required: true
  seconds:
    description: And for so many seconds at most.
    type: float
    default: 900.0
attributes:
  check_mode:
    support: full
    details: It sends nothing then.
  diff_mode:
    support: N/A
    details: It changes nothing on the host that it runs on.
  idempotent:
    support: full
author:
  - The failover.carp authors (@failover-carp)
seealso:
  - module: failover.carp.drill_arrivals
"""

EXAMPLES = r"""
- name: Begin to send mails
  failover.carp.drill_service:
    kind: mail
    address: 192.0.2.74
    port: 25
    recipient: drill@example.com
    run: 0123456789abcdef
    while_file: /run/drill
  async: 900
  poll: 0
  register: mails
"""

RETURN = r"""
begun:
  description: How many were begun.
  returned: success
  type: int
  sample: 600
done:
  description:
    - Those that went well, with their C(number), when each C(began) and went well (C(at)), in seconds of the monotonic
      clock, and after how many C(tries).
  returned: success
  type: list
  elements: dict
  sample:
    - number: 1
      began: 5120.1
      at: 5120.13
      tries: 1
failures:
  description: The attempts that failed, with their C(number), when (C(at)), and C(why).
  returned: success
  type: list
  elements: dict
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.failover.carp.plugins.module_utils.rehearsal import service
from ansible_collections.failover.carp.plugins.module_utils.rehearsal.leave import Leave


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "kind": {"type": "str", "choices": ["connect", "banner", "mail"], "default": "connect"},
            "address": {"type": "str", "required": True},
            "port": {"type": "int", "required": True},
            "rate": {"type": "float", "default": 10.0},
            "recipient": {"type": "str", "default": ""},
            "sender": {"type": "str", "default": f"drill@{service.NAME}"},
            "run": {"type": "str", "default": ""},
            "while_file": {"type": "path", "required": True},
            "seconds": {"type": "float", "default": 900.0},
        },
        required_if=[("kind", "mail", ["recipient", "run"])],
        supports_check_mode=True,
    )
    given = module.params
    if not 0 < given["rate"] <= 1000:
        module.fail_json(msg=f"rate={given['rate']:g}: must be above 0, and at most 1000")
    if given["kind"] == "mail":
        if any(character in given[name] for name in ("recipient", "sender", "run") for character in "\r\n"):
            module.fail_json(msg="recipient, sender and run must be one line each")
        attempt = service.mail(given["address"], given["port"], given["sender"], given["recipient"], given["run"])
    else:
        attempt = service.connect(given["address"], given["port"], given["kind"] == "banner")
    stream = service.Stream(attempt, given["rate"], insist=given["kind"] == "mail")
    stream.run(Leave(given["while_file"], 0 if module.check_mode else given["seconds"]))
    module.exit_json(changed=False, **stream.result())


if __name__ == "__main__":
    main()
