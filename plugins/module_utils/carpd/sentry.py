# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard's own process, and the line from the daemon to it.

It is forked before the daemon has loaded anything else, and loads nothing more itself: all that it may ever have to do
comes to it as bytes which the kernel understands. So it takes less than 3 MB of its own, where a fork of the daemon as
a whole took 6, and no disk that hangs can hold it up.
"""

from __future__ import annotations

import errno
import gc
import marshal
import math
import mmap
import os
import select
import signal
import socket
import struct
import time

from .forked import close_all_but

# Names of types are for readers and type checkers only: typing alone takes 0.8 MB.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Union

    # A packet, and where it goes: an interface and the rest of a packet socket's address, or an interface and a peer.
    Goodbye = tuple[Union[tuple[str, int, int, int, bytes], tuple[str, str]], bytes]
    # Seconds without a beat, netlink requests that remove the addresses, packets and the addresses to send them to.
    Duty = tuple[float, list[bytes], list[Goodbye]]
    Duties = dict[str, Duty]
    # Seconds from turn to turn, and what to send in each, in the place of a daemon whose program is replaced.
    Shift = tuple[float, list[list[Goodbye]]]
    # What to do for a virtual host; without a name: for how many seconds to stand in and with how many shifts, of which
    # each is a message, or nothing for a dismissal.
    Message = tuple[str, Union[Duty, Shift, tuple[float, int], None]]

# The shared memory: the daemon writes when it beats and by when it will again, the guard notes that it has acted. All
# times are those of the monotonic clock, which is one and the same for all processes.
_BEAT = struct.Struct("=dd")
_ACTED_AT = _BEAT.size
_MESSAGE_SIZE = 65536
_SHIFT_SIZE = 1 << 18  # what stands for a second of advertisements by several paths; more than a socket takes at once
DISMISSAL = marshal.dumps(("", None))
_STAND_IN_TIME = 1.0  # seconds within which the guard reads what it shall send in the daemon's place
_END_TIME = 0.2  # seconds that a dismissed guard may take
_IDLE = 3600.0  # seconds of sleep while nothing is held: select(2) knows no infinity
_NETLINK_ERROR = struct.Struct("=16xi")  # what the kernel answers to a request: a header, then 0 or -errno
_ALREADY_GONE = (errno.EADDRNOTAVAIL, errno.ENODEV)


class Sentry:
    """The daemon's end."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)
        self._fork()

    def _fork(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setblocking(False)
        # What there is stays: a collector that looked at it would write to it, and make a copy for either process.
        gc.freeze()
        self.pid = os.fork()
        if self.pid == 0:
            _be_the_guard(theirs, self._memory)
        theirs.close()

    @property
    def acted(self) -> bool:
        """Whether the guard has given everything up, since it thought that the daemon hung."""
        return bool(self._memory[_ACTED_AT])

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when the guard has gone."""
        return self._socket.fileno()

    def beat(self, until: float) -> None:
        """Show that the daemon works, and promise to show it again until then: nobody need wake up in between."""
        _BEAT.pack_into(self._memory, 0, time.monotonic(), until)

    def tell(self, name: str, duty: Duty | None) -> None:
        """Tell what to do for a virtual host when the time comes, or that there is nothing to do for it any more."""
        self._send(marshal.dumps((name, duty)))

    def stand_in(self, seconds: float, shifts: list[Shift]) -> int:
        """Advertise in the daemon's place for at most so many seconds, and then give up.

        Returns the descriptor by which the guard is dismissed. Raises OSError when it does not listen.
        """
        self._socket.settimeout(_STAND_IN_TIME)
        messages: list[Message] = [("", (seconds, len(shifts))), *(("", shift) for shift in shifts)]
        for message in messages:
            self._socket.send(marshal.dumps(message))
        return self._socket.fileno()

    def replace(self) -> None:
        """Put a new guard in the place of one that has gone; it knows of no duty. Being forked late, it is bigger."""
        self._end()
        self._memory[_ACTED_AT] = 0
        self._fork()

    def close(self) -> None:
        """Dismiss the guard and wait for its end. Once is enough."""
        if not self._memory.closed:
            self._send(DISMISSAL)
            self._end()
            self._memory.close()

    def _end(self) -> None:
        """Wait for its end; it takes a moment, unless somebody stopped it."""
        self._socket.close()
        deadline = time.monotonic() + _END_TIME
        try:
            while os.waitpid(self.pid, os.WNOHANG) == (0, 0):
                if time.monotonic() > deadline:
                    os.kill(self.pid, signal.SIGKILL)
                time.sleep(0.001)
        except (ChildProcessError, ProcessLookupError):
            return

    def _send(self, message: bytes) -> None:
        try:
            self._socket.send(message)
        except BlockingIOError:
            # It was stopped: the loop will notice that it has gone and make a new one.
            os.kill(self.pid, signal.SIGKILL)
        except OSError:
            return  # it has gone, which the loop will notice


def _be_the_guard(daemon: socket.socket, memory: mmap.mmap) -> None:
    """Watch until dismissed, or until it is time to act. Never returns."""
    status = 1
    try:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, signal.SIG_IGN)
        close_all_but(daemon.fileno())
        duties: Duties = {}
        why = _watch(daemon, memory, duties)
        if why:
            memory[_ACTED_AT] = 1
            _give_up(duties)
            severity = "<3>" if "JOURNAL_STREAM" in os.environ else ""
            os.write(2, f"{severity}guard: the daemon {why}: gave up {', '.join(sorted(duties))}\n".encode())
        status = 0
    finally:
        os._exit(status)


def _watch(daemon: socket.socket, memory: mmap.mmap, duties: Duties) -> str:
    """Keep book of what is held; return what happened to the daemon, or nothing if it ended in order."""
    deadline, counted_from = math.inf, time.monotonic()
    while True:
        left = min(_IDLE, max(0.0, deadline - time.monotonic()))
        readable, _writable, _errors = select.select([daemon], [], [], left)
        if readable:
            data = daemon.recv(_MESSAGE_SIZE)
            if not data:
                return "died" if duties else ""
            name, duty = marshal.loads(data)
            if not name:
                return _stand_in(daemon, *duty) if duty else ""
            if not duties:
                counted_from = time.monotonic()  # the daemon had no reason to beat before
            duties.pop(name, None)
            if duty is not None:
                duties[name] = duty
        patience = min((duty[0] for duty in duties.values()), default=math.inf)
        now = time.monotonic()
        if now > deadline + patience / 2:
            counted_from = now  # this process was stopped itself, and maybe the daemon with it
        deadline = _deadline(memory, patience, counted_from)
        if now >= deadline:
            return f"did not work for {now - max(_BEAT.unpack_from(memory)[0], counted_from):.1f} s"


def _deadline(memory: mmap.mmap, patience: float, counted_from: float) -> float:
    """Return when the patience ends: so long after the last beat, and half as long after the promised one."""
    beaten_at: float
    promised: float
    beaten_at, promised = _BEAT.unpack_from(memory)
    latest = max(beaten_at, counted_from) + patience
    return max(latest, min(latest, promised) + patience / 2)


def _stand_in(daemon: socket.socket, seconds: float, count: int) -> str:
    """Advertise until the daemon's next program dismisses us; return what happened if it does not."""
    shifts: list[Shift] = [marshal.loads(daemon.recv(_SHIFT_SIZE))[1] for _number in range(count)]
    now = time.monotonic()
    deadline, due = now + seconds, [now + interval for interval, _turns in shifts]
    while now < deadline:
        readable, _writable, _errors = select.select([daemon], [], [], max(0.0, min([deadline, *due]) - now))
        if readable:
            return "" if daemon.recv(_MESSAGE_SIZE) else "died while its program was replaced"
        now = time.monotonic()
        for number, (interval, turns) in enumerate(shifts):
            if due[number] <= now:
                _say(turns.pop(0) if turns else [])
                due[number] += interval
    return "did not come back after its program was replaced"


def _give_up(duties: Duties) -> None:
    """Remove first and say goodbye then: the daemon is not there to hand over without a gap."""
    for _patience, removals, goodbyes in duties.values():
        try:
            _remove(removals)
            _say(goodbyes)
        except OSError:
            continue  # the lease ends what cannot be done here


def _remove(requests: list[bytes]) -> None:
    """Have the kernel remove addresses. Raises OSError with its reason; that one is gone already is none."""
    kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
    for request in requests:
        kernel.send(request)
        (code,) = _NETLINK_ERROR.unpack_from(kernel.recv(_MESSAGE_SIZE))
        if code and -code not in _ALREADY_GONE:
            raise OSError(-code, os.strerror(-code))


def _say(goodbyes: list[Goodbye]) -> None:
    """Send packets. Raises OSError."""
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, 0)
    for address, packet in goodbyes:
        if len(address) == 2:
            _say_to_peer(packet, *address)
        else:
            wire.sendto(packet, address)


def _say_to_peer(packet: bytes, interface: str, peer: str) -> None:
    """Send one packet that the kernel finds the way for. Raises OSError."""
    family = socket.AF_INET if packet[0] >> 4 == 4 else socket.AF_INET6
    raw = socket.socket(family, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.IPPROTO_RAW)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
    raw.sendto(packet, (peer, 0))
