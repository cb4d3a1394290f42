# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists read like a sentence, and a wrong word finds the right one."""

from __future__ import annotations

import pytest
from ansible_collections.failover.carp.plugins.plugin_utils.text import listed, nearest


@pytest.mark.parametrize(
    ("items", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), ([1, 2, 3], "1, 2 and 3")]
)
def test_listed(items: list[object], text: str) -> None:
    assert listed(items) == text


def test_nearest() -> None:
    assert nearest("vhdi", ["vhid", "name"]) == "did you mean vhid?"
    assert nearest("zzz", ["vhid", "name"]) == "known are: vhid, name"
