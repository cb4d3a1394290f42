#!/usr/bin/python
# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: drill_arrivals
short_description: Find the mails of a drill
version_added: 0.1.0
description:
  - Tells which mails that M(failover.carp.drill_service) sent are on this host, in a mailbox or in Postfix's queue.
extends_documentation_fragment:
  - failover.carp.attributes
  - failover.carp.attributes.action_group
  - failover.carp.attributes.info
options:
  mailbox:
    description: A file with mails, or a folder (Maildir).
    type: path
    required: true
  run:
    description: The word that stands before the number in the header C(X-Failover-Drill).
    type: str
    required: true
  seconds:
    description: For how many seconds to wait at most until none of these mails is in the queue.
    type: float
    default: 15.0
author:
  - The failover.carp authors (@failover-carp)
seealso:
  - module: failover.carp.drill_service
"""

EXAMPLES = r"""
- name: Find the mails
  failover.carp.drill_arrivals:
    mailbox: /var/mail/drill
    run: 0123456789abcdef
  register: mails
"""

RETURN = r"""
queued:
  description: The numbers of the mails in the queue.
  returned: success
  type: list
  elements: int
  sample: []
delivered:
  description: The numbers of the mails in the mailbox; a mail that is there twice is listed twice.
  returned: success
  type: list
  elements: int
  sample:
    - 1
    - 2
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.failover.carp.plugins.module_utils.rehearsal.arrivals import in_mailbox, in_queue

POLL = 0.5


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "mailbox": {"type": "path", "required": True},
            "run": {"type": "str", "required": True},
            "seconds": {"type": "float", "default": 15.0},
        },
        supports_check_mode=True,
    )
    given = module.params

    def command(argv: list[str]) -> str:
        code, out, _err = module.run_command(argv)
        return str(out) if code == 0 else ""

    has_queue = module.get_bin_path("postqueue") is not None
    end = time.monotonic() + given["seconds"]
    while True:
        # The queue first: a mail on its way from there to the mailbox is then seen at least once.
        queued = in_queue(command, given["run"]) if has_queue else []
        if not queued or time.monotonic() >= end:
            break
        time.sleep(POLL)
    try:
        delivered = in_mailbox(given["mailbox"], given["run"])
    except OSError as error:
        module.fail_json(msg=f"{given['mailbox']} cannot be read: {error.strerror}")
    module.exit_json(changed=False, queued=queued, delivered=delivered)


if __name__ == "__main__":
    main()
