# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual hosts that move together: what puts one of a group back does so to all of them.

A router has an address on either side of it; one side alone is of no use. As on OpenBSD, where the demotion counts for
the interface group, a side that has no carrier demotes the other: that still serves where no other host can.
"""

from __future__ import annotations

from collections.abc import Mapping

from .standing import MOST_DEMOTION
from .tracking import Verdict
from .typed import NamedTuple


class Member(NamedTuple):
    """One virtual host: its group, if it is in one, what keeps it from working, and what its own checks say."""

    group: str
    obstacle: str
    verdict: Verdict


def share(members: Mapping[str, Member]) -> dict[str, Verdict]:
    """Return what the whole group has to say about each virtual host, by name."""
    verdicts = {}
    for name, member in members.items():
        verdict = member.verdict
        for other, one in members.items() if member.group else ():
            if other != name and one.group == member.group:
                verdict = _worse(verdict, _of(other, one))
        verdicts[name] = verdict
    return verdicts


def _of(name: str, member: Member) -> Verdict:
    """Return what a virtual host means for the others of its group."""
    verdict = member.verdict
    if member.obstacle:
        return Verdict(MOST_DEMOTION, verdict.doubts, "", f"{name}, of the same group, cannot work: {member.obstacle}")
    fault = f"{name}, of the same group: {verdict.fault}" if verdict.fault else ""
    reason = f"{name}, of the same group: {verdict.reason}" if verdict.reason else ""
    return Verdict(verdict.demotion, verdict.doubts, fault, reason)


def _worse(one: Verdict, other: Verdict) -> Verdict:
    """A check that several of a group share counts once, so that demotions are not added up."""
    heavier = other if other.demotion > one.demotion else one
    # What the services of peers look like is everybody's own matter: it is told to those peers, about one address.
    doubts, fault = max(one.doubts, other.doubts), one.fault or other.fault
    return Verdict(heavier.demotion, doubts, fault, heavier.reason, one.views)
