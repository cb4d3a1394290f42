# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The count of a master's silence, and what is asked meanwhile: whether somebody still has the addresses.

A master that is not heard may be dead, or hang with all of its user space while its kernel still answers for addresses
whose lease has not ended, or work on behind a switch or firewall that keeps its advertisements back. Who has an address
answers ARP or neighbour solicitation in all but the first case. The question is put while the silence is still being
counted, so that it costs no time.
"""

from __future__ import annotations

import math

# A question is put when an advertisement is overdue by half an interval, and given one interval to be answered, but not
# more than this, in seconds: a kernel answers at once, and the network takes no longer than that.
ASK_AFTER = 1.5
ANSWER_TIME = 0.1
# While somebody has the addresses, three questions are put before the next decision, one in this part of an interval,
# but not more often than this, in seconds: whoever fails to answer all of them has gone.
QUESTIONS = 3
PART = 0.25
SHORTEST_PART = 0.05


class Silence:
    """What a backup counts. All times are monotonic seconds; infinity is never."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Count nothing."""
        self.since = math.inf
        self.ends_at = math.inf  # when it has lasted long enough
        self.cut_short_by = ""  # why it need not last any longer
        self.answered = False  # by somebody
        self.answered_by_master = False  # that is, by the MAC that the last master's advertisements came from
        self._interval = math.inf
        self._pace = math.inf
        self._ask_at = math.inf
        self._asked = False

    @property
    def _answer_time(self) -> float:
        return min(ANSWER_TIME, self._interval)

    @property
    def next_timer(self) -> float:
        """When there is something to do."""
        return min(self.ends_at, self._ask_at)

    def begin(self, interval: float, patience: float, now: float) -> None:
        """Count anew: the master advertises at this interval, and is gone after so much silence."""
        self.clear()
        self.since, self.ends_at, self._interval = now, now + patience, interval
        self._pace, self._ask_at = interval, now + min(ASK_AFTER * interval, patience - self._answer_time)

    def asks(self, now: float) -> bool:
        """Tell whether a question is due, and count on its being put now."""
        if now < self._ask_at:
            return False
        if not self._asked:
            self._asked = True
            self.ends_at = max(self.ends_at, now + self._answer_time)
        self._ask_at = now + self._pace
        return True

    def answer(self, by_master: bool) -> None:
        """Take note of an answer; one that nobody asked for says nothing about now."""
        self.answered |= self._asked
        self.answered_by_master |= self._asked and by_master

    def cut_short(self, delay: float, reason: str, now: float) -> None:
        """Let it end soon: there is nothing more to wait for."""
        self.cut_short_by = reason
        self.ends_at = min(self.ends_at, now + delay)
        self._ask_at = math.inf

    def prolong(self, now: float) -> None:
        """Let it last a little longer, and ask again."""
        self.answered = self.answered_by_master = False
        self._pace = max(SHORTEST_PART, PART * self._interval)
        self._ask_at, self.ends_at = now, now + QUESTIONS * self._pace
