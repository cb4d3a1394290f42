# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter failover.carp.postfix_plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.failover.carp.plugins.plugin_utils import mail, mail_services

DOCUMENTATION = r"""
name: postfix_plan
author:
  - The failover.carp authors (@failover-carp)
version_added: 0.1.0
short_description: Find out what mail servers behind one address must know of each other
description:
  - Finds the names and addresses of all mail servers of a group, so that each of them can be configured alike.
  - Finds every mistake. The filter does not fail, so that a play can show the mistakes of all hosts at once.
  - A server that the play leaves out is found by what the inventory says about it.
positional: _input, host, hostvars, variables
options:
  _input:
    description: The mail servers, as the inventory calls them.
    type: list
    elements: str
    required: true
  host:
    description: The server to plan for.
    type: str
    required: true
  hostvars:
    description: The variables of all hosts.
    type: dict
    required: true
  variables:
    description:
      - The variables of the role P(failover.carp.postfix#role) that the plan depends on, without their prefix.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show how the servers are called
  ansible.builtin.debug:
    msg: "{{ (groups.carp | failover.carp.postfix_plan(inventory_hostname, hostvars, variables)).hostnames }}"
  vars:
    variables:
      service_hostname: mail.example.com
      vip_addresses:
        - 172.17.0.74
# => ["server1.example.com", "server2.example.com"]
"""

RETURN = r"""
_value:
  description: The plan.
  type: dict
  contains:
    hostname:
      description: The server's own name.
      type: str
    hostnames:
      description: The names of all servers.
      type: list
      elements: str
    domain:
      description: The domain of the service.
      type: str
    service_hostname:
      description: The name of the service.
      type: str
    networks:
      description: The networks that may send, the servers and the shared addresses among them.
      type: list
      elements: str
    vips:
      description: The shared addresses as Postfix writes them.
      type: list
      elements: str
    source:
      description: The settings of C(main.cf) that say which address mail goes out from.
      type: dict
    services:
      description: The services of C(master.cf) for people's mail programs and for the other servers.
      type: list
      elements: dict
    handover_table:
      description: The table that sends mail to the server that holds the address.
      type: str
    problems:
      description: What is wrong, each a line of text.
      type: list
      elements: str
"""


def postfix_plan(
    hosts: Iterable[str], host: str, hostvars: Mapping[str, Any], variables: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what the server must know."""
    service_hostname = str(variables["service_hostname"])
    vips = [str(address) for address in variables["vip_addresses"]]
    domain = service_hostname.partition(".")[2]
    nodes = {name: mail.find_node(name, hostvars[name], domain) for name in hosts}
    problems = [
        *mail.node_faults(list(nodes.values()), service_hostname, vips),
        *mail.setting_faults(variables.get("main", {}), variables.get("main_host", {}), service_hostname, vips),
        *mail.domain_faults(variables.get("domains", {})),
        *mail_services.faults(variables),
    ]
    problems += mail.host_faults(host, hostvars[host].get("ansible_facts") or {})
    if host not in nodes:
        problems.append(f"postfix_nodes_group: has no {host}; it must have every host that the role runs on")
    addresses = [address for node in nodes.values() for address in node.addresses]
    networks = [*variables.get("mynetworks", []), *addresses, *vips]
    source = str(variables.get("outbound_source", mail_services.NODE))
    port = int(variables.get("handover_port", 10025))
    services = mail_services.submission_services(bool(variables.get("submission")), bool(variables.get("submissions")))
    if variables.get("handover", True):
        services += mail_services.handover_services(port, addresses, vips, source)
    hostnames = [node.hostname for node in nodes.values()]
    local = [service_hostname, *hostnames, "localhost", *variables.get("domains", {}).get("postfix_domains_local", [])]
    return {
        "source": mail_services.source_settings(source, vips, service_hostname),
        "services": services,
        "handover_table": mail_services.handover_table(port, vips, local),
        "hostname": nodes[host].hostname if host in nodes else "",
        "hostnames": hostnames,
        "domain": domain,
        "service_hostname": service_hostname,
        "networks": [mail.bracketed(str(network)) for network in networks],
        "vips": [mail.bracketed(address) for address in vips],
        "problems": problems,
    }


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Any]:
        """Return the filters of this file."""
        return {"postfix_plan": postfix_plan}
