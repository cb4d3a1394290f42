# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/migration.md leaves nothing of ucarp out, and names no option that does not exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd.options import (
    CARPD_OPTIONS,
    CHECK_OPTIONS,
    VIP_OPTIONS,
)

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "migration.md").read_text(encoding="utf-8")
OPTIONS = {"carpd": CARPD_OPTIONS, "vip": VIP_OPTIONS, "check": CHECK_OPTIONS}

# `ucarp --help` of ucarp 1.5.2; the long form of -m is what the program understands, not what its help says.
UCARP = {
    "-i": "--interface",
    "-s": "--srcip",
    "-m": "--mcastip",
    "-v": "--vhid",
    "-p": "--pass",
    "-o": "--passfile",
    "-P": "--preempt",
    "-n": "--neutral",
    "-a": "--addr",
    "-h": "--help",
    "-b": "--advbase",
    "-k": "--advskew",
    "-u": "--upscript",
    "-d": "--downscript",
    "-r": "--deadratio",
    "-D": "--debug",
    "-z": "--shutdown",
    "-B": "--daemonize",
    "-S": "--ignoreifstate",
    "-M": "--nomcast",
    "-f": "--facility",
    "-x": "--xparam",
}
# What Debian's hook if-up.d/ucarp reads, and what it makes of it.
STANZA = {
    "ucarp-vid": "-v",
    "ucarp-vip": "-a",
    "ucarp-password": "-p",
    "ucarp-upscript": "-u",
    "ucarp-downscript": "-d",
    "ucarp-advskew": "-k",
    "ucarp-advbase": "-b",
    "ucarp-deadratio": "-r",
    "ucarp-master": "-P",
    "ucarp-nomcast": "-M",
    "ucarp-xparam": "-x",
}
# Named already, and about to be made.
AWAITED = {("vip", "virtual_mac")}


def section(title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, title
    return found[1]


def rows(title: str) -> dict[str, list[str]]:
    """Return a section's table: the cells of each row by the first one."""
    lines = [line.strip("| \n").split(" | ") for line in section(title).splitlines() if line.startswith("| ")]
    return {cells[0]: [cell.strip(" |") for cell in cells[1:]] for cells in lines[1:] if not set(cells[0]) <= set("- ")}


def test_every_option_of_ucarp_has_its_row_and_no_other_has() -> None:
    table = rows("ucarp's command line")
    assert set(table) == {f"`{short}`, `{long}`" for short, long in UCARP.items()}


@pytest.mark.parametrize("short", UCARP)
def test_every_row_names_an_equivalent_or_says_why_there_is_none(short: str) -> None:
    here, differs = rows("ucarp's command line")[f"`{short}`, `{UCARP[short]}`"]
    assert differs
    named = re.search(r"\[(vip|carpd)\] \w+|`carpd --help`|^always$|^not needed$", here)
    assert named or (here == "refused" and f"(`{short}`)" in section("What is refused on purpose"))


def test_every_option_of_the_stanzas_has_its_row() -> None:
    table = rows("Debian's stanzas in /etc/network/interfaces")
    assert {name: cells[0].strip("`") for name, cells in table.items() if name.startswith("`ucarp-")} == {
        f"`{name}`": short for name, short in STANZA.items()
    }


def test_a_stanza_and_the_option_that_it_becomes_have_the_same_equivalent() -> None:
    stanzas, options = rows("Debian's stanzas in /etc/network/interfaces"), rows("ucarp's command line")
    for name, short in STANZA.items():
        here = re.findall(r"\[vip\] (\w+)", stanzas[f"`{name}`"][1])
        there = re.findall(r"\[vip\] (\w+)", options[f"`{short}`, `{UCARP[short]}`"][0])
        assert here, name
        assert set(here) & {*there, *(f"{option}_file" for option in there)}, name


def test_every_option_that_is_named_exists() -> None:
    named = set(re.findall(r"\[(carpd|vip|check)\] ([a-z_]+)", PAGE))
    assert len(named) > 20
    assert {(table, name) for table, name in named if name not in OPTIONS[table]} <= AWAITED


def test_every_link_leads_somewhere() -> None:
    titles = re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        path, _hash, anchor = target.partition("#")
        assert not path or (DOCS / path).exists(), target
        assert not anchor or path or anchor in anchors, target
