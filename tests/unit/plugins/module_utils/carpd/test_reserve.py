# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No number of a sequence is used twice, whatever the clock and the disk do between two runs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd.reserve import FILE_NAME, Reserve
from ansible_collections.failover.carp.plugins.module_utils.carpd.trust import first_step
from hypothesis import given
from hypothesis import strategies as st

NOW = 1_800_000_000.0


class Background:
    """Does at once what it is given."""

    def submit(self, work: Callable[[], None], done: Callable[[str], None]) -> None:
        try:
            work()
        except OSError as error:
            done(error.strerror)
        else:
            done("")


def start(folder: Path, wall_clock: float, highest: Callable[[], int] = lambda: 0) -> Reserve:
    reserve = Reserve(str(folder), Background(), lambda: 7.0, lambda: wall_clock, highest)  # type: ignore[arg-type]
    reserve.load()
    return reserve


def test_the_first_run_begins_with_the_time(tmp_path: Path) -> None:
    assert start(tmp_path, NOW).first() == first_step(NOW)


@given(clocks=st.lists(st.floats(0, 2 * NOW), min_size=2, max_size=6), uses=st.integers(0, 1 << 23))
def test_later_ones_begin_beyond_all_that_was_used(
    tmp_path_factory: pytest.TempPathFactory, clocks: list[float], uses: int
) -> None:
    folder = tmp_path_factory.mktemp("state")
    highest = -1

    def used() -> int:
        return highest

    for wall_clock in clocks:
        reserve = start(folder, wall_clock, used)
        for _turn in range(2):  # the second is a virtual host that a reload has made anew
            first = reserve.first()
            assert first > highest
            highest = first + uses
            reserve.due()
            highest += uses  # until the next look


def test_time_goes_on_by_itself(tmp_path: Path) -> None:
    start(tmp_path, NOW).first()
    assert start(tmp_path, NOW + 86400).first() == first_step(NOW + 86400)


@pytest.mark.parametrize("content", [b"", b"x", b"-1", b"\xff\xfe", b"1" * 100])
def test_a_broken_file_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    assert start(tmp_path, NOW).first() >= first_step(NOW)


def test_that_it_cannot_be_written_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    reserve = start(tmp_path / "file", NOW)
    with caplog.at_level(logging.WARNING):
        reserve.first()
        reserve.first()
    [record] = caplog.records
    assert "the clock must not be set back" in record.getMessage()
