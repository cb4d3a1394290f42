# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that kill a daemon are found before it reads them; others are none of our business."""

from __future__ import annotations

import pytest
from ansible_collections.failover.carp.plugins.module_utils.postfix import values

DEFAULTS = {
    "biff": "yes",
    "compatibility_level": "0",
    "default_destination_concurrency_negative_feedback": "1",
    "maximal_queue_lifetime": "5d",
    "message_size_limit": "10240000",
    "relayhost": "",
    "smtpd_timeout": "${stress?{10}:{300}}s",
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("biff", "no"),
        ("biff", "YES"),
        ("biff", "$other"),
        ("compatibility_level", "3.6"),
        ("default_destination_concurrency_negative_feedback", "1/5"),
        ("maximal_queue_lifetime", "5d"),
        ("maximal_queue_lifetime", "0"),
        ("maximal_queue_lifetime", "${stress?{1}:{5}}d"),
        ("message_size_limit", "0"),
        ("message_size_limit", "-1"),
        ("smtpd_timeout", "whatever"),
        ("relayhost", "whatever"),
        ("unheard_of", "whatever"),
        ("smtpd_tls_security_level", ""),
        ("smtpd_tls_security_level", "may"),
        ("smtp_tls_security_level", "dane-only"),
        ("mynetworks", "127.0.0.0/8, [::1]/128 172.17.0.75"),
        ("mynetworks", "!192.0.2.1, cidr:/etc/postfix/networks, /etc/postfix/networks, [2001:db8::1]"),
        ("mynetworks", ""),
    ],
)
def test_right(name: str, value: str) -> None:
    assert values.check({name: value}, DEFAULTS) == []


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("biff", "maybe", "must be yes or no"),
        ("biff", "", "must be yes or no"),
        ("maximal_queue_lifetime", "5x", "must be a time: a whole number and s, m, h, d or w"),
        ("maximal_queue_lifetime", "5 d", "must be a time: a whole number and s, m, h, d or w"),
        ("message_size_limit", "10M", "must be a whole number"),
        ("smtpd_tls_security_level", "bogus", "must be one of none, may, encrypt"),
        ("mynetworks", "10.0.0.1/8", "10.0.0.1/8 must be a network without host bits"),
        ("mynetworks", "127.0.0.0/8, 10.0.0.0/99", "10.0.0.0/99 must be a network"),
        ("mynetworks", "[::1/128]", "[::1/128] must be a network"),
        ("mynetworks", "::1/128", "::1/128 must be a network"),
        ("mynetworks", "172.17.0.300", "172.17.0.300 must be a network"),
    ],
)
def test_wrong(name: str, value: str, rule: str) -> None:
    [problem] = values.check({name: value}, DEFAULTS, "master.cf: smtp/inet")
    assert problem.startswith(f"master.cf: smtp/inet: {name} = {value}: {rule}")
