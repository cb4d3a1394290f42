# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module's main() as Ansible does, in this process."""

from __future__ import annotations

import json
from typing import Any, Callable

import pytest
from ansible.module_utils import basic

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs main() with arguments and returns what the module says."""

    def run_module(main: Callable[[], None], check: bool = False, **arguments: Any) -> dict[str, Any]:
        settings = {"_ansible_check_mode": check, "_ansible_diff": True}
        monkeypatch.setattr(
            basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": {**arguments, **settings}}).encode()
        )
        # Since ansible-core 2.19 a module must be told how its arguments are written.
        monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        capsys.readouterr()
        with pytest.raises(SystemExit):
            main()
        return json.loads(capsys.readouterr().out)

    return run_module
