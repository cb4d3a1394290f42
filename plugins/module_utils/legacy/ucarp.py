# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ucarp's command line, and those that Debian's hook and init scripts make of their files.

Everything becomes a command line first, and that is read as ucarp itself reads it (UCarp src/ucarp.c): so a value means
here what it meant there, also where its author thought that it meant something else.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address

from . import interfaces
from .files import Files

PROGRAM = "/usr/sbin/ucarp"
FOLDER = "/etc/ucarp"
COMMON = "vip-common.conf"
# What only adds and removes the address: of Debian's package, and of Fedora's.
USUAL_SCRIPTS = tuple(
    f"{folder}/vip-{which}" for folder in ("/usr/share/ucarp", "/usr/libexec/ucarp") for which in ("up", "down")
)
PASSWORD_MAX = 19  # ucarp refuses more

# Short letter, whether it takes a value (UCarp src/ucarp_p.h).
_LONG = {
    "interface": ("i", True),
    "srcip": ("s", True),
    "mcast": ("m", True),
    "mcastip": ("m", True),
    "vhid": ("v", True),
    "pass": ("p", True),
    "passfile": ("o", True),
    "preempt": ("P", False),
    "neutral": ("n", False),
    "addr": ("a", True),
    "help": ("h", False),
    "advbase": ("b", True),
    "advskew": ("k", True),
    "upscript": ("u", True),
    "downscript": ("d", True),
    "deadratio": ("r", True),
    "debug": ("D", False),
    "shutdown": ("z", False),
    "daemonize": ("B", False),
    "ignoreifstate": ("S", False),
    "facility": ("f", True),
    "nomcast": ("M", False),
    "xparam": ("x", True),
}
_SHORT = dict(_LONG.values())


class NotUcarp(Exception):
    """ucarp would have refused this; the text says why."""


@dataclass(frozen=True)
class Virtual:
    """One address that ucarp was told to share, and what there is to say about it. ``origin`` says where it stands."""

    origin: str
    interface: str
    vhid: int
    address: str
    password: str = field(repr=False)
    source: str = ""
    advbase: int = 1
    advskew: int = 0
    dead_ratio: int = 3
    preempt: bool = False
    broadcast: bool = False
    up_script: str = ""
    down_script: str = ""
    xparam: str = ""
    notes: tuple[str, ...] = ()


