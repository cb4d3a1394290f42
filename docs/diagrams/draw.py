# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw what docs/how-it-works.md shows; with ``--check``, tell if the drawings are up to date.

The states come from the daemon's table of transitions, the moves from records of real ones, which capture.py makes.
"""

from __future__ import annotations

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "plugins" / "module_utils")]

import sequence  # noqa: E402 - the path comes first
import states  # noqa: E402

MOVES = {
    "takeover": "The master's cable is cut: the other host takes over after three seconds of silence",
    "handover": "carpctl demote on the master: the other host has the address before the old master lets it go",
    "failback": "carpctl promote on the preferred host: it has the address before the other host lets it go",
}


def drawings() -> dict[str, str]:
    """Return the content of every file that is drawn, by its name."""
    found = {"states.svg": states.draw(), "transitions.md": states.table()}
    for name, title in MOVES.items():
        record = json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))
        found[f"{name}.svg"] = sequence.draw(title, record)
    return found


def main() -> int:
    """Draw, or check what is drawn; return the exit status."""
    stale = []
    for name, content in drawings().items():
        path = HERE / name
        if "--check" not in sys.argv:
            path.write_text(content, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != content:
            stale.append(name)
    if stale:
        sys.stderr.write(f"docs/diagrams/draw.py draws something else: {', '.join(stale)}; run `make docs`\n")
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
