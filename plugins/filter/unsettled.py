# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter failover.carp.unsettled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.failover.carp.plugins.plugin_utils.verdict import Answer, find_unsettled

DOCUMENTATION = r"""
name: unsettled
author:
  - The failover.carp authors (@failover-carp)
version_added: 0.1.0
short_description: Tell which virtual IPs are not as planned
description:
  - Compares what the daemons of several hosts do with what was planned for them by P(failover.carp.plan#filter). All is
    well if each daemon runs what was configured and each virtual IP has exactly one master.
  - If not all hosts were asked, a virtual IP may be held by one of the others, as long as it is heard.
positional: _input, hostvars
options:
  _input:
    description: The hosts that were asked.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variables of all hosts.
    type: dict
    required: true
  hosts:
    description: All hosts that share virtual IPs. By default those that were asked.
    type: list
    elements: str
  plan:
    description: The name of the variable of each host that has its plan. A host without is left out.
    type: str
    default: carp_plan
  status:
    description: The name of the variable of each host that has the result of M(failover.carp.vip_info).
    type: str
    default: carp_status
"""

EXAMPLES = r"""
- name: Ask each daemon
  failover.carp.vip_info:
    settle: 30
  register: carp_status
  ignore_errors: true

- name: Require one master for each virtual IP
  ansible.builtin.assert:
    that: unsettled | length == 0
    fail_msg: "{{ unsettled }}"
  run_once: true
  vars:
    unsettled: "{{ ansible_play_hosts | failover.carp.unsettled(hostvars, hosts=groups.carp) }}"
"""

RETURN = r"""
_value:
  description: What is not as planned, each a line of text.
  type: list
  elements: str
"""


def unsettled(
    asked: Iterable[str],
    hostvars: Mapping[str, Any],
    hosts: Iterable[str] | None = None,
    plan: str = "carp_plan",
    status: str = "carp_status",
) -> list[str]:
    """Return what is not as planned on the hosts."""
    plans = {host: hostvars[host][plan]["vips"] for host in asked if plan in hostvars[host]}
    answers = {host: _answer(hostvars[host].get(status) or {}) for host in plans}
    return find_unsettled(plans, answers, plans if hosts is None else hosts)


def _answer(result: Mapping[str, Any]) -> Answer:
    if "vips" in result:
        return Answer(tuple(result["vips"]))
    return Answer(fault=str(result.get("msg") or "its daemon was not asked"))


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Any]:
        """Return the filters of this file."""
        return {"unsettled": unsettled}
