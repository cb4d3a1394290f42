# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The TCP connections of virtual hosts that are about to be given up: hold new ones back, count them, end them.

A thread of its own talks to the kernel about them, in the order in which it was asked to: the kernel may load modules
for it, and looks through all connections of the host.
"""

from __future__ import annotations

import selectors
from collections.abc import Callable, Iterable

from .background import Background
from .config import Vip
from .logs import log
from .typed import TYPE_CHECKING

if TYPE_CHECKING:
    from .nftables import HeldBack
    from .sessions import Sessions

_TRIAL = ""  # instead of a name: no virtual host has this one


class _Task:
    """Something to do about the connections of a virtual host, and what came of it.

    ``told`` is called in the loop, with the number of connections it was about, and with what went wrong, if so.
    """

    def __init__(self, kind: str, vip: Vip, told: Callable[[int, str], None]) -> None:
        self.kind = kind
        self.vip = vip
        self.told = told
        self.count = 0
        self.error = ""


def _nobody(_count: int, _error: str) -> None:
    """Tell nobody."""


class Connections:
    """Does what virtual hosts ask for, one thing after the other. Without any that drains, it does nothing at all."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._background: Background | None = None
        self._waiting: list[_Task] = []
        self._busy = False
        self._held: dict[str, Vip] = {}  # those whose new connections are held back
        self._nftables: HeldBack | None = None
        self._sessions: Sessions | None = None
        self._complaints: set[str] = set()

    @property
    def busy(self) -> bool:
        """Whether new connections are held back, or something is not done yet."""
        return bool(self._held or self._waiting or self._busy)

    def configure(self, vips: Iterable[Vip]) -> None:
        """Try early whether it will work for these, and have the kernel load what it needs."""
        drained = [vip for vip in vips if vip.drain or vip.reset_sessions]
        if drained:
            self._ask(_Task("try", drained[0], lambda _count, error: self._complain(error)))

    def hold_back(self, vip: Vip, failed: Callable[[], None]) -> None:
        """Let no new connection begin until ``let_in``, or until the daemon ends, however that happens."""

        def told(_count: int, error: str) -> None:
            self._complain(error)
            if error:
                failed()

        self._held[vip.name] = vip
        self._ask(_Task("hold", vip, told))

    def let_in(self, vip: Vip) -> None:
        """Let new connections begin again."""
        if self._held.pop(vip.name, None) is not None:
            self._ask(_Task("let in", vip, _nobody))

    def count(self, vip: Vip, counted: Callable[[int], None], failed: Callable[[], None]) -> None:
        """Count the connections that run. Of a group they count for all its virtual hosts: these leave together."""

        def told(count: int, error: str) -> None:
            self._complain(error)
            if error:
                failed()
            else:
                counted(count)

        self._ask(_Task("count", vip, told))

    def reset(self, vip: Vip, done: Callable[[], None], lost: bool = False) -> None:
        """End the connections that run; or if the addresses are ``lost`` already, everything that is left of them."""

        def told(count: int, error: str) -> None:
            self._complain(error)
            if count:
                log.info("%s: %d connection%s reset", vip.name, count, " was" if count == 1 else "s were")
            done()

        self._ask(_Task("clear" if lost else "reset", vip, told))

    def close(self) -> None:
        """Do what is still to be done, but not for long. Whatever is held back then is let in."""
        self._end(Background.close)
        if self._nftables is not None:
            self._nftables.close()
        if self._sessions is not None:
            self._sessions.close()

    def leave(self) -> None:
        """End without waiting for anything."""
        self._end(Background.leave)

    def _end(self, how: Callable[[Background], None]) -> None:
        if self._background is not None:
            if self._waiting:
                self._start(self._background)
            how(self._background)

    def _complain(self, error: str) -> None:
        if error and error not in self._complaints:
            self._complaints.add(error)
            log.warning("%s", error)

    def _ask(self, task: _Task) -> None:
        self._waiting.append(task)
        if self._background is None:
            self._background = Background(self._selector)
        if not self._busy:
            self._start(self._background)

    def _start(self, background: Background) -> None:
        tasks, self._waiting, self._busy = self._waiting, [], True
        groups = {task.vip.name: self._group(task.vip) for task in tasks}
        background.submit(lambda: self._work(tasks, groups), lambda _error: self._done(tasks))

    def _group(self, vip: Vip) -> list[Vip]:
        """Return the virtual hosts that leave together with this one."""
        others = [one for one in self._held.values() if vip.group and one.group == vip.group and one.name != vip.name]
        return [vip, *others]

    def _done(self, tasks: list[_Task]) -> None:
        self._busy = False
        for task in tasks:
            task.told(task.count, task.error)
        if self._waiting and not self._busy and self._background is not None:
            self._start(self._background)

    # What follows is done by the thread.

    def _work(self, tasks: list[_Task], groups: dict[str, list[Vip]]) -> None:
        for task in tasks:
            if task.kind != "count":
                self._try(task)
        counted: dict[str, int] = {}
        for task in tasks:
            if task.kind == "count":
                self._count(task, groups[task.vip.name], counted)

    def _try(self, task: _Task) -> None:
        vip = task.vip
        addresses = [address.ip for address in vip.addresses]
        what = "new connections cannot be held back before a handover"
        try:
            if task.kind == "hold":
                self._hold().hold(vip.name, addresses, vip.drain_ports)
            elif task.kind == "let in":
                self._hold().let_in(vip.name)
            elif task.kind == "try":
                self._hold().hold(_TRIAL, [], ())
                self._hold().let_in(_TRIAL)
            what = "connections cannot be ended before or after a handover"
            if task.kind == "try":
                self._look().find(addresses, ())
            elif task.kind in ("reset", "clear"):
                found = self._look().find(addresses, vip.drain_ports, all_left=task.kind == "clear")
                task.count = self._look().destroy(found)
        except OSError as error:
            task.error = f"{what}: {error.strerror}"

    def _count(self, task: _Task, group: list[Vip], counted: dict[str, int]) -> None:
        """Count for a virtual host; what was counted just before need not be again."""
        try:
            for vip in group:
                if vip.name not in counted:
                    addresses = [address.ip for address in vip.addresses]
                    counted[vip.name] = len(self._look().find(addresses, vip.drain_ports))
                task.count += counted[vip.name]
        except OSError as error:
            task.error = f"connections cannot be counted before a handover: {error.strerror}"

    def _hold(self) -> HeldBack:
        if self._nftables is None:
            from .nftables import HeldBack  # here, since few drain

            self._nftables = HeldBack()
        return self._nftables

    def _look(self) -> Sessions:
        if self._sessions is None:
            from .sessions import Sessions  # as above

            self._sessions = Sessions()
        return self._sessions
