# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter failover.carp.with_passwords."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.failover.carp.plugins.plugin_utils import passwords as secrets

DOCUMENTATION = r"""
name: with_passwords
author:
  - The failover.carp authors (@failover-carp)
version_added: 0.1.0
short_description: Add the passwords to a plan
description:
  - A plan made by P(failover.carp.plan#filter) has no secrets, so that it can be shown and kept in a fact. This filter
    adds them at the moment they are needed.
positional: _input, given, passwords, accepted
options:
  _input:
    description: The virtual IPs of the plan.
    type: list
    elements: dict
    required: true
  given:
    description: The virtual IPs that the plan was made from. They may have a password each.
    type: list
    elements: dict
    required: true
  passwords:
    description: The passwords by name of the virtual IP.
    type: dict
    default: {}
  accepted:
    description: Other passwords to accept, by name of the virtual IP.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Configure the virtual IPs of this host
  failover.carp.vip:
    vips: "{{ carp_plan.vips | failover.carp.with_passwords(carp_vips, carp_passwords) }}"
    state: only
  no_log: true
"""

RETURN = r"""
_value:
  description: The virtual IPs, as M(failover.carp.vip) takes them.
  type: list
  elements: dict
"""


def with_passwords(
    vips: Iterable[Mapping[str, Any]],
    given: Iterable[Mapping[str, Any]],
    passwords: Mapping[str, Any] | None = None,
    accepted: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """Return the virtual IPs of a plan, each together with the passwords that it has."""
    entries = {str(entry["name"]): entry for entry in given}
    completed = []
    for vip in vips:
        entry = entries[str(vip["name"])]
        found = {
            "password": secrets.find(entry, passwords or {}),
            "accept_password": secrets.find_accepted(entry, accepted or {}),
        }
        completed.append({**vip, **{option: secret for option, secret in found.items() if secret is not None}})
    return completed


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Any]:
        """Return the filters of this file."""
        return {"with_passwords": with_passwords}
