# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The count of a master's silence, and what is asked meanwhile: whether its host still answers.

Below one second of patience, the lease of a master whose user space is frozen outlives it. Its kernel still answers
ARP, though: a host that answers has lost its daemon only, and its addresses will fall when their lease ends. One that
does not has lost its power or its link. The question is put while the silence is still being counted, so that it costs
no time.
"""

from __future__ import annotations

import math

# A question is put when an advertisement is overdue by half an interval, and given one interval to be answered.
ASK_AFTER = 1.5
ANSWER_TIME = 1.0


class Silence:
    """What a backup counts. All times are monotonic seconds; infinity is never."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Count nothing."""
        self.since = math.inf
        self.ends_at = math.inf  # when it has lasted long enough
        self.cut_short_by = ""  # why it need not last any longer
        self.answered = False
        self._interval = math.inf
        self._ask_at = math.inf
        self._asked = False

    @property
    def next_timer(self) -> float:
        """When there is something to do."""
        return min(self.ends_at, self._ask_at)

    def begin(self, interval: float, patience: float, now: float) -> None:
        """Count anew: the master advertises at this interval, and is gone after so much silence."""
        self.clear()
        self.since, self.ends_at, self._interval = now, now + patience, interval

    def ask(self, now: float) -> None:
        """Put questions once an advertisement is overdue."""
        if not self.cut_short_by:
            self._ask_at = min(self._ask_at, max(now, self.since + ASK_AFTER * self._interval))

    def asks(self, now: float) -> bool:
        """Tell whether a question is due, and count on its being put now."""
        if now < self._ask_at:
            return False
        if not self._asked:
            self._asked = True
            self.ends_at = max(self.ends_at, now + ANSWER_TIME * self._interval)
        self._ask_at = now + self._interval
        return True

    def answer(self) -> None:
        """Take note of an answer; one that nobody asked for says nothing about now."""
        self.answered = self._asked

    def cut_short(self, delay: float, reason: str, now: float) -> None:
        """Let it end soon: there is nothing more to wait for."""
        self.cut_short_by = reason
        self.ends_at = min(self.ends_at, now + delay)
        self._ask_at = math.inf

    def prolong(self, until: float) -> None:
        """Let it last until then, without more questions."""
        self.ends_at, self._ask_at = until, math.inf
