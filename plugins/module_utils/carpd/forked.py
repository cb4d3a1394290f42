# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every process that is forked from the daemon does first."""

from __future__ import annotations

import os


def close_all_but(kept: int) -> None:
    """Close what is inherited from the running daemon; the limit of descriptors may be a thousand million."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) != kept:
            try:
                os.close(int(name))
            except OSError:
                continue  # the one that listed them
