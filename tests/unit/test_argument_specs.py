# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a role says about its variables and what it does with them are the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = sorted((Path(__file__).parents[2] / "roles").iterdir())


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def options(role: Path) -> dict[str, Any]:
    return load(role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_they_name_the_same_variables(role: Path) -> None:
    defaults = load(role / "defaults" / "main.yml") or {}
    required = {name for name, option in options(role).items() if option.get("required")}
    assert set(defaults) | required == set(options(role))


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_they_have_the_same_defaults(role: Path) -> None:
    defaults = load(role / "defaults" / "main.yml") or {}
    for name, option in options(role).items():
        if "default" in option:
            assert option["default"] == defaults[name], name
            assert not option.get("required"), name
        else:
            # Nothing is no use to a reader, and what is computed is described in words.
            default = defaults.get(name)
            assert option.get("required") or not default or "{{" in str(default), name


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_variable_belongs_to_its_role_and_is_described(role: Path) -> None:
    for name, option in options(role).items():
        assert name.startswith(f"{role.name}_"), name
        assert option["description"], name
        assert option["type"], name


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_what_is_internal_is_named_so(role: Path) -> None:
    path = role / "vars" / "main.yml"
    for name in (load(path) or {}) if path.exists() else {}:
        assert name.startswith(f"__{role.name}_"), name
