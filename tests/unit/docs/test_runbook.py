# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/runbook.md has an entry for whatever the daemon, the playbook status and the role can complain of."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
QUOTED = set(re.findall(r"`([^`\n]+)`", PAGE))
CARPD = ROOT / "plugins" / "module_utils" / "carpd"
JUDGES = ROOT / "plugins" / "plugin_utils"


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def function(path: Path, name: str) -> ast.AST:
    return next(node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef) and node.name == name)


def pattern(node: ast.AST) -> str:
    """Return what a string in the code can become; whatever is put into it may be anything."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.escape(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(pattern(part) if isinstance(part, ast.Constant) else ".*" for part in node.values)
    return ""


def strings(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the strings of an expression, those inside of others left out."""
    if isinstance(node, (ast.JoinedStr, ast.Constant)):
        yield node
    elif isinstance(node, ast.IfExp):
        yield from strings(node.body)
        yield from strings(node.orelse)


def obstacles() -> Iterator[ast.AST]:
    for node in ast.walk(tree(CARPD / "interfaces.py")):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Obstacle":
            yield node.args[0]


def alarms() -> Iterator[ast.AST]:
    for node in ast.walk(function(CARPD / "virtualhost.py", "_alarm")):
        if isinstance(node, ast.Return) and node.value is not None:
            yield from strings(node.value)
    for node in ast.walk(function(CARPD / "virtualhost.py", "_complain")):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "text":
            yield from strings(node.value)
    for node in ast.walk(function(CARPD / "daemon.py", "_guard_gone")):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "what":
            yield from strings(node.value)


def told(file: str, *names: str) -> Iterator[ast.AST]:
    """Yield what functions yield."""
    for name in names:
        for node in ast.walk(function(JUDGES / file, name)):
            if isinstance(node, ast.Yield) and node.value is not None:
                yield from strings(node.value)


def messages() -> list[str]:
    nodes = [
        *obstacles(),
        *alarms(),
        *told("health.py", "_wrong", "_noteworthy"),
        *told("readiness.py", "_strangers", "_neighbours", "_secrets"),
    ]
    return sorted({pattern(node) for node in nodes} - {"", ".*"})


def reasons() -> set[str]:
    """Return the words by which refused advertisements are counted."""
    found = set()
    for path in CARPD.glob("*.py"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "PacketError" and node.args:
                assert isinstance(node.args[0], ast.Constant), path
                found.add(str(node.args[0].value))
    return found


def complaints() -> set[str]:
    """Return the first words of the kinds of alarms that a virtual host raises by itself."""
    found = set()
    for node in ast.walk(tree(CARPD / "virtualhost.py")):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "_complain":
            for each in strings(node.args[0]):
                word = each.value if isinstance(each, ast.Constant) else getattr(each.values[0], "value", "")
                found.add(str(word).split()[0])
    return found


def test_what_is_looked_for_is_there() -> None:
    """Else the code was changed so that this test sees nothing of it."""
    assert len(messages()) >= 28
    assert {"digest", "replay", "checksum"} <= reasons()
    assert {"send", "hold", "announce", "ask", "rival", "peace"} <= complaints()


@pytest.mark.parametrize("message", messages())
def test_every_message_has_an_entry(message: str) -> None:
    assert any(re.fullmatch(message, quoted) for quoted in QUOTED), f"docs/runbook.md has no entry for: {message}"


@pytest.mark.parametrize("reason", sorted(reasons()))
def test_every_reason_to_refuse_has_an_entry(reason: str) -> None:
    assert reason in QUOTED


def test_every_explanation_of_a_refusal_is_quoted() -> None:
    for node in ast.walk(tree(CARPD / "virtualhost.py")):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "_REFUSALS":
            assert isinstance(node.value, ast.Dict)
            texts = {ast.literal_eval(value) for value in node.value.values}
            assert len(texts) >= 8
            assert texts <= QUOTED


@pytest.mark.parametrize("kind", sorted(complaints() - {"rival", "peace"}))
def test_every_kind_of_complaint_has_an_entry(kind: str) -> None:
    assert any(quoted.startswith(f"{kind} failed on ") for quoted in QUOTED)
