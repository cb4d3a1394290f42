# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules of this collection say about themselves in the same words."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragments ``failover.carp.attributes`` and ``failover.carp.attributes.NAME``."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Whether the module can tell what it would change without changing it.
  diff_mode:
    description: Whether the module shows what it changes, or in check mode what it would change.
  idempotent:
    description: Whether running the module a second time changes nothing.
  platform:
    description: The systems on which the module runs.
    support: full
    platforms: linux
"""

    ACTION_GROUP = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/failover.carp.carp) in C(module_defaults) to set options for all modules of the group.
    support: full
    membership:
      - failover.carp.carp
"""

    WRITES = r"""
options: {}
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
"""

    INFO = r"""
options: {}
attributes:
  check_mode:
    support: full
    details: This module changes nothing.
  diff_mode:
    support: N/A
    details: This module changes nothing.
  idempotent:
    support: full
    details: This module changes nothing.
"""
