# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ucarp was told is read as ucarp reads it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.module_utils.legacy import interfaces, ucarp
from ansible_collections.failover.carp.plugins.module_utils.legacy.files import Files

HOOK = Path("/etc/network/if-up.d/ucarp")
BASE = ["-i", "eth1", "-s", "172.17.0.75", "-v", "1", "-p", "secret", "-a", "172.17.0.74"]


def read(*words: str, files: Files | None = None) -> ucarp.Virtual:
    return ucarp.read_command([*BASE, *words], "here", files or Files())


def stanza(**options: str) -> interfaces.Stanza:
    line = interfaces.Line(("iface", "eth1"), 0, 0)
    given = {"address": "172.17.0.75", "ucarp_vid": "1", "ucarp_vip": "172.17.0.74", "ucarp_password": "secret"}
    named = {name.replace("_", "-"): value for name, value in {**given, **options}.items()}
    return interfaces.Stanza("eth1", "/etc/network/interfaces", line, named)


def test_the_defaults_are_those_of_ucarp() -> None:
    found = read()
    assert (found.interface, found.vhid, found.address) == ("eth1", 1, "172.17.0.74")
    assert (found.password, found.source) == ("secret", "172.17.0.75")
    assert (found.advbase, found.advskew, found.dead_ratio) == (1, 0, 3)
    assert not (found.preempt or found.broadcast or found.up_script or found.down_script or found.notes)


def test_the_password_is_not_part_of_how_it_is_shown() -> None:
    assert "secret" not in repr(read())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["-P", "-M"], {"preempt": True, "broadcast": True}),
        (["-PMk5"], {"preempt": True, "broadcast": True, "advskew": 5}),
        (["--preempt", "--advskew=7", "--advbase", "2"], {"preempt": True, "advskew": 7, "advbase": 2}),
        (["--advs=7", "--dead", "5"], {"advskew": 7, "dead_ratio": 5}),
        (["-k", "300"], {"advskew": 44}),
        (["-b", "257"], {"advbase": 1}),
        (["-k", "0x10"], {"advskew": 16}),
        (["-k", "010"], {"advskew": 8}),
        (["-v", "12abc"], {"vhid": 12}),
        (["-u", "/usr/share/ucarp/vip-up", "-d", "/opt/down"], {"up_script": "", "down_script": "/opt/down"}),
        (["-x", "third"], {"xparam": "third"}),
        (["-p", "other"], {"password": "other"}),
        (["--", "-P"], {"preempt": False}),
    ],
)
def test_options(words: list[str], expected: dict[str, object]) -> None:
    found = read(*words)
    assert {name: getattr(found, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["-v", "0"], "vhid"),
        (["-v", "256"], "vhid"),
        (["-v", "x"], "vhid"),
        (["-p", ""], "no password"),
        (["-p", "x" * 20], "more than 19"),
        (["-a", "172.17.0.74/20"], "virtual address"),
        (["-s", "-B"], "source address"),
        (["-Q"], "no option -Q"),
        (["--adv=1"], "no option --adv"),
        (["-k"], "no value"),
        (["-o", "/missing"], "cannot be read"),
    ],
)
def test_what_ucarp_refuses_is_refused(words: list[str], why: str) -> None:
    with pytest.raises(ucarp.NotUcarp, match=why):
        read(*words)


def test_a_password_file_gives_its_first_line_with_all_that_is_in_it(made_up: Any) -> None:
    found = read("-o", "/pass", files=made_up({"/pass": "first \r\nsecond\n"}))
    assert found.password == "first \r"
    assert any("carriage return" in note for note in found.notes)


@pytest.mark.parametrize(
    ("words", "note"),
    [
        (["-k", "300"], "modulo 256"),
        (["-k", "010"], "was 8"),
        (["-S"], "ignoreifstate"),
        (["-u", "/opt/up"], "/opt/up"),
        (["--mcast=224.0.0.19"], "224.0.0.19"),
    ],
)
def test_what_a_person_should_know_is_noted(words: list[str], note: str) -> None:
    assert any(note in one for one in read(*words).notes)


@pytest.mark.parametrize(
    ("value", "on"),
    [
        ("yes", True),
        ("1", True),
        ("No", True),
        ("NO", True),
        ("FALSE", True),
        ("n", True),
        ("", False),
        ("no", False),
        ("off", False),
        ("false", False),
        ("0", False),
        ("nobody", False),
        ("falsey", False),
    ],
)
def test_ucarp_master_is_off_only_for_what_begins_so(value: str, on: bool) -> None:
    words = ucarp.of_stanza(stanza(ucarp_master=value))
    assert words is not None
    assert ("-P" in words) is on
    assert any("switched preemption on" in note for note in ucarp.stanza_notes(stanza(ucarp_master=value))) == (
        on and value not in ("yes", "1")
    )


