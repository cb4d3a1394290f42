# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The package as a whole: it needs nothing but Python, and it is what can be carried to a host by a module."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd import version

PACKAGE = Path(version.__file__).parent
FILES = sorted(PACKAGE.glob("*.py"))
NAMES = {file.stem for file in FILES}


def imports(file: Path) -> Iterator[tuple[int, str]]:
    """Yield how many dots an import begins with, and the first word of what it imports from."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, (node.module or "").partition(".")[0]


def test_there_are_files() -> None:
    assert {"cli", "ctl", "daemon", "config", "packet"} <= NAMES


def test_the_init_is_empty_and_there_is_no_main() -> None:
    assert (PACKAGE / "__init__.py").read_bytes() == b""
    assert "__main__" not in NAMES
    assert all("__" not in name for name in NAMES - {"__init__"})


def test_imports_its_own_package_and_python_s_library_only() -> None:
    for file in FILES:
        found = set(imports(file))
        assert {name for level, name in found if level} <= NAMES, file
        assert {level for level, _name in found} <= {0, 1}, file
        if sys.version_info >= (3, 10):
            # _sha1 is a part of Python, too, where it was built with it.
            assert {name for level, name in found if not level} <= {*sys.stdlib_module_names, "_sha1"}, file


def test_imports_nothing_that_makes_the_daemon_big_or_slow() -> None:
    heavy = {"dataclasses", "asyncio", "ssl", "hashlib", "subprocess", "multiprocessing", "email", "http"}
    found = {(file.stem, name) for file in FILES for level, name in imports(file) if not level and name in heavy}
    # Where there is no other SHA-1, in the checker's own process, and for type checkers only.
    assert found == {("digest", "hashlib"), ("checks", "ssl"), ("commands", "subprocess"), ("records", "dataclasses")}


def loaded_by(code: str) -> set[str]:
    """Return which modules are loaded after this, in a Python of its own that loads next to nothing by itself."""
    code = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); {code}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-S", "-B", "-c", code], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def test_the_daemon_does_not_load_what_only_its_checker_needs() -> None:
    """That one imports it in its own process, after the fork."""
    loaded = loaded_by("import carpd.daemon")
    assert "carpd.health" in loaded
    assert not {"ssl", "subprocess", "carpd.checks", "carpd.commands"} & loaded


def test_the_daemon_does_not_load_what_would_make_it_bigger_than_promised(tmp_path: Path) -> None:
    """Each of these takes a quarter of a megabyte or more, most of them much more."""
    config = tmp_path / "carpd.conf"
    config.write_text("[vip smtp]\ninterface = none\nvhid = 1\naddresses = 192.0.2.74/24\npassword = sesame\n")
    code = "import carpd.libc; carpd.libc.call('getpgid', 0)"
    code += (
        "; import carpd.daemon, carpd.cli, carpd.logs; carpd.daemon.Daemon = None; carpd.cli._run = lambda *_given: 0"
    )
    loaded = loaded_by(f"{code}; carpd.cli.main(['run', '--config', {str(config)!r}])")
    assert "carpd.config" in loaded
    too_big = {"typing", "ctypes", "inspect", "dataclasses", "argparse", "shutil", "difflib", "gettext", "subprocess"}
    too_big |= {"logging", "traceback"}
    assert not too_big & loaded


def test_the_guard_is_forked_from_a_small_process() -> None:
    """What is loaded then, it has for ever; and what the daemon changes of that later, it has for itself alone."""
    loaded = loaded_by("import carpd.cli")
    assert {name for name in loaded if name.startswith("carpd.")} <= {
        "carpd.cli",
        "carpd.sentry",
        "carpd.forked",
        "carpd.version",
    }
    assert not {"typing", "re", "json", "logging", "ipaddress", "threading"} & loaded


def test_the_machine_knows_neither_clock_nor_socket_nor_file() -> None:
    pure = {
        "machine",
        "transitions",
        "packet",
        "digest",
        "speaker",
        "announce",
        "standing",
        "tracking",
        "targets",
        "neighbours",
    }
    for name in pure:
        found = {module for _level, module in imports(PACKAGE / f"{name}.py")}
        assert not found & {"time", "socket", "os", "select", "selectors", "threading", "logging", "signal"}, name


def test_a_release_of_the_collection_is_one_of_the_daemon() -> None:
    galaxy = (PACKAGE.parents[2] / "galaxy.yml").read_text(encoding="utf-8")
    assert re.search(r"^version: (\S+)$", galaxy, re.MULTILINE).group(1) == version.VERSION


@pytest.mark.parametrize("command", ["cli", "ctl"])
def test_the_commands_start_from_the_bare_package(command: str, tmp_path: Path) -> None:
    """Isolated: without the environment, without installed packages, without the folder of the test."""
    code = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); from carpd.{command} import main; main()"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", code, "--version"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{version.VERSION}\n", "")
