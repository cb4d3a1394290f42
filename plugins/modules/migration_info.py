#!/usr/bin/python
# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: migration_info
short_description: Tell which addresses a host shares by ucarp or keepalived
version_added: 0.1.0
description:
  - Reads what ucarp was configured with in C(/etc/network/interfaces) and what that sources, in C(/etc/ucarp), and on
    the command lines of the processes that run, and the C(vrrp_instance) blocks of C(keepalived.conf).
  - A value is told as ucarp understood it, also where its author meant something else. Where the two differ, there is
    a note.
extends_documentation_fragment:
  - failover.carp.attributes
  - failover.carp.attributes.action_group
  - failover.carp.attributes.info
options:
  interfaces:
    description: The file with the stanzas of ifupdown.
    type: path
    default: /etc/network/interfaces
  ucarp:
    description: The folder with the files of ucarp's init script.
    type: path
    default: /etc/ucarp
  keepalived:
    description: The configuration of keepalived.
    type: path
    default: /etc/keepalived/keepalived.conf
  passwords:
    description:
      - Whether to tell the passwords as well. Set C(no_log) for the task then.
    type: bool
    default: false
author:
  - The failover.carp authors (@failover-carp)
seealso:
  - module: failover.carp.ucarp
  - plugin: failover.carp.migration
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Look at what ucarp does here
  failover.carp.migration_info:
  register: before

- name: Show it
  ansible.builtin.debug:
    var: before.ucarp
"""

RETURN = r"""
ucarp:
  description: The addresses that ucarp shares, or would share if it ran.
  returned: success
  type: list
  elements: dict
  contains:
    origin:
      description: Where that stands.
      type: str
    interface:
      description: The network interface.
      type: str
    vhid:
      description: The number of the virtual host.
      type: int
    address:
      description: The virtual address.
      type: str
    password:
      description: The password, if O(passwords=true).
      type: str
    source:
      description: The address of the host that advertisements come from.
      type: str
    advbase:
      description: The interval between advertisements, in seconds.
      type: int
    advskew:
      description: What is added to it, in 1/256 seconds.
      type: int
    dead_ratio:
      description: How many intervals of silence mean that the master is gone.
      type: int
    preempt:
      description: Whether the host takes the address back from a less preferred master.
      type: bool
    broadcast:
      description: Whether advertisements are sent to all.
      type: bool
    up_script:
      description: The script that runs when the host becomes master, if it is not the usual one.
      type: str
    down_script:
      description: The script that runs when the host becomes backup, if it is not the usual one.
      type: str
    xparam:
      description: The third argument of the scripts.
      type: str
    running:
      description: Whether a process of ucarp does this now.
      type: bool
    held:
      description: Whether the host has the address now.
      type: bool
    notes:
      description: What a reader should know about it.
      type: list
      elements: str
  sample:
    - origin: /etc/network/interfaces, iface eth1
      interface: eth1
      vhid: 1
      address: 172.17.0.74
      source: 172.17.0.75
      advbase: 1
      advskew: 1
      dead_ratio: 3
      preempt: true
      broadcast: false
      up_script: ""
      down_script: ""
      xparam: ""
      running: true
      held: true
      notes: []
keepalived:
  description: The instances of keepalived, with what CARP has an equivalent of.
  returned: success
  type: list
  elements: dict
  sample:
    - origin: /etc/keepalived/keepalived.conf, vrrp_instance smtp
      name: smtp
      interface: eth1
      vhid: 51
      addresses:
        - 172.17.0.74/20
      priority: 150
      interval: 1.0
      preempt: true
      notes: []
problems:
  description: What is configured, and ucarp would not take.
  returned: success
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.failover.carp.plugins.module_utils.legacy import keepalived, processes, ucarp
from ansible_collections.failover.carp.plugins.module_utils.legacy.files import Files


def shown(found: ucarp.Virtual | keepalived.Instance, passwords: bool, **more: object) -> dict[str, object]:
    """Return what was found as a module can return it."""
    about = {key: list(value) if isinstance(value, tuple) else value for key, value in vars(found).items()}
    if not passwords:
        del about["password"]
    return {**about, **more}


def all_virtuals(configured: list[ucarp.Virtual], running: list[ucarp.Virtual]) -> list[ucarp.Virtual]:
    """Return what is configured, and of what runs that which nothing configures."""
    known = {(virtual.vhid, virtual.address) for virtual in configured}
    return [*configured, *(virtual for virtual in running if (virtual.vhid, virtual.address) not in known)]


def of_processes(files: Files) -> list[ucarp.Virtual]:
    """Return what the processes of ucarp do."""
    found = []
    for process in processes.running():
        try:
            found.append(ucarp.read_command(process.words[1:], f"process {process.pid}", files))
        except ucarp.NotUcarp:
            continue
    return found


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "interfaces": {"type": "path", "default": "/etc/network/interfaces"},
            "ucarp": {"type": "path", "default": "/etc/ucarp"},
            "keepalived": {"type": "path", "default": "/etc/keepalived/keepalived.conf"},
            "passwords": {"type": "bool", "default": False, "no_log": False},
        },
        supports_check_mode=True,
    )
    given = module.params
    files = Files()
    found = ucarp.find(files, given["interfaces"], given["ucarp"])
    running = of_processes(files)
    active = {(virtual.vhid, virtual.address) for virtual in running}
    here = {text.split("/")[0] for texts in processes.held(module.run_command).values() for text in texts}
    virtuals = [
        shown(
            virtual,
            given["passwords"],
            running=(virtual.vhid, virtual.address) in active,
            held=virtual.address in here,
        )
        for virtual in all_virtuals(found.virtuals, running)
    ]
    instances = [shown(instance, given["passwords"]) for instance in keepalived.find(files, given["keepalived"])]
    module.exit_json(changed=False, ucarp=virtuals, keepalived=instances, problems=found.problems)


if __name__ == "__main__":
    main()
