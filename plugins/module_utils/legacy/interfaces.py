# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""/etc/network/interfaces as ifupdown reads it: interfaces(5) of ifupdown 0.8."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from .files import Files

TOP = "/etc/network/interfaces"
MARK = "#ucarp: "
_ALIAS = ":ucarp"
_DEEPEST = 16  # sources within sources; ifupdown itself knows no bound
# Words that begin something new, and so end a stanza.
_KEYWORDS = re.compile(r"(iface|mapping|template|auto|allow-\S+|no-\S+|rename|source|source-dir(ectory)?)$")
# Of the files in a folder, those that ifupdown takes.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]+$")


@dataclass(frozen=True)
class Line:
    """A logical line: its words, and the lines of the file that it consists of, counted from 0."""

    words: tuple[str, ...]
    first: int
    last: int

    def rest(self) -> str:
        """Return what follows the first word."""
        return " ".join(self.words[1:])


@dataclass
class Stanza:
    """``iface NAME FAMILY METHOD`` with its options, in the names that hooks know them by."""

    name: str
    path: str
    header: Line
    options: dict[str, str] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)


def option_name(word: str) -> str:
    """Return an option's name as hooks see it: they get IF_UCARP_VID for ``ucarp-vid`` and for ``ucarp_vid``."""
    return word.lower().replace("_", "-")


def logical_lines(text: str) -> Iterator[Line]:
    """Go through the lines that say something; a backslash at the end joins one with the next."""
    first, joined = 0, ""
    for number, line in enumerate(text.split("\n")):
        if not joined:
            first = number
            if line.lstrip().startswith("#"):
                continue
        joined += line
        if joined.endswith("\\"):
            joined = joined[:-1] + " "
            continue
        words = tuple(joined.split())
        joined = ""
        if words:
            yield Line(words, first, number)


def stanzas(text: str, path: str) -> Iterator[Stanza]:
    """Go through the stanzas of one file."""
    current: Stanza | None = None
    for line in logical_lines(text):
        if _KEYWORDS.match(line.words[0]):
            if current is not None:
                yield current
            current = Stanza(line.words[1], path, line) if line.words[0] == "iface" and len(line.words) > 1 else None
        elif current is not None:
            current.options[option_name(line.words[0])] = line.rest()
            current.lines.append(line)
    if current is not None:
        yield current


def paths(files: Files, top: str = TOP, depth: int = 0) -> Iterator[str]:
    """Go through the file and all that it sources, each before what it sources itself."""
    text = files.read(top)
    if text is None or depth > _DEEPEST:
        return
    yield top
    for line in logical_lines(text):
        for word in line.words[1:]:
            target = os.path.join(os.path.dirname(top), word)
            if line.words[0] == "source":
                found = files.matching(target)
            elif re.match(r"source-dir(ectory)?$", line.words[0]):
                inside = [path for folder in files.matching(target) for path in files.inside(folder)]
                found = [path for path in inside if _PLAIN_NAME.match(os.path.basename(path))]
            else:
                break
            for path in found:
                yield from paths(files, path, depth + 1)


def read(files: Files, top: str = TOP) -> list[Stanza]:
    """Return all stanzas of the host."""
    return [stanza for path in paths(files, top) for stanza in stanzas(files.read(path) or "", path)]


def is_alias(name: str) -> bool:
    """Tell whether a stanza is the one that the package's scripts bring up: IFACE:ucarp."""
    return name.endswith(_ALIAS)


def without_ucarp(text: str) -> str:
    """Return the file with ucarp's options and the stanzas IFACE:ucarp as comments; all else stays as it is."""
    lines = text.split("\n")
    for line in _of_ucarp(text):
        for number in range(line.first, line.last + 1):
            lines[number] = MARK + lines[number]
    return "\n".join(lines)


def with_ucarp(text: str) -> str:
    """Return the file as it was before ``without_ucarp``."""
    return "\n".join(line[len(MARK) :] if line.startswith(MARK) else line for line in text.split("\n"))


def _of_ucarp(text: str) -> Iterator[Line]:
    for stanza in stanzas(text, ""):
        if is_alias(stanza.name):
            yield from [stanza.header, *stanza.lines]
        else:
            yield from (line for line in stanza.lines if option_name(line.words[0]).startswith("ucarp-"))
    for line in logical_lines(text):
        names = line.words[1:]
        if re.match(r"(auto|allow-\S+)$", line.words[0]) and names and all(is_alias(name) for name in names):
            yield line
