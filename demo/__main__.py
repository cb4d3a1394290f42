# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python3 -m demo``: build the lab, run the site playbook on it, hold a drill, draw what happened."""

from __future__ import annotations

import pathlib
import shutil
import sys

from drill.failover import Failover
from drill.machines import LabError

from .guide import LOOK_AROUND
from .playbooks import Playbooks
from .progress import Progress
from .timeline import ASCII, UNICODE, Timeline

ROOT = pathlib.Path(__file__).resolve().parent.parent


def demo(distribution: str, progress: Progress) -> bool:
    """Show it all; whether every promise was kept."""
    playbooks = Playbooks(ROOT, ROOT / ".cache" / "demo", progress)
    progress.step(f"building two servers and a client ({distribution})")
    playbooks.run("create", str(ROOT / "molecule" / "shared" / "create.yml"))
    progress.step("ansible-playbook failover.carp.site")
    playbooks.run("site", "failover.carp.site")
    report = Failover(tell=progress.step).run()

    columns = min(shutil.get_terminal_size().columns, 120)
    style = UNICODE if (sys.stdout.encoding or "").lower().startswith("utf") else ASCII
    print("\n" + Timeline(report, columns, style).draw())
    promises = report.promises()
    for promise in promises:
        print(f"{'kept  ' if promise.kept else 'BROKEN'}  {promise.text}: {promise.found}")
    print("\n" + LOOK_AROUND)
    return all(promise.kept for promise in promises)


def main(distribution: str) -> int:
    """Run the demo: 0 if all went as promised, 1 if not, 2 if it could not be shown."""
    progress = Progress()
    try:
        return 0 if demo(distribution, progress) else 1
    except LabError as error:
        progress.step(f"stopped: {error}")
        return 2
    except KeyboardInterrupt:
        progress.step("interrupted; `make demo-down` takes down what is there")
        return 130


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
