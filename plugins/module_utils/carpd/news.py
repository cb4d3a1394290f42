# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the daemon tells whoever wants to know: one value for each thing that happened, whatever is made of it."""

from __future__ import annotations

from .typed import NamedTuple

STATE = "state"  # old and new are states of the election
DEMOTION = "demotion"  # old and new are numbers
ORDER = "order"  # the operator's; old and new are why the virtual host is demoted by that, empty for not at all
ALARM = "alarm"  # new is the kind, in one word
MAINTENANCE = "maintenance"  # of the whole host; new is on or off
RELOAD = "reload"


class News(NamedTuple):
    """One thing that happened. ``vip`` is the name of the virtual host, empty for the whole daemon."""

    kind: str
    vip: str
    old: str
    new: str
    reason: str


def nobody(_news: News) -> None:
    """Tell nobody."""
