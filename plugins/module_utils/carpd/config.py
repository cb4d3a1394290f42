# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read, check and write the configuration: INI sections ``[carpd]``, ``[vip NAME]`` and ``[check NAME]``.

Every mistake is found in one pass and told as one line: file, section, option, value, what is allowed.
"""

from __future__ import annotations

import configparser
import glob
import os
import re
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address
from typing import Any, Callable

from .checkconfig import Check, parse_check, settle
from .options import CARPD_OPTIONS, NAME_RULE, PASSWORD_MAX, PASSWORD_RULE, VIP_OPTIONS, Interface, valid_name
from .packet import Address
from .records import dataclass
from .sections import HIDDEN, Problem, as_text, parse_section, unknown

_SECTIONS = ["carpd", "vip NAME", "check NAME"]


class ConfigError(Exception):
    """The configuration cannot be used; ``problems`` lists every mistake found."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


@dataclass(frozen=True)
class Vip:
    """One virtual host: a vhid on an interface, with the addresses that its master holds."""

    name: str
    interface: str
    vhid: int
    addresses: tuple[Interface, ...]
    password: bytes
    advbase: int
    advskew: int
    preempt: bool
    dead_ratio: int
    source: IPv4Address | None

    @property
    def versions(self) -> list[int]:
        """The IP versions of the addresses, 4 or 6 or both, by which the virtual host advertises."""
        return sorted({address.version for address in self.addresses})

    def __repr__(self) -> str:
        """Leave the password out, so that no log and no traceback can show it."""
        return f"Vip({self.name!r}, {self.interface!r}, vhid={self.vhid})"


@dataclass(frozen=True)
class Config:
    """What the daemon shall do."""

    vips: tuple[Vip, ...]
    log_level: str
    priority: int
    checks: tuple[Check, ...] = ()


def load(path: str) -> Config:
    """Read the file and all that it includes.

    Raises ConfigError, which lists every mistake in every file.
    """
    problems: list[Problem] = []
    daemon: dict[str, Any] = {option.name: option.parse(option.default or "") for option in CARPD_OPTIONS.values()}
    vips: list[tuple[str, Vip]] = []
    checks: list[tuple[str, Check]] = []
    interfaces: dict[str, str] = {}
    seen: dict[str, str] = {}
    files = [path]
    for file in files:
        for section, values in _read(file, problems).items():
            kind, _blank, name = section.partition(" ")
            kind, name = kind.strip(), name.strip()
            if f"{kind} {name}" in seen:
                problems.append(Problem(file, section, "", "", f"stands in {seen[f'{kind} {name}']} already"))
            elif section == "carpd":
                daemon.update(parse_section(section, CARPD_OPTIONS, values, file, problems))
                files.extend(_included(path, str(daemon["include"])))
            elif kind == "vip" and name:
                vip, wrong = parse_vip(name, values, file, read_secret)
                problems.extend(wrong)
                vips.extend([(file, vip)] if vip is not None else [])
                interfaces[name] = vip.interface if vip is not None else ""
            elif kind == "check" and name:
                check, wrong = parse_check(name, values, file)
                problems.extend(wrong)
                checks.extend([(file, check)] if check is not None else [])
            else:
                problems.append(Problem(file, section, "", "", unknown("section", section, _SECTIONS)))
            seen[f"{kind} {name}"] = file
    problems.extend(_clashes(vips))
    settled, wrong = settle(checks, interfaces)
    problems.extend(wrong)
    if problems:
        raise ConfigError(problems)
    return Config(tuple(vip for _file, vip in vips), str(daemon["log_level"]), int(daemon["priority"]), settled)


def parse_vip(
    name: str,
    options: Mapping[str, object],
    where: str,
    secret_reader: Callable[[str], bytes] | None = None,
) -> tuple[Vip | None, list[Problem]]:
    """Check one virtual host's options and return it, or None, and every mistake found.

    Values may be text or what YAML makes of it: numbers, booleans and lists. Without ``secret_reader`` a password_file
    is taken unread and the password stays empty.
    """
    problems: list[Problem] = []
    section = f"vip {name}"
    if not valid_name(name):
        problems.append(Problem(where, section, "", "", f"a virtual host's name must be {NAME_RULE}"))
    values = parse_section(
        section, VIP_OPTIONS, {key: as_text(value) for key, value in options.items()}, where, problems
    )
    password = _password(section, values, where, secret_reader, problems)
    if not problems and values["advbase"] == 0 and values["advskew"] == 0:
        rule = "1 or more where advbase is 0: together they are the interval between advertisements"
        problems.append(Problem(where, section, "advskew", "0", rule))
    if problems:
        return None, problems
    fields = {key: value for key, value in values.items() if key not in ("password", "password_file")}
    return Vip(name=name, password=password, **fields), []


def check_vips(vips: Iterable[Vip], where: str) -> list[Problem]:
    """Return what is wrong between virtual hosts that are right one by one: a name, vhid or address used twice."""
    return _clashes((where, vip) for vip in vips)


