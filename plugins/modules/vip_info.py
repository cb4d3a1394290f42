#!/usr/bin/python
# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vip_info
short_description: Tell the state of a host's virtual IPs
version_added: 0.1.0
description:
  - Asks the CARP daemon of the host for the state of its virtual IPs.
  - Fails if no daemon runs there.
extends_documentation_fragment:
  - failover.carp.attributes
  - failover.carp.attributes.action_group
  - failover.carp.attributes.info
options:
  socket:
    description: The control socket of the daemon.
    type: path
    default: /run/carpd/control.sock
  timeout:
    description: How many seconds the daemon may take to answer.
    type: float
    default: 5.0
  settle:
    description:
      - How many seconds to wait until the daemon runs and each of its virtual IPs has found its place, that is, until
        this host is its master or hears one.
      - If that does not come true, the state is returned as it is then, with RV(settled=false).
    type: float
    default: 0.0
  afresh:
    description:
      - Whether a master counts for O(settle) only if it was heard after this question, since the hosts may have been
        changed before it.
    type: bool
    default: false
author:
  - The failover.carp authors (@failover-carp)
seealso:
  - module: failover.carp.vip
"""

EXAMPLES = r"""
- name: Ask for the state of the virtual IPs
  failover.carp.vip_info:
  register: carp

- name: Say which of them this host holds
  ansible.builtin.debug:
    msg: "{{ carp.vips | selectattr('state', 'eq', 'MASTER') | map(attribute='name') }}"

- name: Wait until each virtual IP has found its place, half a minute at most
  failover.carp.vip_info:
    settle: 30
  register: carp
  failed_when: not carp.settled
"""

RETURN = r"""
settled:
  description: Whether this host is the master of each virtual IP or hears one.
  returned: success
  type: bool
  sample: true
