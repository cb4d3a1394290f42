# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hook is run when: one at a time and in order for each virtual host, by a process of its own."""

from __future__ import annotations

import math
import os
import select
import selectors
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping

from .config import Vip
from .forked import reap
from .hookrunner import Call, Ended, HookRunner
from .logs import log
from .transitions import State

_MOST_WAITING = 4  # transitions of one virtual host whose hooks have not begun; of more, the oldest are left out
_MARGIN = 2.0  # seconds after its time limit until not the hook but the runner is at fault
_RESTART_INTERVAL = 1.0  # seconds at least between two starts of the runner
_END_TIME = 5.0  # seconds that the end of the daemon waits for hooks; the service manager may wait 10
_LONGEST_REASON = 500

# What hooks know of the states: whether the addresses are here, and if not, whether they could be.
START, MASTER, BACKUP, FAULT, ENDED = "INIT", "MASTER", "BACKUP", "FAULT", "ENDED"
_OPTIONS = {MASTER: "on_master", BACKUP: "on_backup", FAULT: "on_fault", ENDED: "on_backup"}


def role_of(state: State) -> str:
    """Return what a state is to hooks."""
    if state.holds:
        return MASTER
    return {State.BACKUP: BACKUP, State.ENDED: ENDED}.get(state, FAULT)


def has_hooks(vip: Vip) -> bool:
    """Tell whether a virtual host has any."""
    return bool(vip.on_master or vip.on_backup or vip.on_fault or vip.up_script or vip.down_script)


def calls(vip: Vip, old: str, new: str, reason: str) -> list[Call]:
    """Return what is to be run when a virtual host goes from one role to another.

    ucarp's scripts as ucarp runs them: the one when it becomes master, the other at start and when it was master
    (UCarp src/carp.c carp_set_state and src/ucarp.c).
    """
    if new == ENDED and old != MASTER:
        return []
    environment = {
        "CARP_NAME": vip.name,
        "CARP_INTERFACE": vip.interface,
        "CARP_VHID": str(vip.vhid),
        "CARP_STATE": new,
        "CARP_OLD_STATE": old,
        "CARP_REASON": reason.replace("\0", "")[:_LONGEST_REASON],
        "CARP_ADDRESSES": " ".join(str(address) for address in vip.addresses),
    }
    wanted = [(_OPTIONS[new], getattr(vip, _OPTIONS[new]))]
    arguments = (vip.interface, str(vip.addresses[0].ip), *([vip.xparam] if vip.xparam else []))
    if new == MASTER and vip.up_script:
        wanted.append(("up_script", (vip.up_script, *arguments)))
    elif new != MASTER and old in (START, MASTER) and vip.down_script:
        wanted.append(("down_script", (vip.down_script, *arguments)))
    return [
        Call(vip.name, option, words, environment, vip.hook_timeout, vip.hook_user) for option, words in wanted if words
    ]


class _Line:
    """The hooks of one virtual host: what runs and what waits."""

    def __init__(self, role: str) -> None:
        self.role = role
        self.waiting: deque[list[Call]] = deque()
        self.running: Call | None = None
        self.overdue_at = math.inf

    @property
    def busy(self) -> bool:
        return self.running is not None or bool(self.waiting)

    def add(self, wanted: list[Call]) -> list[Call]:
        """Let these wait for their turn, and return what is left out for them."""
        self.waiting.append(wanted)
        return self.waiting.popleft() if len(self.waiting) > _MOST_WAITING else []

    def next(self) -> Call | None:
        """Return what to run now, if anything."""
        if self.running is not None or not self.waiting:
            return None
        call = self.waiting[0].pop(0)
        if not self.waiting[0]:
            self.waiting.popleft()
        return call