def options(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Go through a command line's options as getopt_long(3) does: each letter with its value, if it has one."""
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        if word == "--":
            return
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            letter, wants = _long(name)
            if wants and not equals:
                value = _next(waiting, word)
            yield letter, value if wants else ""
        elif word.startswith("-") and len(word) > 1:
            for place, letter in enumerate(word[1:], start=2):
                if letter not in _SHORT:
                    raise NotUcarp(f"ucarp has no option -{letter}")
                if _SHORT[letter]:
                    yield letter, word[place:] or _next(waiting, f"-{letter}")
                    break
                yield letter, ""


def _long(name: str) -> tuple[str, bool]:
    found = {_LONG[name]} if name in _LONG else {_LONG[known] for known in _LONG if known.startswith(name)}
    if len(found) != 1:
        raise NotUcarp(f"ucarp has no option --{name}")
    return found.pop()


def _next(waiting: list[str], word: str) -> str:
    if not waiting:
        raise NotUcarp(f"{word} has no value")
    return waiting.pop(0)


def number(text: str) -> int:
    """Return what strtoul(3) makes of a text with base 0: 010 is 8, and what follows the digits is left out."""
    found = re.match(r"\s*\+?(0[xX][0-9a-fA-F]+|[0-9]+)", text)
    if found is None:
        return 0
    digits = found[1]
    if digits[:2].lower() == "0x":
        return int(digits, 16)
    if digits.startswith("0"):
        return int(re.match(r"[0-7]*", digits)[0] or "0", 8)  # type: ignore[index]
    return int(digits)


def read_command(words: Sequence[str], origin: str, files: Files) -> Virtual:
    """Return what a ucarp with these arguments does. Raises NotUcarp."""
    given = {"b": "1", "k": "0", "r": "3"}
    flags: set[str] = set()
    password: str | None = None
    for letter, value in options(words):
        if letter == "p":
            password = value
        elif letter == "o":
            password = _first_line(value, files)
        elif _SHORT[letter]:
            given[letter] = value
        else:
            flags.add(letter)
    vhid = number(given.get("v", ""))
    if not 1 <= vhid <= 255:
        raise NotUcarp(f"the vhid {given.get('v', '')!r} is not from 1 to 255")
    if not password:
        raise NotUcarp("it has no password")
    if len(password.encode(errors="surrogateescape")) > PASSWORD_MAX:
        raise NotUcarp(f"its password has more than {PASSWORD_MAX} bytes")
    return Virtual(
        origin=origin,
        interface=given.get("i", ""),
        vhid=vhid,
        address=_address(given.get("a", ""), "virtual address"),
        password=password,
        source=_address(given.get("s", ""), "source address"),
        advbase=number(given["b"]) % 256,
        advskew=number(given["k"]) % 256,
        dead_ratio=number(given["r"]),
        preempt="P" in flags,
        broadcast="M" in flags,
        up_script=_script(given.get("u", "")),
        down_script=_script(given.get("d", "")),
        xparam=given.get("x", ""),
        notes=tuple(_notes(given, flags, password)),
    )


def _notes(given: dict[str, str], flags: set[str], password: str) -> Iterator[str]:
    for letter, option in (("b", "advbase"), ("k", "advskew")):
        if number(given[letter]) > 255:
            yield f"{option} {given[letter]} was {number(given[letter]) % 256} for ucarp, which counts modulo 256"
    for letter, option in (("b", "advbase"), ("k", "advskew"), ("r", "dead ratio"), ("v", "vhid")):
        if not given[letter].isdigit() or number(given[letter]) != int(given[letter]):
            yield f"{option} {given[letter]!r} was {number(given[letter])} for ucarp"
    if password != password.strip():
        yield "the password begins or ends with blanks or a carriage return, which are part of it for ucarp"
    if "S" in flags:
        yield "-S (--ignoreifstate) has no equivalent: a host without link is no master"
    if "m" in given:
        yield f"the multicast group {given['m']} has no equivalent: advertisements go to 224.0.0.18"
    if "x" in given:
        yield f"the scripts had {given['x']!r} as their third argument"
    for letter, which in (("u", "up"), ("d", "down")):
        if _script(given.get(letter, "")):
            yield f"look at what {given[letter]} does beside {'adding' if which == 'up' else 'removing'} the address"


def _script(path: str) -> str:
    return "" if path in USUAL_SCRIPTS else path


def _first_line(path: str, files: Files) -> str:
    text = files.read(path)
    if text is None:
        raise NotUcarp(f"its password file {path} cannot be read")
    return text.split("\n", 1)[0]


def _address(text: str, what: str) -> str:
    try:
        return str(IPv4Address(text))
    except (AddressValueError, ValueError):
        raise NotUcarp(f"its {what} {text!r} is no IPv4 address") from None


def of_stanza(stanza: interfaces.Stanza) -> list[str] | None:
    """Return the arguments that Debian's hook if-up.d/ucarp makes of a stanza, or None if it starts nothing.

    The shell splits what the hook does not quote, which is everything.
    """
    about = {name[6:]: value for name, value in stanza.options.items() if name.startswith("ucarp-")}
    if not all(about.get(name) for name in ("vid", "vip", "password")):
        return None
    # ifupdown hands over the address without its prefix length.
    address = stanza.options.get("address", "").split("/")[0]
    words = ["-i", stanza.name, "-s", *address.split(), "-B", "-z"]
    scripts = {"upscript": USUAL_SCRIPTS[0], "downscript": USUAL_SCRIPTS[1]}
    for letter, name in zip("vpaud", ("vid", "password", "vip", "upscript", "downscript")):
        words += [f"-{letter}", *(about.get(name) or scripts.get(name, "")).split()]
    for letter, name in (("P", "master"), ("k", "advskew"), ("b", "advbase"), ("r", "deadratio"), ("M", "nomcast")):
        if about.get(name):
            if letter not in "PM":
                words += [f"-{letter}", *about[name].split()]
            elif not re.match(r"no|off|false|0", about[name]):
                words.append(f"-{letter}")
    if about.get("xparam"):
        words += ["-x", *about["xparam"].split()]
    return words


def stanza_notes(stanza: interfaces.Stanza) -> Iterator[str]:
    """Say where a stanza does something else than it seems to say."""
    password = stanza.options.get("ucarp-password", "")
    if len(password.split()) > 1:
        yield "the password in the stanza has blanks, and ucarp got only what is before the first"
    if re.search(r"[*?\[]", password):
        yield "the password has a character that a shell expands, if there are files that fit it"
    known = ("vid", "vip", "password", "upscript", "downscript", "advskew", "advbase", "master", "deadratio", "nomcast")
    for name in stanza.options:
        if name.startswith("ucarp-") and name[6:] not in (*known, "xparam"):
            yield f"{name} was without effect: Debian's hook does not know it"
    master = stanza.options.get("ucarp-master", "")
    if re.match(r"(?i)(n|no|off|false)$", master) and not re.match(r"no|off|false|0", master):
        yield f"ucarp-master {master} switched preemption on: only no, off, false and 0 in lower case switch it off"


def variables(text: str, before: dict[str, str] | None = None) -> dict[str, str]:
    """Return the variables that are set after a shell has read a file, as far as that sets them plainly.

    ``before`` are those that were set already. What a command would have to tell is left out.
    """
    found = dict(before or {})
    for line in text.splitlines():
        match = re.match(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$", line)
        if match is None:
            continue
        try:
            words = shlex.split(match[2], comments=True)
        except ValueError:
            continue
        value = words[0] if words else ""
        literal = match[2].startswith("'")
        if not literal and re.search(r"\$\(|`", value):
            found.pop(match[1], None)
            continue
        found[match[1]] = value if literal else re.sub(r"\$(?:\{(\w+)\}|(\w+))", _lookup(found), value)
    return found


def _lookup(known: dict[str, str]) -> Callable[[re.Match[str]], str]:
    return lambda match: known.get(match[1] or match[2], "")


def of_variables(given: dict[str, str], vhid: str) -> list[str]:
    """Return the arguments that the init script of Fedora's package, or a unit after it, makes of its variables."""
    words = [f"--interface={given.get('BIND_INTERFACE', '')}", f"--srcip={given.get('SOURCE_ADDRESS', '')}"]
    secret = given.get("PASSFILE", "")
    words += [f"--passfile={secret}"] if secret else [f"--pass={given.get('PASSWORD', '')}"]
    words += [f"--vhid={vhid}", f"--addr={given.get('VIP_ADDRESS', '')}", *given.get("OPTIONS", "").split()]
    words += [f"--upscript={given.get('UPSCRIPT') or USUAL_SCRIPTS[2]}"]
    return [*words, f"--downscript={given.get('DOWNSCRIPT') or USUAL_SCRIPTS[3]}"]


@dataclass
class Found:
    """All that a host has of ucarp, and what of it ucarp itself would not take."""

    virtuals: list[Virtual] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def find(files: Files, top: str = interfaces.TOP, folder: str = FOLDER) -> Found:
    """Return all virtual addresses that ucarp is configured with on a host."""
    found = Found()
    for stanza in interfaces.read(files, top):
        words = of_stanza(stanza)
        if words is not None:
            _add(found, words, f"{stanza.path}, iface {stanza.name}", files, tuple(stanza_notes(stanza)))
    common = variables(files.read(os.path.join(folder, COMMON)) or "")
    for path in files.matching(os.path.join(folder, "vip-*.conf")):
        name = os.path.basename(path)[len("vip-") : -len(".conf")]
        given = variables(files.read(path) or "", common)
        if os.path.basename(path) != COMMON and (name.isdigit() or "VID" in given):
            # With the zeros before it, as the scripts hand it over: for ucarp 010 is 8.
            _add(found, of_variables(given, given.get("VID") or name), path, files, ())
    return found


def _add(found: Found, words: list[str], origin: str, files: Files, notes: tuple[str, ...]) -> None:
    try:
        virtual = read_command(words, origin, files)
    except NotUcarp as error:
        found.problems.append(f"{origin}: ucarp never ran with this: {error}")
        return
    found.virtuals.append(Virtual(**{**vars(virtual), "notes": notes + virtual.notes}))
