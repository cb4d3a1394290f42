# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide what a running Postfix needs to follow a change, and no more than that.

Open sessions survive a reload. A restart cuts them all and refuses new ones for about a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

NONE, POSTMAP, RELOAD, RESTART = ACTIONS = ("none", "postmap", "reload", "restart")

#: What master reads once, at its start. The last one sizes the backlog of the listening sockets, which are then open.
AT_START = ("inet_interfaces", "inet_protocols", "default_process_limit")


class Need(NamedTuple):
    """What has to be done, and the settings that are the reason for a restart."""

    action: str
    restart_for: tuple[str, ...] = ()


def need(files: Iterable[str], old: Mapping[str, str], new: Mapping[str, str]) -> Need:
    """Return the strongest action that the changed files need.

    ``files`` has an action for each changed file. ``old`` and ``new`` hold the expanded values of ``AT_START``; a name
    that is in one of them only (the live file could not be read, say) is no reason for a restart.
    """
    restart_for = tuple(name for name in AT_START if name in old and name in new and old[name] != new[name])
    if restart_for:
        return Need(RESTART, restart_for)
    return Need(max(files, key=ACTIONS.index, default=NONE))
