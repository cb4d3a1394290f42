# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter failover.carp.unready."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.failover.carp.plugins.plugin_utils import networks
from ansible_collections.failover.carp.plugins.plugin_utils.hosts import Host
from ansible_collections.failover.carp.plugins.plugin_utils.readiness import Look, judge

DOCUMENTATION = r"""
name: unready
author:
  - The failover.carp authors (@failover-carp)
version_added: 0.1.0
short_description: Tell what the network has against a plan
description:
  - From what M(failover.carp.preflight) found on each host, finds what is in the way of the plans that
    P(failover.carp.plan#filter) made.
  - The filter does not fail, so that a play can show all of it at once.
positional: _input, hostvars
options:
  _input:
    description: The hosts that were looked at.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variables of all hosts.
    type: dict
    required: true
  hosts:
    description: All hosts, by default those that were looked at.
    type: list
    elements: str
  plan:
    description: The name of the variable of each host that has its plan.
    type: str
    default: carp_plan
  look:
    description: The name of the variable of each host that has the result of the module.
    type: str
    default: carp_segment
  at_once:
    description: Whether the module ran on all of them at the same time.
    type: bool
    default: true
  opens:
    description: Whether firewalls that drop by their policy will be opened.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show what is in the way
  ansible.builtin.debug:
    msg: "{{ (ansible_play_hosts | failover.carp.unready(hostvars)).problems }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: What was found.
  type: dict
  contains:
    problems:
      description: What is in the way, each a line of text.
      type: list
      elements: str
    warnings:
      description: What is worth knowing, each a line of text.
      type: list
      elements: str
"""


def unready(
    asked: Iterable[str],
    hostvars: Mapping[str, Any],
    hosts: Iterable[str] | None = None,
    plan: str = "carp_plan",
    look: str = "carp_segment",
    at_once: bool = True,
    opens: bool = False,
) -> dict[str, Any]:
    """Return what the network has against the plans."""
    if networks.netaddr is None:
        raise AnsibleFilterError(networks.NETADDR_MISSING)
    looks = {}
    for host in asked:
        found = hostvars[host].get(look) or {}
        if found.get("looked"):
            looks[str(host)] = Look(tuple((hostvars[host].get(plan) or {}).get("vips") or ()), found)
    everyone = list(looks) if hosts is None else [str(host) for host in hosts]
    known = {name: Host(hostvars[name].get("ansible_facts") or {}) for name in {*everyone, *looks} if name in hostvars}
    return asdict(judge(looks, known, everyone, bool(at_once), bool(opens)))


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Any]:
        """Return the filters of this file."""
        return {"unready": unready}
