# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter failover.carp.plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.failover.carp.plugins.plugin_utils import networks
from ansible_collections.failover.carp.plugins.plugin_utils.hosts import Host, Order
from ansible_collections.failover.carp.plugins.plugin_utils.plan import make_plan

DOCUMENTATION = r"""
name: plan
author:
  - The failover.carp authors (@failover-carp)
version_added: 0.1.0
short_description: Plan the virtual IPs of a host
description:
  - From the virtual IPs as an inventory has them, finds out what one host has to do. The interface and the prefix
    length come from the host's own networks, the advskew from the order of the hosts, and the vhid from the last octet
    of the first address, each unless it is given.
  - Finds every mistake. The filter does not fail, so that a play can show the mistakes of all hosts at once.
  - Needs the facts of the host. Those of the others are used as far as they are there.
  - Needs the Python package C(netaddr) on the machine that runs Ansible.
positional: _input, host, hostvars, hosts
options:
  _input:
    description:
      - The virtual IPs. Each has C(name) and C(addresses), a list or a text with commas, with or without prefix
        lengths.
      - C(hosts) are the hosts that share it, the preferred one first, if that is not O(hosts).
      - C(advskew) may be a dictionary with a number for each host.
      - C(peers) may be C(inventory), for the other hosts' own addresses in the networks of the virtual ones.
      - Other keys are the options of M(failover.carp.vip).
    type: list
    elements: dict
    required: true
  host:
    description: The host to plan for.
    type: str
    required: true
  hostvars:
    description: The variables of all hosts.
    type: dict
    required: true
  hosts:
    description: All hosts, the preferred one first.
    type: list
    elements: str
    required: true
  passwords:
    description: The passwords by name of the virtual IP. They are checked, and not part of the result.
    type: dict
    default: {}
  accepted:
    description: Other passwords to accept, by name of the virtual IP. They are checked, and not part of the result.
    type: dict
    default: {}
  step:
    description:
      - By how much the advskew grows from one host to the next. Without it, that is 20, and 1 for a virtual IP whose
        advbase is 0.
    type: int
  status:
    description:
      - The name of the variable of each host that has the result of M(failover.carp.vip_info), if there is one.
      - It tells an address that a host holds as master from one that somebody else put there.
    type: str
    default: carp_status
  checks:
    description: The checks. Each has C(name) and the options of a C([check]) section of the daemon's configuration.
    type: list
    elements: dict
    default: []
  leaving:
    description:
      - Addresses that something else holds on a host and is going to give up, such as ucarp while it is replaced.
    type: list
    elements: str
    default: []
  running:
    description:
      - The hosts that run the daemon, at the latest when the plan has come true. A virtual IP all of whose hosts are
        among them gets C(known_peers), unless it has them.
      - Without it, none does.
    type: list
    elements: str
  defaults:
    description: What virtual IPs have that do not say otherwise, by option.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show what this host will do
  ansible.builtin.debug:
    msg: "{{ carp_vips | failover.carp.plan(inventory_hostname, hostvars, groups.carp, passwords=carp_passwords) }}"
  vars:
    carp_vips:
      - name: smtp
        addresses: 172.17.0.74
        vhid: 1
# => {
#      "checks": [],
#      "patience": 6,
#      "problems": [],
#      "vips": [{"name": "smtp", "vhid": 1, "addresses": ["172.17.0.74/20"], "interface": "eth1", "advskew": 0}]
#    }
"""

RETURN = r"""
_value:
  description: The plan.
  type: dict
  contains:
    vips:
      description: The virtual IPs of the host, as M(failover.carp.vip) takes them, without passwords.
      type: list
      elements: dict
    checks:
      description: The checks of the host, as texts by option.
      type: list
      elements: dict
    problems:
      description: What is wrong, each a line of text. No line holds a password.
      type: list
      elements: str
    patience:
      description: For how many seconds the host may have to listen before it takes over.
      type: int
"""


def plan(
    vips: Any,
    host: str,
    hostvars: Mapping[str, Any],
    hosts: Iterable[str],
    passwords: Any = None,
    step: Any = None,
    status: str = "carp_status",
    checks: Any = (),
    leaving: Iterable[str] = (),
    accepted: Any = None,
    running: Iterable[str] | None = None,
    defaults: Any = None,
) -> dict[str, Any]:
    """Return what the host has to do."""
    if networks.netaddr is None:
        raise AnsibleFilterError(networks.NETADDR_MISSING)
    if passwords is not None and not isinstance(passwords, Mapping):
        raise AnsibleFilterError("carp_passwords: must be a dictionary of passwords by name of the virtual IP")
    if accepted is not None and not isinstance(accepted, Mapping):
        raise AnsibleFilterError("carp_accept_passwords: must be a dictionary of passwords by name of the virtual IP")
    order = Order(tuple(str(name) for name in hosts), int(step) if str(step).isdigit() else step)
    gone = frozenset(str(address) for address in leaving)
    known = {name: _host(hostvars[name], status, gone) for name in {host, *order.hosts} if name in hostvars}
    if defaults is not None and not isinstance(defaults, Mapping):
        raise AnsibleFilterError("carp_vip_defaults: must be a dictionary of what virtual IPs have in common")
    if isinstance(vips, (list, tuple)):
        vips = [{**(defaults or {}), **vip} if isinstance(vip, Mapping) else vip for vip in vips]
    there = None if running is None else frozenset(str(name) for name in running)
    made = make_plan(vips, host, order, known, passwords or {}, checks, accepted or {}, there)
    return {"vips": made.vips, "checks": made.checks, "problems": made.problems, "patience": made.patience()}


def _host(variables: Mapping[str, Any], status: str, leaving: frozenset[str]) -> Host:
    running = (variables.get(status) or {}).get("vips") or []
    managed = frozenset(address.partition("/")[0] for vip in running for address in vip["addresses"])
    return Host(variables.get("ansible_facts") or {}, managed | leaving)


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Any]:
        """Return the filters of this file."""
        return {"plan": plan}
