# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listens on an interface for a while, asks who has addresses, and sends trials that the other hosts listen for."""

from __future__ import annotations

import os
import selectors
import socket
import struct
import time
from collections import Counter
from contextlib import ExitStack
from typing import NamedTuple, cast

from . import packets

GROUP = "224.0.0.18"
GROUP_6 = "ff02::12"
_GROUP_MAC = bytes.fromhex("01005e000012")
_EVERYBODY = b"\xff" * 6
_ARP, _IP, _IPV6 = 0x0806, 0x0800, 0x86DD
_OUTGOING = 4  # linux/if_packet.h PACKET_OUTGOING
_TRIAL_INTERVAL = 0.25  # seconds; of two hosts that overlap for a second, each hears some
_ASK_INTERVAL = 1.0


class Segment(NamedTuple):
    """What was heard: packets with how often, who answered for an address, and what could not be sent, by path."""

    heard: Counter[packets.Heard]
    answers: dict[str, set[str]]
    failures: dict[str, str]


def mac_of(interface: str) -> bytes:
    """Return the interface's MAC address. Raises OSError."""
    with open(f"/sys/class/net/{interface}/address", encoding="ascii") as file:
        return bytes.fromhex(file.read().strip().replace(":", ""))


def listen(
    interface: str, seconds: float, addresses: list[str], source: str = "", peers: tuple[str, ...] = ()
) -> Segment:
    """Listen for so many seconds. Raises OSError when the interface cannot be used, or without the right to.

    Asks for ``addresses``. With ``source``, the host's own address there, sends trials to everybody and to ``peers``.
    """
    found = Segment(Counter(), {}, {})
    mac, token = mac_of(interface), os.urandom(8)
    with ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        # One for each protocol, as carpd has it: one for all protocols would also hear what the device's filter drops.
        for kind in (_IP, _IPV6, _ARP):
            wire = stack.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0))
            wire.bind((interface, kind))
            wire.setblocking(False)
            selector.register(wire, selectors.EVENT_READ)
        _join(stack, interface)
        end = time.monotonic() + seconds
        ask_at = trial_at = time.monotonic()
        while True:
            now = time.monotonic()
            if now >= end:
                return found
            if now >= ask_at:
                ask_at = now + _ASK_INTERVAL
                for address in addresses:
                    _ask(wire, interface, address, mac)
            if source and now >= trial_at:
                trial_at = now + _TRIAL_INTERVAL
                _try_paths(wire, interface, source, peers, token, found.failures)
            for key, _events in selector.select(max(0.0, min(end, ask_at, trial_at if source else end) - now)):
                _take_in(cast(socket.socket, key.fileobj), found, addresses, token)


def _ask(wire: socket.socket, interface: str, address: str, mac: bytes) -> None:
    if ":" not in address:
        wire.sendto(packets.question(address, mac), (interface, _ARP, 0, 0, _EVERYBODY))
        return
    packet, group = packets.question_6(address)
    wire.sendto(packet, (interface, _IPV6, 0, 0, group))


def _join(stack: ExitStack, interface: str) -> None:
    """Let the interface's card and the switch know that the group is wanted here."""
    member = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    index = socket.if_nametoindex(interface)
    request = struct.pack("=4s4si", socket.inet_aton(GROUP), bytes(4), index)
    member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
    try:
        member = stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
        request = socket.inet_pton(socket.AF_INET6, GROUP_6) + struct.pack("=i", index)
        member.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)
    except OSError:
        return  # a host without IPv6 has nothing to hear by it


def _try_paths(
    wire: socket.socket, interface: str, source: str, peers: tuple[str, ...], token: bytes, failures: dict[str, str]
) -> None:
    for path, destination, mac in (
        ("multicast", GROUP, _GROUP_MAC),
        ("broadcast", "255.255.255.255", _EVERYBODY),
    ):
        body = packets.ip_packet(packets.trial(path, token), source, destination)
        try:
            wire.sendto(body, (interface, _IP, 0, 0, mac))
        except OSError as error:
            failures[path] = str(error.strerror)
    for peer in peers:
        try:
            # By the kernel's IP, as carpd does it: so a firewall of this host has its say.
            with socket.socket(socket.AF_INET, socket.SOCK_RAW, packets.PROTOCOL) as single:
                single.bind((source, 0))
                single.sendto(packets.trial("unicast", token), (peer, 0))
        except OSError as error:
            failures["unicast"] = str(error.strerror)


def _take_in(wire: socket.socket, found: Segment, addresses: list[str], token: bytes) -> None:
    while True:
        try:
            packet, (_name, kind, direction, _hardware, _mac) = wire.recvfrom(2048)
        except BlockingIOError:
            return
        if direction == _OUTGOING:
            continue
        answer = packets.read_arp(packet) if kind == _ARP else None
        if kind == _IPV6:
            answer = packets.read_advertisement_6(packet)
        if answer is not None and answer[0] in addresses:
            found.answers.setdefault(answer[0], set()).add(answer[1])
        if kind in (_IP, _IPV6):
            heard = packets.read_ip(packet)
            if heard is not None and heard.token != token:
                found.heard[heard] += 1
