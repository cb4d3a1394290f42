# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that is installed runs with nothing but Python, finds what changed, and tells no secret."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import basic
from ansible_collections.failover.carp.plugins.module_utils.postfix import drift_program, main_cf
from ansible_collections.failover.carp.plugins.modules import postfix_drift

MAIN = "biff = no\nsmtp_sasl_password_maps = texthash:"


class Host:
    """A host with a Postfix that tells what is in its main.cf."""

    def __init__(self, folder: Path, run: Any) -> None:
        self.config = folder / "postfix"
        self.config.mkdir()
        self.secrets = self.config / "passwords"
        self.secrets.write_text(main_cf.HEADER + "me s3cret\n", encoding="utf-8")
        self.main = self.config / "main.cf"
        self.main.write_text(f"{MAIN}{self.secrets}\n", encoding="utf-8")
        self.folder = folder / "lib" / "drift"
        self.units = folder / "units"
        self.units.mkdir()
        self._run = run

    def answer(self, words: list[str], _text: str = "", **_rest: Any) -> tuple[int, str, str]:
        options = words[3:] if words[:1] == ["postconf"] else []
        return (0, self.main.read_text(encoding="utf-8"), "") if options in (["-n"], ["-nx"]) else (0, "", "")

    def play(self, **arguments: Any) -> dict[str, Any]:
        result: dict[str, Any] = self._run(
            postfix_drift.main,
            folder=str(self.folder),
            units=str(self.units),
            config_dir=str(self.config),
            **arguments,
        )
        return result


@pytest.fixture
def host(tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(tmp_path, run)
    monkeypatch.setattr(
        basic.AnsibleModule, "run_command", lambda _self, words, data="", **rest: host.answer(words, data)
    )
    monkeypatch.setattr(drift_program, "run", host.answer)
    monkeypatch.setattr(drift_program, "_STAGES", str(tmp_path))
    return host


def test_it_is_installed_once_and_removed(host: Host) -> None:
    assert host.play(check=True)["changed"]
    assert not host.folder.exists()
    first = host.play()
    program, deployed = first["command"]
    service, timer = (str(host.units / f"failover-carp-drift.{kind}") for kind in ("service", "timer"))
    assert first["files"] == [str(host.folder), program, service, timer, deployed]
    assert [Path(path).stat().st_mode & 0o777 for path in first["files"]] == [0o700, 0o700, 0o644, 0o644, 0o600]
    assert first["reload_needed"]
    assert f"\nExecStart={program} {deployed}\n" in Path(service).read_text(encoding="utf-8")
    assert "s3cret" not in Path(deployed).read_text(encoding="utf-8")
    again = host.play()
    assert (again["files"], again["reload_needed"]) == ([], False)
    host.main.write_text("biff = yes\n", encoding="utf-8")
    assert not host.play(check=True)["changed"]
    assert host.play()["files"] == [deployed]
    assert host.play(state="absent", check=True)["changed"]
    assert host.folder.exists()
    gone = host.play(state="absent")
    assert gone["files"] == [program, deployed, service, timer, str(host.folder)]
    assert gone["reload_needed"]
    assert not any(Path(path).exists() for path in gone["files"])
    assert not host.play(state="absent")["changed"]


def test_what_somebody_else_put_there_stays(host: Host) -> None:
    host.play()
    (host.folder / "mine").write_text("", encoding="utf-8")
    host.play(state="absent")
    assert os.listdir(host.folder) == ["mine"]


def test_a_configuration_that_cannot_be_read(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(basic.AnsibleModule, "run_command", lambda *_words, **_rest: (1, "", "postconf: fatal: no"))
    assert host.play()["msg"] == "postconf: fatal: no"


def test_what_changed_is_told_by_file_and_key(
    host: Host, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", host.play()["command"])
    monkeypatch.setattr(drift_program.drift, "unfit", lambda *_state: [])
    monkeypatch.setattr(drift_program.Inspector, "problems", lambda *_folder: [])
    assert drift_program.main() == 0
    assert capsys.readouterr().out == "The server is as it was deployed.\n"
    host.main.write_text(host.main.read_text(encoding="utf-8") + "message_size_limit = 1\n", encoding="utf-8")
    host.secrets.write_text("me an0ther\n", encoding="utf-8")
    assert drift_program.main() == 1
    assert capsys.readouterr().out.splitlines() == [
        "<4>main.cf: message_size_limit: was deployed as nothing, and is 1",
        f"<4>table texthash:{host.secrets}: the text is not as it was deployed",
    ]


def test_the_program_needs_nothing_but_python(host: Host, tmp_path: Path) -> None:
    program, deployed = host.play()["command"]
    note = json.loads(Path(deployed).read_text(encoding="utf-8"))
    assert note["config_dir"] == str(host.config)
    done = subprocess.run([program, str(tmp_path / "none")], check=False, capture_output=True, text=True, cwd="/")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("<4>the configuration cannot be compared: [Errno 2]")
