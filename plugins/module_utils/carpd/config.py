# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read, check and write the configuration: INI sections ``[carpd]``, ``[vip NAME]`` and ``[check NAME]``.

Every mistake is found in one pass and told as one line: file, section, option, value, what is allowed.
"""

from __future__ import annotations

import configparser
import errno
import glob
import os
import re
from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Address

from .checkconfig import Check, parse_check, settle
from .options import (
    CARPD_OPTIONS,
    NAME_RULE,
    PASSWORD_MAX,
    PASSWORD_RULE,
    PROFILES,
    VIP_OPTIONS,
    Interface,
    valid_name,
)
from .packet import Address
from .paths import MULTICAST, UNICAST
from .records import dataclass
from .sections import HIDDEN, Problem, as_text, parse_section, unknown
from .targets import Endpoint
from .timing import Failback
from .trust import KnownPeer
from .typed import Any

CREDENTIALS = "CREDENTIALS_DIRECTORY"
_SECTIONS = ["carpd", "vip NAME", "check NAME"]


# Options that others stand for once the section is read.
_TEXTS = ("password", "accept_password")  # which are taken as they stand there
_SETTLED = ("profile", "failback", *(f"{name}_{way}" for name in _TEXTS for way in ("file", "credential")))


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
    stable_for: float = 0.0
    group: str = ""
    known_peers: tuple[KnownPeer, ...] = ()
    accept_password: bytes = b""
    accept_addresses: tuple[Interface, ...] = ()
    on_master: tuple[str, ...] = ()
    on_backup: tuple[str, ...] = ()
    on_fault: tuple[str, ...] = ()
    up_script: str = ""
    down_script: str = ""
    xparam: str = ""
    hook_timeout: float = 10.0
    hook_user: str = ""
    peers: tuple[Address, ...] = ()
    paths: tuple[str, ...] = (MULTICAST,)
    routed_peers: bool = False
    virtual_mac: bool = False
    drain: float = 0.0
    drain_ports: tuple[int, ...] = ()
    reset_sessions: bool = False
    forward: float = 0.0

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
    control_group: str = ""
    metrics_listen: Endpoint | None = None


def load(path: str, in_service: bool = True) -> Config:
    """Read the file and all that it includes.

    Credentials are there ``in_service`` only: else those that a section names are taken unread.

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
                vip, wrong = parse_vip(name, values, file, read_secret, in_service)
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
    return Config(
        vips=tuple(vip for _file, vip in vips),
        log_level=str(daemon["log_level"]),
        priority=int(daemon["priority"]),
        checks=settled,
        control_group=str(daemon["control_group"]),
        metrics_listen=daemon["metrics_listen"],
    )


def parse_vip(
    name: str,
    options: Mapping[str, object],
    where: str,
    secret_reader: Callable[[str], bytes] | None = None,
    in_service: bool = True,
) -> tuple[Vip | None, list[Problem]]:
    """Check one virtual host's options and return it, or None, and every mistake found.

    Values may be text or what YAML makes of it: numbers, booleans and lists. Without ``secret_reader`` a password_file
    is taken unread and the password stays empty; so is a credential, unless ``in_service``.
    """
    problems: list[Problem] = []
    section = f"vip {name}"
    if not valid_name(name):
        problems.append(Problem(where, section, "", "", f"a virtual host's name must be {NAME_RULE}"))
    texts = {key: as_text(value) for key, value in options.items()}
    profile = PROFILES.get(texts.get("profile", "").strip(), {})
    values = parse_section(section, VIP_OPTIONS, {**profile, **texts}, where, problems)
    secrets = _Secrets(section, values, where, secret_reader, problems, in_service)
    password, accepted = secrets.find("password", required=True), secrets.find("accept_password", required=False)
    failback = values.pop("failback", None)
    if failback is not None and "preempt" in texts:
        problems.append(Problem(where, section, "", "", "give preempt or failback, not both"))
    if not problems and values["advbase"] == 0 and values["advskew"] == 0:
        rule = "1 or more where advbase is 0: together they are the interval between advertisements"
        problems.append(Problem(where, section, "advskew", "0", rule))
    if not problems:
        values["paths"] = values["paths"] or ((UNICAST,) if values["peers"] else (MULTICAST,))
        problems.extend(_wrong_paths(section, values, where))
    if problems:
        return None, problems
    if failback is None:
        failback = Failback(values["preempt"])
    values.setdefault("reset_sessions", values["drain"] > 0)
    ours = {"password": password, "accept_password": accepted, **failback._asdict()}
    fields = {key: value for key, value in values.items() if key not in _SETTLED}
    return Vip(name=name, **{**fields, **ours}), []


