# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine that the numbers belong to."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

from installed import PYTHON

ROOT = Path(__file__).parents[1]


def describe() -> dict[str, str]:
    """What a reader needs to judge the numbers; nothing that identifies the machine."""
    return {
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", ""),
        "processor": processor(),
        "processors": str(os.cpu_count()),
        "memory": memory(),
        "python": output(PYTHON, "-c", "import platform; print(platform.python_version())"),
        "carpd": checkout(),
        "keepalived": package("keepalived"),
        "ucarp": package("ucarp"),
        "load before": " ".join(f"{load:.2f}" for load in os.getloadavg()),
    }


def processor() -> str:
    match = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return match[1] if match else platform.processor()


def memory() -> str:
    match = re.search(r"^MemTotal:\s*(.*)$", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return match[1] if match else ""


def output(*argv: str) -> str:
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT).stdout.strip()
    except FileNotFoundError:
        return ""


def package(name: str) -> str:
    """The version as the distribution calls it."""
    return output("dpkg-query", "--show", "--showformat=${Version}", name)


def checkout() -> str:
    """The version in the tree, and the commit it is at."""
    package_dir = str(ROOT / "plugins" / "module_utils")
    program = f"import sys; sys.path.insert(0, {package_dir!r}); from carpd.version import VERSION as v; print(v)"
    return f"{output(sys.executable, '-c', program)} {output('git', 'describe', '--always', '--dirty')}".strip()
