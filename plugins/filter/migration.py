# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter failover.carp.migration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from ansible_collections.failover.carp.plugins.plugin_utils.migration import from_keepalived, from_ucarp

DOCUMENTATION = r"""
name: migration
author:
  - The failover.carp authors (@failover-carp)
version_added: 0.1.0
short_description: Make an inventory of what ucarp or keepalived does
description:
  - From what M(failover.carp.migration_info) found on each host, makes the variables of the role
    P(failover.carp.carp#role) that do the same.
  - The filter does not fail for what it cannot carry over, so that a play can show all of it at once.
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
  result:
    description: The name of the variable of each host that has the result of the module.
    type: str
    default: carp_before
  names:
    description: Names for the virtual IPs, by vhid. Others are called C(vip) and the vhid.
    type: dict
    default: {}
  protocol:
    description: What to carry over.
    type: str
    choices:
      - ucarp
      - keepalived
    default: ucarp
"""

EXAMPLES = r"""
- name: Show what replaces ucarp
  ansible.builtin.debug:
    msg: "{{ (ansible_play_hosts | failover.carp.migration(hostvars)).vips }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: What replaces the old configuration.
  type: dict
  contains:
    vips:
      description: For C(carp_vips).
      type: list
      elements: dict
    passwords:
      description: For C(carp_passwords), as far as the module told them.
      type: dict
    hosts:
      description: The hosts in order of preference, for C(carp_hosts).
      type: list
      elements: str
    masters:
      description: Those of them that hold an address now.
      type: list
      elements: str
    addresses:
      description: The virtual addresses.
      type: list
      elements: str
    problems:
      description: What has to be put right first, each a line of text.
      type: list
      elements: str
    notes:
      description: What a person should read before going on, each a line of text.
      type: list
      elements: str
"""


def migration(
    hosts: Iterable[str],
    hostvars: Mapping[str, Any],
    result: str = "carp_before",
    names: Mapping[Any, str] | None = None,
    protocol: str = "ucarp",
) -> dict[str, Any]:
    """Return what replaces the old configuration of the hosts."""
    found = {str(host): hostvars[host].get(result) or {} for host in hosts}
    make = from_keepalived if protocol == "keepalived" else from_ucarp
    return asdict(make(found, {str(vhid): name for vhid, name in (names or {}).items()}))


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Any]:
        """Return the filters of this file."""
        return {"migration": migration}
