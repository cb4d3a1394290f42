# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge a password without ever naming it. Private to this collection: it may change in any release."""

from __future__ import annotations

from .carpd.options import PASSWORD_MAX, PASSWORD_RULE


def fault(password: object) -> str | None:
    """Return what is wrong with the password, ready to follow "password", or None."""
    if not isinstance(password, str):
        # YAML reads 0123 as 83, 1_0 as 10 and no as false: guessing back what was meant would give two hosts
        # different keys, or a peer that is not ours.
        return "must be text, and YAML took this one for something else: put it between quotes"
    if any(character in password for character in "\r\n\0"):
        return "must be one line without a zero byte: the file that keeps it ends at the first line end"
    length = len(password.encode())
    if not 1 <= length <= PASSWORD_MAX:
        return f"must be {PASSWORD_RULE}, and this one has {length}"
    return None
