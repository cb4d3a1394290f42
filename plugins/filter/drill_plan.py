# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter failover.carp.drill_plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from ansible_collections.failover.carp.plugins.plugin_utils.drill_plan import Wish, make

DOCUMENTATION = r"""
name: drill_plan
author:
  - The failover.carp authors (@failover-carp)
version_added: 0.1.0
short_description: Plan a drill of a group of hosts
description:
  - From what M(failover.carp.vip_info) told of each host, makes the plan of a drill, with the times within which
    each fault must be over.
  - The filter does not fail. What is in the way is part of the result.
positional: _input, hostvars
options:
  _input:
    description: The hosts.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variables of all hosts, with their facts of the subset C(network).
    type: dict
    required: true
  faults:
    description: Which faults, all that can be by default. See M(failover.carp.drill_fault).
    type: list
    elements: str
    default: []
  vip:
    description: The name of the virtual IP, the first one by default.
    type: str
    default: ""
  service:
    description: Whether it is said how to put the service out of order.
    type: bool
    default: false
  service_within:
    description: Within how many seconds the checks must see that.
    type: float
    default: 15.0
  margin:
    description: What a busy machine may take beyond the daemon's own times, in seconds.
    type: float
    default: 0.5
  prober:
    description: The host that probes.
    type: str
    default: localhost
  status:
    description: The name of the variable of each host that has the result of the module.
    type: str
    default: carp_status
"""

EXAMPLES = r"""
- name: Say for how many seconds a drill would last
  ansible.builtin.debug:
    msg: "{{ (groups.carp | failover.carp.drill_plan(hostvars)).seconds }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: What a drill would do.
  type: dict
  contains:
    vip:
      description: The name of the virtual IP.
      type: str
    address:
      description: The address that is probed, the first one.
      type: str
    preferred:
      description: The host that holds it, and is broken.
      type: str
    returns:
      description: Whether that takes it back by itself.
      type: bool
    interfaces:
      description: The interface of each host.
      type: dict
    own:
      description: An address of its own of each host.
      type: dict
    faults:
      description:
        - The faults, each with C(kind), C(title), for how many C(seconds) it lasts, for how long nobody may answer
          (C(outage)), and within which time the address must be C(back).
      type: list
      elements: dict
    seconds:
      description: For how long all of them last at most.
      type: float
    problems:
      description: What is in the way, each a line of text.
      type: list
      elements: str
"""


def drill_plan(
    hosts: Iterable[str], hostvars: Mapping[str, Any], status: str = "carp_status", **wish: Any
) -> dict[str, Any]:
    """Return the plan."""
    names = [str(host) for host in hosts]
    found = {host: (hostvars[host].get(status) or {}).get("vips") or [] for host in names}
    addresses = {
        host: [
            address
            for interface in {str(vip["interface"]) for vip in found[host]}
            for address in _addresses(hostvars[host].get("ansible_facts") or {}, interface)
        ]
        for host in names
    }
    return asdict(make(found, addresses, Wish(**wish)))


def _addresses(facts: Mapping[str, Any], interface: str) -> list[str]:
    """Return the addresses of an interface, its primary ones first."""
    # What cannot be in the name of a variable is an underscore there.
    known = facts.get(interface.replace("-", "_").replace(".", "_").replace(":", "_")) or {}
    version_4 = [known.get("ipv4") or {}, *(known.get("ipv4_secondaries") or [])]
    version_6 = [each for each in known.get("ipv6") or [] if each.get("scope") == "global"]
    return [str(each["address"]) for each in [*version_4, *version_6] if each.get("address")]


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Any]:
        """Return the filters of this file."""
        return {"drill_plan": drill_plan}
