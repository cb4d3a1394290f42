# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an election asks its shell to do."""

from __future__ import annotations

from .records import dataclass
from .transitions import State
from .typed import Union


@dataclass(frozen=True)
class Advertise:
    """Send an advertisement with these values, then call ``sent``."""

    advbase: int
    advskew: int
    demotion: int = 0


@dataclass(frozen=True)
class Hold:
    """Add the addresses, or renew their lease, for this many seconds."""

    lease: int


@dataclass(frozen=True)
class Release:
    """Remove the addresses."""


@dataclass(frozen=True)
class HoldBack:
    """Let no new connection to the addresses begin."""


@dataclass(frozen=True)
class LetIn:
    """End that."""


@dataclass(frozen=True)
class Count:
    """Count the connections to the addresses, then call ``counted``."""


@dataclass(frozen=True)
class Reset:
    """End the connections that the addresses have, or have had, then call ``was_reset``."""


@dataclass(frozen=True)
class Announce:
    """Tell the segment where the addresses are now."""


@dataclass(frozen=True)
class Ask:
    """Ask the segment who has the addresses, and call ``answered`` for each answer."""


@dataclass(frozen=True)
class Changed:
    """The state has changed; for the log and whoever watches."""

    old: State
    new: State
    reason: str


Action = Union[Advertise, Hold, Release, HoldBack, LetIn, Count, Reset, Announce, Ask, Changed]
