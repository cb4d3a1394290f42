# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is fuzzed: functions that take any bytes, and must not raise anything but what they promise to.

Where there is a way back, what was read is also written and read again, and must be the same.
"""

from __future__ import annotations

import json
import selectors
import socket
import tempfile
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, NamedTuple

from carpd import config, neighbours, netlink
from carpd.announce import announcements
from carpd.control import ControlServer
from carpd.digest import Digest
from carpd.events import dispatch
from carpd.machine import Machine
from carpd.orders import Orders
from carpd.packet import GROUPS, Advertisement, Datagram, PacketError
from carpd.speaker import Speaker
from carpd.timing import Failback, Timing
from carpd.transitions import Event, State
from carpd.trust import KnownPeer, stamp
from carpd.verbs import Verbs

_SAMPLES = Path(__file__).resolve().parents[1] / "unit" / "plugins" / "module_utils" / "carpd"
_ADDRESSES = (IPv4Interface("172.17.0.74/20"),)
_OWN, _PEER = IPv4Address("172.17.0.75"), IPv4Address("172.17.0.76")
_MAC = bytes.fromhex("020000000001")
_CONFIG = """\
[carpd]
log_level = debug
[vip smtp]
interface = eth1
vhid = 1
addresses = 172.17.0.74/20, 2001:db8::74/64
password = sesame
advbase = 1
advskew = 20
known_peers = 172.17.0.76 carpd 0
[check smtp]
type = tcp
target = 127.0.0.1:25
weight = fault
"""


class Target(NamedTuple):
    """A function to call with bytes, and bytes to begin with."""

    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]


def advertisement(data: bytes) -> None:
    """The CARP header."""
    try:
        said = Advertisement.decode(data)
    except PacketError:
        return
    assert Advertisement.decode(said.encode()) == said


def datagram(data: bytes) -> None:
    """The IP packet around it, of both versions."""
    try:
        found = Datagram.decode(data)
    except PacketError:
        return
    assert Datagram.decode(found.encode()) == found
    advertisement(found.payload)


def speaker(data: bytes) -> None:
    """Whatever comes in with the right digest: every field is the sender's, and so is the time between packets."""
    digest = Digest(b"sesame", 1, [_ADDRESSES[0].ip])
    for trusting in (True, False):
        peers = () if trusting else (KnownPeer(_PEER, True, 0),)
        one = Speaker(_vip(known_peers=peers), 1, 0.0)
        one.sources = {4: _OWN}
        one.machine.event(Event.UP, 0.0, "up")
        now = 0.0
        for number in range(0, len(data) - 7, 8):
            advbase, advskew, demotion, sequence, last_octet, wait, kind, flip = data[number : number + 8]
            source = IPv4Address(int(_PEER) - last_octet % 3)
            fields = (advbase, advskew, demotion)
            counter = stamp(sequence, digest, *fields, source) if kind % 2 else sequence
            said = Advertisement(1, *fields, counter, digest.mac(counter))
            payload = bytearray(said.encode())
            if flip:
                payload[flip % len(payload)] ^= kind | 1
            now += wait / 50
            one.received(Datagram.decode(Datagram(source, GROUPS[4], bytes(payload)).encode()), now)
            _settle(one.machine, now, sends=kind < 200)


def election(data: bytes) -> None:
    """Events, times, orders and answers in any order."""
    machine = Machine(Timing(data[0] % 4 if data else 1, 20, 3), Failback(), 0.0)
    now = 0.0
    for number in range(1, len(data) - 3, 4):
        kind, first, second, wait = data[number : number + 4]
        now += wait / 20
        events = list(Event)
        if kind < len(events):
            machine.event(events[kind], now, "fuzz")
        elif kind % 8 == 0:
            said = Advertisement(1, first % 3 if first < 250 else 255, second, kind % 3, 1, b"")
            machine.received(said, _PEER, _OWN if kind % 16 else None, now)
        elif kind % 8 == 1:
            machine.demote(first, second, now)
        elif kind % 8 == 2:
            machine.retire(now, "by order" if first % 2 else "")
        elif kind % 8 == 3:
            machine.promote(now)
        elif kind % 8 == 4:
            machine.answered(bool(first % 2), now)
        elif kind % 8 == 5:
            machine.opposed(_PEER, now)
        elif kind % 8 == 6:
            machine.reconfigure(Timing(first % 3, second or 1, 2 + kind % 4), Failback(bool(kind % 2), wait), now)
        _settle(machine, now, sends=wait < 200)
        assert machine.state is not State.ENDED or machine.next_timer() > 1e9, "who has ended waits for nothing"


def _settle(machine: Machine, now: float, sends: bool) -> None:
    """Perform what the election wants, which must come to an end, and whose next deadline must be a time."""
    machine.due(now)
    for _turn in range(50):
        actions = machine.actions()
        for action in actions:
            if type(action).__name__ == "Advertise":
                machine.sent(sends, now)
        if not actions:
            break
    else:
        raise AssertionError("the election never comes to rest")
    assert machine.next_timer() >= now - 300, "a deadline that is no time"
    assert 0 <= machine.advskew <= 255 and 0 <= machine.demotion <= 255


