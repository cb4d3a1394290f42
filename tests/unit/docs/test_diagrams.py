# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drawings of docs/how-it-works.md are what is drawn from the daemon's table and from the records of real moves."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

DIAGRAMS = Path(__file__).parents[3] / "docs" / "diagrams"


@pytest.fixture(scope="module")
def draw() -> ModuleType:
    path, found = list(sys.path), dict(sys.modules)
    spec = importlib.util.spec_from_file_location("draw", DIAGRAMS / "draw.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    finally:
        # Others have a carpd of their own, and modules with such names.
        sys.path[:] = path
        for name in set(sys.modules) - set(found):
            if name.partition(".")[0] in ("carpd", "sequence", "states", "svg"):
                del sys.modules[name]
    return module


def test_what_is_committed_is_what_is_drawn(draw: ModuleType) -> None:
    for name, content in draw.drawings().items():
        assert (DIAGRAMS / name).read_text(encoding="utf-8") == content, f"{name}: run `make docs`"


def test_every_drawing_is_drawn(draw: ModuleType) -> None:
    assert {path.name for path in DIAGRAMS.glob("*.svg")} == {name for name in draw.drawings() if name.endswith(".svg")}


def test_the_states_are_all_there(draw: ModuleType) -> None:
    drawing = draw.drawings()["states.svg"]
    assert all(f">{name}<" in drawing for name in draw.states.names())


@pytest.mark.parametrize("name", ["takeover", "handover", "failback"])
def test_a_move_shows_both_hosts_and_ends_with_one_owner(draw: ModuleType, name: str) -> None:
    root = ElementTree.fromstring(draw.drawings()[f"{name}.svg"])
    texts = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count("adds the address") == texts.count("removes the address") == 1
    assert any(re.fullmatch(r"advertises 1\+\d+/256 s", text) for text in texts)


def test_only_the_takeover_costs_the_client_anything(draw: ModuleType) -> None:
    costly = [name for name, content in draw.drawings().items() if "probes without answer" in content]
    assert costly == ["takeover.svg"]
