# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words for messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def listed(items: Iterable[object]) -> str:
    """Return ``a, b and c``."""
    texts = [str(item) for item in items]
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def nearest(word: str, known: list[str]) -> str:
    """Return what else may have been meant by a word that nobody knows."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.4)
    return f"did you mean {near[0]}?" if near else "known are: " + ", ".join(known)