def _wrong_paths(section: str, values: Mapping[str, Any], where: str) -> list[Problem]:
    """Tell of peers that nothing goes to, and of addresses whose IP version no path leads to a peer by."""
    paths, peers, addresses = values["paths"], values["peers"], values["addresses"]
    shown = as_text(paths)
    if (UNICAST in paths) != bool(peers):
        rule = "with unicast, since peers are given" if peers else "without unicast, unless peers are given"
        return [Problem(where, section, "paths", shown, rule)]
    versions = {address.version for address in addresses}
    unreached = versions - {peer.version for peer in peers}
    if unreached and tuple(paths) == (UNICAST,):
        rule = f"such that there is one of IPv{min(unreached)}, too, as in addresses, or another path besides unicast"
        return [Problem(where, section, "peers", as_text(peers), rule)]
    virtual = [peer for peer in peers if peer in [address.ip for address in addresses]]
    if virtual:
        return [Problem(where, section, "peers", as_text(peers), f"the hosts' own, and {virtual[0]} is in addresses")]
    return []


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
    lines = [f"{key} = {text if key in _TEXTS else ' '.join(text.split())}" for key, text in texts.items()]
    return "\n".join([f"[vip {name}]", *lines, ""])


def read_secret(path: str) -> bytes:
    """Return the first line of a file without its line end.

    Raises OSError. Blanks are part of a password and stay; ucarp would keep a carriage return, too, which no one means.
    """
    with open(path, "rb") as file:
        return file.readline(4096).rstrip(b"\r\n")


def credential_path(name: str) -> str:
    """Return where systemd has put a credential (systemd.exec(5), LoadCredential=). Raises OSError."""
    folder = os.environ.get(CREDENTIALS)
    if not folder:
        raise FileNotFoundError(errno.ENOENT, f"there is no {CREDENTIALS}: its unit passes none")
    return os.path.join(folder, name)


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
    return {key: value if key in _TEXTS else re.sub(r"(^|\s+);.*", "", value) for key, value in values.items()}


def _included(path: str, pattern: str) -> list[str]:
    folder = os.path.dirname(os.path.abspath(path))
    return sorted(glob.glob(os.path.join(folder, pattern))) if pattern else []


class _Secrets:
    """Finds the secrets of one section, each given as text or by a file, and tells what is wrong with them."""

    def __init__(
        self,
        section: str,
        values: Mapping[str, Any],
        where: str,
        reader: Callable[[str], bytes] | None,
        problems: list[Problem],
        in_service: bool,
    ) -> None:
        self._in_service = in_service
        self._section = section
        self._values = values
        self._where = where
        self._reader = reader
        self._problems = problems

    def find(self, name: str, required: bool) -> bytes:
        """Return a secret; empty if it is not given, or cannot be read."""
        ways = (name, f"{name}_file", f"{name}_credential")
        given = [key for key in ways if key in self._values]
        if len(given) > 1:
            self._tell("", "", f"give {' or '.join(given)}, not {'both' if len(given) == 2 else 'all'}")
        if len(given) != 1:
            if required and not given and not any(problem.option in ways for problem in self._problems):
                self._tell("", "", f"a {name} is missing: give {name}_file, {name}_credential or {name}")
            return b""
        option = given[0]
        if option == name:
            shown, secret = HIDDEN, str(self._values[option]).encode()
        elif self._reader is None or (option == ways[2] and not self._in_service):
            return b""
        else:
            shown = str(self._values[option])
            try:
                secret = self._reader(shown if option == ways[1] else credential_path(shown))
            except OSError as error:
                what = "a readable file" if option == ways[1] else "a credential that systemd passes to the daemon"
                self._tell(option, shown, f"{what} ({error.strerror})")
                return b""
        if not 1 <= len(secret) <= PASSWORD_MAX:
            has = f", and this one has {len(secret)}"
            what = "file" if option == ways[1] else "credential"
            holds = f"a {what} whose first line is the password, " if option != name else ""
            self._tell(option, shown, holds + PASSWORD_RULE + has)
        return secret

    def _tell(self, option: str, shown: str, rule: str) -> None:
        self._problems.append(Problem(self._where, self._section, option, shown, rule))
