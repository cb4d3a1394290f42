# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter failover.carp.health."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from ansible_collections.failover.carp.plugins.plugin_utils.health import examine
from ansible_collections.failover.carp.plugins.plugin_utils.verdict import Answer

DOCUMENTATION = r"""
name: health
author:
  - The failover.carp authors (@failover-carp)
version_added: 0.1.0
short_description: Tell how a group of hosts is
description:
  - From what M(failover.carp.vip_info) told of each host, makes a table for a person, and finds what is wrong.
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
  status:
    description: The name of the variable of each host that has the result of the module.
    type: str
    default: carp_status
"""

EXAMPLES = r"""
- name: Show how the group is
  ansible.builtin.debug:
    msg: "{{ (groups.carp | failover.carp.health(hostvars)).table }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: How the group is.
  type: dict
  contains:
    table:
      description: A table with a line for each virtual IP on each host, and the reasons below it.
      type: list
      elements: str
    problems:
      description: What is wrong, each a line of text.
      type: list
      elements: str
    notes:
      description: What is worth knowing, each a line of text.
      type: list
      elements: str
"""


def health(hosts: Iterable[str], hostvars: Mapping[str, Any], status: str = "carp_status") -> dict[str, Any]:
    """Return how the hosts are."""
    return asdict(examine({str(host): _answer(hostvars[host].get(status) or {}) for host in hosts}))


def _answer(result: Mapping[str, Any]) -> Answer:
    if "vips" in result:
        return Answer(tuple(result["vips"]))
    return Answer(fault=str(result.get("msg") or "it could not be asked"))


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Any]:
        """Return the filters of this file."""
        return {"health": health}
