# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the process that answers Prometheus running, as long as the configuration wants it."""

from __future__ import annotations

import math
import selectors
from collections.abc import Callable

from .forked import reap
from .logs import log
from .targets import Endpoint
from .typed import TYPE_CHECKING

if TYPE_CHECKING:
    from .exporter import Exporter

_RETRY = 1.0  # seconds between two starts


class Export:
    """Starts the exporter, and replaces it when it dies. ``clock`` returns monotonic seconds."""

    def __init__(self, selector: selectors.BaseSelector, control: str, clock: Callable[[], float]) -> None:
        self._selector = selector
        self._control = control
        self._clock = clock
        self._endpoint: Endpoint | None = None
        self._exporter: Exporter | None = None
        self._start_at = math.inf
        self._gone: list[int] = []
        self._complaint = ""

    def configure(self, endpoint: Endpoint | None) -> None:
        """Answer there, or with None nowhere."""
        if endpoint != self._endpoint:
            self._endpoint, self._complaint = endpoint, ""
            self.close()
            self._start_at = self._clock() if endpoint else math.inf
            self.due()

    def children(self) -> list[int]:
        """Return the processes that end with this."""
        return [*self._gone, *([self._exporter.pid] if self._exporter is not None else [])]

    def next_timer(self) -> float:
        """Return when ``due`` wants to be called."""
        return self._start_at

    def due(self) -> None:
        """Do what the time has come for."""
        if self._clock() < self._start_at or self._endpoint is None:
            return
        from .exporter import Exporter  # here, since few want it

        self._gone = [pid for pid in self._gone if not reap(pid)]
        try:
            self._exporter = Exporter(self._endpoint, self._control)
        except OSError as error:
            self._start_at = self._clock() + _RETRY
            if error.strerror != self._complaint:  # the one before may not have ended yet
                self._complaint = error.strerror or ""
                log.error("metrics cannot be told at %s port %d: %s", *self._endpoint[:2], self._complaint)
            return
        self._start_at = math.inf
        self._selector.register(self._exporter, selectors.EVENT_READ, self._died)

    def close(self) -> None:
        """Let the exporter end."""
        if self._exporter is not None:
            self._selector.unregister(self._exporter)
            self._exporter.close()
            self._gone.append(self._exporter.pid)
            self._exporter = None

    def _died(self) -> None:
        log.warning("the process that tells metrics has died; it is replaced")
        self.close()
        self._start_at = self._clock() + _RETRY
