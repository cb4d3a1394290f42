#!/usr/bin/python
# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vip_control
short_description: Move virtual IPs on purpose
version_added: 0.1.0
description:
  - Tells the CARP daemon of a host to leave virtual IPs to other hosts, or to hold them again, and waits until that is
    so.
  - An address is handed over while it keeps answering. If no other host can take it, it stays where it is, and the
    module fails.
extends_documentation_fragment:
  - failover.carp.attributes
  - failover.carp.attributes.action_group
options:
  state:
    description:
      - With V(demoted), O(vips) are left to other hosts, until they are promoted or freed or the daemon is restarted.
      - With V(promoted), that ends, and this host becomes their master. It fails if another host ranks better, which
        then has to be demoted.
      - With V(free), that ends, whoever is the master.
      - With V(maintenance), all virtual IPs are left to other hosts, also after a restart and a reboot.
      - With V(service), maintenance ends.
    type: str
    choices:
      - demoted
      - free
      - maintenance
      - promoted
      - service
    required: true
  vips:
    description:
      - The names of the virtual IPs, all of the host by default. Not for V(maintenance) and V(service), which are about
        the host.
    type: list
    elements: str
    default: []
  wait:
    description: For how many seconds to wait at most until the state asked for is true.
    type: float
    default: 15.0
  socket:
    description: The control socket of the daemon.
    type: path
    default: /run/carpd/control.sock
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details: What changes is a state, which RV(vips) tells.
  idempotent:
    support: full
author:
  - The failover.carp authors (@failover-carp)
seealso:
  - module: failover.carp.vip_info
"""

EXAMPLES = r"""
- name: Leave one virtual IP to another host
  failover.carp.vip_control:
    state: demoted
    vips:
      - smtp
  register: moved

- name: Say how long it took
  ansible.builtin.debug:
    msg: "{{ moved.seconds }} s"

- name: Work on this host
  failover.carp.vip_control:
    state: maintenance

- name: Let it serve again
  failover.carp.vip_control:
    state: service
"""

RETURN = r"""
seconds:
  description: How many seconds it took until all was as asked for; 0 if it was so before.
  returned: success
  type: float
  sample: 0.006
took:
  description: The same for each virtual IP, null for one that was so before.
  returned: success
  type: dict
  sample:
    smtp: 0.006
masters:
  description: The names of those virtual IPs that this host was the master of before.
  returned: success
  type: list
  elements: str
  sample:
    - smtp
vips:
  description: How the virtual IPs are now, as M(failover.carp.vip_info) tells it.
  returned: success
  type: list
  elements: dict
  sample: []
maintenance:
  description: Whether the host is in maintenance, and by whose order.
  returned: success
  type: dict
  sample:
    "on": false
    by: ""
    saved: true
    error: ""
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.failover.carp.plugins.module_utils.carpd.control import ControlError, request
from ansible_collections.failover.carp.plugins.module_utils.carpd.waiting import (
    Outcome,
    is_free,
    is_left,
    is_master,
    order,
)

REACHED = {"demoted": is_left, "free": is_free, "maintenance": is_left, "promoted": is_master, "service": is_free}
# The verb, and what it is given.
ORDERS: dict[str, tuple[str, dict[str, str]]] = {
    "demoted": ("demote", {}),
    "free": ("promote", {}),
    "maintenance": ("maintenance", {"mode": "on"}),
    "promoted": ("promote", {}),
    "service": ("maintenance", {"mode": "off"}),
}
OF_THE_HOST = ("maintenance", "service")


class Host:
    """The daemon of the host, as it is before anything is asked of it. Raises ControlError."""

    def __init__(self, path: str, names: list[str]) -> None:
        self.path = path
        known = {vip["name"]: vip for vip in request(path, "status")}
        unknown = [name for name in names if name not in known]
        if unknown:
            have = f"known are {', '.join(known)}" if known else "there is none at all"
            raise ControlError(f"there is no virtual host {', '.join(unknown)}; {have}")
        self.vips = [vip for name, vip in known.items() if name in (names or known)]
        self.maintenance = _maintenance(path)

    def is_so(self, state: str) -> bool:
        """Tell whether there is nothing to do for the state."""
        if state in OF_THE_HOST and self.maintenance["on"] != (state == "maintenance"):
            return False
        if state == "service":
            # What is demoted by an order of its own stays so.
            return True
        return all(REACHED[state](vip) for vip in self.vips)

    def bring(self, state: str, wait: float) -> Outcome:
        """Give the order and wait for its outcome. Raises ControlError."""
        verb, arguments = ORDERS[state]
        names = {} if state in OF_THE_HOST else {"vips": [vip["name"] for vip in self.vips]}
        try:
            return order(self.path, verb, REACHED[state], wait, **names, **arguments)
        except ControlError:
            # That another host ranks better is in the way of becoming master, and not of being free to.
            now = Host(self.path, [vip["name"] for vip in self.vips])
            if state != "free" or not now.is_so(state):
                raise
            outcome = Outcome(is_free, now.vips)
            outcome.took = {vip["name"]: 0.0 for vip in now.vips}
            return outcome


def _maintenance(path: str) -> dict[str, Any]:
    answer = request(path, "maintenance", mode="status")
    return {key: value for key, value in answer.items() if key != "vips"}


def run(module: AnsibleModule) -> dict[str, Any]:
    """Return the result of the module. Raises ControlError."""
    state, names = module.params["state"], module.params["vips"]
    if names and state in OF_THE_HOST:
        raise ControlError(f"state={state} is about the whole host: leave vips out")
    host = Host(module.params["socket"], names)
    result = {
        "changed": not host.is_so(state),
        "seconds": 0.0,
        "took": {vip["name"]: None for vip in host.vips},
        "masters": [vip["name"] for vip in host.vips if vip["state"] == "MASTER"],
        "vips": host.vips,
        "maintenance": host.maintenance,
    }
    if not result["changed"] or module.check_mode:
        return result
    outcome = host.bring(state, module.params["wait"])
    result["took"] = {name: outcome.took.get(name) for name in outcome.statuses}
    result["seconds"] = max((took for took in outcome.took.values() if took is not None), default=0.0)
    result["vips"] = list(outcome.statuses.values())
    result["maintenance"] = _maintenance(host.path)
    if not outcome.ok:
        reasons = [f"{name}: {why}" for name, why in outcome.failed.items()]
        if outcome.maintenance is not None and outcome.maintenance["error"]:
            reasons.append(f"maintenance does not outlive the daemon: {outcome.maintenance['error']}")
        result.update(failed=True, msg="\n".join(reasons))
    return result


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": sorted(ORDERS), "required": True},
            "vips": {"type": "list", "elements": "str", "default": []},
            "wait": {"type": "float", "default": 15.0},
            "socket": {"type": "path", "default": "/run/carpd/control.sock"},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except ControlError as error:
        module.fail_json(msg=str(error))
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
