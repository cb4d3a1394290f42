# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The promise that is about several virtual hosts at once: who cannot serve one side keeps no other."""

from __future__ import annotations

from collections.abc import Sequence

from broken import Broken
from host import Host
from world import World

_SETTLED = 4.0  # seconds after which the sound host has been master for long, on both sides
_LONG = 60.0  # seconds after which nobody remembers that the kernel refused an address


class Together:
    """Watches computers of which each has virtual hosts that move together."""

    def __init__(self, world: World, computers: Sequence[Sequence[Host]]) -> None:
        self._world = world
        self._computers = computers
        self._since = 0.0
        self._before: object = None

    def check(self) -> None:
        """Look at the world; whatever changes, be it who owns what, begins the time anew."""
        state = [_looks(host) for computer in self._computers for host in computer]
        disturbed = any(host.segment.disturbed for computer in self._computers for host in computer)
        if state != self._before or disturbed:
            self._before, self._since = state, self._world.now
        if self._world.now - self._since < _SETTLED or not any(_is_sound(computer) for computer in self._computers):
            return
        for computer in self._computers:
            for host in computer:
                if host.owns and host.running and any(_is_sick(one) for one in computer):
                    raise Broken("together", f"{host.name} owns its address, but one that moves with it cannot work")


def _looks(host: Host) -> tuple[object, ...]:
    told = host.speaker.machine.demotion if host.speaker is not None else 0
    wrong = (host.carrier, host.sending_works, host.refuses, host.demotion, host.fault_since)
    return host.owns, host.running, told, wrong


def _is_sick(host: Host) -> bool:
    return not host.carrier or host.fault_since is not None or host.demotion > 0


def _is_sound(computer: Sequence[Host]) -> bool:
    """Whether nothing at all is wrong with a computer, nor has lately been."""
    return all(
        host.running
        and host.speaker is not None
        and host.speaker.machine.demotion == 0
        and not _is_sick(host)
        and host.sending_works
        and not host.refuses
        and not host.loading
        and host.world.now - host.refused_at > _LONG
        for host in computer
    )
