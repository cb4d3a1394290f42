# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a server is not any more as it was deployed, and what would keep its Postfix from working with what it has.

What was deployed is noted on the server itself, of files with a secret as a digest only. Only what the role brings is
noted: a table or a certificate that something else keeps changes without anybody's mistake.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .. import _files
from .inspection import Inspector
from .main_cf import HEADER

#: The parts of the note whose values are text that everybody may read.
_OPEN_PARTS = (("main", "main.cf"), ("master", "master.cf"))
_NOTHING = "nothing"

Note = Mapping[str, Mapping[str, Any]]


def note(inspector: Inspector, files: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return what is deployed now; ``files`` are brought by the role though they do not say so themselves."""
    settings = inspector.settings()
    tables = {name: value for name, value in inspector.tables().items() if _is_ours(name.split(":", 1)[1])}
    named = inspector.files(settings, files)
    return {
        "main": settings,
        "master": inspector.services(),
        "tables": tables,
        "files": {path: value for path, value in named.items() if path in set(files) or _is_ours(path)},
    }


def changed(deployed: Note, inspector: Inspector) -> list[str]:
    """Return each difference between what was deployed and what is there, with the file's name and the key."""
    found = []
    settings = inspector.settings()
    for (part, file), now in zip(_OPEN_PARTS, (settings, inspector.services())):
        then = deployed[part]
        for key in sorted({*then, *now}):
            if then.get(key) != now.get(key):
                found.append(f"{file}: {key}: was deployed as {_value(then, key)}, and is {_value(now, key)}")
    tables = inspector.tables()
    for name, then in deployed["tables"].items():
        # One that no parameter names any more is told with the parameter.
        if name in tables and tables[name] != then:
            what = "text" if tables[name]["text"] != then["text"] else "index"
            found.append(f"table {name}: the {what} is not as it was deployed")
    files = inspector.files(settings, deployed["files"])
    for path, value in deployed["files"].items():
        if files[path] != value:
            found.append(f"{path}: the content is not as it was deployed")
    return found


def unfit(
    running: bool, unread: Iterable[str], problems: Iterable[str], certificate: Mapping[str, Any], now: float
) -> Iterator[str]:
    """Find what is wrong with a server by itself, whatever was deployed; ``now`` is in seconds since 1970."""
    if not running:
        yield "Postfix does not run"
    for path in unread:
        yield f"{path}: was written after Postfix last read it; reload it, or undo the change"
    yield from problems
    if certificate.get("fault"):
        yield f"the certificate: {certificate['fault']}"
    elif certificate and certificate["ends"] < now:
        day = datetime.datetime.fromtimestamp(certificate["ends"], tz=datetime.timezone.utc).date()
        yield f"the certificate ended on {day}"


def _is_ours(path: str) -> bool:
    return (_files.read(path) or b"").startswith(HEADER.encode())


def _value(values: Mapping[str, Any], key: str) -> str:
    return str(values.get(key, _NOTHING))
