#!/usr/bin/python
# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: network_manager
short_description: Keep network managers off the virtual IPs
version_added: 0.1.0
description:
  - Writes what keeps systemd-networkd, also below netplan, from removing addresses that the CARP daemon holds, and
    systemd-networkd and NetworkManager from managing the interfaces that it makes.
  - What is not needed, or not needed any more, is not there. The manager reads its files anew if they changed.
  - An interface whose address comes by DHCP is left as it is, and so is one of NetworkManager, which knows no such
    setting. There the daemon puts an address back at once.
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
    description: Whether to keep the managers off, or to remove all that was written for that.
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
- name: Keep network managers off the addresses on an interface
  failover.carp.network_manager:
    interfaces:
      - eth1

- name: Take that back
  failover.carp.network_manager:
    state: absent
"""

RETURN = r"""
left:
  description: What was left as it is, and why.
  returned: success
  type: list
  elements: str
  sample: []
"""

from ansible_collections.failover.carp.plugins.module_utils.hostnet import managers
from ansible_collections.failover.carp.plugins.module_utils.hostnet.module import run_module


def main() -> None:
    """Run the module."""
    run_module("left", managers.keep_off, managers.let_go)


if __name__ == "__main__":
    main()
