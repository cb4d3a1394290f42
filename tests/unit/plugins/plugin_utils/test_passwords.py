# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A password is found where it was put."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.plugin_utils import passwords


@pytest.mark.parametrize(
    ("entry", "apart", "found"),
    [
        ({"name": "smtp"}, {"smtp": "a"}, "a"),
        ({"name": "smtp", "password": "b"}, {}, "b"),
        ({"name": "smtp", "password": None}, {"smtp": "a"}, "a"),
        ({"name": "smtp"}, {"http": "a"}, None),
        ({"name": "smtp"}, {"smtp": 5}, None),
    ],
)
def test_it_is_found(entry: dict[str, Any], apart: dict[str, Any], found: str | None) -> None:
    assert passwords.find(entry, apart) == found
