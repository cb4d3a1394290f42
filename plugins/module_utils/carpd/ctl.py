# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``carpctl``: ask a running daemon."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from .cli import DEFAULT_RUNTIME_DIR, SOCKET_NAME
from .control import ControlError, request
from .standing import demoted_skew
from .version import VERSION


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0, or 1 when the daemon cannot be asked or refuses."""
    parser = argparse.ArgumentParser(prog="carpctl", description="Ask the CARP daemon of this host.")
    parser.add_argument("--version", action="version", version=VERSION)
    default = f"{DEFAULT_RUNTIME_DIR}/{SOCKET_NAME}"
    parser.add_argument("--socket", default=default, metavar="FILE", help="default: %(default)s")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="status | reload")
    status = verbs.add_parser("status", help="who is master, and why")
    status.add_argument("--json", action="store_true", help="for programs")
    verbs.add_parser("reload", help="read the configuration anew; a broken one changes nothing")
    options = parser.parse_args(arguments)
    try:
        answer = request(options.socket, options.verb)
    except ControlError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if options.verb == "status":
        text = json.dumps(answer, indent=2) if options.json else "\n".join(_paragraph(one) for one in answer)
        sys.stdout.write(text + "\n" if text else "")
    return 0


def _paragraph(one: Mapping[str, Any]) -> str:
    """Say how one virtual host is, so that a person need not know CARP."""
    state = f"{one['state']}, handing over" if one["leaving"] else one["state"]
    lines = [
        f"{one['name']}: {state} for {_duration(one['since'])}: {one['reason']}",
        f"    {', '.join(one['addresses'])} on {one['interface']}, vhid {one['vhid']}, "
        f"advertising every {one['advbase']} + {demoted_skew(one['advskew'], one['demotion'])}/256 s",
    ]
    if one["master"]:
        lines.append(f"    the master is {one['master']['source']}, heard {one['master']['age']:.1f} s ago")
    lines.extend(f"    {_check(check)}" for check in one.get("checks", ()))
    if one["refused"]:
        refused = ", ".join(f"{count} by {reason}" for reason, count in sorted(one["refused"].items()))
        lines.append(f"    advertisements refused: {refused}")
    return "\n".join(lines)


def _check(check: Mapping[str, Any]) -> str:
    """Say how one check is."""
    if check["state"] == "unknown":
        return f"check {check['name']} ({check['type']}): no result yet"
    weight = "" if check["state"] == "good" else f", weight {check['weight']}"
    detail = f": {check['detail']}" if check["detail"] else ""
    return f"check {check['name']} ({check['type']}): {check['state']} for {_duration(check['since'])}{weight}{detail}"


def _duration(seconds: float) -> str:
    whole = int(seconds)
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = max(60, whole)
    parts = [(whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


if __name__ == "__main__":
    raise SystemExit(main())
