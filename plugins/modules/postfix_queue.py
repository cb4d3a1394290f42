#!/usr/bin/python
# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: postfix_queue
short_description: Bring the queue of a mail server that is down to another
version_added: 0.1.0
description:
  - Takes the complete mails out of the queue of a Postfix that does not run, or adds them to that of one that does.
  - No mail is in two queues at a time that a Postfix could deliver from, whenever this is interrupted.
  - C(failover.carp.queue_recover) is made of it.
extends_documentation_fragment:
  - failover.carp.attributes
  - failover.carp.attributes.action_group
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  state:
    description:
      - With V(taken), the mails in O(queue_directory) are moved to O(aside), and all that is there is packed into
        O(archive). Fails if a Postfix runs with that queue, or if a mail has a short queue ID.
      - With V(added), the mails in O(archive) are added to O(queue_directory), but for those that are there or were
        added before, and Postfix tries to deliver what is in its queue.
    type: str
    choices: [taken, added]
    required: true
  archive:
    description: The file that the mails travel in. Only root can read it.
    type: path
    required: true
  queue_directory:
    description: The queue. For O(state=taken) it can be that of another host, on a disk that is mounted here.
    type: path
    default: /var/spool/postfix
  aside:
    description:
      - Where the mails are moved to, on the same file system. There they can be deleted once all is well.
      - Empty for a disk that cannot be written to. Then the queue stays as it is, and nobody may start a Postfix with
        it.
    type: str
    default: /var/spool/failover-carp-recovered
  journal:
    description: The file that has the ID of each mail that was added, and not taken since.
    type: path
    default: /var/lib/failover-carp-postfix/recovered
  user:
    description: Who the queue belongs to.
    type: str
    default: postfix
author:
  - The failover.carp authors (@failover-carp)
"""

EXAMPLES = r"""
- name: Take the mails out of the queue
  failover.carp.postfix_queue:
    state: taken
    archive: /root/queue.tar.gz

- name: Add them to the other server's
  failover.carp.postfix_queue:
    state: added
    archive: /root/queue.tar.gz
"""

RETURN = r"""
mails:
  description: The queue IDs of the mails that were taken or added.
  returned: success
  type: list
  elements: str
  sample:
    - 4cXyZw0000z1vN
"""

import os
import pwd

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.failover.carp.plugins.module_utils.postfix import queue


class Failure(Exception):
    """The module cannot do what it was asked for; the text says why."""


def take(module: AnsibleModule) -> dict:
    """Take the mails out of a queue, and pack them with those that an earlier run took."""
    directory, aside, archive = (module.params[name] for name in ("queue_directory", "aside", "archive"))
    if not os.path.isdir(os.path.join(directory, "incoming")):
        raise Failure(f"{directory} is no queue of Postfix")
    if queue.is_in_use(directory):
        raise Failure(f"a Postfix runs with {directory}: stop it, and mask its unit, before its mails go elsewhere")
    found = queue.items(directory)
    short = queue.short_ids(found)
    if short:
        raise Failure(
            f"{len(short)} mails have short queue IDs ({short[0]}), which may be somebody else's at the target; with "
            "enable_long_queue_ids they would not"
        )
    earlier = queue.items(aside) if aside else []
    mails = [item.queue_id for item in [*earlier, *found] if item.is_mail]
    if not module.check_mode:
        if aside:
            queue.forget(module.params["journal"], [item.queue_id for item in found])
            queue.move_aside(directory, aside, found)
        source = aside or directory
        queue.pack(source, queue.items(source), archive)
    return {"changed": bool(found and aside), "mails": mails}


def add(module: AnsibleModule) -> dict:
    """Add the mails that are not in a queue yet."""
    owner = pwd.getpwnam(module.params["user"])
    target = queue.Target(module.params["queue_directory"], module.params["journal"], owner.pw_uid, owner.pw_gid)
    if module.check_mode:
        mails = target.missing(module.params["archive"])
        return {"changed": bool(mails), "mails": mails}
    mails = target.add(module.params["archive"])
    if mails:
        status, _output, errors = module.run_command(["/usr/sbin/postqueue", "-f"])
        if status != 0:
            module.warn(f"The mails are in the queue, and Postfix could not be told: {errors.strip()}")
    return {"changed": bool(mails), "mails": mails}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["taken", "added"], "required": True},
            "archive": {"type": "path", "required": True},
            "queue_directory": {"type": "path", "default": "/var/spool/postfix"},
            "aside": {"type": "str", "default": "/var/spool/failover-carp-recovered"},
            "journal": {"type": "path", "default": "/var/lib/failover-carp-postfix/recovered"},
            "user": {"type": "str", "default": "postfix"},
        },
        supports_check_mode=True,
    )
    try:
        result = take(module) if module.params["state"] == "taken" else add(module)
    except KeyError:
        module.fail_json(msg=f"there is no user {module.params['user']}")
    except (Failure, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
