# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""carpd as it is installed: compiled, and run by the system's Python, isolated from all that stands beside it."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from lab import Carpd
from lab.carpd import PACKAGE

PYTHON = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable
LAUNCHER = "import sys; sys.path.insert(0, {library!r}); from carpd.{part} import main; raise SystemExit(main())"

# As the module ``daemon`` does it: without docstrings, to where Python looks for what it compiled itself.
COMPILER = """\
import importlib.util, py_compile, sys
mode = py_compile.PycInvalidationMode.CHECKED_HASH
for path in sys.argv[1:]:
    compiled = importlib.util.cache_from_source(path)
    py_compile.compile(path, cfile=compiled, doraise=True, optimize=2, invalidation_mode=mode)
"""


@functools.cache
def library() -> str:
    """A folder with the compiled package, made once and removed at the end."""
    folder = tempfile.mkdtemp(prefix="bench-carpd-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shutil.copytree(PACKAGE / "carpd", Path(folder, "carpd"), ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([PYTHON, "-c", COMPILER, *map(str, Path(folder, "carpd").glob("*.py"))], check=True)
    return folder


class InstalledCarpd(Carpd):
    """One carpd on one host of a lab."""

    @staticmethod
    def argv(*words: str) -> list[str]:
        """The command line that the module ``daemon`` would install."""
        return [PYTHON, "-ISB", "-c", LAUNCHER.format(library=library(), part="cli"), *words]

    @property
    def guard(self) -> int:
        """The id of the daemon's other process."""
        (guard,) = children(self.process.pid)
        return guard


def children(pid: int) -> Sequence[int]:
    """The processes that a process has started."""
    found = subprocess.run(["pgrep", "--parent", str(pid)], capture_output=True, text=True, check=False)
    return [int(word) for word in found.stdout.split()]
