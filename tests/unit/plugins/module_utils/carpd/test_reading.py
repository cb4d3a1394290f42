# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration is read beside the loop, whatever the disk does, and its mistakes are told."""

from __future__ import annotations

import os
import selectors
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd.config import Config
from ansible_collections.failover.carp.plugins.module_utils.carpd.events import dispatch
from ansible_collections.failover.carp.plugins.module_utils.carpd.reading import Reading

PATIENCE = 10.0
SMTP = "[vip smtp]\ninterface = eth1\nvhid = 1\naddresses = 172.17.0.74/20\n"


class Loop:
    """A loop that reads, and what it was told."""

    def __init__(self, path: Path) -> None:
        self.selector = selectors.SelectSelector()
        self.reading = Reading(str(path), self.selector)
        self.told: list[tuple[Config | None, str]] = []

    def read(self) -> None:
        self.reading.read(lambda config, wrong: self.told.append((config, wrong)))

    def until(self, count: int) -> None:
        end = time.monotonic() + PATIENCE
        while len(self.told) < count:
            dispatch(self.selector, end - time.monotonic())
            assert time.monotonic() < end


@pytest.fixture(name="loop")
def loop_(tmp_path: Path) -> Iterator[Loop]:
    loop = Loop(tmp_path / "carpd.conf")
    yield loop
    loop.reading.leave()
    assert not loop.selector.get_map()


def test_each_time_it_is_what_stands_there(loop: Loop, tmp_path: Path) -> None:
    path = tmp_path / "carpd.conf"
    path.write_text(SMTP + "password = one\n")
    loop.read()
    loop.until(1)
    path.write_text(SMTP + "password = two\n")
    loop.read()
    loop.until(2)
    assert [config and config.vips[0].password for config, _wrong in loop.told] == [b"one", b"two"]


def test_every_mistake_is_told(loop: Loop, tmp_path: Path) -> None:
    (tmp_path / "carpd.conf").write_text("[vip smtp]\nvhid = 300\n")
    loop.read()
    loop.until(1)
    ((config, wrong),) = loop.told
    assert config is None
    assert "vhid = 300: must be" in wrong and "interface" in wrong
    assert len(wrong.splitlines()) > 2


def test_a_password_on_a_disk_that_hangs_holds_nothing_up(loop: Loop, tmp_path: Path) -> None:
    """A pipe that nobody writes to lets its reader wait as such a disk does."""
    secret = tmp_path / "secret"
    os.mkfifo(secret)
    (tmp_path / "carpd.conf").write_text(SMTP + f"password_file = {secret}\n")
    loop.read()
    for _turn in range(20):
        dispatch(loop.selector, 0.01)
    assert loop.told == []
    secret.write_text("sesame\n")
    loop.until(1)
    ((config, wrong),) = loop.told
    assert config is not None and config.vips[0].password == b"sesame" and wrong == ""


def test_so_often_at_once_nobody_needs_it(loop: Loop, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    os.mkfifo(secret)
    (tmp_path / "carpd.conf").write_text(SMTP + f"password_file = {secret}\n")
    for _number in range(40):
        loop.read()
    refused = [wrong for _config, wrong in loop.told]
    assert refused and all(wrong.endswith("carpd.conf: Device or resource busy") for wrong in refused)
    descriptor = os.open(secret, os.O_RDWR)  # for the first, that waits; the others find a file in its place
    (tmp_path / "file").write_text("sesame\n")
    os.replace(tmp_path / "file", secret)
    os.write(descriptor, b"sesame\n")
    loop.until(40)
    os.close(descriptor)


def test_what_is_still_read_at_the_end_is_nobodys_business(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    os.mkfifo(secret)
    (tmp_path / "carpd.conf").write_text(SMTP + f"password_file = {secret}\n")
    loop = Loop(tmp_path / "carpd.conf")
    loop.read()
    loop.reading.leave()
    secret.write_text("sesame\n")
    assert loop.told == []
