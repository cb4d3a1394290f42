# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""keepalived.conf, as far as it is about addresses: its vrrp_instance blocks (keepalived.conf(5))."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Union

from .files import Files

TOP = "/etc/keepalived/keepalived.conf"
_DEEPEST = 16

# A block is a list of entries, an entry its words and the block behind them, if there is one.
Entry = tuple[list[str], Union[list["Entry"], None]]

# What an inventory cannot say by itself, and where it goes.
_BY_HAND = {
    "track_script": "a check of type command, or of a type that needs no script",
    "track_interface": "a check of type link",
    "track_process": "a check of type process",
    "track_file": "a check of type file",
    "virtual_routes": "a script",
    "virtual_rules": "a script",
    "notify": "the option on_master, on_backup or on_fault",
    "notify_master": "the option on_master",
    "notify_backup": "the option on_backup",
    "notify_fault": "the option on_fault",
    "smtp_alert": "a script, or your monitoring",
    "use_vmac": "the option virtual_mac",
    "unicast_peer": "the option peers",
    "dont_track_primary": "nothing: a host without link is no master",
    "preempt_delay": "the option failback",
    "virtual_ipaddress_excluded": "further addresses of the same virtual IP",
}


@dataclass(frozen=True)
class Instance:
    """One vrrp_instance. ``interval`` is in seconds."""

    origin: str
    name: str
    interface: str
    vhid: int
    addresses: tuple[str, ...]
    priority: int = 100
    interval: float = 1.0
    preempt: bool = True
    password: str = field(default="", repr=False)
    notes: tuple[str, ...] = ()


def find(files: Files, top: str = TOP) -> list[Instance]:
    """Return all instances that a host is configured with."""
    found = []
    groups: dict[str, str] = {}
    entries = list(_blocks([token for line in _lines(files, top) for token in (*_tokens(line), "\n")]))
    for words, block in entries:
        if words[0] == "vrrp_sync_group" and len(words) > 1:
            for group_words, members in block or []:
                if group_words[0] == "group":
                    groups.update({name: words[1] for member, _none in members or [] for name in member})
    for words, block in entries:
        if words[0] == "vrrp_instance" and len(words) > 1:
            found.append(_instance(words[1], block or [], f"{top}, vrrp_instance {words[1]}", groups))
    return found


def _lines(files: Files, path: str, depth: int = 0) -> Iterator[str]:
    """Go through the lines of the file and all that it includes."""
    for line in (files.read(path) or "").splitlines():
        include = re.match(r"\s*include[rmwba]*\s+(\S+)", line)
        if include is None:
            yield line
        elif depth < _DEEPEST:
            for inner in files.matching(os.path.join(os.path.dirname(path), include[1])):
                yield from _lines(files, inner, depth + 1)


def _tokens(line: str) -> Iterator[str]:
    """Go through a line's words and braces, each brace by itself, up to a comment; quotes are taken off."""
    for quoted, brace, word in re.findall(r"""\s*(?:("[^"]*"?)|([{}])|([!#].*|[^\s{}"]+))""", line):
        if word[:1] in ("!", "#"):
            return
        yield brace or word or f'"{quoted.strip(chr(34))}'


def _blocks(tokens: list[str]) -> Iterator[Entry]:
    """Go through the entries up to the end, or to the brace that closes their block; what is used is removed.

    An entry ends with its line, unless a block of its own begins on the next.
    """
    words: list[str] = []
    while tokens:
        token = tokens.pop(0)
        if token == "{":
            block = list(_blocks(tokens))
            if words:
                yield words, block
            words = []
        elif token == "}":
            break
        elif token != "\n":
            words.append(token.lstrip('"'))
        elif words and next((other for other in tokens if other != "\n"), "") != "{":
            yield words, None
            words = []
    if words:
        yield words, None


def _instance(name: str, block: list[Entry], origin: str, groups: dict[str, str]) -> Instance:
    single = {words[0]: words[1:] for words, inner in block if inner is None}
    inner = {words[0]: entries for words, entries in block if entries is not None}
    auth = {words[0]: words[1:] for words, _none in inner.get("authentication", [])}
    addresses = [
        words[0] for key in ("virtual_ipaddress", "virtual_ipaddress_excluded") for words, _none in inner.get(key, [])
    ]
    notes = [f"{key} is for you to carry over: {_BY_HAND[key]}" for key in _BY_HAND if key in single or key in inner]
    if name in groups:
        notes.append(f"it is in vrrp_sync_group {groups[name]}: see the option group")
    if _first(single, "version") == "3" or not auth:
        notes.append("it has no password, and CARP needs one: make one up")
    return Instance(
        origin=origin,
        name=name,
        interface=_first(single, "interface"),
        vhid=_whole(_first(single, "virtual_router_id")),
        addresses=tuple(addresses),
        priority=_whole(_first(single, "priority") or "100"),
        interval=_number(_first(single, "advert_int") or "1"),
        preempt="nopreempt" not in single,
        password=" ".join(auth.get("auth_pass", []))[:8],
        notes=tuple(notes),
    )


def _first(single: dict[str, list[str]], name: str) -> str:
    return (single.get(name) or [""])[0]


def _whole(text: str) -> int:
    return int(text) if text.isdigit() else 0


def _number(text: str) -> float:
    return float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else 1.0
