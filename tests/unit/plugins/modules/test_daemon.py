# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon is installed as it came, completely, and nothing else stays."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.failover.carp.plugins.module_utils.carpd import version
from ansible_collections.failover.carp.plugins.modules import daemon

PACKAGE = Path(version.__file__).parent


class Place:
    """Where a test installs, and how."""

    def __init__(self, top: Path, run: Any) -> None:
        self.library = top / "lib" / "failover-carp"
        self.package = self.library / "carpd"
        self.cache = self.package / "__pycache__"
        self.commands = top / "sbin"
        self._run = run

    def daemon(self, **arguments: Any) -> dict[str, Any]:
        return self._run(daemon.main, library=str(self.library), commands=str(self.commands), **arguments)

    def files(self) -> dict[str, tuple[int, bytes]]:
        found = [path for folder in (self.library, self.commands) for path in folder.rglob("*")]
        return {str(path): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"") for path in found}


@pytest.fixture
def place(tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch) -> Place:
    # Whatever runs on the machine of the tests does not matter.
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda *_arguments: None)
    # That of a virtual environment can have a path too long for a script.
    monkeypatch.setattr(sys, "executable", os.path.realpath(sys.executable))
    return Place(tmp_path, run)


def sources() -> set[str]:
    return {path.name for path in PACKAGE.glob("*.py")}


def test_every_file_of_the_daemon_travels_with_the_module() -> None:
    assert set(daemon.sources()) == sources()


def test_it_is_installed_byte_for_byte(place: Place) -> None:
    result = place.daemon()
    assert result["changed"]
    assert result["version"] == version.VERSION
    assert result["previous_version"] == ""
    assert result["interpreter"] == sys.executable
    assert {path.name for path in place.package.glob("*.py")} == sources()
    for name in sources():
        assert (place.package / name).read_bytes() == (PACKAGE / name).read_bytes()


def test_modes_do_not_depend_on_the_umask(place: Place) -> None:
    old = os.umask(0o077)
    try:
        place.daemon()
    finally:
        os.umask(old)
    for path in [place.library, *place.library.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o755 if path.is_dir() else 0o644), path
    for name in ("carpd", "carpctl"):
        assert stat.S_IMODE((place.commands / name).stat().st_mode) == 0o755


def test_the_second_run_changes_nothing(place: Place) -> None:
    place.daemon()
    before = place.files()
    result = place.daemon()
    assert not result["changed"]
    assert result["files"] == []
    assert result["previous_version"] == version.VERSION
    assert result["diff"]["before"] == result["diff"]["after"]
    assert place.files() == before


def test_check_mode_tells_the_same_and_writes_nothing(place: Place, tmp_path: Path) -> None:
    checked = place.daemon(check=True)
    assert list(tmp_path.iterdir()) == []
    done = place.daemon()
    assert checked == done | {"invocation": checked["invocation"]}


