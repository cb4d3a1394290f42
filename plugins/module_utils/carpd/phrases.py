# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the daemon says, in words for a person who need not know CARP. The client's side."""

from __future__ import annotations

import time
from collections.abc import Mapping

from .standing import demoted_skew
from .typed import Any
from .waiting import Outcome

Status = Mapping[str, Any]


def paragraph(one: Status) -> str:
    """Say how one virtual host is."""
    state = f"{one['state']}, handing over" if one["leaving"] else one["state"]
    if one.get("draining"):
        state = f"{state}, draining ({_connections(one['draining'])})"
    lines = [
        f"{one['name']}: {state} for {duration(one['since'])}: {one['reason']}",
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


def _connections(draining: Mapping[str, Any]) -> str:
    """Say how many connections are waited for, and how long at most."""
    count = draining["connections"]
    text = "connections not counted yet" if count is None else f"{count} connection{'' if count == 1 else 's'}"
    return f"{text}, {draining['left']:.1f} s left"


def happening(event: Mapping[str, Any]) -> str:
    """Say in one line what has happened."""
    at = event["at"]
    clock = time.strftime("%H:%M:%S", time.localtime(at)) + f".{int(at % 1 * 1000):03}"
    who = f"{event['name']}: " if event["name"] else ""
    return f"{clock} {who}{_what(event)}"


def _what(event: Mapping[str, Any]) -> str:
    kind, old, new, reason = event["event"], event["old"], event["new"], event["reason"]
    if kind == "state":
        return f"{old} -> {new}: {reason}"
    if kind == "demotion":
        return f"demotion {old} -> {new}{': ' if reason else ''}{reason}"
    if kind == "order":
        return new or "no longer demoted by order"
    if kind == "maintenance":
        return f"maintenance is {new}{': ' if reason else ''}{reason}"
    return f"alarm: {reason}" if kind == "alarm" else str(reason)


def successes(verb: str, result: Outcome) -> list[str]:
    """Say what became of an order, line by line."""
    lines = [_done(verb, name, result) for name in result.statuses if name in result.took]
    maintenance = result.maintenance
    if maintenance is not None and maintenance["saved"]:
        then = "also after a restart, until carpctl maintenance off" if maintenance["on"] else ""
        lines.append(f"this host is {'' if maintenance['on'] else 'no longer '}in maintenance{then and ', '}{then}")
    return lines


def failures(result: Outcome) -> list[str]:
    """Say what of an order was not reached, line by line."""
    lines = [f"{name}: {why}" for name, why in result.failed.items()]
    if result.maintenance is not None and not result.maintenance["saved"]:
        then = "ends" if result.maintenance["on"] else "begins again"
        lines.append(f"maintenance {then} when the daemon is restarted: {result.maintenance['error']}")
    return lines


def in_maintenance(answer: Mapping[str, Any]) -> str:
    """Say whether this host is in maintenance."""
    text = f"in maintenance, as ordered by {answer['by']}" if answer["on"] else "not in maintenance"
    return f"this host is {text}{', until the daemon is restarted: ' if answer['error'] else ''}{answer['error']}"


def _done(verb: str, name: str, result: Outcome) -> str:
    status, took = result.statuses[name], result.took[name]
    if status["state"] == "MASTER":
        if verb != "promote":
            return f"{name}: no longer demoted by order"
        return f"{name}: was master here already" if took is None else f"{name}: master here after {took:.3f} s"
    if not status["operator"]:
        return f"{name}: no longer demoted by order"
    if name not in result.masters:
        return f"{name}: left to others; it was not master here"
    now = f"; the master is now {status['master']['source']}" if status["master"] else ""
    return f"{name}: handed over in {took or 0:.3f} s{now}"


def _check(check: Mapping[str, Any]) -> str:
    """Say how one check is."""
    if check["state"] == "unknown":
        return f"check {check['name']} ({check['type']}): no result yet"
    weight = "" if check["state"] == "good" else f", weight {check['weight']}"
    detail = f": {check['detail']}" if check["detail"] else ""
    return f"check {check['name']} ({check['type']}): {check['state']} for {duration(check['since'])}{weight}{detail}"


def duration(seconds: float) -> str:
    """Return a time as people say it, with tenths only where they matter."""
    whole = int(seconds)
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = max(60, whole)
    parts = [(whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number)
