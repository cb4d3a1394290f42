# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks themselves: one look at a target each, which says how it is or raises Failed.

They may wait, within their time, and so they are never run in the daemon's own process.
"""

from __future__ import annotations

import math
import os
import re
import socket
import struct
import time
from collections.abc import Callable

from .announce import ETH_P_ARP
from .checkconfig import Check
from .commands import Overdue, run
from .netlink import Requests
from .targets import (
    Endpoint,
    parse_command,
    parse_endpoint,
    parse_file,
    parse_gateway,
    parse_process,
    parse_smtp_endpoint,
    parse_url,
)

_LINE_LIMIT = 4096
_REPLY_LINES = 100
_DETAIL_LIMIT = 200
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_ARP_REQUEST, _ARP_REPLY = 1, 2
_BROADCAST = b"\xff" * 6
_ASKED = 3  # how often a gateway is asked within the time: a single packet may be lost


class Failed(Exception):
    """The look did not find what it shall; the message says what it found, in one line."""


def look(check: Check) -> tuple[bool, str]:
    """Look at a check's target; return whether it is good, and what was found, in one line. Never raises."""
    try:
        return True, one_line(_PROBES[check.type](check, _Deadline(check.timeout)))
    except Failed as failed:
        return False, one_line(str(failed))
    except OSError as error:
        return False, one_line(error.strerror or str(error))
    except Exception as error:  # whatever it is, the check has failed, and the checker goes on
        return False, one_line(f"{type(error).__name__}: {error}")


def one_line(text: str) -> str:
    """Return a text that fits into a line of the log and does nothing to a terminal."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:_DETAIL_LIMIT]


class _Deadline:
    """The time by which a look must have ended."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._at = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left. Raises Failed if there are none."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise self.missed()
        return left

    def missed(self) -> Failed:
        return Failed(f"no answer within {self.seconds:g} s")


class _Conversation:
    """A connection on which lines go to and fro, all within one deadline. Use as a context manager."""

    def __init__(self, endpoint: Endpoint, deadline: _Deadline) -> None:
        self._deadline = deadline
        self._unread = b""
        self._socket = self._connect(endpoint)

    def __enter__(self) -> _Conversation:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._socket.close()

    def secure(self, host: str) -> None:
        """Go on with TLS, and only if the host proves to be the one that is meant."""
        import ssl  # here, since it takes as much memory as the rest

        self._socket.settimeout(self._deadline.left())
        self._socket = ssl.create_default_context().wrap_socket(self._socket, server_hostname=host)

    def say(self, text: str) -> None:
        """Send a line."""
        self._socket.settimeout(self._deadline.left())
        try:
            self._socket.sendall(text.encode() + b"\r\n")
        except socket.timeout:
            raise self._deadline.missed() from None

    def line(self) -> str:
        """Return the next line, without its end. Raises Failed if none comes."""
        while b"\n" not in self._unread:
            if len(self._unread) > _LINE_LIMIT:
                raise Failed(f"a line of more than {_LINE_LIMIT} bytes")
            self._socket.settimeout(self._deadline.left())
            try:
                data = self._socket.recv(_LINE_LIMIT)
            except socket.timeout:
                raise self._deadline.missed() from None
            if not data:
                raise Failed("the server ended the connection")
            self._unread += data
        line, self._unread = self._unread.split(b"\n", 1)
        return line.rstrip(b"\r").decode("utf-8", "replace")

    def _connect(self, endpoint: Endpoint) -> socket.socket:
        if endpoint.path:
            return self._try(socket.AF_UNIX, endpoint.path)
        found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
        for last, (family, _type, _protocol, _name, address) in enumerate(found, start=1 - len(found)):
            try:
                return self._try(family, address)
            except (OSError, Failed):
                if last == 0:
                    raise
        raise Failed(f"{endpoint.host} has no address")

    def _try(self, family: int, address: object) -> socket.socket:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(self._deadline.left())
            sock.connect(address)  # type: ignore[arg-type]
        except socket.timeout:
            sock.close()
            raise self._deadline.missed() from None
        except BaseException:
            sock.close()
            raise
        return sock


def _command(check: Check, deadline: _Deadline) -> str:
    return _run(parse_command(check.target), deadline)


def _unit(check: Check, deadline: _Deadline) -> str:
    return _run(["systemctl", "is-active", "--", check.target], deadline)


def _run(words: list[str], deadline: _Deadline) -> str:
    try:
        status, last_line = run(words, deadline.left())
    except Overdue:
        raise Failed(f"{words[0]} did not end within {deadline.seconds:g} s") from None
    except OSError as error:
        raise Failed(f"{words[0]} cannot be started: {error.strerror}") from None
    if status:
        how = f"status {status}" if status > 0 else f"signal {-status}"
        raise Failed(f"{last_line} ({how})" if last_line else how)
    return last_line


def _tcp(check: Check, deadline: _Deadline) -> str:
    with _Conversation(parse_endpoint(check.target), deadline):
        return "connected"


def _smtp(check: Check, deadline: _Deadline) -> str:
    with _Conversation(parse_smtp_endpoint(check.target), deadline) as server:
        _reply(server, "the greeting")
        found = _ask(server, f"EHLO {socket.gethostname() or 'localhost'}")
        if check.recipient:
            _ask(server, "MAIL FROM:<>")
            found = _ask(server, f"RCPT TO:<{check.recipient}>")
            _ask(server, "RSET")
        _leave(server)
        return found


