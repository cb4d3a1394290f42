# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A few words of an inventory become services and settings that fit together, or a sentence that says why not."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.plugin_utils import mail_services

VIPS = ["172.17.0.74", "2001:db8::74"]
NODES = ["172.17.0.75", "2001:db8::76"]
LOGIN = {"nexthop": "[a.test]:587", "username": "me", "password": "s3cret"}
TLS = {"certificate": "content", "key": "content", "chain": ""}


def test_where_mail_goes_out_from() -> None:
    assert mail_services.source_settings("node", VIPS, "mail.a.test") == {}
    preferred = {
        "smtp_helo_name": "mail.a.test",
        "smtp_bind_address": "172.17.0.74",
        "smtp_bind_address6": "2001:db8::74",
    }
    assert mail_services.source_settings("vip_preferred", VIPS, "mail.a.test") == preferred
    only = mail_services.source_settings("vip_only", VIPS, "mail.a.test")
    assert only == {**preferred, "smtp_bind_address_enforce": True}
    assert mail_services.source_settings("vip_only", ["1.2.3.4", "1.2.3.5"], "m")["smtp_bind_address"] == "1.2.3.4"


def test_the_listener_for_the_other_servers() -> None:
    [listener] = mail_services.handover_services(10025, NODES, VIPS, "node")
    assert (listener["name"], listener["command"], listener["private"]) == ("10025", "smtpd", False)
    options = listener["options"]
    assert options["mynetworks"] == ["172.17.0.75", "[2001:db8::76]"]
    assert options["smtpd_client_restrictions"].endswith(", reject")
    assert "{172.17.0.74 = defer}" in options["smtpd_client_restrictions"]
    assert "no_milters" in options["receive_override_options"]


def test_the_way_to_the_other_server_does_not_need_the_address() -> None:
    [_listener, transport] = mail_services.handover_services(10025, NODES, VIPS, "vip_only")
    assert (transport["name"], transport["type"], transport["command"]) == ("handover", "unix", "smtp")
    assert transport["options"]["smtp_bind_address"] == ""
    assert transport["options"]["smtp_bind_address_enforce"] is False


def test_the_table_that_hands_over() -> None:
    table = mail_services.handover_table(10025, VIPS, ["a.test", "localhost"])
    outer, inner, end = table.splitlines()
    assert (outer, end) == ("if /@/", "endif")
    pattern, target = inner.split(" ")
    assert target == "handover:[172.17.0.74]:10025"
    expression = re.fullmatch("!/(.*)/", pattern)
    assert expression is not None
    for address, local in (("x@a.test", True), ("x@localhost", True), ("x@b.test", False), ("x@ba.test", False)):
        assert bool(re.search(expression[1], address)) == local, address


def test_listeners_for_people() -> None:
    both = mail_services.submission_services(True, True)
    assert [service["name"] for service in both] == ["submission", "submissions"]
    assert both[0]["options"]["smtpd_tls_security_level"] == "encrypt"
    assert both[1]["options"]["smtpd_tls_wrappermode"] == "yes"
    assert all(service["options"]["smtpd_relay_restrictions"].endswith("reject") for service in both)
    assert mail_services.submission_services(False, False) == []


def test_what_goes_together() -> None:
    variables: dict[str, Any] = {
        "outbound_source": "vip_only",
        "submission": True,
        "main": {"smtpd_sasl_path": "private/auth"},
        "tls": TLS,
        "sasl_client": [LOGIN],
    }
    assert list(mail_services.faults(variables)) == []
    assert list(mail_services.faults({})) == []


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({"outbound_source": "vip_only", "handover": False}, "postfix_outbound_source = vip_only: needs"),
        ({"handover_port": 25}, "postfix_handover_port = 25: must be a free port"),
        ({"handover_port": 70000}, "postfix_handover_port = 70000: must"),
        ({"submission": True, "tls": TLS}, "postfix_submission: needs somebody who knows"),
        ({"submissions": True, "main": {"smtpd_sasl_type": "x"}}, "postfix_submissions: needs postfix_tls_cert"),
        ({"tls": {"certificate": "path"}}, "postfix_tls_certificate: needs postfix_tls_key"),
        ({"tls": {"key": "path"}}, "postfix_tls_key: needs postfix_tls_certificate"),
        ({"tls": {**TLS, "key": "path"}}, "postfix_tls_certificate and postfix_tls_key: must either"),
        ({"sasl_client": [LOGIN, LOGIN]}, "postfix_sasl_client: [a.test]:587 is given twice"),
        ({"sasl_client": [{**LOGIN, "nexthop": "a b"}]}, "postfix_sasl_client: nexthop = a b: must be as"),
        ({"sasl_client": [{**LOGIN, "password": ""}]}, "postfix_sasl_client: [a.test]:587: password must be one line"),
        ({"sasl_client": [{**LOGIN, "username": "a:b"}]}, "postfix_sasl_client: [a.test]:587: username must be one"),
    ],
)
def test_what_does_not(variables: dict[str, Any], text: str) -> None:
    [problem] = mail_services.faults(variables)
    assert problem.startswith(text)
    assert LOGIN["password"] not in problem
