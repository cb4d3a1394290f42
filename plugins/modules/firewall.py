#!/usr/bin/python
# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: firewall
short_description: Let CARP pass the firewall of a host
version_added: 0.1.0
description:
  - Lets IP protocol 112 pass where a firewall is at work that drops what it does not know, in and out.
  - With nftables that is a rule in each chain whose policy is to drop, and a drop-in of C(nftables.service) that puts
    it there again whenever the service reads its rules. With ufw it is a block in C(before.rules) and C(before6.rules),
    with firewalld a service in the zone of each interface.
  - A rule that drops the protocol by name is not overruled in a chain that does not drop by policy; module
    M(failover.carp.preflight) tells of it.
extends_documentation_fragment:
  - failover.carp.attributes
  - failover.carp.attributes.action_group
  - failover.carp.attributes.writes
options:
  interfaces:
    description: The interfaces on which virtual addresses live.
    type: list
    elements: str
    default: []
  state:
    description: Whether to open the firewall, or to take that back.
    type: str
    choices:
      - absent
      - present
    default: present
author:
  - The failover.carp authors (@failover-carp)
seealso:
  - module: failover.carp.preflight
"""

EXAMPLES = r"""
- name: Open the firewall
  failover.carp.firewall:
    interfaces:
      - eth1

- name: Take that back
  failover.carp.firewall:
    state: absent
"""

RETURN = r"""
firewalls:
  description: The firewalls that are at work.
  returned: success
  type: list
  elements: str
  sample:
    - ufw
"""

from ansible_collections.failover.carp.plugins.module_utils.hostnet import firewalls
from ansible_collections.failover.carp.plugins.module_utils.hostnet.module import run_module


def main() -> None:
    """Run the module."""
    run_module("firewalls", firewalls.open_all, firewalls.close_all)


if __name__ == "__main__":
    main()
