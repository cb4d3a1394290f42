# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Made-up drills, for the tests of what is made of a drill."""

from __future__ import annotations

from drill.events import Event
from drill.report import Report


def address(at: float, machine: str, held: bool) -> Event:
    """The address comes or goes."""
    return Event(at, machine, "address", {"held": held})


def link(at: float, machine: str, up: bool) -> Event:
    """The link comes or goes."""
    return Event(at, machine, "link", {"up": up})


def accepted(at: float, number: int, began: float) -> Event:
    """A mail was accepted."""
    return Event(at, "client", "accepted", {"mail": number, "began": began, "tries": 1})


def gap(start: float, end: float) -> Event:
    """The pings had no answer."""
    return Event(end, "client", "gap", {"start": start, "end": end})


def good(*more: Event, arrived: dict[str, list[int]] | None = None, mails: int = 20) -> Report:
    """A drill as it should be: from 100 to 120, pulled at 105, taken over at 108, plugged at 112, back at 112.5."""
    events = [
        link(99, "server1", True),
        link(99, "server2", True),
        address(99, "server1", True),
        address(99, "server2", False),
        link(105, "server1", False),
        address(105.01, "server1", False),
        address(108, "server2", True),
        gap(104.99, 108.01),
        link(112, "server1", True),
        address(112.5, "server1", True),
        address(112.51, "server2", False),
        # One a second, those between 105 and 108 late.
        *(accepted(100.5 + n if not 5 <= n < 8 else 108.1, n, 100.5 + n) for n in range(20)),
        Event(119.9, "client", "sent", {"mails": mails}),
    ]
    there = {"server1": [*range(5), *range(13, 20)], "server2": [*range(5, 13)]}
    return Report(
        preferred="server1",
        standby="server2",
        address="192.0.2.74",
        start=100,
        pulled=105,
        plugged=112,
        end=120,
        events=sorted([*events, *more], key=lambda event: event.at),
        arrived=arrived or there,
    )
