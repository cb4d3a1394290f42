# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check looks at, type by type: how its target is written and read. Every parser raises ValueError."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

from .typed import NamedTuple

SMTP_PORT = 25
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9_])?")
_UNIT = re.compile(r"[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]{0,254}")
_URL = re.compile(r"(https?)://([^/?#@\s]+)(/[!-~]*)?")
# TASK_COMM_LEN is 16 with the terminating zero, but a program's file name may be longer.
_PROCESS = re.compile(r"[^/\s]{1,255}")
# IFNAMSIZ is 16 with the terminating zero; '/', ':' and blanks are refused (Linux net/core/dev.c dev_valid_name).
_INTERFACE = re.compile(r"[^\s/:;]{1,15}")


class Endpoint(NamedTuple):
    """Where a service listens: host and port, or the path of its socket."""

    host: str
    port: int
    path: str = ""


class Url(NamedTuple):
    """What an HTTP check asks for."""

    tls: bool
    endpoint: Endpoint
    authority: str
    path: str


class FileTarget(NamedTuple):
    """A path, and whether it must exist or must not."""

    path: str
    present: bool


class TargetType(NamedTuple):
    """How the target of one type of check is written, and what makes the check good."""

    allowed: str
    good: str
    parse: Callable[[str], object]


def parse_command(text: str) -> list[str]:
    """Read a command line; there is no shell, but quotes group words."""
    words = shlex.split(text)
    if not words or not words[0] or "\0" in text:
        raise ValueError(text)
    return words


def parse_endpoint(text: str, default_port: int | None = None) -> Endpoint:
    """Read ``host:port``, ``[IPv6]:port`` or ``/path``."""
    if text.startswith("/"):
        return Endpoint("", 0, parse_path(text))
    match = re.fullmatch(r"(\[[^\]]*\]|[^:\s]+)(?::([0-9]{1,5}))?", text)
    port = int(match[2]) if match and match[2] else default_port
    if not match or port is None or not 1 <= port <= 65535:
        raise ValueError(text)
    host = match[1]
    if host.startswith("["):
        return Endpoint(str(IPv6Address(host[1:-1])), port)
    if re.fullmatch(r"[0-9.]+", host):
        return Endpoint(str(IPv4Address(host)), port)
    if not _HOST.fullmatch(host):
        raise ValueError(text)
    return Endpoint(host, port)


def parse_smtp_endpoint(text: str) -> Endpoint:
    """Read an endpoint whose port is 25 unless it is given."""
    return parse_endpoint(text, SMTP_PORT)


def parse_url(text: str) -> Url:
    """Read ``http[s]://host[:port][/path]``."""
    match = _URL.fullmatch(text)
    if not match:
        raise ValueError(text)
    tls = match[1] == "https"
    where = parse_endpoint(match[2], 443 if tls else 80)
    return Url(tls, where, match[2], match[3] or "/")


def parse_unit(text: str) -> str:
    """Read the name of a unit of systemd."""
    return _matching(_UNIT, text)


def parse_process(text: str) -> str:
    """Read a program's name, or the path of its pid file."""
    return parse_path(text) if text.startswith("/") else _matching(_PROCESS, text)


def parse_file(text: str) -> FileTarget:
    """Read a path, with ``!`` before it if it must not exist."""
    return FileTarget(parse_path(text.lstrip("!").strip()), not text.startswith("!"))


def parse_path(text: str) -> str:
    """Read an absolute path."""
    if not text.startswith("/") or "\0" in text:
        raise ValueError(text)
    return text


def parse_interface(text: str) -> str:
    """Read the name of a network interface."""
    if text in (".", ".."):
        raise ValueError(text)
    return _matching(_INTERFACE, text)


def parse_gateway(text: str) -> IPv4Address:
    """Read the address of a neighbour."""
    address = IPv4Address(text)
    if address.is_multicast or address.is_unspecified or address.is_loopback or int(address) == 0xFFFFFFFF:
        raise ValueError(text)
    return address


def _matching(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError(text)
    return text


_WHERE = "an address and port such as 127.0.0.1:25 or [::1]:25, or the path of a socket"

TARGETS = {
    "command": TargetType(
        "a command line such as /usr/local/bin/check --fast, which no shell reads",
        "the command ends with status 0; the last line that it writes is shown. It runs without the daemon's "
        "capabilities and, but for PATH, with next to no environment",
        parse_command,
    ),
    "tcp": TargetType(_WHERE, "the connection is accepted", parse_endpoint),
    "smtp": TargetType(
        _WHERE + "; the port is 25 unless it is given",
        "the server greets and answers EHLO; with `recipient`, it also takes a mail from nobody to that recipient up "
        "to, and without, its text",
        parse_smtp_endpoint,
    ),
    "http": TargetType(
        "a URL such as http://127.0.0.1:8080/health",
        "the answer has a status from 200 to 399. The certificate of https must be valid for the host",
        parse_url,
    ),
    "unit": TargetType("the name of a systemd unit, such as postfix@-.service", "the unit is active", parse_unit),
    "process": TargetType(
        "the name of a program, or the path of its pid file",
        "such a process is there and not a zombie. By name, only processes are found that the daemon's user may see; "
        "the role's unit hides those of others, which the type unit or a pid file can tell of",
        parse_process,
    ),
    "file": TargetType(
        "an absolute path, or ! and an absolute path", "the file exists, or with ! it does not exist", parse_file
    ),
    "link": TargetType("the name of a network interface", "the interface is up and has carrier", parse_interface),
    "gateway": TargetType(
        "the IPv4 address of a neighbour on the interface of the virtual hosts",
        "the neighbour answers ARP: then it is not this host that is cut off",
        parse_gateway,
    ),
}
