#!/usr/bin/python
# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Look at a host and its network before the CARP daemon runs there
version_added: 0.1.0
description:
  - Listens on the interfaces of virtual IPs for CARP and VRRP, asks who has their addresses, and sends trials of
    advertisements by multicast, broadcast and unicast, which this module hears on the other hosts if it runs there at
    the same time.
  - Looks at the network managers and the firewall of the host, and measures how late it wakes up.
  - Changes nothing, and needs nothing on the host but Python.
  - The trials are packets of IP protocol 112 with a version that neither CARP nor VRRP has. Their daemons drop them;
    some count or log that.
extends_documentation_fragment:
  - failover.carp.attributes
  - failover.carp.attributes.action_group
  - failover.carp.attributes.info
options:
  vips:
    description: The virtual IPs, as filter P(failover.carp.plan#filter) plans them. Other keys are left alone.
    type: list
    elements: dict
    required: true
  peers:
    description: The addresses of the other hosts, for trials by unicast. One of this host itself is left out.
    type: list
    elements: str
    default: []
  seconds:
    description: For how many seconds to listen.
    type: float
    default: 4.0
  wakeups:
    description: For how many seconds to measure how late the host wakes up.
    type: float
    default: 1.0
  salt:
    description:
      - What to mix into the digests of C(password_file) of virtual IPs, so that they can be compared between hosts
        without being told. Give a new one each time.
    type: str
    default: ""
  unless_running:
    description: The control socket of the daemon. If there is one, nothing is done.
    type: path
author:
  - The failover.carp authors (@failover-carp)
seealso:
  - plugin: failover.carp.unready
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Look at all hosts at the same time
  failover.carp.preflight:
    vips:
      - name: smtp
        interface: eth1
        vhid: 1
        addresses:
          - 172.17.0.74/20
    peers:
      - 172.17.0.75
      - 172.17.0.76
  register: carp_segment

- name: Show who speaks there
  ansible.builtin.debug:
    var: carp_segment.interfaces.eth1.speakers
"""

RETURN = r"""
looked:
  description: Whether anything was done, see O(unless_running).
  returned: success
  type: bool
  sample: true
interfaces:
  description: What was found, by interface.
  returned: success
  type: dict
  contains:
    speakers:
      description: Who speaks CARP or VRRP.
      type: list
      elements: dict
    free:
      description: For each number of a virtual host that was asked for, the nearest one that nobody uses.
      type: dict
    answers:
      description: The MAC addresses that answer for each virtual address.
      type: dict
    trials:
      description: The addresses of the hosts whose trials arrived, by path.
      type: dict
    failures:
      description: Why trials could not be sent, by path.
      type: dict
    source:
      description: The address that this host sent trials from; empty if it has none in the network.
      type: str
    mac:
      description: The MAC address of the interface.
      type: str
    error:
      description: Why the interface could not be listened on; empty if it could.
      type: str
  sample:
    eth1:
      speakers:
        - protocol: carp
          number: 1
          source: 172.17.0.99
          detail: advbase 1, advskew 0
          count: 5
      free:
        "1": 2
      answers:
        172.17.0.74:
          - 00:00:5e:00:01:01
      trials:
        multicast:
          - 172.17.0.76
        broadcast:
          - 172.17.0.76
        unicast:
          - 172.17.0.76
      failures: {}
      source: 172.17.0.75
      mac: 52:54:00:12:34:56
      error: ""
listened:
  description: When listening began and ended, by the host's clock.
  returned: when RV(looked=true)
  type: list
  elements: float
  sample: [1795377600.1, 1795377604.1]
wakeups:
  description: How late the host wakes up, and the timing profile that it is good for.
  returned: success
  type: dict
  sample:
    realtime: true
    samples: 190
    p99_ms: 0.08
    worst_ms: 0.21
    profile: fast
managers:
  description: What there is to say about network managers.
  returned: success
  type: list
  elements: str
  sample: []
firewall:
  description: What there is to say about the firewall.
  returned: success
  type: list
  elements: str
  sample: []
kernel:
  description: What options of the virtual IPs need and the kernel does not have.
  returned: success
  type: list
  elements: str
  sample: []
digests:
  description: The salted digests of the password files, by virtual IP.
  returned: success
  type: dict
  sample: {}
"""

import hashlib
import hmac
import os
import time
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address, ip_interface
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.failover.carp.plugins.module_utils.legacy.processes import held
from ansible_collections.failover.carp.plugins.module_utils.segment import hosts, listening, packets


def bare(address: str) -> str:
    """Return an address without its prefix length."""
    return str(address).partition("/")[0]


def source_for(addresses: list[str], own: list[str]) -> str:
    """Return the host's own IPv4 address in the network of a virtual one, empty if there is none."""
    virtual = [bare(address) for address in addresses]
    for address in virtual:
        for candidate in own:
            known = ip_interface(candidate)
            if ip_address(address) in known.network and str(known.ip) not in virtual:
                return str(known.ip)
    return ""


def look(interface: str, vips: list[dict], own: list[str], peers: list[str], seconds: float) -> dict[str, Any]:
    """Return what was found on one interface."""
    # As they are heard, by what they were given as.
    asked = {bare(address): str(ip_address(bare(address))) for vip in vips for address in vip["addresses"]}
    addresses = list(dict.fromkeys(asked.values()))
    source = source_for([address for vip in vips for address in vip["addresses"]], own)
    others = tuple(peer for peer in peers if peer not in {bare(address) for address in own})
    found: dict[str, Any] = {"speakers": [], "free": {}, "answers": {}, "trials": {}, "failures": {}}
    found.update({"source": source, "mac": "", "error": ""})
    try:
        segment = listening.listen(interface, seconds, addresses, source, others)
        found["mac"] = listening.mac_of(interface).hex(":")
    except OSError as error:
        found["error"] = f"{interface} cannot be listened on: {error.strerror}"
        return found
    taken = set()
    trials: dict[str, set[str]] = {path: set() for path in packets.PATHS}
    for heard, count in sorted(segment.heard.items()):
        if heard.protocol == packets.TRIAL:
            trials[packets.PATHS[heard.number]].add(heard.source)
            continue
        taken.add(heard.number)
        about = {"protocol": heard.protocol, "number": heard.number, "source": heard.source, "detail": heard.detail}
        found["speakers"].append({**about, "count": count})
    found["trials"] = {path: sorted(sources) for path, sources in trials.items()}
    found["answers"] = {
        given: sorted(segment.answers[address]) for given, address in asked.items() if address in segment.answers
    }
    found["failures"] = segment.failures
    found["free"] = {str(vip["vhid"]): packets.free_number(taken, int(vip["vhid"])) for vip in vips}
    return found


def digests(vips: list[dict], salt: str) -> dict[str, str]:
    """Return the salted digests of the password files that are there."""
    found = {}
    for vip in vips:
        try:
            with open(vip.get("password_file") or "", "rb") as file:
                secret = file.readline(4096).rstrip(b"\r\n")
        except OSError:
            continue
        found[vip["name"]] = hmac.new(salt.encode(), secret, hashlib.sha256).hexdigest()
    return found


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "vips": {"type": "list", "elements": "dict", "required": True},
            "peers": {"type": "list", "elements": "str", "default": []},
            "seconds": {"type": "float", "default": 4.0},
            "wakeups": {"type": "float", "default": 1.0},
            "salt": {"type": "str", "default": "", "no_log": False},
            "unless_running": {"type": "path"},
        },
        supports_check_mode=True,
    )
    given = module.params
    if given["unless_running"] and os.path.exists(given["unless_running"]):
        module.exit_json(
            changed=False, looked=False, interfaces={}, wakeups={}, managers=[], firewall=[], kernel=[], digests={}
        )
    own = held(module.run_command)
    begin = time.time()
    by_interface: dict[str, list[dict]] = {}
    for vip in given["vips"]:
        by_interface.setdefault(str(vip["interface"]), []).append(vip)
    # All at once, so that many interfaces take no longer than one.
    with ThreadPoolExecutor(max(1, len(by_interface))) as pool:
        looks = {
            name: pool.submit(look, name, vips, own.get(name, []), given["peers"], given["seconds"])
            for name, vips in by_interface.items()
        }
        interfaces = {name: future.result() for name, future in looks.items()}
    end = time.time()
    # Afterwards, lest one disturbs the other.
    wakeups = hosts.measured(given["wakeups"])

    def run(command: list[str]) -> tuple[int, str, str]:
        return module.run_command(command) if module.get_bin_path(command[0]) else (127, "", "")

    module.exit_json(
        changed=False,
        looked=True,
        interfaces=interfaces,
        listened=[begin, end],
        wakeups=wakeups,
        managers=[text for name in by_interface for text in hosts.managers(run, name)],
        kernel=hosts.lacks(run, given["vips"]),
        firewall=hosts.firewall(run(["nft", "list", "ruleset"])[1]),
        digests=digests(given["vips"], given["salt"]),
    )


if __name__ == "__main__":
    main()
