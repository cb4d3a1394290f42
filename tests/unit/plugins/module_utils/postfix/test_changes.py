# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a running Postfix needs: never a restart where a reload does, never a reload where an index does."""

from __future__ import annotations

import pytest
from ansible_collections.failover.carp.plugins.module_utils.postfix import changes

SAME = {"inet_interfaces": "all", "inet_protocols": "all", "default_process_limit": "1000"}


@pytest.mark.parametrize(
    ("files", "action"),
    [
        ([], changes.NONE),
        ([changes.NONE], changes.NONE),
        ([changes.POSTMAP, changes.NONE], changes.POSTMAP),
        ([changes.POSTMAP, changes.RELOAD, changes.POSTMAP], changes.RELOAD),
    ],
)
def test_the_strongest_action_counts(files: list[str], action: str) -> None:
    assert changes.need(files, SAME, SAME) == (action, ())


@pytest.mark.parametrize("name", changes.AT_START)
def test_what_is_read_at_the_start_takes_a_restart(name: str) -> None:
    assert changes.need([changes.RELOAD], SAME, {**SAME, name: "other"}) == (changes.RESTART, (name,))


def test_live_values_that_nobody_can_read_are_no_reason() -> None:
    assert changes.need([changes.RELOAD], {}, SAME) == (changes.RELOAD, ())
