# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of options: what a text says is allowed is what its parser takes."""

from __future__ import annotations

import ipaddress
import re

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd.options import (
    CARPD_OPTIONS,
    CHECK_OPTIONS,
    NAME_RULE,
    PASSWORD_MAX,
    PASSWORD_RULE,
    VIP_OPTIONS,
    Option,
    valid_name,
)
from hypothesis import given
from hypothesis import strategies as st

TABLES = (CARPD_OPTIONS, VIP_OPTIONS, CHECK_OPTIONS)
EVERY = [option for table in TABLES for option in table.values()]
NUMBERS = [option for option in EVERY if option.allowed.startswith("a whole number")]


def refuses(option: Option, text: str) -> bool:
    try:
        option.parse(text)
    except ValueError:
        return True
    return False


def taken(option: Option, *texts: str) -> list[str]:
    """Return those of the texts that the option's parser takes."""
    return [text for text in texts if not refuses(option, text)]


def named(options: list[Option]) -> object:
    return pytest.mark.parametrize("option", options, ids=[option.name for option in options])


def test_each_stands_under_its_own_name() -> None:
    for table in TABLES:
        assert [option.name for option in table.values()] == list(table)


@named(EVERY)
def test_is_described_in_one_line(option: Option) -> None:
    assert re.fullmatch(r"[^\n]+", option.allowed)
    assert not option.allowed.endswith("."), "it stands behind 'must be' in an error message"
    assert re.fullmatch(r"[A-Z0-9][^\n]+\.", option.summary)


@named([option for option in EVERY if option.default is not None])
def test_the_default_is_allowed(option: Option) -> None:
    option.parse(option.default)


def test_what_has_no_default() -> None:
    without = [option.name for option in EVERY if option.default is None]
    needed = ["interface", "vhid", "addresses", "type", "target"]
    assert [name for name in without if name in needed] == needed
    assert [option.name for option in EVERY if option.optional] == [name for name in without if name not in needed]


def test_only_passwords_are_secret() -> None:
    assert [option.name for option in EVERY if option.secret] == ["password", "accept_password"]


def test_defaults() -> None:
    defaults = {option.name: option.parse(option.default) for option in EVERY if option.default is not None}
    assert defaults == {
        "include": "",
        "priority": 50,
        "log_level": "info",
        "control_group": "",
        "metrics_listen": None,
        "advbase": 1,
        "advskew": 0,
        "profile": "default",
        "preempt": True,
        "dead_ratio": 3,
        "source": None,
        "group": "",
        "known_peers": (),
        "drain": 0.0,
        "drain_ports": (),
        "forward": 0.0,
        "accept_addresses": (),
        "on_master": (),
        "on_backup": (),
        "on_fault": (),
        "hook_timeout": 10.0,
        "hook_user": "",
        "up_script": "",
        "down_script": "",
        "xparam": "",
        "peers": (),
        "paths": (),
        "routed_peers": False,
        "virtual_mac": False,
        "interval": 2.0,
        "timeout": 3.0,
        "rise": 3,
        "fall": 2,
        "weight": 100,
        "vips": (),
    }


def test_the_numbers() -> None:
    assert [option.name for option in NUMBERS] == [
        "priority",
        "vhid",
        "advbase",
        "advskew",
        "dead_ratio",
        "rise",
        "fall",
        "weight",
    ]


@named(NUMBERS)
def test_a_number_is_taken_from_the_first_to_the_last_that_its_text_names(option: Option) -> None:
    low, high = map(int, re.match(r"a whole number from (\d+) to (\d+)", option.allowed).groups())
    assert [option.parse(str(number)) for number in (low, low + 1, high)] == [low, low + 1, high]
    assert refuses(option, str(high + 1))
    assert refuses(option, str(low - 1))


@named(NUMBERS)
def test_what_is_no_number(option: Option) -> None:
    texts = ["", " ", "x", "5.0", "5e0", "0x5", "+5", "-5", "5 5", "5\n", "0_5", "\u0665", "5" * 50]
    assert taken(option, *texts) == []


