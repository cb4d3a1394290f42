# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where mail servers that should be alike are not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.failover.carp.plugins.module_utils.postfix.drift import unfit

from .mail_services import HANDOVER_TABLE
from .text import listed

#: What is each server's own. The table of what is handed over says who has the address, and changes with it.
OWN_PARAMETERS = frozenset({"myhostname"})
OWN_TABLE = f"regexp:{HANDOVER_TABLE}"
_NOTHING = "nothing"

Info = Mapping[str, Any]


def find(
    infos: Mapping[str, Info], own: Mapping[str, Collection[str]], service: str = "", now: float = 0.0
) -> list[str]:
    """Return every difference between the servers, and what is wrong with each, a line of text for each.

    ``infos`` has what module postfix_info told of each, or ``msg``, why it told nothing. ``own`` has the parameters
    that may differ. ``service`` is the name that clients know, if that is known; ``now`` is in seconds since 1970.
    """
    faults = [f"{host}: {info['msg']}" for host, info in infos.items() if "main" not in info]
    told = {host: info for host, info in infos.items() if "main" in info}
    for host, info in told.items():
        faults += _alone(host, info, service, now)
    if len(infos) < 2:
        return [*faults, "there is nothing to compare: name more servers"]
    free = OWN_PARAMETERS.union(*own.values())
    for part, file in (("main", "main.cf"), ("master", "master.cf"), ("packages", "package")):
        for key, values in _different({host: info[part] for host, info in told.items()}):
            if part != "main" or key not in free:
                faults.append(f"{file}: {key}: {_each(values)}")
    for name, values in _different({host: info["tables"] for host, info in told.items()}):
        if name != OWN_TABLE:
            faults.append(f"table {name}: {_table(values)}")
    for path, values in _different({host: info["files"] for host, info in told.items()}):
        faults.append(f"{path}: {_content(values)}")
    types = {host: dict.fromkeys(info["types"], "yes") for host, info in told.items()}
    for name, values in _different(types):
        without = listed(host for host, value in values.items() if value is None)
        faults.append(f"table type {name}: {without} does not have it")
    return faults


def _alone(host: str, info: Info, service: str, now: float) -> Iterator[str]:
    certificate = info["certificate"]
    for fault in unfit(info["running"], info["unread"], info["problems"], certificate, now):
        yield f"{host}: {fault}"
    if certificate and not certificate.get("fault") and service and service not in certificate["names"]:
        yield f"{host}: the certificate is for {listed(certificate['names'])}, not {service}"


def _different(parts: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Find the keys that do not have one value on all hosts; None is for a host that has none."""
    for key in sorted({key for part in parts.values() for key in part}):
        values = {host: part.get(key) for host, part in parts.items()}
        first, *others = values.values()
        if any(value != first for value in others):
            yield key, values


def _each(values: Mapping[str, Any]) -> str:
    return "; ".join(f"{host} has {_NOTHING if value is None else value}" for host, value in values.items())


def _table(values: Mapping[str, Any]) -> str:
    if any(value is None for value in values.values()):
        return _each({host: value and "it" for host, value in values.items()})
    texts = {host: value["text"] for host, value in values.items()}
    if len(set(texts.values())) > 1:
        return _content(texts)
    indexes = {host: value["index"] for host, value in values.items()}
    return _content(indexes, "the text is the same, and the indexes differ")


def _content(values: Mapping[str, Any], what: str = "the content differs") -> str:
    """Say who agrees with whom: of content there are digests only."""
    groups: dict[Any, list[str]] = {}
    for host, value in values.items():
        groups.setdefault(value, []).append(host)
    return f"{what}: {_sides(groups)}"


def _sides(groups: Mapping[Any, Iterable[str]]) -> str:
    words = {None: "does not use it", "missing": "has no such file", "unreadable": "cannot read it"}
    return "; ".join(f"{listed(hosts)} {words.get(value, f'({str(value)[:8]})')}" for value, hosts in groups.items())
