# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A password that cannot work is refused, and never named."""

from __future__ import annotations

import pytest
from ansible_collections.failover.carp.plugins.module_utils import _password


@pytest.mark.parametrize("password", ["a", "x" * 19, "blank ; \" 'quotes'", "äöü"])
def test_a_password_that_fits_is_right(password: str) -> None:
    assert _password.fault(password) is None


@pytest.mark.parametrize(
    ("password", "part"),
    [
        ("", "and this one has 0"),
        ("x" * 20, "and this one has 20"),
        ("ä" * 10, "and this one has 20"),
        ("two\nlines", "must be one line"),
        ("line\n", "must be one line"),
        ("a\0b", "must be one line"),
        (12345, "put it between quotes"),
        (0o123, "put it between quotes"),
        (False, "put it between quotes"),
        (["a"], "put it between quotes"),
    ],
)
def test_a_password_that_does_not_fit_is_refused(password: object, part: str) -> None:
    fault = _password.fault(password)
    assert fault is not None
    assert part in fault


def test_the_reason_for_the_limit_is_given() -> None:
    assert "ucarp and BSD" in str(_password.fault("x" * 20))


@pytest.mark.parametrize("password", ["secret-and-much-too-long", "sec\nret", 987654321])
def test_the_message_has_no_part_of_the_password(password: object) -> None:
    fault = str(_password.fault(password))
    assert str(password) not in fault
    assert "sec" not in fault
    assert "9876" not in fault