@pytest.mark.parametrize("missing", ["ucarp_vid", "ucarp_vip", "ucarp_password"])
def test_without_one_of_three_the_hook_starts_nothing(missing: str) -> None:
    assert ucarp.of_stanza(stanza(**{missing: ""})) is None


@pytest.mark.skipif(not HOOK.exists(), reason="needs Debian's package ucarp")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"address": "172.17.0.75/20"},
        {"address": ""},
        {"ucarp_password": "two words"},
        {"ucarp_master": "Nobody", "ucarp_nomcast": "off"},
        {"ucarp_master": "no way", "ucarp_nomcast": "yes"},
        {"ucarp_advskew": "1", "ucarp_advbase": "2", "ucarp_deadratio": "4", "ucarp_xparam": "a b"},
        {"ucarp_upscript": "/opt/up", "ucarp_downscript": "/opt/down"},
        {"ucarp_facility": "local0", "ucarp_passfile": "/etc/pass"},
    ],
)
def test_the_command_line_is_that_of_the_real_hook(tmp_path: Path, options: dict[str, str]) -> None:
    stub = tmp_path / "ucarp"
    stub.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    stub.chmod(0o755)
    script = HOOK.read_text().replace(ucarp.PROGRAM, str(stub))
    given = stanza(**options)
    environment = {f"IF_{name.upper().replace('-', '_')}": value for name, value in given.options.items()}
    # ifupdown hands over the bare address.
    environment.update({"IFACE": "eth1", "IF_ADDRESS": given.options["address"].split("/")[0]})
    ran = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=True)
    words = ucarp.of_stanza(given)
    assert words is not None
    # The order does not matter but where a word stands without an option before it.
    assert sorted(words) == sorted(ran.stdout.splitlines())
    assert words[: words.index("-u")] == ran.stdout.splitlines()[: words.index("-u")]


COMMON = 'PASSWORD="common"\nBIND_INTERFACE=eth1 # here\nSOURCE_ADDRESS="172.17.0.75"\nOPTIONS="--shutdown --preempt"\n'


def test_files_of_the_init_script(made_up: Any) -> None:
    files = made_up(
        {
            "/etc/ucarp/vip-common.conf": COMMON,
            "/etc/ucarp/vip-001.conf": 'VIP_ADDRESS="172.17.0.74"\n',
            "/etc/ucarp/vip-010.conf": 'VIP_ADDRESS=172.17.0.73\nPASSFILE=/etc/ucarp/p\nOPTIONS="$OPTIONS -k 20"\n',
            "/etc/ucarp/vip-www.conf": "VID=3\nVIP_ADDRESS=172.17.0.72\n",
            "/etc/ucarp/vip-old.conf": "VIP_ADDRESS=172.17.0.71\n",
            "/etc/ucarp/vip-004.conf": "VIP_ADDRESS=\n",
            "/etc/ucarp/p": "of the file\n",
        }
    )
    found = ucarp.find(files)
    about = [(each.vhid, each.address, each.password, each.advskew, each.preempt) for each in found.virtuals]
    # vip-old has neither a number nor VID; vip-010 is 8, as it was for ucarp.
    assert about == [
        (1, "172.17.0.74", "common", 0, True),
        (8, "172.17.0.73", "of the file", 20, True),
        (3, "172.17.0.72", "common", 0, True),
    ]
    assert any("was 8" in note for note in found.virtuals[1].notes)
    assert [problem.partition(":")[0] for problem in found.problems] == ["/etc/ucarp/vip-004.conf"]


def test_all_that_a_host_has(made_up: Any) -> None:
    text = (
        "iface eth1 inet static\n address 172.17.0.75/20\n ucarp-vid 1\n ucarp-vip 172.17.0.74\n ucarp-password a b\n"
        " ucarp-facility local0\niface eth2 inet dhcp\n ucarp-vid 2\n ucarp-vip 192.0.2.1\n ucarp-password x\n"
    )
    found = ucarp.find(made_up({interfaces.TOP: text}))
    (virtual,) = found.virtuals
    assert virtual.origin == "/etc/network/interfaces, iface eth1"
    assert virtual.password == "a"
    assert len(virtual.notes) == 2
    (problem,) = found.problems
    assert "iface eth2" in problem and "source address" in problem


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A='one two' # said", "one two"),
        ('A="${B}-$B-$C"', "b-b-"),
        ("  export A=1", "1"),
        ("A=1\nA=2", "2"),
        ("A=", ""),
        ("A='$B'", "$B"),
        ("A=1\nA=$(hostname)", None),
        ("A='open", None),
        ("# A=1", None),
    ],
)
def test_variables_are_those_that_a_shell_would_see(text: str, value: str | None) -> None:
    assert ucarp.variables(text, {"B": "b"}).get("A") == value
