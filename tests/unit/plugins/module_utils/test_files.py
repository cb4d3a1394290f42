# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files are replaced at one stroke, and nobody can read a secret meanwhile."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from ansible_collections.failover.carp.plugins.module_utils import _files

ME = _files.Owner(os.geteuid(), os.getegid())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_written_with_mode_and_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    _files.write(str(path), b"text", 0o640, ME)
    assert path.read_bytes() == b"text"
    assert mode(path) == 0o640
    assert _files.holds(str(path), b"text", 0o640, ME)
    assert os.listdir(tmp_path) == ["file"]


def test_the_old_file_stays_if_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        _files.write(str(path), b"new", 0o640, ME)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_secret_is_never_open_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    fsync = os.fsync

    def look(handle: int) -> None:
        seen.append(stat.S_IMODE(os.fstat(handle).st_mode))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", look)
    monkeypatch.setattr(os, "umask", lambda mask: mask)
    _files.write(str(tmp_path / "secret"), b"secret", 0o640, ME)
    assert seen == [0o640]


def test_a_temporary_file_is_not_taken_for_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    rename = os.rename

    def look(source: str, target: str) -> None:
        seen.extend(path.name for path in tmp_path.glob("*.conf") if not path.name.startswith("."))
        rename(source, target)

    monkeypatch.setattr(os, "rename", look)
    _files.write(str(tmp_path / "smtp.conf"), b"", 0o640, ME)
    assert seen == []


@pytest.mark.parametrize(
    ("data", "file_mode", "owner"),
    [(b"other", 0o600, ME), (b"text", 0o644, ME), (b"text", 0o600, ME._replace(gid=None))],
    ids=["content", "mode", "group that does not exist"],
)
def test_a_difference_is_seen(tmp_path: Path, data: bytes, file_mode: int, owner: _files.Owner) -> None:
    path = tmp_path / "file"
    _files.write(str(path), b"text", 0o600, ME)
    assert not _files.holds(str(path), data, file_mode, owner)


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("text")
    target.chmod(0o600)
    link.symlink_to(target)
    assert not _files.holds(str(link), b"text", 0o600, ME)
    _files.write(str(link), b"new", 0o600, ME)
    assert target.read_text() == "text"
    assert not link.is_symlink()


def test_what_is_not_there_has_no_content_and_no_names(tmp_path: Path) -> None:
    assert _files.read(str(tmp_path / "none")) is None
    assert _files.names(str(tmp_path / "none")) == []
    assert not _files.belongs(str(tmp_path / "none"), 0o755, ME)


def test_a_folder_is_made_or_corrected(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    _files.make_folder(str(folder), 0o750, ME)
    assert mode(folder) == 0o750
    folder.chmod(0o777)
    _files.make_folder(str(folder), 0o750, ME)
    assert mode(folder) == 0o750
    assert _files.belongs(str(folder), 0o750, ME)