@named([CHECK_OPTIONS["interval"], CHECK_OPTIONS["timeout"]])
def test_seconds_are_taken_from_the_first_to_the_last_that_its_text_names(option: Option) -> None:
    low, high = map(float, re.match(r"a number from ([\d.]+) to ([\d.]+) \(seconds\)", option.allowed).groups())
    texts = [str(low), "1", "1.5", "0.999", "1.234", f"{high:.0f}", f"{high:.3f}"]
    assert [option.parse(text) for text in texts] == [float(text) for text in texts]
    garbage = ["0", "0.0", "0.099", f"{high + 0.001:.3f}", "1.", ".5", "1,5", "1.2345", "1e0", "inf", "nan", "-1", ""]
    assert taken(option, *garbage) == []


@pytest.mark.parametrize("text", ["debug", "info", "warning", "error"])
def test_log_levels(text: str) -> None:
    option = CARPD_OPTIONS["log_level"]
    assert option.parse(text) == text
    assert text in option.allowed
    assert refuses(option, text.upper())
    assert refuses(option, text + "s")


@pytest.mark.parametrize(
    ("text", "value"), [("yes", True), ("no", False), ("Yes", True), ("true", True), ("off", False), ("on", True)]
)
def test_yes_and_no(text: str, value: bool) -> None:
    assert VIP_OPTIONS["preempt"].parse(text) is value


def test_neither_yes_nor_no() -> None:
    texts = ["", "1", "0", "y", "yes no", "maybe", "none"]
    assert taken(VIP_OPTIONS["preempt"], *texts) == []


def test_interfaces() -> None:
    texts = ["eth0", "e", "eth1.100", "br-lan", "abcdefghijklmno", "wlp0s20f3", "a@b", "..."]
    assert [VIP_OPTIONS["interface"].parse(text) for text in texts] == texts


def test_no_interfaces() -> None:
    texts = ["", ".", "..", "abcdefghijklmnop", "eth 0", "eth0:1", "a/b", "eth\t0", "eth0\n"]
    assert taken(VIP_OPTIONS["interface"], *texts) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("172.17.0.74/20", ["172.17.0.74/20"]),
        ("10.0.0.1/8,10.0.0.2/8", ["10.0.0.1/8", "10.0.0.2/8"]),
        ("10.0.0.2/8 , 10.0.0.1/8", ["10.0.0.2/8", "10.0.0.1/8"]),
        ("10.0.0.2/8\n10.0.0.1/8,", ["10.0.0.2/8", "10.0.0.1/8"]),
        ("10.0.0.0/32", ["10.0.0.0/32"]),  # one host, no network around it
        ("10.0.0.0/31,10.0.0.1/31", ["10.0.0.0/31", "10.0.0.1/31"]),  # RFC 3021: both are hosts
        ("169.254.1.1/16", ["169.254.1.1/16"]),
        ("2001:db8::74/64", ["2001:db8::74/64"]),
        ("2001:DB8:0:0::0074/64", ["2001:db8::74/64"]),
        ("fe80::74/64", ["fe80::74/64"]),
        ("2001:db8::ffff:ffff:ffff:ffff/64", ["2001:db8::ffff:ffff:ffff:ffff/64"]),  # there is no broadcast
        ("2001:db8::/127", ["2001:db8::/127"]),  # RFC 6164: both are hosts
        ("2001:db8::/128", ["2001:db8::/128"]),
        ("2001:db8::74/64,172.17.0.74/20", ["2001:db8::74/64", "172.17.0.74/20"]),
    ],
)
def test_addresses(text: str, expected: list[str]) -> None:
    assert [str(address) for address in VIP_OPTIONS["addresses"].parse(text)] == expected


