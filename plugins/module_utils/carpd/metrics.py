# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures for Prometheus, in its text format, made from what the daemon says about itself and its virtual hosts.

The format: https://prometheus.io/docs/instrumenting/exposition_formats/, version 0.0.4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from .typed import Any, NamedTuple

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_STATES = ("INIT", "BACKUP", "MASTER")
Status = Mapping[str, Any]
_Sample = tuple[Mapping[str, object], float]


class _Family(NamedTuple):
    """One metric: its name without the prefix, its type, what it means, and its samples for a virtual host."""

    name: str
    type: str
    meaning: str
    samples: Callable[[Status], Iterable[_Sample]]


def render(daemon: Mapping[str, Any], statuses: Iterable[Status]) -> str:
    """Return all metrics as text. ``daemon`` is the answer to the verb metrics, ``statuses`` that to status."""
    known = list(statuses)
    lines = [*_whole("build_info", "gauge", "The version of the daemon.", 1, {"version": daemon["version"]})]
    lines += _whole("uptime_seconds", "gauge", "For how long the daemon's program has run.", daemon["up"])
    lines += _whole("maintenance", "gauge", "Whether this host is in maintenance.", daemon["maintenance"])
    meaning = "By how much a timer of the election was served late at most, since the program was loaded."
    lines += _whole("wakeup_lateness_max_seconds", "gauge", meaning, daemon["latest"])
    for family in _FAMILIES:
        lines += _head(family.name, family.type, family.meaning)
        for status in known:
            labels = {"name": status["name"], "interface": status["interface"], "vhid": status["vhid"]}
            lines += [_line(family.name, {**labels, **more}, value) for more, value in family.samples(status)]
    return "\n".join(lines) + "\n"


def _whole(name: str, kind: str, meaning: str, value: float, labels: Mapping[str, object] | None = None) -> list[str]:
    return [*_head(name, kind, meaning), _line(name, labels or {}, value)]


def _head(name: str, kind: str, meaning: str) -> list[str]:
    return [f"# HELP carpd_{name} {meaning}", f"# TYPE carpd_{name} {kind}"]


def _line(name: str, labels: Mapping[str, object], value: float) -> str:
    inside = ",".join(f'{key}="{_escaped(str(text))}"' for key, text in labels.items())
    return f"carpd_{name}{{{inside}}} {_number(value)}" if inside else f"carpd_{name} {_number(value)}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))


def _one(get: Callable[[Status], float]) -> Callable[[Status], list[_Sample]]:
    return lambda status: [({}, get(status))]


def _states(status: Status) -> Iterator[_Sample]:
    for state in _STATES:
        yield {"state": state}, status["state"] == state


def _refused(status: Status) -> Iterator[_Sample]:
    for reason, count in sorted(status["refused"].items()):
        yield {"reason": reason}, count


def _draining(status: Status) -> Iterator[_Sample]:
    if status.get("draining"):
        yield {}, status["draining"]["connections"] or 0


def _heard_from(status: Status) -> Iterator[_Sample]:
    if status["master"]:
        yield {"source": status["master"]["source"]}, status["master"]["age"]


def _checks(status: Status) -> Iterator[_Sample]:
    for check in status.get("checks", ()):
        yield {"check": check["name"], "type": check["type"]}, check["state"] == "failing"


_FAMILIES = (
    _Family("state", "gauge", "1 for the state of the virtual host, 0 for the others.", _states),
    _Family("state_seconds", "gauge", "For how long it has been in this state.", _one(lambda one: one["since"])),
    _Family("leaving", "gauge", "Whether it is handing over.", _one(lambda one: one["leaving"])),
    _Family("draining_connections", "gauge", "Connections that a handover waits for.", _draining),
    _Family("transitions_total", "counter", "How often its state has changed.", _one(lambda one: one["transitions"])),
    _Family(
        "advertisements_sent_total", "counter", "Advertisements and goodbyes that left.", _one(lambda one: one["sent"])
    ),
    _Family(
        "advertisements_heard_total", "counter", "Advertisements that were believed.", _one(lambda one: one["heard"])
    ),
    _Family("advertisements_refused_total", "counter", "Advertisements that were not heeded, by reason.", _refused),
    _Family("demotion", "gauge", "By how much this host ranks lower, 0 to 255.", _one(lambda one: one["demotion"])),
    _Family(
        "operator_demotion", "gauge", "Whether an operator demotes this host.", _one(lambda one: bool(one["operator"]))
    ),
    _Family("master_heard_seconds", "gauge", "How long ago another master was heard.", _heard_from),
    _Family("check_failing", "gauge", "Whether a check fails.", _checks),
    _Family("alarm", "gauge", "Whether a peer is alive but different.", _one(lambda one: bool(one["alarm"]))),
    _Family("rivals", "gauge", "How many others claim an address of it.", _one(lambda one: len(one["rivals"]))),
)
