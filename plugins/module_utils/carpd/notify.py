# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell the service manager how we are (sd_notify(3)), without its library."""

from __future__ import annotations

import os
import socket


class Notifier:
    """Speaks to the socket that systemd names in NOTIFY_SOCKET, or to nobody.

    ``watchdog`` is the time within which systemd wants to hear ``WATCHDOG=1``, in seconds, or None.
    """

    def __init__(self) -> None:
        self._address = os.environ.pop("NOTIFY_SOCKET", "")
        self._socket: socket.socket | None = None
        usec = os.environ.pop("WATCHDOG_USEC", "")
        self.watchdog = int(usec) / 1e6 if usec.isascii() and usec.isdecimal() and self._address else None
        if self._address:
            flags = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
            self._socket = socket.socket(socket.AF_UNIX, flags)

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which the service manager told of itself, for the daemon's next program."""
        watchdog = {"WATCHDOG_USEC": str(round(self.watchdog * 1e6))} if self.watchdog else {}
        return {"NOTIFY_SOCKET": self._address, **watchdog} if self._address else {}

    def tell(self, *assignments: str) -> None:
        """Send assignments such as READY=1. A manager that does not listen is no reason to fail."""
        if self._socket is None:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            self._socket.sendto("\n".join(assignments).encode(), address)
        except OSError:
            return