class Hooks:
    """Runs hooks. ``clock`` returns monotonic seconds."""

    def __init__(self, selector: selectors.BaseSelector, clock: Callable[[], float]) -> None:
        self._selector = selector
        self._clock = clock
        self._lines: dict[str, _Line] = {}
        self._runner: HookRunner | None = None
        self._start_at = math.inf
        self._started_at = -math.inf
        self._gone: list[int] = []  # runners that were killed, but may not have ended yet

    def configure(self, vips: Iterable[Vip]) -> None:
        """Get ready for these virtual hosts: not when a hook is to run, since a fork takes its time."""
        if any(has_hooks(vip) for vip in vips) and self._runner is None:
            self._start_at = self._clock()
            self._start()

    def changed(self, vip: Vip, before: State, now: State, reason: str) -> None:
        """Take in that a virtual host has another state."""
        if vip.name not in self._lines and not has_hooks(vip):
            return
        if vip.name not in self._lines:
            # Not at start, where hooks were added, or the program was loaded anew.
            self._lines[vip.name] = _Line(START if before is State.INIT else role_of(before))
        line = self._lines[vip.name]
        old, line.role = line.role, role_of(now)
        wanted = calls(vip, old, line.role, reason) if line.role != old else []
        if wanted:
            for call in line.add(wanted):
                log.warning("%s: hook %s is left out: newer ones wait", vip.name, call.option)
            self._go_on(line)

    def children(self) -> list[int]:
        """Return the processes that end with this."""
        return [*self._gone, *([self._runner.pid] if self._runner is not None else [])]

    def legacy(self) -> dict[str, str]:
        """Return the role of each virtual host, for the next program of the daemon."""
        return {name: line.role for name, line in self._lines.items()}

    def inherit(self, legacy: Mapping[str, str]) -> None:
        """Take over the ``legacy`` of an earlier program: what stays as it was needs no hook."""
        for name, role in legacy.items():
            self._lines[name] = _Line(role)

    def next_timer(self) -> float:
        """Return when ``due`` wants to be called."""
        return min(self._start_at, *(line.overdue_at for line in self._lines.values()), math.inf)

    def due(self) -> None:
        """Do what the time has come for."""
        now = self._clock()
        if any(now >= line.overdue_at for line in self._lines.values()):
            self._replace("hangs")
        self._start()

    def leave(self) -> None:
        """End at once, and let what runs go on to its end: the program is loaded anew, and has no time to wait."""
        if self._runner is not None:
            self._runner.dismiss()
            self._forget_runner()

    def close(self) -> None:
        """Wait, but not for long, until what is to be run has ended."""
        end = time.monotonic() + _END_TIME
        while self._runner is not None and any(line.busy for line in self._lines.values()):
            left = end - time.monotonic()
            if left <= 0:
                log.warning("hooks still run and are killed: the daemon ends")
                break
            if select.select([self._runner], [], [], left)[0]:
                self._read()
        self._forget_runner()

    def _start(self) -> None:
        now = self._clock()
        if now < self._start_at:
            return
        try:
            self._runner = HookRunner()
        except OSError as error:
            log.error("hooks cannot be run: %s", error.strerror)
            self._start_at = now + _RESTART_INTERVAL
            return
        self._gone = [pid for pid in self._gone if not reap(pid)]
        self._started_at, self._start_at = now, math.inf
        self._selector.register(self._runner, selectors.EVENT_READ, self._read)
        for line in self._lines.values():
            self._go_on(line)

    def _go_on(self, line: _Line) -> None:
        call = line.next() if self._runner is not None else None
        if call is None or self._runner is None:
            return
        line.running, line.overdue_at = call, self._clock() + call.timeout + _MARGIN
        if not self._runner.run(call):
            line.waiting.appendleft([call])
            line.running, line.overdue_at = None, math.inf
            self._replace("takes no more")

    def _read(self) -> None:
        ended = self._runner.read() if self._runner is not None else []
        if ended is None:
            self._replace("has died")
            return
        for one in ended:
            line = self._lines[one.vip]
            if line.running is not None:
                _tell(line.running, one)
            line.running, line.overdue_at = None, math.inf
            self._go_on(line)

    def _replace(self, why: str) -> None:
        """Give the runner up, with all that it runs, and start another soon."""
        log.error("the process that runs hooks %s; it is replaced", why)
        if self._runner is not None:
            self._kill(self._runner.pid)
        self._forget_runner()
        for call in self._forget():
            log.error("%s: hook %s: what became of it is unknown", call.vip, call.option)
        self._start_at = self._started_at + _RESTART_INTERVAL

    def _forget_runner(self) -> None:
        if self._runner is not None:
            self._selector.unregister(self._runner)
            self._runner.close()
            self._runner = None

    def _kill(self, pid: int) -> None:
        if not reap(pid):
            os.kill(pid, signal.SIGKILL)
            self._gone.append(pid)

    def _forget(self) -> Iterator[Call]:
        for line in self._lines.values():
            if line.running is not None:
                yield line.running
            line.running, line.overdue_at = None, math.inf


def _tell(call: Call, ended: Ended) -> None:
    """Log who, what, how it went and how long that took, in one line."""
    said = f": {ended.detail}" if ended.detail else ""
    what = f"{call.vip}: hook {call.option} ({call.environment['CARP_STATE']}): {call.words[0]}"
    if ended.status is None:
        log.error("%s after %.3f s%s", what, ended.duration, said)
    else:
        how = f"ended by signal {-ended.status}" if ended.status < 0 else f"ended with status {ended.status}"
        tell = log.warning if ended.status else log.info
        tell("%s %s after %.3f s%s", what, how, ended.duration, said)
