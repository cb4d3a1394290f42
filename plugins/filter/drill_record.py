# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter failover.carp.drill_record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.failover.carp.plugins.plugin_utils.drill_record import Seen, judge

DOCUMENTATION = r"""
name: drill_record
author:
  - The failover.carp authors (@failover-carp)
version_added: 0.1.0
short_description: Judge a drill
description:
  - From what the modules M(failover.carp.drill_watch), M(failover.carp.drill_probe),
    M(failover.carp.drill_fault), M(failover.carp.drill_service) and
    M(failover.carp.drill_arrivals) saw, makes the record of a drill, with each promise and whether it was kept.
  - All times of the record are in seconds since the prober began.
options:
  _input:
    description:
      - The result of C(failover.carp.drill_plan) as C(plan); results of modules as C(probe), C(service), and by host
        C(watches) and C(arrivals); C(faults), each with C(kind), C(host) and C(result); what is wrong with the hosts at
        the end (C(health)); and what broke the drill off, if so (C(trouble)).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Judge
  ansible.builtin.set_fact:
    record: "{{ {'plan': plan, 'probe': probe, 'watches': watches, 'faults': faults} | failover.carp.drill_record }}"
"""

RETURN = r"""
_value:
  description: The record, as docs/operating.md describes it.
  type: dict
"""


def drill_record(seen: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record."""
    return judge(Seen(**seen))


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Any]:
        """Return the filters of this file."""
        return {"drill_record": drill_record}
