# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health of this host as the daemon sees it: runs the checker, believes its results, and tells who asks."""

from __future__ import annotations

import math
import selectors
from collections.abc import Callable, Iterable

from .checkconfig import Check
from .checker import Checker
from .forked import reap
from .logs import log
from .tracking import Tracker, Verdict
from .typed import Any

_RESTART_INTERVAL = 1.0  # seconds at least between two starts of the checker
_REAP_INTERVAL = 0.5


class Health:
    """Knows what the checks say. ``changed`` is called whenever that may be something new.

    ``clock`` returns monotonic seconds.
    """

    def __init__(
        self, selector: selectors.BaseSelector, clock: Callable[[], float], changed: Callable[[], None]
    ) -> None:
        self._selector = selector
        self._clock = clock
        self._changed = changed
        self._tracker = Tracker()
        self._checks: tuple[Check, ...] = ()
        self._checker: Checker | None = None
        self._start_at = math.inf
        self._started_at = -math.inf
        self._ending: list[int] = []
        self._reap_at = math.inf

    def configure(self, checks: tuple[Check, ...]) -> None:
        """Run these checks. What is known of those that stay is kept; the checker is replaced if it has to change."""
        old, self._checks = self._checks, checks
        self._tracker.configure(checks, self._clock())
        if [check.probe for check in checks] != [check.probe for check in old]:
            self._end()
            self._start_at = self._clock() if checks else math.inf
            self._start()
        self._changed()

    def verdict(self, vip: str) -> Verdict:
        """Return what the checks say about a virtual host."""
        return self._tracker.verdict(vip)

    def status(self, vip: str) -> list[dict[str, Any]]:
        """Return how the checks of a virtual host are, as JSON can carry it."""
        return self._tracker.status(vip, self._clock())

    def next_timer(self) -> float:
        """Return when ``due`` wants to be called."""
        return min(self._tracker.next_timer(), self._start_at, self._reap_at)

    def due(self) -> None:
        """Do what the time has come for."""
        now = self._clock()
        self._start()
        if now >= self._reap_at:
            self._ending = [pid for pid in self._ending if not reap(pid)]
            self._reap_at = now + _REAP_INTERVAL if self._ending else math.inf
        self._tell(self._tracker.due(now))

    def children(self) -> list[int]:
        """Return the processes that end with this."""
        return [*self._ending, *([self._checker.pid] if self._checker is not None else [])]

    def await_end(self, children: Iterable[int]) -> None:
        """See to it that these processes are not left in the books when they have ended."""
        self._ending.extend(children)
        self._reap_at = min(self._reap_at, self._clock() + _REAP_INTERVAL)

    def close(self) -> None:
        """Let the checker end."""
        self._end()

    def _start(self) -> None:
        now = self._clock()
        if now < self._start_at:
            return
        try:
            self._checker = Checker(self._checks)
        except OSError as error:
            log.error("the checks cannot be run: %s", error.strerror)
            self._start_at = now + _RESTART_INTERVAL
            return
        self._started_at, self._start_at = now, math.inf
        self._selector.register(self._checker, selectors.EVENT_READ, self._read)

    def _end(self) -> None:
        if self._checker is not None:
            self._selector.unregister(self._checker)
            self._checker.close()
            self._ending.append(self._checker.pid)
            self._reap_at = self._clock() + _REAP_INTERVAL
            self._checker = None

    def _read(self) -> None:
        results = self._checker.read() if self._checker is not None else []
        if results is None:
            log.warning("the checker has died; it is replaced")
            self._end()
            self._start_at = self._started_at + _RESTART_INTERVAL
            return
        now = self._clock()
        for result in results:
            log.debug("check %s: %s in %.3f s: %s", result.name, result.ok, result.duration, result.detail)
        self._tell([self._tracker.report(result.name, result.ok, result.detail, now) for result in results])
        self._changed()

    def _tell(self, news: list[str]) -> None:
        lines = [line for line in news if line]
        for line in lines:
            log.warning("%s", line)
        if lines:
            self._changed()