def test_the_commands_run_what_was_installed(place: Place, tmp_path: Path) -> None:
    place.daemon()
    for name in ("carpd", "carpctl"):
        # A folder of the same name and an environment that points to it must not matter.
        (tmp_path / "carpd").mkdir(exist_ok=True)
        (tmp_path / "carpd" / "__init__.py").write_text("raise RuntimeError")
        environment = {"PYTHONPATH": str(tmp_path)}
        ran = subprocess.run(
            [str(place.commands / name), "--version"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert ran.stdout == version.VERSION + "\n"


def test_nothing_has_to_be_compiled_at_start(place: Place) -> None:
    place.daemon()
    verbose = subprocess.run(
        [sys.executable, "-ISBv", "-c", f"import sys; sys.path.insert(0, {str(place.library)!r}); import carpd.cli"],
        capture_output=True,
        text=True,
        check=True,
    )
    ours = [line for line in verbose.stderr.splitlines() if str(place.package) in line]
    assert any("matches" in line for line in ours)
    assert not any("code object from" in line and line.endswith(".py'") for line in ours)


def test_the_daemon_carries_no_docstrings_along(place: Place) -> None:
    place.daemon()
    code = "import carpd.machine as it; print(it.__doc__, it.Machine.__doc__, it.Machine.due.__doc__)"
    done = subprocess.run(
        [sys.executable, "-ISB", "-c", f"import sys; sys.path.insert(0, {str(place.library)!r}); {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["None"] * 3


@pytest.mark.parametrize(
    "spoil",
    [
        lambda place: (place.package / "old.py").write_text("VERSION = 1\n"),
        lambda place: (place.package / "old").mkdir(),
        lambda place: (place.cache / "old.cpython-38.pyc").write_bytes(b""),
        lambda place: (place.cache / f"cli.{sys.implementation.cache_tag}.pyc").unlink(),
        lambda place: (place.cache / f"cli.{sys.implementation.cache_tag}.pyc").write_bytes(b"\0" * 64),
        lambda place: (place.package / "cli.py").write_text("# edited\n"),
        lambda place: (place.package / "cli.py").unlink(),
        lambda place: (place.package / "cli.py").chmod(0o600),
        lambda place: place.package.chmod(0o700),
        lambda place: (place.commands / "carpd").write_text("#!/bin/sh\n"),
        lambda place: (place.commands / "carpctl").unlink(),
    ],
    ids=[
        "stale file",
        "stale folder",
        "compiled for another Python",
        "not compiled",
        "compiled from something else",
        "edited",
        "missing",
        "unreadable",
        "closed folder",
        "another command",
        "missing command",
    ],
)
def test_whatever_is_different_is_put_right(place: Place, spoil: Any) -> None:
    place.daemon()
    right = place.files()
    spoil(place)
    spoilt = place.files()
    checked = place.daemon(check=True)
    assert place.files() == spoilt
    result = place.daemon()
    assert checked["changed"] and result["changed"]
    assert checked["files"] == result["files"]
    assert len(result["files"]) == 1
    now = place.files()
    assert now.keys() == right.keys()
    # Compiled code is not the same to the byte each time.
    assert all(now[path] == right[path] for path in right if not path.endswith(".pyc"))
    assert not place.daemon()["changed"]


def test_the_diff_names_the_files_and_the_versions(place: Place) -> None:
    result = place.daemon()
    assert result["diff"]["before"] == ""
    lines = result["diff"]["after"].splitlines()
    assert lines[0] == f"carpd {version.VERSION}"
    assert len(lines) == 1 + len(sources()) + 2
    (place.package / "version.py").write_text('VERSION = "0.0.1"\n')
    (place.package / "old.py").write_text("")
    result = place.daemon()
    before, after = (set(result["diff"][key].splitlines()) for key in ("before", "after"))
    gone = sorted(line.split()[0].rpartition("/")[2] if "/" in line else line for line in before - after)
    assert gone == ["carpd 0.0.1", "old.py", "version.py"]
    assert result["previous_version"] == "0.0.1"


def test_it_is_removed_completely(place: Place) -> None:
    place.daemon()
    (place.commands / "other").write_text("")
    checked = place.daemon(state="absent", check=True)
    assert place.package.is_dir()
    result = place.daemon(state="absent")
    assert checked["changed"] and result["changed"]
    assert checked["files"] == result["files"]
    assert not place.library.exists()
    assert os.listdir(place.commands) == ["other"]
    assert result["version"] == ""
    assert result["diff"]["after"] == ""
    assert not place.daemon(state="absent")["changed"]


def test_a_library_that_holds_something_else_stays(place: Place) -> None:
    place.daemon()
    (place.library / "other").write_text("")
    place.daemon(state="absent")
    assert os.listdir(place.library) == ["other"]


@pytest.mark.parametrize("check", [False, True])
def test_without_permission_there_is_a_clear_message(
    place: Place, monkeypatch: pytest.MonkeyPatch, check: bool
) -> None:
    def refuse(path: str, *_rest: Any) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(daemon._files, "make_folder", refuse)
    monkeypatch.setattr(os, "access", lambda *_arguments: False)
    result = place.daemon(check=check)
    assert result["failed"]
    assert "use become" in result["msg"]
    assert str(place.library) in result["msg"]


@pytest.mark.parametrize("interpreter", ["", "/opt/my python/bin/python3", "/opt/" + "x" * 130])
def test_a_python_that_no_script_can_name_is_refused(
    place: Place, monkeypatch: pytest.MonkeyPatch, interpreter: str
) -> None:
    monkeypatch.setattr(sys, "executable", interpreter)
    result = place.daemon()
    assert result["failed"]
    assert "ansible_python_interpreter" in result["msg"]
    assert not place.library.exists()


@pytest.mark.parametrize(
    ("pid", "age", "clock", "needed"),
    [
        (42, 3600, 0, True),
        (42, -3600, 0, False),
        (0, 3600, 0, False),
        (42, 3600, -7200, False),
    ],
    ids=["older than the files", "younger than the files", "does not run", "clock set back"],
)
def test_a_daemon_that_is_older_than_its_files_needs_a_restart(
    place: Place, monkeypatch: pytest.MonkeyPatch, pid: int, age: float, clock: float, needed: bool
) -> None:
    place.daemon()
    started = int((time.monotonic() - age) * 1e6)
    shown = f"MainPID={pid}\nExecMainStartTimestampMonotonic={started}\nFragmentPath=\n"
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda *_arguments: "/bin/systemctl")
    monkeypatch.setattr(AnsibleModule, "run_command", lambda *_arguments: (0, shown, ""))
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + clock)
    result = place.daemon()
    assert result["restart_needed"] is needed
    assert not result["changed"]


def test_a_daemon_that_is_older_than_its_unit_needs_a_restart(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place.daemon()
    unit = tmp_path / "carpd.service"
    asked = []

    def run_command(_module: Any, command: list[str]) -> tuple[int, str, str]:
        asked.append(command[-1])
        return 0, f"MainPID=42\nExecMainStartTimestampMonotonic={started}\nFragmentPath={unit}\n", ""

    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda *_arguments: "/bin/systemctl")
    monkeypatch.setattr(AnsibleModule, "run_command", run_command)
    # The times of files go by the kernel's tick, which is some milliseconds.
    time.sleep(0.02)
    started = int(time.monotonic() * 1e6)
    assert not place.daemon()["restart_needed"]
    time.sleep(0.02)
    unit.write_text("")
    result = place.daemon(service="other.service")
    assert result["restart_needed"] and result["service_restart_needed"]
    assert asked == ["carpd.service", "other.service"]


def test_a_program_that_was_loaded_anew_is_as_young_as_its_socket(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place.daemon()
    socket = tmp_path / "control.sock"
    long_ago = int((time.monotonic() - 3600) * 1e6)
    shown = f"MainPID=42\nExecMainStartTimestampMonotonic={long_ago}\nFragmentPath=\n"
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda *_arguments: "/bin/systemctl")
    monkeypatch.setattr(AnsibleModule, "run_command", lambda *_arguments: (0, shown, ""))
    result = place.daemon(socket=str(socket))
    assert result["restart_needed"] and not result["service_restart_needed"]
    time.sleep(0.02)
    socket.touch()
    assert not place.daemon(socket=str(socket))["restart_needed"]