def settings(data: bytes) -> None:
    """The text of a configuration file. What it may name, other files above all, is not looked at."""
    config._included = lambda _path, _pattern: []  # type: ignore[assignment]
    config.read_secret = lambda _path: b"sesame"
    path = _scratch() / "carpd.conf"
    path.write_bytes(data)
    try:
        loaded = config.load(str(path))
    except config.ConfigError as error:
        assert error.problems and all("\n" not in str(problem) for problem in error.problems)
        return
    assert all(vip.addresses for vip in loaded.vips)


def control(data: bytes) -> None:
    """What a client of the control socket sends, in two pieces; every whole request is answered by a line of JSON."""
    server = _server()
    half = data[0] if data else 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(_scratch() / "socket"))
        client.setblocking(False)
        answer = b""
        for piece in (data[1 : 1 + half], data[1 + half : 6000]):
            try:
                client.sendall(piece)
            except OSError:
                break
            answer += _turns(server, client)
        client.shutdown(socket.SHUT_WR)
        answer += _turns(server, client)
    _turns(server, None)
    for line in answer.splitlines():
        assert isinstance(json.loads(line), dict)
    if b"\n" in data[1:4000]:
        assert answer.endswith(b"\n"), "no answer"


def kernel(data: bytes) -> None:
    """What arrives by netlink."""
    for kind, _sequence, body in netlink.messages(data):
        netlink._notice(kind, body)


def neighbour(data: bytes) -> None:
    """ARP and neighbour discovery."""
    neighbours.read_arp(data)
    neighbours.read_neighbour_message(data)


def _vip(**changes: Any) -> config.Vip:
    return config.Vip("smtp", "eth1", 1, _ADDRESSES, b"sesame", 1, 20, True, 3, None, **changes)


def _sample(name: str) -> Any:
    return json.loads((_SAMPLES / name).read_text(encoding="utf-8"))


def _vectors() -> list[dict[str, Any]]:
    return [one for one in _sample("vectors.json") if one.get("packet_hex") and one.get("ip_packet_hex")]


def _strings(value: Any) -> Iterator[str]:
    """Yield all texts in what JSON has brought."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _strings(one)


def _questions() -> list[bytes]:
    frames = [neighbours.question(_PEER, _OWN, _MAC), *announcements(_OWN, _MAC, router=False)]
    return [frame.payload for frame in frames]


def _request(verb: str) -> bytes:
    return json.dumps({"verb": verb, "vips": ["smtp"]}).encode() + b"\n"


_folders: list[tempfile.TemporaryDirectory[str]] = []
_servers: list[tuple[ControlServer, selectors.SelectSelector]] = []


def _scratch() -> Path:
    """Return a folder of this process; who starts the fuzzer names a place in TMPDIR that is tidied up afterwards."""
    if not _folders:
        _folders.append(tempfile.TemporaryDirectory())
    return Path(_folders[0].name)


def _server() -> selectors.SelectSelector:
    if not _servers:
        selector = selectors.SelectSelector()
        hosts = [_Host("smtp", "mail"), _Host("imap", "mail"), _Host("web", "")]
        background = SimpleNamespace(submit=lambda _job, _done: None)
        orders = Orders(str(_scratch()), background, lambda: None)  # type: ignore[arg-type]
        health: Any = SimpleNamespace(status=lambda _name: [])
        verbs = Verbs(lambda: hosts, health, orders, _nothing, _nothing, _nothing, lambda _news: None)  # type: ignore[arg-type]
        _servers.append((ControlServer(str(_scratch() / "socket"), selector, verbs.answer), selector))
    return _servers[0][1]


def _nothing() -> None:
    """Stand in for a reload or restart."""


def _turns(selector: selectors.SelectSelector, client: socket.socket | None) -> bytes:
    """Let the server work until it has nothing to do, and return what the client got."""
    got = b""
    for _turn in range(20):
        if not selector.select(0):
            break
        dispatch(selector, 0)
        got += _read(client)
    return got + _read(client)


def _read(client: socket.socket | None) -> bytes:
    try:
        return client.recv(1 << 20) if client is not None else b""
    except OSError:
        return b""


class _Host:
    """A virtual host, as far as requests concern it."""

    def __init__(self, name: str, group: str) -> None:
        self.vip = SimpleNamespace(name=name, group=group)
        self.operator = ""

    def status(self) -> dict[str, Any]:
        return {"name": self.vip.name}

    def demote(self, reason: str) -> None:
        self.operator = reason

    def promote(self) -> str:
        return ""


TARGETS = {
    "advertisement": Target(advertisement, lambda: [bytes.fromhex(one["packet_hex"]) for one in _vectors()]),
    "datagram": Target(datagram, lambda: [bytes.fromhex(one["ip_packet_hex"]) for one in _vectors()]),
    "speaker": Target(speaker, lambda: [bytes((1, 0, 0, 1, 0, 50, 1, 0)) * 4, bytes((255, 255, 0, 2, 0, 9, 1, 0))]),
    "election": Target(election, lambda: [bytes((1, 0, 0, 0, 80, 24, 1, 20, 20, 80, 0, 0, 200)), bytes(range(90))]),
    "settings": Target(settings, lambda: [_CONFIG.encode(), b"[vip a]\nvhid = 0\n", b"\xff\xfe"]),
    "control": Target(control, lambda: [b"\x05" + _request(verb) for verb in ("status", "watch", "demote", "promote")]),
    "kernel": Target(kernel, lambda: [bytes.fromhex(one) for one in _strings(_sample("netlink.json"))]),
    "neighbour": Target(neighbour, lambda: [*_questions(), b"", bytes(28)]),
}
