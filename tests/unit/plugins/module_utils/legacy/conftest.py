# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's files that exist in a test only."""

from __future__ import annotations

import fnmatch

import pytest
from ansible_collections.failover.carp.plugins.module_utils.legacy.files import Files


class MadeUp(Files):
    """Texts by path."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.texts = texts

    def read(self, path: str) -> str | None:
        """Return a text."""
        return self.texts.get(path)

    def matching(self, pattern: str) -> list[str]:
        """Return the paths that fit a pattern, and the folder that it names."""
        folders = [pattern] if any(path.startswith(pattern + "/") for path in self.texts) else []
        return sorted([*folders, *fnmatch.filter(self.texts, pattern)])

    def inside(self, folder: str) -> list[str]:
        """Return the paths in a folder."""
        return sorted(path for path in self.texts if path.rpartition("/")[0] == folder)


@pytest.fixture
def made_up() -> type[MadeUp]:
    """Return the class of made-up files."""
    return MadeUp
