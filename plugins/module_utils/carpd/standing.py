# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How good a master this host would be now: its rank less what its checks, or failing sends, take from it.

The demotion goes two ways at once, so that every dialect of CARP understands it: added to advskew, which ucarp and
FreeBSD compare, and as the demotion count that OpenBSD looks at first (OpenBSD ip_carp.c carp_proto_input_c).
"""

from __future__ import annotations

# As far as demotion can raise advskew (FreeBSD ip_carp.c DEMOTE_ADVSKEW); who is configured worse stays so.
WORST_SKEW = 240
MOST_DEMOTION = 255  # one byte on the wire
# Three failed sends in a row demote to the worst skew, and three good ones heal (UCarp src/carp.c carp_send_ad).
# A backup sends nothing, so there the penalty ends by time; ucarp would keep it for ever.
SEND_ERRORS = 3
SEND_ERROR_DEMOTION = 240
SEND_PENALTY_TIME = 30.0
# What the operator's wish that another host be master demotes by: to the worst skew, too.
RETIREMENT_DEMOTION = 240


class Standing:
    """Keeps book of everything that demotes one virtual host on this host."""

    def __init__(self) -> None:
        self._checks = 0
        self._doubts = 0
        self.retirement = ""  # why the operator wants another host to be master, if so
        self._failures = 0  # sends that failed in a row; while impaired, good ones still wanted
        self._impaired_at: float | None = None

    @property
    def demotion(self) -> int:
        """By how much this host ranks lower than it is configured to, 0 to 255."""
        retirement = RETIREMENT_DEMOTION if self.retirement else 0
        return min(MOST_DEMOTION, self.unordered + retirement)

    @property
    def unordered(self) -> int:
        """The same but for the operator's wish, 0 to 255."""
        return min(MOST_DEMOTION, self._checks + (SEND_ERROR_DEMOTION if self.impaired else 0))

    @property
    def feared(self) -> int:
        """The demotion if every check that failed last is going to be settled as failing."""
        return min(MOST_DEMOTION, self.demotion + self._doubts)

    @property
    def failing(self) -> bool:
        """Whether the last sends failed."""
        return self._failures > 0

    @property
    def impaired(self) -> bool:
        """Whether so many sends have failed that it demotes this host."""
        return self._impaired_at is not None

    def judge(self, demotion: int, doubts: int) -> bool:
        """Take in what the checks say, and return whether that changes the demotion.

        ``doubts`` is the weight of those checks that have failed, but not often enough yet to be sure.
        """
        before = self.demotion
        self._checks, self._doubts = max(0, demotion), max(0, doubts)
        return self.demotion != before

    def retire(self, reason: str) -> bool:
        """Take in why the operator wants another host to be master, if so; return whether that changes the demotion."""
        before, self.retirement = self.demotion, reason
        return self.demotion != before

    def sent(self, ok: bool, now: float) -> None:
        """Take note whether an advertisement left."""
        if ok:
            self._failures = max(0, self._failures - 1)
            if self._failures == 0:
                self._impaired_at = None
        else:
            self._failures = min(SEND_ERRORS, self._failures + 1)
            if self._failures == SEND_ERRORS:
                self._impaired_at = now

    def unheard(self, now: float) -> None:
        """Take note that mastership was lost; if since sending fails, it shall not come back at once."""
        if self._failures:
            self._failures, self._impaired_at = SEND_ERRORS, now

    def forgive(self, now: float) -> None:
        """Let a penalty that nothing was sent to prove wrong end in time."""
        if self._impaired_at is not None and now - self._impaired_at >= SEND_PENALTY_TIME:
            self._impaired_at, self._failures = None, 0


def demoted_skew(advskew: int, demotion: int) -> int:
    """Return the skew that a host advertises whose configured one is ``advskew``."""
    return max(advskew, min(WORST_SKEW, advskew + demotion))