def _leave(server: _Conversation) -> None:
    """Say goodbye, since a mail server logs a client that just goes away; whatever comes then, the look was good."""
    try:
        _ask(server, "QUIT")
    except (OSError, Failed):
        return


def _ask(server: _Conversation, request: str) -> str:
    server.say(request)
    return _reply(server, request)


def _reply(server: _Conversation, request: str) -> str:
    """Return the last line of a reply (RFC 5321, 4.2.1). Raises Failed unless it is a good one."""
    for _count in range(_REPLY_LINES):
        line = server.line()
        if not re.match(r"[0-9]{3}([ -]|$)", line):
            raise Failed(f"{request} was answered by: {line}")
        if line[3:4] != "-":
            if line[0] != "2":
                raise Failed(f"{request} was answered by: {line}")
            return line
    raise Failed(f"{request} was answered by more than {_REPLY_LINES} lines")


def _http(check: Check, deadline: _Deadline) -> str:
    url = parse_url(check.target)
    with _Conversation(url.endpoint, deadline) as server:
        if url.tls:
            server.secure(url.endpoint.host)
        server.say(
            f"GET {url.path} HTTP/1.1\r\nHost: {url.authority}\r\nUser-Agent: carpd\r\nAccept: */*\r\n"
            "Connection: close\r\n"
        )
        status = server.line()
    match = re.match(r"HTTP/[0-9.]+ ([0-9]{3})\b", status)
    if not match or not 200 <= int(match[1]) < 400:
        raise Failed(f"answered by: {status}")
    return status


def _process(check: Check, _deadline: _Deadline) -> str:
    name = parse_process(check.target)
    if not name.startswith("/"):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            if _is_called(pid, name) and _lives(pid):
                return f"process {pid}"
        raise Failed(f"there is no process {name}")
    with open(name, encoding="ascii", errors="replace") as file:
        pid = file.readline(32).strip()
    if not pid.isdigit():
        raise Failed(f"{name} does not hold a process id")
    if not _lives(pid):
        raise Failed(f"there is no process {pid}, which {name} names")
    return f"process {pid}"


def _is_called(pid: str, name: str) -> bool:
    """Tell whether a process has this name, or runs a program whose file is called so."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            if file.read().rstrip("\n") == name:
                return True
        with open(f"/proc/{pid}/cmdline", "rb") as raw:
            program = raw.read(_LINE_LIMIT).split(b"\0", 1)[0]
    except OSError:
        return False  # it has just ended
    return os.path.basename(program).decode("utf-8", "replace") == name


def _lives(pid: str) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return _is_hidden(pid)


def _is_hidden(pid: str) -> bool:
    """Tell whether a process is there that /proc does not show (proc(5) hidepid, systemd.exec(5) ProtectProc=)."""
    try:
        os.kill(int(pid), 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def _file(check: Check, _deadline: _Deadline) -> str:
    wanted = parse_file(check.target)
    try:
        os.stat(wanted.path)
    except (FileNotFoundError, NotADirectoryError):
        found = False
    else:
        found = True
    text = f"{wanted.path} {'exists' if found else 'does not exist'}"
    if found is not wanted.present:
        raise Failed(text)
    return text


def _link(check: Check, _deadline: _Deadline) -> str:
    requests = Requests()
    try:
        link = next((link for link in requests.links() if link.name == check.target), None)
    finally:
        requests.close()
    if link is None:
        raise Failed(f"there is no interface {check.target}")
    if not link.running:
        raise Failed(f"{check.target} is down or has no carrier")
    return f"{check.target} has carrier"


def _gateway(check: Check, deadline: _Deadline) -> str:
    """Ask as RFC 5227 probes do, in nobody's name: that changes no neighbour's cache, whoever has the address."""
    gateway = parse_gateway(check.target).packed
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as sock:
        sock.bind((check.interface, ETH_P_ARP))
        mac = sock.getsockname()[4]
        request = _ARP.pack(1, 0x0800, 6, 4, _ARP_REQUEST, mac, bytes(4), bytes(6), gateway)
        asked_at = -math.inf
        while True:
            now = time.monotonic()
            if now - asked_at >= deadline.seconds / _ASKED:
                sock.sendto(request, (check.interface, ETH_P_ARP, 0, 0, _BROADCAST))
                asked_at = now
            try:
                sock.settimeout(min(deadline.left(), deadline.seconds / _ASKED))
                packet = sock.recv(_LINE_LIMIT)
            except socket.timeout:
                continue
            except Failed:
                raise Failed(f"{check.target} does not answer ARP on {check.interface}") from None
            if len(packet) >= _ARP.size:
                _hardware, _protocol, _hlen, _plen, operation, theirs, address, *_to = _ARP.unpack_from(packet)
                if operation == _ARP_REPLY and address == gateway:
                    return f"{check.target} is at {theirs.hex(':')}"


_PROBES: dict[str, Callable[[Check, _Deadline], str]] = {
    "command": _command,
    "tcp": _tcp,
    "smtp": _smtp,
    "http": _http,
    "unit": _unit,
    "process": _process,
    "file": _file,
    "link": _link,
    "gateway": _gateway,
}
