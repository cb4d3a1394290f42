# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the daemon's files have in common."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd.logs import log
from hypothesis import HealthCheck, settings

# No deadline for a single example: a loaded machine is no mistake. No database: nothing stays in the checkout, and
# the blob that a failure prints reproduces it anywhere.
settings.register_profile(
    "carpd",
    max_examples=40,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("carpd")


@pytest.fixture
def socket_dir() -> Iterator[Path]:
    """A folder with a short name: that of a socket may have 107 bytes, which pytest's own folders can exceed."""
    with tempfile.TemporaryDirectory(prefix="carpd-") as folder:
        yield Path(folder)


@pytest.fixture(autouse=True)
def _caught() -> Iterator[None]:
    """Let pytest catch what the daemon logs."""

    def pass_on(level: int, line: str) -> None:
        logging.getLogger("carpd").log(level, "%s", line)

    before = log.level
    log.takers.append(pass_on)
    yield
    log.takers.remove(pass_on)
    log.level = before
