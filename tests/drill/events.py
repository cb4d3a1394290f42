# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an agent reports."""

from __future__ import annotations

import json
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Event:
    """One line of an agent: what happened on which machine, and when by the monotonic clock."""

    at: float
    machine: str
    kind: str
    facts: dict[str, object] = field(default_factory=dict)

    @classmethod
    def parse(cls, machine: str, line: str) -> Event:
        """Read an agent's line."""
        facts = json.loads(line)
        return cls(at=facts.pop("at"), machine=machine, kind=facts.pop("kind"), facts=facts)
