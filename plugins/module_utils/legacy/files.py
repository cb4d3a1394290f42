# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a host, as the readers see them."""

from __future__ import annotations

import glob
import os


class Files:
    """Text files by path. A test has its own."""

    def read(self, path: str) -> str | None:
        """Return what the file holds, or None if it cannot be read."""
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                return file.read()
        except OSError:
            return None

    def matching(self, pattern: str) -> list[str]:
        """Return the paths that a shell's pattern stands for, in the order of their names."""
        return sorted(glob.glob(pattern))

    def inside(self, folder: str) -> list[str]:
        """Return the paths of the files in a folder, in the order of their names."""
        return [path for path in self.matching(os.path.join(glob.escape(folder), "*")) if os.path.isfile(path)]
