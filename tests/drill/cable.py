# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python3 -m drill.cable``: pull the cable of the preferred server until the other one is the master, and plug it in.

Ends when the preferred server is the master again. To be run under drill.watched.
"""

from __future__ import annotations

import json
import sys
import time

from .failover import PREFERRED, STANDBY
from .machines import LabError, Machine

PATIENCE = 30.0


def master(machine: Machine) -> bool:
    """Whether the machine's daemon says that it is the master of all its virtual hosts."""
    vips = json.loads(machine.run("carpctl", "status", "--json"))
    return bool(vips) and all(vip["state"] == "MASTER" for vip in vips)


def wait(machine: Machine) -> None:
    """Wait until the machine is the master."""
    until = time.monotonic() + PATIENCE
    while not master(machine):
        if time.monotonic() > until:
            raise LabError(f"{machine.name} did not become the master within {PATIENCE:.0f} s")
        time.sleep(0.1)


def main() -> int:
    """Do it."""
    try:
        wait(PREFERRED)
        PREFERRED.unplug()
        try:
            wait(STANDBY)
        finally:
            PREFERRED.plug()
        wait(PREFERRED)
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
