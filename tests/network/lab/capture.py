# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Advertisements and announcements as they cross the bridge, with the port they came in by.

The decoder is the tests' own and shares nothing with carpd, so that a mistake in carpd's codec cannot hide here.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from dataclasses import dataclass

from .namespaces import Namespace
from .recorder import Recorder

ETH_P_ALL, ETH_P_IP, ETH_P_ARP, ETH_P_IPV6 = 0x0003, 0x0800, 0x0806, 0x86DD
SO_ATTACH_FILTER = 26
ICMPV6, CARP = 58, 112
NEIGHBOUR_ADVERTISEMENT = 136
ARP_REPLY = 2
BOW_OUT = (255, 255)
"""advbase and advskew of a goodbye."""


@dataclass(frozen=True)
class Advert:
    """An IP packet of protocol 112; VRRP has the same number, told apart by version and length.

    ``ttl`` is the hop limit where it is IPv6.
    """

    time: float
    host: str
    source: str
    destination: str
    source_mac: str
    ttl: int
    payload: bytes

    @property
    def is_carp(self) -> bool:
        """CARP says version 2 type 1, as VRRPv2 does, but is 36 bytes long with authlen 7 in the fourth."""
        return len(self.payload) == 36 and self.payload[0] == 0x21 and self.payload[3] == 7

    @property
    def vhid(self) -> int:
        return self.payload[1]

    @property
    def rank(self) -> tuple[int, int]:
        """(advbase, advskew) of a CARP advertisement; smaller is better."""
        return self.payload[5], self.payload[2]

    @property
    def priority(self) -> int:
        """The priority in a VRRP advertisement; 0 is a goodbye."""
        return self.payload[2]

    @property
    def is_goodbye(self) -> bool:
        return self.rank == BOW_OUT if self.is_carp else self.priority == 0


@dataclass(frozen=True)
class Announcement:
    """A packet by which a host tells unasked where an address is now."""

    time: float
    host: str
    kind: str
    """"request" or "reply" for gratuitous ARP, "neighbour" for an unsolicited neighbour advertisement."""
    address: str
    mac: str


def _bpf(*program: tuple[int, int, int, int]) -> tuple[ctypes.Array[ctypes.c_char], bytes]:
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in program))
    return code, struct.pack("@HP", len(program), ctypes.addressof(code))


# Classic BPF: ARP, or IP with protocol 112, or a neighbour advertisement.  Keeps the 1 kHz probes out of the recorder.
FILTER = (
    (0x28, 0, 0, 12),  # load the EtherType
    (0x15, 8, 0, ETH_P_ARP),  # ARP: accept
    (0x15, 0, 2, ETH_P_IP),  # IPv4: load the protocol
    (0x30, 0, 0, 23),
    (0x15, 5, 6, CARP),  # 112: accept, else refuse
    (0x15, 0, 5, ETH_P_IPV6),  # IPv6: load the next header, everything else: refuse
    (0x30, 0, 0, 20),
    (0x15, 2, 0, CARP),  # 112: accept
    (0x30, 0, 0, 54),  # load the type of an ICMPv6 message
    (0x15, 0, 1, NEIGHBOUR_ADVERTISEMENT),  # to be checked again: a port number could look like it
    (0x06, 0, 0, 0xFFFF),
    (0x06, 0, 0, 0),
)


class Capture:
    """Collects what enters the bridge by its ports; a port is named after the host behind it."""

    def __init__(self, recorder: Recorder, bridge: Namespace, bridge_name: str) -> None:
        self._recorder = recorder
        self.adverts: list[Advert] = []
        self.announcements: list[Announcement] = []
        self._socket = bridge.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        code, program = _bpf(*FILTER)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
        del code  # copied into the kernel by then
        self._socket.setblocking(False)
        self._bridge_name = bridge_name
        recorder.add(self._socket, self._readable)

    def close(self) -> None:
        """Stop capturing; what was captured stays."""
        self._recorder.remove(self._socket)
        self._socket.close()

    def _readable(self, now: float) -> bool:
        frame, (port, _protocol, kind, _hatype, _address) = self._socket.recvfrom(2048)
        if kind == socket.PACKET_OUTGOING or port == self._bridge_name:
            return True  # the same frame again, on its way out or up
        found = decode(frame, now, port)
        if isinstance(found, Advert):
            self.adverts.append(found)
            rank = f"CARP {found.rank[0]}/{found.rank[1]}" if found.is_carp else f"VRRP {found.priority}"
            self._recorder.note(now, port, f"advertises id {found.vhid} {rank} to {found.destination}")
        elif found is not None:
            self.announcements.append(found)
            self._recorder.note(now, port, f"announces {found.address} ({found.kind})")
        return True

    def after(self, since: float, host: str | None = None, vhid: int | None = None) -> list[Advert]:
        """Advertisements seen after ``since``, of one host and one id if given."""
        return [
            advert
            for advert in self.adverts
            if advert.time > since and host in (None, advert.host) and vhid in (None, advert.vhid)
        ]

    def announced(self, since: float, host: str, address: str) -> list[Announcement]:
        """What ``host`` has told about ``address`` after ``since``."""
        return [a for a in self.announcements if a.time > since and (a.host, a.address) == (host, address)]


def decode(frame: bytes, now: float, port: str) -> Advert | Announcement | None:
    """An Ethernet frame that the filter let through; None if it is neither."""
    kind = int.from_bytes(frame[12:14], "big")
    mac = frame[6:12].hex(":")
    if kind == ETH_P_ARP:
        sender, target = frame[28:32], frame[38:42]
        word = "reply" if frame[21] == ARP_REPLY else "request"
        gratuitous = Announcement(now, port, word, socket.inet_ntoa(sender), frame[22:28].hex(":"))
        return gratuitous if sender == target else None
    if kind == ETH_P_IP:
        header, length = (frame[14] & 15) * 4, int.from_bytes(frame[16:18], "big")
        source, destination = (socket.inet_ntoa(frame[at : at + 4]) for at in (26, 30))
        return Advert(now, port, source, destination, mac, frame[22], frame[14 + header : 14 + length])
    source, destination = (socket.inet_ntop(socket.AF_INET6, frame[at : at + 16]) for at in (22, 38))
    payload = frame[54 : 54 + int.from_bytes(frame[18:20], "big")]
    if frame[20] == CARP:
        return Advert(now, port, source, destination, mac, frame[21], payload)
    if frame[20] == ICMPV6 and destination == "ff02::1" and payload[24:26] == b"\x02\x01":
        address = socket.inet_ntop(socket.AF_INET6, payload[8:24])
        return Announcement(now, port, "neighbour", address, payload[26:32].hex(":"))
    return None
