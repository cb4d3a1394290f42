# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""master.cf: services lie over the packaged ones, and what nobody mentions stays as it is."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.module_utils.postfix import master_cf

PACKAGED = """\
# comment
smtp      inet  n       -       y       -       -       smtpd
#smtp      inet  n       -       y       -       1       postscreen
pickup    unix  n       -       y       60      1       pickup
flush     unix  n       -       y       1000?   0       flush
relay     unix  -       -       y       -       -       smtp
        -o syslog_name=${multi_instance_name?{$multi_instance_name}:{postfix}}/$service_name
#       -o smtp_helo_timeout=5
        -o { smtp_helo_name = a b }
uucp      unix  -       n       n       -       -       pipe
  flags=Fqhu user=uucp argv=uux -r -n -z -a$sender - $nexthop!rmail ($recipient)
"""
SERVICES = master_cf.parse(PACKAGED)


def merged(*wanted: dict[str, Any], limit: int | None = None) -> dict[master_cf.Key, master_cf.Service]:
    services, problems = master_cf.merge(SERVICES, [{"type": "inet", **entry} for entry in wanted], limit)
    assert problems == []
    return services


def test_reading() -> None:
    assert list(SERVICES) == [
        ("smtp", "inet"),
        ("pickup", "unix"),
        ("flush", "unix"),
        ("relay", "unix"),
        ("uucp", "unix"),
    ]
    assert SERVICES["flush", "unix"].wakeup == "1000?"
    assert SERVICES["relay", "unix"].options == (
        ("syslog_name", "${multi_instance_name?{$multi_instance_name}:{postfix}}/$service_name"),
        ("smtp_helo_name", "a b"),
    )
    assert SERVICES["uucp", "unix"].program == "pipe"
    assert SERVICES["uucp", "unix"].arguments == (
        "flags=Fqhu user=uucp argv=uux -r -n -z -a$sender - $nexthop!rmail ($recipient)"
    )


def test_what_is_written_is_read() -> None:
    assert master_cf.parse(master_cf.render(SERVICES)) == SERVICES


def test_a_line_that_is_no_service() -> None:
    with pytest.raises(ValueError, match=r"foo bar: a service has eight columns"):
        master_cf.parse("foo bar\n")


def test_nothing_wanted_changes_nothing() -> None:
    assert merged() == SERVICES


def test_what_is_not_given_is_as_packaged() -> None:
    service = merged({"name": "smtp", "maxproc": 20, "chroot": None})["smtp", "inet"]
    assert (service.private, service.chroot, service.maxproc, service.program) == ("n", "y", "20", "smtpd")


def test_options_are_added_to_the_packaged_ones() -> None:
    wanted = {
        "name": "relay",
        "type": "unix",
        "options": {"smtp_helo_name": "c", "smtp_host_lookup": ["dns", "native"]},
    }
    options = merged(wanted)["relay", "unix"].options
    assert [name for name, _value in options] == ["syslog_name", "smtp_helo_name", "smtp_host_lookup"]
    assert dict(options)["smtp_helo_name"] == "c"
    assert "    -o { smtp_host_lookup = dns, native }\n" in master_cf.render(merged(wanted))


def test_an_empty_option_is_written_so_that_postfix_reads_it() -> None:
    text = master_cf.render(merged({"name": "smtp", "options": {"smtpd_client_restrictions": ""}}))
    assert "    -o { smtpd_client_restrictions =  }\n" in text
    assert master_cf.parse(text)["smtp", "inet"].options == (("smtpd_client_restrictions", ""),)


def test_a_new_service() -> None:
    service = merged(
        {"name": "127.0.0.1:2525", "command": "smtpd -v -a { b c }", "private": False, "unpriv": True, "wakeup": "5?"}
    )["127.0.0.1:2525", "inet"]
    assert (service.private, service.unpriv, service.chroot, service.wakeup) == ("n", "y", "-", "5?")
    assert (service.program, service.arguments) == ("smtpd", "-v -a { b c }")


def test_a_service_that_is_not_wanted() -> None:
    assert ("uucp", "unix") not in merged({"name": "uucp", "type": "unix", "state": "absent"})
    assert merged({"name": "unheard-of", "state": "absent"}) == SERVICES


def test_the_limit_is_for_those_that_have_none() -> None:
    services = merged({"name": "smtp", "maxproc": 20}, limit=100)
    assert {service.name: service.maxproc for service in services.values()} == {
        "smtp": "20",
        "pickup": "1",
        "flush": "0",
        "relay": "100",
        "uucp": "100",
    }


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (
            {"name": "submission"},
            "master.cf: submission/inet: a service that the package does not have needs a command",
        ),
        ({"name": "a b", "command": "smtpd"}, "master.cf: a b/inet: a service's name is one word"),
        ({"name": "#a", "command": "smtpd"}, "master.cf: #a/inet: a service's name is one word"),
        ({"name": "smtp", "options": {"a b": 1}}, "master.cf: smtp/inet: a b: a parameter's name has"),
        ({"name": "smtp", "options": {"a": 1.5}}, "master.cf: smtp/inet: a = 1.5: must be text"),
    ],
)
def test_mistakes(entry: dict[str, Any], text: str) -> None:
    services, problems = master_cf.merge(SERVICES, [{"type": "inet", **entry}])
    assert services == SERVICES
    assert len(problems) == 1
    assert problems[0].startswith(text)
