# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook that applies both roles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]


def variables(role: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "roles" / role / "vars" / "main.yml").read_text())
    return found


@pytest.mark.parametrize("what", ["facts", "fact_subsets"])
def test_what_both_roles_read_is_gathered_at_once(what: str) -> None:
    (play,) = yaml.safe_load((ROOT / "playbooks" / "site.yml").read_text())
    given = play["pre_tasks"][0]["vars"][f"__carp_{what}"]
    assert set(given) == {*variables("carp")[f"__carp_{what}"], *variables("postfix")[f"__postfix_{what}"]}
