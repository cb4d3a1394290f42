# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter failover.carp.mail_drift."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.failover.carp.plugins.plugin_utils.mail_drift import find

DOCUMENTATION = r"""
name: mail_drift
author:
  - The failover.carp authors (@failover-carp)
version_added: 0.1.0
short_description: Tell where mail servers that should be alike are not
description:
  - Compares what M(failover.carp.postfix_info) told of each server, and names server, file and key.
  - Of C(main.cf), C(myhostname) may differ, and what is in C(postfix_main_host) of one of the servers.
positional: _input, hostvars
options:
  _input:
    description: The servers.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variables of all hosts.
    type: dict
    required: true
  found:
    description: The name of the variable of each server that has the result of the module.
    type: str
    default: mail_found
"""

EXAMPLES = r"""
- name: Require that the servers are alike
  ansible.builtin.assert:
    that: differences | length == 0
    fail_msg: "{{ differences }}"
  vars:
    differences: "{{ groups.carp | failover.carp.mail_drift(hostvars) }}"
"""

RETURN = r"""
_value:
  description: What differs or is wrong, each a line of text.
  type: list
  elements: str
"""


def mail_drift(hosts: Iterable[str], hostvars: Mapping[str, Any], found: str = "mail_found") -> list[str]:
    """Return what differs between the hosts."""
    names = [str(host) for host in hosts]
    infos = {host: _info(hostvars[host].get(found) or {}) for host in names}
    own = {host: list(hostvars[host].get("postfix_main_host") or {}) for host in names}
    services = [str(hostvars[host].get("postfix_service_hostname") or "") for host in names]
    return find(infos, own, next(iter(services), ""), time.time())


def _info(result: Mapping[str, Any]) -> Mapping[str, Any]:
    return result if "main" in result else {"msg": str(result.get("msg") or "it could not be asked")}


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Any]:
        """Return the filters of this file."""
        return {"mail_drift": mail_drift}
