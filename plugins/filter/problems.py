# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter failover.carp.problems."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.failover.carp.plugins.plugin_utils.conflicts import find_conflicts

DOCUMENTATION = r"""
name: problems
author:
  - The failover.carp authors (@failover-carp)
version_added: 0.1.0
short_description: Tell what is wrong with the plans of several hosts
description:
  - Collects the mistakes that P(failover.carp.plan#filter) found for each of the hosts, and looks for those that only
    show when the plans are laid side by side, such as two hosts that are equally preferred.
positional: _input, hostvars
options:
  _input:
    description: The hosts.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variables of all hosts.
    type: dict
    required: true
  plan:
    description: The name of the variable of each host that has its plan. A host without is left out.
    type: str
    default: carp_plan
"""

EXAMPLES = r"""
- name: Stop before anything is changed if anything is wrong
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems }}"
  run_once: true
  vars:
    problems: "{{ ansible_play_hosts | failover.carp.problems(hostvars) }}"
"""

RETURN = r"""
_value:
  description: What is wrong, each a line of text.
  type: list
  elements: str
"""


def problems(hosts: Iterable[str], hostvars: Mapping[str, Any], plan: str = "carp_plan") -> list[str]:
    """Return what is wrong with the plans of the hosts."""
    plans = {host: hostvars[host][plan] for host in hosts if plan in hostvars[host]}
    own = dict.fromkeys(problem for made in plans.values() for problem in made["problems"])
    between = dict.fromkeys(find_conflicts({host: made["vips"] for host, made in plans.items()}))
    return list(own | between)


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Any]:
        """Return the filters of this file."""
        return {"problems": problems}