vips:
  description: The virtual IPs.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name.
      type: str
    interface:
      description: The network interface.
      type: str
    vhid:
      description: The number of the virtual host.
      type: int
    state:
      description:
        - V(MASTER) if this host holds the addresses, V(BACKUP) if it is ready to take them over, and V(INIT) if it is
          neither, for example because the interface is down.
      type: str
    reason:
      description: Why it is in this state.
      type: str
    leaving:
      description: Whether it is about to hand the addresses over, and holds them only until another host has them.
      type: bool
    draining:
      description:
        - How far this host is with letting TCP connections end before it hands over; V(null) if it does not do so.
      type: dict
      contains:
        since:
          description: For how many seconds it has done so.
          type: float
        connections:
          description: How many connections are left; V(null) while that is not known.
          type: int
        left:
          description: For how many seconds more it waits at most.
          type: float
    since:
      description: For how many seconds it has been in this state.
      type: float
    transitions:
      description: How many times the state changed since the daemon started.
      type: int
    addresses:
      description: The virtual addresses, with their prefix lengths.
      type: list
      elements: str
    advbase:
      description: The interval between advertisements, in seconds.
      type: int
    advskew:
      description: What is added to the interval, in 1/256 seconds.
      type: int
    demotion:
      description: By how much this host ranks itself lower at present.
      type: int
    operator:
      description: By whose order the host leaves it to others; empty if there is none.
      type: str
    fault:
      description: Why the host must not be the master at all; empty if it may.
      type: str
    alarm:
      description: What a person should look at; empty if there is nothing.
      type: str
    rivals:
      description: Who else was seen to have one of the addresses.
      type: list
      elements: dict
      contains:
        address:
          description: The address.
          type: str
        mac:
          description: The MAC address of who says to have it.
          type: str
        age:
          description: How many seconds ago that was heard.
          type: float
        count:
          description: How often that was heard.
          type: int
    checks:
      description: The checks that concern it.
      type: list
      elements: dict
      contains:
        name:
          description: The name.
          type: str
        type:
          description: What kind of check it is.
          type: str
        state:
          description: V(good), V(failing), or V(unknown) before the first result.
          type: str
        since:
          description: For how many seconds it has been so.
          type: float
        detail:
          description: What the last look found, in words.
          type: str
        weight:
          description: By how much it demotes this host while it fails, or V(fault).
          type: raw
        peer:
          description: The other host whose health the check is about; empty for this host.
          type: str
    preempt:
      description: Whether this host would take the addresses from a less preferred master now.
      type: bool
    refused:
      description: How many advertisements were refused, by reason.
      type: dict
    sent:
      description: How many advertisements and goodbyes have left.
      type: int
    heard:
      description: How many advertisements were believed.
      type: int
    election:
      description: What decides about the next takeover; C(carpctl explain) says it in words.
      type: dict
      contains:
        state:
          description: The state as the daemon itself has it, such as V(LEAVING) or V(FAULTY).
          type: str
        obstacle:
          description: Why the interface cannot be used; empty if it can.
          type: str
        causes:
          description: What demotes this host, in words.
          type: list
          elements: str
        yielding:
          description: Whether it stepped down and does not take the addresses back until it is asked to.
          type: bool
        claiming:
          description: Whether it takes over at the next advertisement of a worse master, since it was asked to.
          type: bool
        preempt:
          description: Whether its policy lets it take the addresses back from a less preferred master.
          type: bool
        stable_for:
          description: For how many seconds it must have been sound before it does so.
          type: float
        sound_for:
          description: For how many seconds it has been sound.
          type: float
        patience:
          description: How many seconds of silence mean that the master is gone.
          type: float
        silence_left:
          description: How many of them are left; V(null) if nothing is counted, as on a master.
          type: float
    master:
      description: The master that was heard last, if this host hears one.
      type: dict
      contains:
        source:
          description: The address that its advertisements come from.
          type: str
        advbase:
          description: The interval that it advertises, in seconds.
          type: int
        advskew:
          description: What it adds to the interval, in 1/256 seconds.
          type: int
        demotion:
          description: By how much it ranks itself lower.
          type: int
        age:
          description: How many seconds ago it was heard.
          type: float
        mac:
          description: The MAC address of who said last to have the first address; empty if nobody has.
          type: str
  sample:
    - name: smtp
      interface: eth1
      vhid: 1
      state: BACKUP
      leaving: false
      draining: null
      reason: 172.17.0.75 advertises 1+0/256 s, which is better than ours
      since: 42.1
      transitions: 1
      addresses:
        - 172.17.0.74/20
      advbase: 1
      advskew: 20
      demotion: 0
      operator: ""
      fault: ""
      alarm: ""
      rivals: []
      checks: []
      preempt: true
      refused: {}
      sent: 0
      heard: 42
      election:
        state: BACKUP
        obstacle: ""
        causes: []
        yielding: false
        claiming: false
        preempt: true
        stable_for: 0.0
        sound_for: 42.1
        patience: 3.078
        silence_left: 2.678
      master:
        source: 172.17.0.75
        advbase: 1
        advskew: 0
        demotion: 0
        age: 0.4
        mac: 02:00:00:00:00:75
"""

import math
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.failover.carp.plugins.module_utils.carpd.control import ControlError, request

# Often enough to lose no time, seldom enough to cost the daemon nothing.
POLL = 0.1


def is_settled(vips: list[dict], within: float = math.inf) -> bool:
    """Tell whether each virtual IP has a master, here or elsewhere; one elsewhere heard ``within`` so many seconds."""
    return all(
        vip["state"] == "MASTER" or (vip["state"] == "BACKUP" and bool(vip["master"]) and vip["master"]["age"] < within)
        for vip in vips
    )


def ask(socket: str, timeout: float, settle: float, afresh: bool = False) -> tuple[list[dict], bool]:
    """Return the state of the virtual IPs and whether they have settled, once they have or the time for it is over.

    Raises ControlError if by then no daemon answers.
    """
    begin = time.monotonic()
    end = begin + settle
    while True:
        try:
            vips = request(socket, "status", timeout)
        except ControlError:
            if time.monotonic() >= end:
                raise
        else:
            settled = is_settled(vips, time.monotonic() - begin if afresh else math.inf)
            if settled or time.monotonic() >= end:
                return vips, settled
        time.sleep(POLL)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "socket": {"type": "path", "default": "/run/carpd/control.sock"},
            "timeout": {"type": "float", "default": 5.0},
            "settle": {"type": "float", "default": 0.0},
            "afresh": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        given = module.params
        vips, settled = ask(given["socket"], given["timeout"], given["settle"], given["afresh"])
    except ControlError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, vips=vips, settled=settled)


if __name__ == "__main__":
    main()
