# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sections of checks: what is taken, and what every mistake is told as."""

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd.checkconfig import Check, parse_check, settle
from ansible_collections.failover.carp.plugins.module_utils.carpd.config import ConfigError, load
from ansible_collections.failover.carp.plugins.module_utils.carpd.targets import (
    TARGETS,
    Endpoint,
    FileTarget,
    Url,
    parse_endpoint,
    parse_file,
    parse_url,
)

VIPS = """\
[vip mail]
interface = eth1
vhid = 1
addresses = 172.17.0.74/20
password = x
[vip web]
interface = eth2
vhid = 1
addresses = 172.18.0.74/20
password = x
"""


def checked(tmp_path: pathlib.Path, text: str) -> tuple[Check, ...]:
    path = tmp_path / "carpd.conf"
    path.write_text(VIPS + text)
    return load(str(path)).checks


def complaints(tmp_path: pathlib.Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        checked(tmp_path, text)
    return [str(problem).partition("carpd.conf: ")[2] for problem in caught.value.problems]


def test_two_lines_are_enough(tmp_path: pathlib.Path) -> None:
    (check,) = checked(tmp_path, "[check smtp]\ntype = smtp\ntarget = 127.0.0.1\n")
    assert check == Check("smtp", "smtp", "127.0.0.1", "", 2.0, 3.0, 3, 2, 100, ("mail", "web"))


def test_everything_can_be_said(tmp_path: pathlib.Path) -> None:
    text = """\
[check smtp]
type = smtp
target = [::1]:26
recipient = postmaster@example.org
interval = 0.5
timeout = 1.25
rise = 4
fall = 1
weight = fault
vips = web
"""
    (check,) = checked(tmp_path, text)
    assert check == Check("smtp", "smtp", "[::1]:26", "postmaster@example.org", 0.5, 1.25, 4, 1, None, ("web",))


def test_a_gateway_is_looked_for_where_its_virtual_hosts_are(tmp_path: pathlib.Path) -> None:
    (check,) = checked(tmp_path, "[check gw]\ntype = gateway\ntarget = 172.18.0.1\nvips = web\n")
    assert check.interface == "eth2"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("target = /x", "type is missing: one of command, tcp,"),
        ("type = tcp", "target is missing: what its type asks for"),
        ("type = htp\ntarget = x", "type = htp: must be one of command, tcp, smtp, http,"),
        ("type = tcp\ntarget = 127.0.0.1", "target = 127.0.0.1: must be an address and port such as 127.0.0.1:25"),
        ("type = link\ntarget = eth1\nintervall = 2", "there is no option intervall; did you mean interval?"),
        ("type = link\ntarget = eth1\ninterval = 0", "interval = 0: must be a number from 0.1 to 3600 (seconds)"),
        ("type = link\ntarget = eth1\ntimeout = 1e3", "timeout = 1e3: must be a number from 0.1 to 300 (seconds)"),
        ("type = link\ntarget = eth1\nrise = 0", "rise = 0: must be a whole number from 1 to 100"),
        ("type = link\ntarget = eth1\nweight = 255", "weight = 255: must be a whole number from 1 to 254, or fault"),
        ("type = link\ntarget = eth1\nweight = faulty", "weight = faulty: must be a whole number"),
        ("type = link\ntarget = eth1\nrecipient = a@b", "recipient = a@b: must be left out: it is for type smtp"),
        ("type = smtp\ntarget = [::1]\nrecipient = postmaster", "recipient = postmaster: must be an address of mail w"),
        ("type = link\ntarget = eth1\nvips = mial, web", "must be names of virtual hosts (mail, web); mial is none"),
        ("type = gateway\ntarget = 10.0.0.1", "vips = (all): must be virtual hosts of one interface"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(tmp_path: pathlib.Path, text: str, said: str) -> None:
    (line,) = complaints(tmp_path, f"[check a]\n{text}\n")
    assert line.startswith("[check a] ") and said in line


def test_a_virtual_host_with_mistakes_is_no_unknown_one(tmp_path: pathlib.Path) -> None:
    text = "[vip files]\nvhid = 3\n[check a]\ntype = link\ntarget = eth1\nvips = files\n"
    assert all("[vip files]" in line for line in complaints(tmp_path, text))


def test_a_check_needs_a_name_and_only_one(tmp_path: pathlib.Path) -> None:
    assert "a check's name must be" in complaints(tmp_path, "[check -a]\ntype = link\ntarget = eth1\n")[0]
    twice = "[check a]\ntype = link\ntarget = eth1\n[check  a]\ntype = link\ntarget = eth1\n"
    assert "stands in" in complaints(tmp_path, twice)[0]
    assert "did you mean check NAME" in complaints(tmp_path, "[chek a]\ntype = link\n")[0]


def test_values_may_be_what_yaml_makes_of_them() -> None:
    check, problems = parse_check("a", {"type": "tcp", "target": "/run/x", "interval": 1.5, "vips": ["b", "c"]}, "x")
    assert problems == [] and check is not None
    assert (check.interval, check.vips) == (1.5, ("b", "c"))


def test_a_check_about_nobody_is_left_out() -> None:
    check, _problems = parse_check("a", {"type": "tcp", "target": "/run/x"}, "x")
    assert check is not None
    assert settle([("x", check)], {}) == ((), [])


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("command", ["/bin/true", "/bin/echo 'a b'"], ["", "'", "''"]),
        ("tcp", ["127.0.0.1:1", "[::1]:65535", "localhost:25", "/run/x"], ["1.2.3:4", "a:0", "a:65536", "[::g]:1"]),
        ("smtp", ["127.0.0.1", "[::1]", "mail.example.org:587"], ["a b", ":25", "[127.0.0.1"]),
        ("http", ["http://127.0.0.1", "https://a.b:8443/x?y=1"], ["ftp://a", "http://", "http://a b/", "http://a:x/"]),
        ("unit", ["postfix@-.service", "nginx"], ["-x", "a b", "a/b"]),
        ("process", ["master", "/run/x.pid"], ["a/b", "a b"]),
        ("file", ["/run/x", "!/run/x"], ["run/x", "!run/x", "!"]),
        ("link", ["eth0", "eth0.5"], ["a/b", "sixteen_letters_", ".."]),
        ("gateway", ["10.0.0.1"], ["10.0.0", "::1", "224.0.0.1", "0.0.0.0", "127.0.0.1", "255.255.255.255"]),
    ],
)  # fmt: skip
def test_targets(kind: str, good: list[str], bad: list[str]) -> None:
    for text in good:
        TARGETS[kind].parse(text)
    for text in bad:
        with pytest.raises(ValueError):
            TARGETS[kind].parse(text)


def test_targets_are_understood() -> None:
    assert parse_endpoint("[::1]:25") == Endpoint("::1", 25)
    assert parse_endpoint("/run/a:1") == Endpoint("", 0, "/run/a:1")
    assert parse_url("https://a.example") == Url(True, Endpoint("a.example", 443), "a.example", "/")
    assert parse_url("http://[::1]:80/x") == Url(False, Endpoint("::1", 80), "[::1]:80", "/x")
    assert parse_file("! /x") == FileTarget("/x", False)