def _clashes(vips: Iterable[tuple[str, Vip]]) -> list[Problem]:
    """Each virtual host comes with the place that it stands in, and the later of two is told of."""
    problems: list[Problem] = []
    names: set[str] = set()
    vhids: dict[tuple[str, int], str] = {}
    addresses: dict[tuple[str, Address], str] = {}
    for where, vip in vips:
        section = f"vip {vip.name}"
        if vip.name in names:
            problems.append(Problem(where, section, "", "", "another virtual host has this name already"))
            continue
        names.add(vip.name)
        if (vip.interface, vip.vhid) in vhids:
            other = vhids[vip.interface, vip.vhid]
            rule = f"another number than that of [vip {other}], since both are on {vip.interface}"
            problems.append(Problem(where, section, "vhid", str(vip.vhid), rule))
        vhids.setdefault((vip.interface, vip.vhid), vip.name)
        for address in vip.addresses:
            other = addresses.setdefault((vip.interface, address.ip), vip.name)
            if other != vip.name:
                rule = f"addresses that no other virtual host has: {address.ip} is in [vip {other}] too"
                problems.append(Problem(where, section, "addresses", str(address), rule))
    return problems


def render_vip(name: str, options: Mapping[str, object]) -> str:
    """Return the text of a ``[vip NAME]`` section, the options in the order of the reference.

    The options must be such as parse_vip accepts.
    """
    texts = {key: as_text(options[key]) for key in VIP_OPTIONS if key in options}
    lines = [f"{key} = {text if key == 'password' else ' '.join(text.split())}" for key, text in texts.items()]
    return "\n".join([f"[vip {name}]", *lines, ""])


def read_secret(path: str) -> bytes:
    """Return the first line of a file without its line end.

    Raises OSError. Blanks are part of a password and stay; ucarp would keep a carriage return, too, which no one means.
    """
    with open(path, "rb") as file:
        return file.readline(4096).rstrip(b"\r\n")


def _read(path: str, problems: list[Problem]) -> dict[str, dict[str, str]]:
    # No default section: "" cannot be written between brackets.
    parser = configparser.RawConfigParser(default_section="", comment_prefixes=("#", ";"))
    try:
        with open(path, "rb") as file:
            parser.read_string(file.read().decode("utf-8"), path)
    except OSError as error:
        problems.append(Problem(path, "", "", "", f"cannot be read: {error.strerror}"))
    except UnicodeDecodeError as error:
        problems.append(Problem(path, "", "", "", f"must be UTF-8 text, and byte {error.start} is not"))
    except configparser.DuplicateSectionError as error:
        problems.append(
            Problem(path, error.section, "", "", f"this section stands twice, again in line {error.lineno}")
        )
    except configparser.DuplicateOptionError as error:
        rule = f"{error.option} is given twice, again in line {error.lineno}"
        problems.append(Problem(path, error.section, "", "", rule))
    except configparser.MissingSectionHeaderError as error:
        problems.append(Problem(path, "", "", "", f"line {error.lineno} stands before any [section]"))
    except configparser.ParsingError as error:
        numbers = ", ".join(str(number) for number, _line in error.errors)
        problems.append(Problem(path, "", "", "", f"line {numbers} is neither a [section] nor 'option = value'"))
    else:
        return {section: _without_comments(dict(parser.items(section))) for section in parser.sections()}
    return {}


def _without_comments(values: dict[str, str]) -> dict[str, str]:
    """Cut comments behind values. A password with ' ;' stays as it is and is refused later: it could be meant so."""
    return {key: value if key == "password" else re.sub(r"(^|\s+);.*", "", value) for key, value in values.items()}


def _included(path: str, pattern: str) -> list[str]:
    folder = os.path.dirname(os.path.abspath(path))
    return sorted(glob.glob(os.path.join(folder, pattern))) if pattern else []


def _password(
    section: str,
    values: Mapping[str, Any],
    where: str,
    secret_reader: Callable[[str], bytes] | None,
    problems: list[Problem],
) -> bytes:
    given = [key for key in ("password", "password_file") if key in values]
    if len(given) == 2:
        problems.append(Problem(where, section, "", "", "give password or password_file, not both"))
    if len(given) != 1:
        if not given and not any(problem.option in ("password", "password_file") for problem in problems):
            problems.append(Problem(where, section, "", "", "a password is missing: give password_file or password"))
        return b""
    option = given[0]
    if option == "password":
        shown, password = HIDDEN, str(values[option]).encode()
    elif secret_reader is None:
        return b""
    else:
        shown = str(values[option])
        try:
            password = secret_reader(shown)
        except OSError as error:
            problems.append(Problem(where, section, option, shown, f"a readable file ({error.strerror})"))
            return b""
    if not 1 <= len(password) <= PASSWORD_MAX:
        has = f", and this one has {len(password)}"
        holds = "a file whose first line is the password, " if option == "password_file" else ""
        problems.append(Problem(where, section, option, shown, holds + PASSWORD_RULE + has))
    return password