def test_no_addresses() -> None:
    texts = [
        "",
        ",",
        "172.17.0.74",  # no prefix length
        "172.17.0.74/",
        "172.17.0.74/33",
        "172.17.0.74/-1",
        "172.17.0.74/20/20",
        "172.17.0/20",
        "172.17.0.256/20",
        "172.17.00.74/20",
        "server/24",
        "2001:db8::74",  # no prefix length
        "2001:db8::74/129",
        "2001:db8::/64",  # all routers of the network (RFC 4291, 2.6.1)
        "fe80::74%eth1/64",
        "2001:db8:::74/64",
        "[2001:db8::74]/64",
        "::/128",
        "::1/128",
        "ff02::12/64",
        "2001:db8::74/64,2001:db8:0::74/48",
        "172.17.0.0/20",  # the network itself
        "172.17.15.255/20",  # its broadcast address
        "224.0.0.18/24",
        "127.0.0.2/8",
        "0.0.0.0/32",
        "255.255.255.255/32",
        "10.0.0.1/24,10.0.0.1/24",
        "10.0.0.1/24,10.0.0.1/32",  # the same address twice, whatever the prefix
        "10.0.0.1/24;10.0.0.2/24",
    ]
    assert taken(VIP_OPTIONS["addresses"], *texts) == []


def test_a_mask_is_no_prefix_length() -> None:
    texts = ["172.17.0.74/255.255.240.0", "172.17.0.74/0.0.15.255"]
    assert taken(VIP_OPTIONS["addresses"], *texts) == []


def test_the_examples_of_addresses_are_some() -> None:
    option = VIP_OPTIONS["addresses"]
    examples = re.search(r"such as (\S+) or (\S+),", option.allowed).groups()
    assert [str(address) for address in option.parse(",".join(examples))] == list(examples)


def test_source() -> None:
    option = VIP_OPTIONS["source"]
    assert option.parse("172.17.0.75") == ipaddress.IPv4Address("172.17.0.75")
    assert option.parse("") is None
    for text in ("172.17.0.75/20", "eth0", "fe80::1", "172.17.0"):
        assert refuses(option, text)


def test_a_password_is_taken_as_it_is() -> None:
    # Its length is checked where that of a file's first line is.
    texts = ["x", "a b", "ä€", "a;b", "#", "%(x)s", "[vip]", "=", "x" * 100]
    assert [VIP_OPTIONS["password"].parse(text) for text in texts] == texts


def test_a_password_that_cannot_stand_in_the_file() -> None:
    texts = [" x", "x ", "x\ny", "x\ty", "x\0", "x\x7f", "x ;y", ";x", "x\u2028y"]
    assert taken(VIP_OPTIONS["password"], *texts) == []


def test_paths() -> None:
    assert VIP_OPTIONS["password_file"].parse("/etc/carpd/secrets/smtp") == "/etc/carpd/secrets/smtp"
    assert CARPD_OPTIONS["include"].parse("vips.d/*.conf") == "vips.d/*.conf"
    assert refuses(VIP_OPTIONS["password_file"], "")
    for option in (VIP_OPTIONS["password_file"], CARPD_OPTIONS["include"]):
        assert refuses(option, "a\0b")
        assert refuses(option, "a\nb")


def test_the_password_rule_names_its_limit_and_the_reason() -> None:
    assert PASSWORD_MAX == 19
    assert re.match(r"1 to 19 bytes \(.*protocol.*\)$", PASSWORD_RULE)
    assert PASSWORD_RULE in VIP_OPTIONS["password"].allowed
    assert PASSWORD_RULE in VIP_OPTIONS["password_file"].allowed


@given(st.text())
def test_a_parser_raises_value_error_only(text: str) -> None:
    for option in EVERY:
        refuses(option, text)


def test_names() -> None:
    names = ["a", "0", "smtp", "smtp-2", "a.b_c", "A" * 32]
    assert [name for name in names if not valid_name(name)] == []


def test_no_names() -> None:
    names = ["", "-a", ".a", "_a", "A" * 33, "a b", "a/b", "ä", "a\n", "a]", "..", "²"]
    assert [name for name in names if valid_name(name)] == []


@given(st.text(max_size=40))
def test_the_name_rule_says_what_a_name_is(name: str) -> None:
    low, high = map(int, re.match(r"(\d+) to (\d+) letters", NAME_RULE).groups())
    letters = "abcdefghijklmnopqrstuvwxyz"
    first = set(letters + letters.upper() + "0123456789")
    later = first | set(re.findall("'(.)'", NAME_RULE))
    assert later - first == {"_", ".", "-"}
    expected = low <= len(name) <= high and name[0] in first and set(name) <= later
    assert valid_name(name) == expected
