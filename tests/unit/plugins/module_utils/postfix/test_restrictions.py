# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A misspelt restriction is found wherever Postfix would come upon it, and nothing else is taken for one."""

from __future__ import annotations

import pytest
from ansible_collections.failover.carp.plugins.module_utils.postfix import restrictions

TYPES = ["cidr", "inline", "lmdb"]
GUARD = {"smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination"}


def check(settings: dict[str, str], options: dict[str, dict[str, str]] | None = None) -> list[tuple[str, str]]:
    found = restrictions.check({**GUARD, **settings}, options or {}, TYPES)
    return [(where, word) for where, word, _rule in found]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "permit_mynetworks, PERMIT_sasl_authenticated reject",
        "check_client_access cidr:/c, check_policy_service unix:private/policy, permit",
        "check_policy_service { inet:localhost:1, timeout = 10s }, warn_if_reject reject_rbl_client a.test=127.0.0.2",
        "lmdb:/etc/postfix/access, sleep 5, check_helo_access inline:{{a b = reject}}",
        "$unknown_parameter, ${another}, permit",
        "mine, permit",
    ],
)
def test_what_there_is(value: str) -> None:
    settings = {"smtpd_client_restrictions": value, "smtpd_restriction_classes": "mine", "mine": "permit_mynetworks"}
    assert check(settings) == []


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("permit_mynetwoks, reject", "permit_mynetwoks"),
        ("reject_rbl_client zen.test, reject_unknwon_sender_domain", "reject_unknwon_sender_domain"),
        ("check_clent_access lmdb:/x", "check_clent_access"),
        ("lmbd:/etc/postfix/access", "lmbd:/etc/postfix/access"),
        ("check_client_access", "check_client_access"),
        ("check_client_access permit", "check_client_access permit"),
    ],
)
def test_what_there_is_not(value: str, word: str) -> None:
    assert check({"smtpd_sender_restrictions": value}) == [("main.cf: smtpd_sender_restrictions", word)]
    options = {"master.cf: smtp/inet": {"smtpd_sender_restrictions": value}}
    assert check({}, options) == [("master.cf: smtp/inet: smtpd_sender_restrictions", word)]


def test_a_class_and_a_reference_are_looked_into() -> None:
    settings = {"smtpd_restriction_classes": "mine", "mine": "permit_mynetwoks"}
    assert check(settings) == [("main.cf: mine", "permit_mynetwoks")]
    options = {"master.cf: x/inet": {"smtpd_helo_restrictions": "$my_list"}}
    assert check({"my_list": "$deeper", "deeper": "bogus"}, options) == [
        ("master.cf: x/inet: smtpd_helo_restrictions", "bogus")
    ]


def test_an_open_relay() -> None:
    names = "smtpd_relay_restrictions and smtpd_recipient_restrictions"
    assert check({"smtpd_relay_restrictions": "permit_mynetworks"}) == [("main.cf", names)]
    assert check({"smtpd_relay_restrictions": "", "smtpd_recipient_restrictions": "permit_mynetworks, reject"}) == []
    classes = {"smtpd_relay_restrictions": "mine", "smtpd_restriction_classes": "mine", "mine": "reject"}
    assert check(classes) == []
    assert check({}, {"master.cf: x/inet": {"smtpd_relay_restrictions": ""}}) == [("master.cf: x/inet", names)]
