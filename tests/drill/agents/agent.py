# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every agent does alike: talk to the driver in JSON lines, and end when the driver does.

An agent is a small program that runs inside one of the lab's machines. All machines share one kernel, and so the
monotonic clock, which makes the times of all agents comparable.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable

_writing = threading.Lock()


def emit(kind: str, at: float | None = None, **facts: object) -> None:
    """Report one event; ``at`` is its time by the monotonic clock, now if not given."""
    line = json.dumps({"kind": kind, "at": time.monotonic() if at is None else at, **facts})
    with _writing:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def listen(stop: Callable[[], None], gone: Callable[[], None]) -> None:
    """Call ``stop`` when the driver says so, and ``gone`` when it closed the line, be it because it was killed."""

    def read() -> None:
        for line in sys.stdin:
            if line.strip() == "stop":
                stop()
        gone()

    threading.Thread(target=read, name="driver", daemon=True).start()
