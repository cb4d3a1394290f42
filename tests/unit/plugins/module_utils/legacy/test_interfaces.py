# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stanzas are those that ifupdown would find, and an edit can be undone to the byte."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.module_utils.legacy import interfaces
from ansible_collections.failover.carp.plugins.module_utils.legacy.files import Files

CLASSIC = """\
# The loopback
auto lo
iface lo inet loopback

auto eth1
iface eth1 inet static
    address 172.17.0.75
    netmask 255.255.240.0
    # ucarp-vid 9
    ucarp-vid 1
    ucarp-vip 172.17.0.74
    ucarp-password secret
    ucarp-advskew 1
    ucarp-advbase 1
    ucarp-master yes
    up ip route add 192.0.2.0/24 via \\
        172.17.0.1

iface eth1:ucarp inet static
\taddress 172.17.0.74
\tnetmask 255.255.240.0
"""


def found(files: Files) -> dict[str, dict[str, str]]:
    return {stanza.name: stanza.options for stanza in interfaces.read(files)}


def test_the_classic_recipe(made_up: Any) -> None:
    stanzas = found(made_up({interfaces.TOP: CLASSIC}))
    assert list(stanzas) == ["lo", "eth1", "eth1:ucarp"]
    assert stanzas["eth1"]["ucarp-vid"] == "1"
    assert stanzas["eth1"]["ucarp-password"] == "secret"
    assert stanzas["eth1"]["up"] == "ip route add 192.0.2.0/24 via 172.17.0.1"
    assert stanzas["eth1:ucarp"] == {"address": "172.17.0.74", "netmask": "255.255.240.0"}


def test_sources_are_followed_as_ifupdown_follows_them(made_up: Any) -> None:
    files = made_up(
        {
            interfaces.TOP: "source interfaces.d/*.cfg\nsource-directory /etc/network/more\niface a inet manual\n",
            "/etc/network/interfaces.d/b.cfg": "iface b inet manual\nsource /etc/network/c\n",
            "/etc/network/interfaces.d/b.bak": "iface wrong inet manual\n",
            "/etc/network/c": "iface c inet manual\n",
            "/etc/network/more/d": "iface d inet manual\n",
            "/etc/network/more/e.dpkg-old": "iface wrong inet manual\n",
        }
    )
    assert list(found(files)) == ["a", "b", "c", "d"]


def test_a_file_that_sources_itself_ends_somewhere(made_up: Any) -> None:
    assert len(list(interfaces.paths(made_up({interfaces.TOP: f"source {interfaces.TOP}\n"})))) < 100


@pytest.mark.parametrize("line", ["auto eth2", "allow-hotplug eth2", "mapping eth2", "no-auto-down eth1", "source x"])
def test_a_stanza_ends_where_something_else_begins(line: str) -> None:
    text = f"iface eth1 inet static\n  address 192.0.2.1\n{line}\n  address 192.0.2.2\n"
    assert [stanza.options for stanza in interfaces.stanzas(text, "")] == [{"address": "192.0.2.1"}]


def test_names_of_options_are_those_that_hooks_see() -> None:
    (stanza,) = interfaces.stanzas("iface eth1 inet static\nUCARP_VID 3\n", "")
    assert stanza.options == {"ucarp-vid": "3"}


def test_the_real_files_of_a_host(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "interfaces").write_text("source-directory more\nsource nothing*\n")
    (tmp_path / "more" / "eth1").write_bytes(b"iface eth1 inet manual\n  ucarp-password \xff\n")
    (stanza,) = interfaces.read(Files(), str(tmp_path / "interfaces"))
    assert os.fsencode(stanza.options["ucarp-password"]) == b"\xff"
    assert interfaces.read(Files(), str(tmp_path / "missing")) == []


def test_without_ucarp_the_interface_itself_is_as_before() -> None:
    after = interfaces.without_ucarp(CLASSIC)
    (_lo, eth1) = interfaces.stanzas(after, "")
    assert set(eth1.options) == {"address", "netmask", "up"}
    assert "    # ucarp-vid 9\n" in after
    assert interfaces.without_ucarp(after) == after


@pytest.mark.parametrize(
    "text",
    [
        CLASSIC,
        "auto eth1 eth1:ucarp\niface eth1 inet static\n ucarp-vid 1 \\\n  2\n#ucarp- x",
        "auto eth1:ucarp\nallow-hotplug eth1:ucarp\niface eth1:ucarp inet manual\n\n",
        "",
    ],
)
def test_an_edit_can_be_undone_to_the_byte(text: str) -> None:
    assert interfaces.with_ucarp(interfaces.without_ucarp(text)) == text


def test_only_a_line_that_is_about_nothing_else_becomes_a_comment() -> None:
    after = interfaces.without_ucarp("auto eth1 eth1:ucarp\nauto eth1:ucarp\n")
    assert after == f"auto eth1 eth1:ucarp\n{interfaces.MARK}auto eth1:ucarp\n"
