# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One target in a process of its own, under the fuzzer: ``python3 child.py TARGET [libFuzzer's arguments]``."""

from __future__ import annotations

import pathlib
import sys

import atheris

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "plugins" / "module_utils"))

with atheris.instrument_imports(include=["carpd"], enable_loader_override=False):
    from targets import TARGETS

if __name__ == "__main__":
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, TARGETS[name].run)
    atheris.Fuzz()
