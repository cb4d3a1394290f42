# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module vip_info documents whatever the daemon's status has, and nothing else."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.failover.carp.plugins.module_utils.carpd import machine, tracking, verbs, virtualhost
from ansible_collections.failover.carp.plugins.modules import vip_info

DOCUMENTED = next(part for name, part in yaml.safe_load(vip_info.RETURN).items() if name == "vips")
Keys = dict[str, Any]


def returned(module: Any, name: str) -> ast.Dict:
    """Return the dictionary that a method writes down."""
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == name:
            for inner in ast.walk(node):
                if isinstance(inner, ast.Return) and isinstance(inner.value, ast.Dict):
                    return inner.value
    raise AssertionError(f"{module.__name__} has no {name} that returns a dictionary")


def keys(found: ast.Dict) -> Keys:
    """Return the keys of a dictionary in the code, with those of the dictionaries in it."""
    told: Keys = {}
    for key, value in zip(found.keys, found.values):
        if isinstance(key, ast.Constant):
            inner = [each for each in ast.walk(value) if isinstance(each, ast.Dict)]
            told[str(key.value)] = keys(inner[0]) if inner else None
    return told


def real() -> Keys:
    status = keys(returned(virtualhost, "status"))
    status["election"].update(keys(returned(machine, "outlook")))
    status.update(keys(returned(verbs, "describe")))
    status["checks"] = keys(returned(tracking, "status"))
    function = next(
        node
        for node in ast.walk(ast.parse(Path(virtualhost.__file__).read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name == "status"
    )
    [master] = [
        node.value
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "master"
    ]
    status["master"] = keys(next(each for each in ast.walk(master) if isinstance(each, ast.Dict)))
    return status


def assert_documented(contains: Mapping[str, Any], there: Keys) -> None:
    """What another file puts into a key cannot be seen here."""
    assert contains.keys() == there.keys()
    for key, inner in there.items():
        if inner is not None:
            assert_documented(contains[key]["contains"], inner)


def test_every_key_of_the_status_is_documented() -> None:
    there = real()
    assert {key for key, inner in there.items() if inner is not None} >= {"master", "rivals", "checks", "election"}
    assert_documented(DOCUMENTED["contains"], there)


def test_the_sample_has_every_key() -> None:
    [sample] = DOCUMENTED["sample"]
    assert sample.keys() == real().keys()
    assert sample["election"].keys() == real()["election"].keys()
    assert sample["master"].keys() == real()["master"].keys()
