# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks by carpd's own wire who has an address: asker.py INTERFACE SOURCE TARGET SECONDS; prints the MAC or "nobody"."""

from __future__ import annotations

import ipaddress
import select
import socket
import sys
import time
from pathlib import Path

from carpd.neighbours import Neighbour
from carpd.wire import Wire


def main() -> None:
    """Ask once and wait for the first answer."""
    interface, source, target, seconds = sys.argv[1:]
    wanted = ipaddress.ip_address(target)
    mac = bytes.fromhex(Path(f"/sys/class/net/{interface}/address").read_text().strip().replace(":", ""))
    wire = Wire(interface, socket.if_nametoindex(interface), mac, wanted.version)
    wire.watch([wanted])
    wire.ask(wanted, ipaddress.ip_address(source))
    deadline = time.monotonic() + float(seconds)
    ear = wire.ear or wire
    while (left := deadline - time.monotonic()) > 0:
        if select.select([ear], [], [], left)[0]:
            for heard in wire.read_ear() if wire.version == 4 else wire.read():
                if isinstance(heard, Neighbour) and heard.address == wanted:
                    print(heard.mac.hex(":"))
                    return
    print("nobody")


main()
