# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends frames that nobody asked for: injector.py INTERFACE RATE SECONDS FRAME...

A frame is written in hexadecimal, header and all; or it is ``random``: then it is an IPv4 packet of protocol 112 to the
CARP group, with a body of chance.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import time

GROUP_MAC, GROUP = bytes.fromhex("01005e000012"), socket.inet_aton("224.0.0.18")
BURST = 0.01


def garbage(mac: bytes) -> bytes:
    """Most of it looks like an advertisement until one looks closer."""
    body = (b"\x21\x01" if os.urandom(1)[0] & 1 else b"") + os.urandom(34)
    start = struct.pack("!BBHHHBB", 0x45, 0, 20 + len(body), 0, 0, 255, 112)
    ends = socket.inet_aton("10.77.0.2") + GROUP
    total = sum(struct.unpack("!9H", start + ends))
    total = (total & 0xFFFF) + (total >> 16)
    return GROUP_MAC + mac + b"\x08\x00" + start + struct.pack("!H", ~total & 0xFFFF) + ends + body


def main() -> None:
    """Send until the time is over; says how many there were."""
    interface, rate, seconds, *frames = sys.argv[1:]
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind((interface, 0))
    mac = wire.getsockname()[4]
    made = [garbage(mac) for _number in range(1000)] if frames == ["random"] else list(map(bytes.fromhex, frames))
    began, sent = time.monotonic(), 0
    while (passed := time.monotonic() - began) < float(seconds):
        while sent < passed * float(rate):
            wire.send(made[sent % len(made)])
            sent += 1
        time.sleep(min(BURST, 1 / float(rate)))
    print(f"sent {sent}", flush=True)


main()
