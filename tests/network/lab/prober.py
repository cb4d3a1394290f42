# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Client program: asks one address for an ICMP echo at a steady rate and tells which probes went unanswered.

Runs alone inside a namespace (a file of its own so that nothing of a test's work delays it), prints one JSON object a
line: a ``tick`` a few times a second, a ``gap`` whenever probes had no answer, an ``end``.  All times are
CLOCK_MONOTONIC, which every process of a machine shares.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import select
import signal
import socket
import struct
import time
from array import array

ECHO_REQUEST, ECHO_REPLY, ECHO_REQUEST6, ECHO_REPLY6 = 8, 0, 128, 129
SO_SNDBUFFORCE, SO_RCVBUFFORCE, SO_TIMESTAMPNS = 32, 33, 35
ECHO = struct.Struct("!BBHHHQ")
TICK = 0.05


def checksum(data: bytes) -> int:
    """The Internet checksum of an even number of bytes."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def arrival(ancillary: list[tuple[int, int, bytes]]) -> float:
    """When the kernel received the packet: a prober that got no processor time must not blame the network."""
    now, wall = time.monotonic(), time.time()
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
            seconds, nanoseconds = struct.unpack("@qq", data)
            now -= max(0.0, wall - seconds - nanoseconds / 1e9)
    return now


class Prober:
    """Sends, receives and keeps the account."""

    def __init__(self, target: str, interval: float, count: int, patience: float) -> None:
        self.target = target
        self.interval = interval
        self.count = count
        self.patience = patience
        self.identity = os.getpid() & 0xFFFF
        self.sent = array("d")
        self.answered = array("d")
        self.settled = 0
        """Probes before this number are decided: answered, or too late to be."""
        self.lost = 0
        self.worst = 0.0
        """The longest round trip."""
        self.gap: list[float] | None = None
        self.answering_since: float | None = None
        self.stopping = False
        self.is_ipv6 = ":" in target
        self.request, self.reply = (ECHO_REQUEST6, ECHO_REPLY6) if self.is_ipv6 else (ECHO_REQUEST, ECHO_REPLY)
        family, protocol = (
            (socket.AF_INET6, socket.IPPROTO_ICMPV6) if self.is_ipv6 else (socket.AF_INET, socket.IPPROTO_ICMP)
        )
        self.socket = socket.socket(family, socket.SOCK_RAW, protocol)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
        # Probes that wait for the neighbour's hardware address count against the sending side.
        self.socket.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 4 << 20)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.setblocking(False)

    def run(self) -> None:
        """Probe until told to stop or the count is reached, then wait for the last answers."""
        start = time.monotonic()
        next_tick = start
        while not self.stopping and len(self.sent) < self.count:
            now = time.monotonic()
            while len(self.sent) < self.count and start + len(self.sent) * self.interval <= now:
                self.send()
            if now >= next_tick:
                next_tick = now + TICK
                self.settle(now)
                self.tick()
            self.receive(start + len(self.sent) * self.interval)
        deadline = time.monotonic() + self.patience
        while self.settled < len(self.sent) and time.monotonic() <= deadline:
            self.receive(min(deadline, time.monotonic() + TICK))
            self.settle(time.monotonic())
        self.settle(deadline + self.patience)
        self.tell(event="end", sent=len(self.sent), lost=self.lost, worst_round_trip=self.worst, open_gap=self.gap)

    def send(self) -> None:
        number = len(self.sent)
        body = struct.pack("!HHQ", self.identity, number & 0xFFFF, number)
        # For IPv6 the kernel replaces it, since only the kernel knows the addresses that belong to it.
        total = checksum(struct.pack("!BBH", self.request, 0, 0) + body)
        head = struct.pack("!BBH", self.request, 0, total)
        self.sent.append(time.monotonic())
        self.answered.append(0.0)
        with contextlib.suppress(OSError):  # no neighbour or no route: the probe is lost, which is the answer
            self.socket.sendto(head + body, (self.target, 0))

    def receive(self, until: float) -> None:
        """Read what is there, waiting for it no longer than ``until``."""
        try:
            ready = select.select([self.socket], [], [], max(0.0, until - time.monotonic()))[0]
        except InterruptedError:
            return
        while ready:
            try:
                packet, ancillary, _flags, _source = self.socket.recvmsg(2048, 64)
            except BlockingIOError:
                return
            now = arrival(ancillary)
            icmp = 0 if self.is_ipv6 else (packet[0] & 15) * 4
            if len(packet) < icmp + ECHO.size:
                continue  # another kind of message
            kind, _code, _sum, identity, _seq, number = ECHO.unpack_from(packet, icmp)
            ours = kind == self.reply and identity == self.identity and number < len(self.sent)
            if ours and not self.answered[number]:
                self.answered[number] = now

    def settle(self, now: float) -> None:
        """Decide every probe that is answered or out of time."""
        while self.settled < len(self.sent):
            sent, answered = self.sent[self.settled], self.answered[self.settled]
            if answered and answered - sent <= self.patience:
                self.worst = max(self.worst, answered - sent)
                if self.answering_since is None:
                    self.answering_since = sent
                if self.gap is not None:
                    self.tell(event="gap", start=self.gap[0], end=sent, lost=int(self.gap[1]))
                    self.gap = None
            elif now - sent > self.patience:
                self.lost += 1
                self.answering_since = None
                if self.gap is None:
                    self.gap = [sent, 0]
                self.gap[1] += 1
            else:
                return
            self.settled += 1

    def tick(self) -> None:
        until = self.sent[self.settled - 1] if self.settled else None
        self.tell(event="tick", since=self.answering_since, until=until)

    @staticmethod
    def tell(**event: object) -> None:
        os.write(1, json.dumps(event).encode() + b"\n")


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target")
    parser.add_argument("--interval", type=float, default=0.001)
    parser.add_argument("--count", type=int, default=120_000, help="end after this many, whatever happens")
    parser.add_argument("--patience", type=float, default=0.1, help="an answer later than this is none")
    options = parser.parse_args()
    prober = Prober(options.target, options.interval, options.count, options.patience)

    def stop(_number: int, _frame: object) -> None:
        prober.stopping = True

    signal.signal(signal.SIGTERM, stop)
    prober.run()


if __name__ == "__main__":
    main()
