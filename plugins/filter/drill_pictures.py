# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter failover.carp.drill_pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.failover.carp.plugins.plugin_utils.drill_picture import pictures

DOCUMENTATION = r"""
name: drill_pictures
author:
  - The failover.carp authors (@failover-carp)
version_added: 0.1.0
short_description: Draw a drill
description:
  - Draws the record that C(failover.carp.drill_record) made, as SVG to be put into a page of HTML.
options:
  _input:
    description: The record.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Draw
  ansible.builtin.set_fact:
    picture: "{{ (record | failover.carp.drill_pictures).whole }}"
"""

RETURN = r"""
_value:
  description: What was drawn.
  type: dict
  contains:
    whole:
      description: The whole drill.
      type: str
    faults:
      description: Each fault, empty for one that did not come about.
      type: list
      elements: str
    changes:
      description: The same in words, each with C(at) and C(what).
      type: list
      elements: dict
"""


def drill_pictures(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the pictures."""
    return pictures(record)


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Any]:
        """Return the filters of this file."""
        return {"drill_pictures": drill_pictures}
