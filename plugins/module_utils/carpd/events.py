# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One turn of an event loop whose callbacks may close what other callbacks of the same turn were to read."""

from __future__ import annotations

import selectors
from collections.abc import Callable


def dispatch(selector: selectors.BaseSelector, timeout: float | None, woken: Callable[[], None] = lambda: None) -> None:
    """Wait at most ``timeout`` seconds, call ``woken``, then call back everyone whose descriptor is ready.

    Whoever was unregistered meanwhile is passed over, also when a new descriptor has the same number already.
    """
    ready = selector.select(timeout)
    woken()
    for key, _events in ready:
        if selector.get_map().get(key.fd) is key:
            key.data()
