# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The body of a module that tells services of a host about the interfaces of carpd, or takes that back."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Callable

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.failover.carp.plugins.module_utils import _files
from ansible_collections.failover.carp.plugins.module_utils.hostnet.files import Ledger, Run


def run_module(
    returns: str, present: Callable[[Run, Ledger, Iterable[str]], list[str]], absent: Callable[[Run, Ledger], object]
) -> None:
    """Run the module. What ``present`` says is returned under the name ``returns``."""
    module = AnsibleModule(
        argument_spec={
            "interfaces": {"type": "list", "elements": "str", "default": []},
            "state": {"type": "str", "choices": ["absent", "present"], "default": "present"},
        },
        supports_check_mode=True,
    )
    ledger = Ledger(module.check_mode, _files.Owner(os.geteuid(), os.getegid()))

    def run(command: list[str]) -> tuple[int, str, str]:
        return module.run_command(command) if module.get_bin_path(command[0]) else (127, "", "")

    said: list[str] = []
    try:
        if module.params["state"] == "present":
            said = present(run, ledger, dict.fromkeys(module.params["interfaces"]))
        else:
            absent(run, ledger)
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}")
    module.exit_json(changed=ledger.changed, diff=ledger.diff, **{returns: said})
