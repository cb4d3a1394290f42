# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lookup tables: complete files, with an index where the type has one, and found wherever a setting names them."""

from __future__ import annotations

import pytest
from ansible_collections.failover.carp.plugins.module_utils.postfix import tables
from ansible_collections.failover.carp.plugins.module_utils.postfix.main_cf import HEADER


def test_text() -> None:
    text, problems = tables.render({"b.test": "smtp:[b]", "a.test": ["x", "y"], "n": 5}, "map transport")
    assert text == HEADER + "b.test  smtp:[b]\na.test  x, y\nn  5\n"
    assert problems == []
    assert tables.render({"root": "me"}, "/etc/aliases", ": ")[0] == HEADER + "root: me\n"


@pytest.mark.parametrize("key", ["", " a", "a ", "#a", "a\nb"])
def test_what_is_no_key(key: str) -> None:
    text, problems = tables.render({key: "x"}, "map m")
    assert text == HEADER
    assert problems == [f"map m: {key}: a key is not empty, does not start with #, and has no blanks around it"]


def test_what_is_no_value() -> None:
    assert tables.render({"a": None}, "map m")[1] == [
        "map m: a: the value must be text, a whole number, or a list of these"
    ]


def test_an_indexed_table_would_cut_a_key_at_a_blank() -> None:
    assert tables.blanks_in_keys({"a b": "c", "d": "e"}, "map m") == [
        "map m: a b: a key of an indexed table has no blanks"
    ]


@pytest.mark.parametrize("name", ["transport", "Relay-2", "sasl_passwd"])
def test_names(name: str) -> None:
    assert tables.name_fault(name) == ""


@pytest.mark.parametrize("name", ["", "main.cf", "../passwd", "a/b", "a.lmdb", "post-install", "sasl", "-a", "a\n"])
def test_what_is_no_name(name: str) -> None:
    assert tables.name_fault(name).startswith(f"map {name}: the name has letters")


def test_index_files() -> None:
    assert tables.index_path("lmdb", "/etc/aliases") == "/etc/aliases.lmdb"
    assert tables.index_path("hash", "/etc/aliases") == "/etc/aliases.db"
    assert tables.index_path("regexp", "/etc/postfix/checks") == ""


def test_references() -> None:
    settings = {
        "transport_maps": "lmdb:/etc/postfix/transport, hash:/a",
        "smtpd_recipient_restrictions": "check_client_access cidr:/c, {check_helo_access lmdb:/h}, reject",
        "smtp/inet/smtpd_sender_login_maps": "unionmap:{lmdb:/u, regexp:/r}",
        "smtp_tls_session_cache_database": "btree:/var/lib/postfix/smtp_scache",
        "address_verify_map": "btree:/var/lib/postfix/verify_cache",
        "smtpd_milters": "unix:/run/milter.sock inet:localhost:1",
        "relayhost": "[192.0.2.1]:25",
    }
    assert {(ref.type, ref.path) for ref in tables.references(settings)} == {
        ("lmdb", "/etc/postfix/transport"),
        ("hash", "/a"),
        ("cidr", "/c"),
        ("lmdb", "/h"),
        ("lmdb", "/u"),
        ("regexp", "/r"),
        ("unix", "/run/milter.sock"),
    }


@pytest.mark.parametrize(
    ("parameter", "value", "wrong"),
    [
        ("transport_maps", "lmbd:/etc/postfix/transport", True),
        ("header_checks", "regex:/x", True),
        ("mydestination", "pcre:/x", True),
        ("smtpd_milters", "unix:/run/milter.sock", False),
        ("mailbox_transport", "lmtp:/x", False),
        ("transport_maps", "lmdb:/x", False),
    ],
)
def test_types_that_there_are_not(parameter: str, value: str, wrong: bool) -> None:
    found = tables.unknown_types(tables.references({parameter: value}), ["lmdb", "cidr"])
    assert found == ([f"{parameter}: {value}: no such table type; this Postfix has cidr, lmdb"] if wrong else [])
