# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter failover.carp.switchover."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from ansible_collections.failover.carp.plugins.plugin_utils.switchover import choose

DOCUMENTATION = r"""
name: switchover
author:
  - The failover.carp authors (@failover-carp)
version_added: 0.1.0
short_description: Find where addresses can be moved to on purpose
description:
  - From what M(failover.carp.vip_info) told of each host, finds the host that virtual IPs can be moved to. That
    is the preferred one, or from there the next best, unless another one is asked for.
  - The filter does not fail. What is in the way is part of the result.
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
  to:
    description: The host to move them to.
    type: str
    default: ""
  vips:
    description: The names of the virtual IPs, all by default.
    type: list
    elements: str
    default: []
  status:
    description: The name of the variable of each host that has the result of the module.
    type: str
    default: carp_status
"""

EXAMPLES = r"""
- name: Say where the addresses would go
  ansible.builtin.debug:
    msg: "{{ (groups.carp | failover.carp.switchover(hostvars)).to }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: What to move where.
  type: dict
  contains:
    to:
      description: The host.
      type: str
    home:
      description: Whether that is the preferred one.
      type: bool
    vips:
      description: The names of the virtual IPs.
      type: list
      elements: str
    addresses:
      description: Their addresses, without prefix lengths.
      type: list
      elements: str
    problems:
      description: What is in the way, each a line of text.
      type: list
      elements: str
"""


def switchover(
    hosts: Iterable[str],
    hostvars: Mapping[str, Any],
    to: str = "",
    vips: Iterable[str] = (),
    status: str = "carp_status",
) -> dict[str, Any]:
    """Return what can be moved where."""
    found = {str(host): (hostvars[host].get(status) or {}).get("vips") or [] for host in hosts}
    return asdict(choose(found, str(to), [str(name) for name in vips]))


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Any]:
        """Return the filters of this file."""
        return {"switchover": switchover}
