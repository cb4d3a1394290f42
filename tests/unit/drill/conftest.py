# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drill, its agents and the demo are no part of the collection's Python: find them beside it."""

from __future__ import annotations

import pathlib
import sys

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[2]
for folder in (ROOT, ROOT / "tests", ROOT / "tests" / "drill" / "agents", HERE):
    sys.path.insert(0, str(folder))
