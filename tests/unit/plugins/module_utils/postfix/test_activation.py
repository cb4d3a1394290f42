# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files go into place whole, in an order that no reader trips over, and all of them come out again if one does not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.failover.carp.plugins.module_utils import _files
from ansible_collections.failover.carp.plugins.module_utils.postfix import activation, changes
from ansible_collections.failover.carp.plugins.module_utils.postfix.files import ManagedFile
from ansible_collections.failover.carp.plugins.module_utils.postfix.main_cf import HEADER

OWNER = _files.Owner(os.geteuid(), os.getegid())


@pytest.fixture
def live(tmp_path: Path) -> Path:
    folder = tmp_path / "postfix"
    folder.mkdir()
    return folder


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    folder = tmp_path / "stage"
    folder.mkdir()
    return folder


def put(path: Path, text: str, mode: int = 0o644) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_what_is_right_is_left_alone(live: Path) -> None:
    table = ManagedFile(str(put(live / "t", "new")), "new", "lmdb")
    put(live / "t.lmdb", "index")
    main = ManagedFile(str(put(live / "main.cf", "a = 1\n")), "a = 1\n")
    assert activation.compare([table, main], [], OWNER) == []


def test_what_differs(live: Path) -> None:
    table = ManagedFile(str(put(live / "t", "old")), "new", "lmdb")
    put(live / "t.lmdb", "index")
    main = ManagedFile(str(live / "main.cf"), "a = 1\n")
    found = activation.compare([table, main], [str(put(live / "gone", "x"))], OWNER)
    assert [(Path(change.path).name, change.action) for change in found] == [
        ("t", changes.POSTMAP),
        ("t.lmdb", changes.POSTMAP),
        ("main.cf", changes.RELOAD),
        ("gone", changes.NONE),
    ]
    path = str(live / "t")
    assert found[0].diff() == {"before_header": path, "after_header": path, "before": "old", "after": "new"}
    assert found[1].diff() == {"prepared": f"{path}.lmdb: the index is made anew\n"}
    assert found[3].diff()["before"] == "x"
    assert found[3].diff()["after"] == ""


def test_an_index_that_is_missing_or_older_or_open_to_all_differs(live: Path) -> None:
    table = ManagedFile(str(put(live / "t", "new")), "new", "lmdb")
    assert [change.path for change in activation.compare([table], [], OWNER)] == [str(live / "t.lmdb")]
    os.utime(put(live / "t.lmdb", "index"), (1, 1))
    assert [change.path for change in activation.compare([table], [], OWNER)] == [str(live / "t.lmdb")]
    put(live / "t.lmdb", "index", 0o666)
    assert [change.path for change in activation.compare([table], [], OWNER)] == [str(live / "t.lmdb")]


def test_a_wrong_mode_differs(live: Path) -> None:
    main = ManagedFile(str(put(live / "main.cf", "a = 1\n", 0o600)), "a = 1\n")
    [change] = activation.compare([main], [], OWNER)
    assert change.diff() == {"prepared": f"{main.path}: owner and mode become those of a configuration file\n"}


def test_going_live_and_back(live: Path, stage: Path) -> None:
    table = ManagedFile(str(put(live / "t", "old")), "new", "lmdb")
    put(live / "t.lmdb", "old index")
    put(stage / "t.lmdb", "new index", 0o600)
    main = ManagedFile(str(live / "main.cf"), "a = 1\n")
    gone = put(live / "gone", "x")
    todo = activation.compare([table, main], [str(gone)], OWNER)
    before = activation.apply(todo, lambda path: str(stage / Path(path).name), OWNER)
    assert {path.name: path.read_text(encoding="utf-8") for path in live.iterdir()} == {
        "t": "new",
        "t.lmdb": "new index",
        "main.cf": "a = 1\n",
    }
    assert {path.stat().st_mode & 0o777 for path in live.iterdir()} == {0o644}
    assert activation.compare([table, main], [], OWNER) == []
    activation.restore(before)
    assert {path.name: path.read_text(encoding="utf-8") for path in live.iterdir()} == {
        "t": "old",
        "t.lmdb": "old index",
        "gone": "x",
    }
    assert (live / "t.lmdb").stat().st_mtime >= (live / "t").stat().st_mtime


def test_half_way_is_no_way(live: Path, stage: Path) -> None:
    first = ManagedFile(str(put(live / "first", "old")), "new")
    second = ManagedFile(str(live / "no such folder" / "second"), "new")
    todo = activation.compare([first, second], [], OWNER)
    with pytest.raises(FileNotFoundError):
        activation.apply(todo, str, OWNER)
    assert (live / "first").read_text(encoding="utf-8") == "old"


def test_tables_that_nobody_wants_any_more(live: Path) -> None:
    for name, text in {
        "mine": HEADER + "a b\n",
        "mine.lmdb": "index",
        "mine.db": "index",
        "kept": HEADER,
        "theirs": "a b\n",
        "theirs.lmdb": "index",
        "main.cf": HEADER,
    }.items():
        put(live / name, text)
    (live / "sasl").mkdir()
    assert activation.stale(str(live), [str(live / "kept")]) == [
        str(live / name) for name in ("mine", "mine.db", "mine.lmdb")
    ]
