# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever the pages name is there: files, headings, make targets, playbooks, variables, verbs, metrics."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.failover.carp.plugins.module_utils.carpd import ctl, metrics

ROOT = Path(__file__).parents[3]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("roles/*/README.md"),
        *ROOT.glob("tests/*/README.md"),
        *ROOT.glob("benchmarks/results/README.md"),
    ]
)
# Of Ansible and of the tools, which put more into their documentation than a test should repeat.
FOLDERS = ("benchmarks", "changelogs", "demo", "docs", "inventories", "meta", "molecule", "playbooks", "plugins")
FOLDERS += ("roles", "tests")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


every_page = pytest.mark.parametrize("page", PAGES, ids=name)


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def code(page: Path) -> str:
    """Return what is code on a page: blocks, and spans in sentences."""
    found = text(page)
    blocks = re.findall(r"^```.*?\n(.*?)^```", found, re.MULTILINE | re.DOTALL)
    blocks += re.findall(r"^ {4}(.*)$", found, re.MULTILINE)
    spans = re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```", "", found, flags=re.MULTILINE | re.DOTALL))
    return "\n".join([*blocks, *(re.sub(r"\s+", " ", span) for span in spans)])


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", text(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_pages_are_found() -> None:
    assert {"README.md", "CONTRIBUTING.md", "docs/runbook.md", "docs/mail.md"} <= {name(page) for page in PAGES}


@every_page
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text(page)):
        if re.match(r"https?:", target):
            continue
        path, _hash, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


def test_the_index_has_every_page() -> None:
    index = text(ROOT / "docs" / "README.md")
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "README.md" or f"]({page.name})" in index, page.name


@every_page
def test_every_make_target_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", text(ROOT / "Makefile"), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)", code(page)))
    assert named <= targets


def contents() -> set[str]:
    """Return what the collection has, by its short names."""
    found = {path.stem for path in ROOT.glob("playbooks/*.yml")}
    found |= {path.stem for path in ROOT.glob("plugins/modules/*.py")}
    found |= {path.stem for path in ROOT.glob("plugins/filter/*.py")}
    found |= {path.stem for path in ROOT.glob("extensions/eda/plugins/*/*.py")}
    return found | {path.name for path in ROOT.glob("roles/*") if path.is_dir()}


@every_page
def test_every_name_of_the_collection_exists(page: Path) -> None:
    assert set(re.findall(r"failover\.carp\.([a-z_]+)", text(page))) - {"attributes"} <= contents()


def variables() -> set[str]:
    """Return the variables of roles and playbooks, and tags, which look alike."""
    found: set[str] = set()
    for path in ROOT.glob("roles/*/meta/argument_specs.yml"):
        for entry in yaml.safe_load(text(path))["argument_specs"].values():
            found |= set(entry["options"])
    for path in ROOT.glob("roles/*/tasks/*.yml"):
        for tags in re.findall(r"^ *tags: \[(.*)\]$", text(path), re.MULTILINE):
            found |= set(tags.split(", "))
    for path in [*ROOT.glob("playbooks/**/*.yml"), *ROOT.glob("playbooks/**/*.j2")]:
        found |= set(re.findall(r"\b(?:carp|postfix)_\w+", text(path)))
    return found


@every_page
def test_every_variable_exists(page: Path) -> None:
    # Not in names of files, units and modules, such as postfix_config.
    named = set(re.findall(r"(?<![\w./])((?:carp|postfix)_[a-z_]+)\b(?!\.(?:py|yml))", code(page)))
    assert named - contents() <= variables()


def verbs() -> set[str]:
    """Return the verbs that carpctl knows, from its own parser."""
    found = set()
    for node in ast.walk(ast.parse(Path(ctl.__file__).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"[a-z]+", node.value):
            found.add(node.value)
    return found


@every_page
def test_every_verb_exists(page: Path) -> None:
    assert set(re.findall(r"^carpctl ([a-z]+)", code(page), re.MULTILINE)) <= verbs()
    assert set(re.findall(r"^carpd ([a-z]+)", code(page), re.MULTILINE)) <= {"run", "check", "release"}


@every_page
def test_every_metric_exists(page: Path) -> None:
    source = Path(metrics.__file__).read_text(encoding="utf-8")
    for metric in re.findall(r"\bcarpd_([a-z_]+)", code(page)):
        assert f'"{metric}"' in source or f"carpd_{metric}" in source, metric


@every_page
def test_every_test_that_proves_something_exists(page: Path) -> None:
    for path, test in re.findall(r"(tests/[\w/]+\.py)::(\w+)", text(page)):
        assert f"def {test}(" in text(ROOT / path), test


@every_page
def test_every_file_of_the_checkout_exists(page: Path) -> None:
    for path in re.findall(rf"(?<![\w/.-])((?:{'|'.join(FOLDERS)})/[\w./*-]+)", code(page)):
        if not re.search(r"NAME|PATH|vault\.yml$", path):
            assert list(ROOT.glob(path.rstrip("./"))), path
