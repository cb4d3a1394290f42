# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A complete configuration, as files."""

from __future__ import annotations

from typing import Any

from ansible_collections.failover.carp.plugins.module_utils.postfix import changes, files
from ansible_collections.failover.carp.plugins.module_utils.postfix.main_cf import HEADER

MASTER = "smtp inet n - y - - smtpd\n"


def wanted(**changed: Any) -> tuple[files.Wanted, list[str]]:
    arguments: dict[str, Any] = {
        "config_dir": "/etc/postfix",
        "settings": {"biff": False},
        "packaged": MASTER,
        "services": [],
        "process_limit": None,
        "maps": [],
        "aliases": None,
        "aliases_path": "/etc/aliases",
        "map_type": "lmdb",
    }
    return files.wanted(**{**arguments, **changed})


def test_main_cf_is_the_last_to_change() -> None:
    made, problems = wanted(maps=[{"name": "transport", "entries": {"a": "b"}}], aliases={"root": ["me", "you"]})
    assert problems == []
    assert [file.path for file in made.files] == [
        "/etc/postfix/transport",
        "/etc/aliases",
        "/etc/postfix/master.cf",
        "/etc/postfix/main.cf",
    ]
    assert made.paths[:2] == ["/etc/postfix/transport", "/etc/postfix/transport.lmdb"]
    assert made.settings == {"biff": "no"}


def test_what_each_file_needs() -> None:
    made, _problems = wanted(maps=[{"name": "a", "entries": {}}, {"name": "b", "type": "regexp", "content": ""}])
    assert [file.action for file in made.files] == [changes.POSTMAP, changes.RELOAD, changes.RELOAD, changes.RELOAD]
    assert [file.table for file in made.files] == ["lmdb", "regexp", "", ""]


def test_mail_for_the_postmaster_arrives() -> None:
    [aliases, *_others] = wanted(aliases={"postmaster": "admin"})[0].files
    assert aliases.text == HEADER + "mailer-daemon: postmaster\npostmaster: admin\n"
    assert aliases.indexer == "postalias"


def test_content_ends_with_a_line() -> None:
    for content, text in (("", ""), ("a b", "a b\n"), ("a b\n", "a b\n")):
        [table, *_others] = wanted(maps=[{"name": "a", "content": content}])[0].files
        assert table.text == HEADER + text


def test_without_a_package_there_is_no_master_cf() -> None:
    assert [file.path for file in wanted(packaged=None)[0].files] == ["/etc/postfix/main.cf"]


def test_every_mistake_is_told() -> None:
    problems = wanted(
        settings={"a": None},
        services=[{"name": "x", "type": "inet"}],
        maps=[
            {"name": "a.b", "entries": {"c d": "e", "": ""}},
            {"name": "f", "content": ""},
            {"name": "f", "content": ""},
        ],
        aliases={"g": None},
    )[1]
    assert [problem.split(":")[0] for problem in problems] == [
        "main.cf",
        "map a.b",
        "map a.b",
        "map a.b",
        "map f",
        "/etc/aliases",
        "master.cf",
    ]
