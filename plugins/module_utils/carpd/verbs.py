# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be asked of the daemon by its control socket, verb by verb, and how it tells what happens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from .control import ControlError, Items, Later, Request
from .health import Health
from .logs import log
from .news import MAINTENANCE, ORDER, News
from .orders import Orders
from .recorder import Recorder
from .typed import Any
from .version import VERSION
from .virtualhost import VirtualHost


class Verbs:
    """Answers requests. ``hosts`` returns all virtual hosts, also those that are about to end.

    ``reload`` reads the configuration anew, and ``restart`` loads the program anew; each is given the answer to settle,
    or raises ControlError. ``tell`` is told what the orders lead to.
    """

    def __init__(
        self,
        hosts: Callable[[], Iterable[VirtualHost]],
        health: Health,
        orders: Orders,
        recorder: Recorder,
        reload: Callable[[Later], None],
        restart: Callable[[Later], None],
        tell: Callable[[News], None],
    ) -> None:
        self._hosts = hosts
        self._health = health
        self._orders = orders
        self._recorder = recorder
        self._begun = time.monotonic()
        self._reload = reload
        self._restart = restart
        self._tell = tell
        self._verbs: dict[str, Callable[[Request], Any]] = {
            "status": lambda _request: Items(self.status()),
            "watch": lambda _request: Items(self.status(), watch=True),
            "metrics": lambda _request: self._metrics(),
            "record": lambda request: Items(self._recorder.lines(f"asked for by {request.who}")),
            "demote": self._demote,
            "promote": self._promote,
            "maintenance": self._maintenance,
            "reload": self._answer_reload,
            "restart": self._answer_restart,
        }

    def answer(self, request: Request) -> Any:
        """Do what is asked for and return what to say. Raises ControlError."""
        verb = self._verbs.get(request.verb)
        if verb is None:
            raise ControlError(f"there is no verb {request.verb}; known are {', '.join(self._verbs)}")
        return verb(request)

    def status(self) -> Iterable[dict[str, Any]]:
        """Yield how each virtual host is."""
        for host in list(self._hosts()):
            yield self.describe(host)

    def describe(self, host: VirtualHost) -> dict[str, Any]:
        """Return how a virtual host is, as JSON can carry it."""
        return {**host.status(), "checks": self._health.status(host.vip.name)}

    def event(self, news: News) -> dict[str, Any]:
        """Return a piece of news as whoever watches gets it. ``at`` counts seconds since 1970."""
        event: dict[str, Any] = {"event": news.kind, "at": round(time.time(), 6), "name": news.vip}
        event.update({"old": news.old, "new": news.new, "reason": news.reason})
        if news.kind == MAINTENANCE:
            event["maintenance"] = self._orders.status()
        for host in self._hosts():
            if host.vip.name == news.vip:
                event["status"] = self.describe(host)
        return event

    def obey(self) -> None:
        """Let every virtual host know by whose order it is demoted, if so."""
        for host in self._hosts():
            reason, old = self._orders.reason(host.vip.name), host.operator
            if reason != old:
                host.demote(reason)
                self._tell(News(ORDER, host.vip.name, old, reason, reason))

    def maintenance_saved(self) -> None:
        """Tell that maintenance now outlives the daemon, or cannot."""
        status = self._orders.status()
        self._tell(News(MAINTENANCE, "", "", "on" if status["on"] else "off", status["error"]))

    def _metrics(self) -> dict[str, Any]:
        """Return what is to be told of the daemon beside the status of its virtual hosts."""
        up, maintenance = round(time.monotonic() - self._begun, 3), bool(self._orders.maintenance)
        return {"version": VERSION, "up": up, "latest": round(self._recorder.latest, 6), "maintenance": maintenance}

    def _demote(self, request: Request) -> dict[str, Any]:
        names = self._names(request)
        log.info("%s: to be left to other hosts, by order of %s", ", ".join(names), request.who)
        self._orders.demote(names, request.who)
        self.obey()
        return {"vips": names}

    def _promote(self, request: Request) -> dict[str, Any]:
        names = self._names(request)
        if self._orders.maintenance:
            raise ControlError(
                f"this host is in maintenance, as ordered by {self._orders.maintenance}: end that first, with "
                "carpctl maintenance off"
            )
        log.info("%s: to be master here again, by order of %s", ", ".join(names), request.who)
        self._orders.promote(names)
        refusals = []
        for host in [host for host in self._hosts() if host.vip.name in names]:
            old = host.operator
            refusal = host.promote()
            if refusal:
                refusals.append(f"{host.vip.name}: {refusal}")
            self._tell(News(ORDER, host.vip.name, old, "", f"promoted by {request.who}"))
        if refusals:
            raise ControlError("\n".join(refusals))
        return {"vips": names}

    def _maintenance(self, request: Request) -> dict[str, Any]:
        mode = request.arguments.get("mode", "status")
        if mode not in ("on", "off", "status"):
            raise ControlError("maintenance is on, off or status")
        if mode != "status":
            log.warning("maintenance of this host is %s, by order of %s", mode, request.who)
            self._orders.maintain(request.who if mode == "on" else "")
            self.obey()
        return {**self._orders.status(), "vips": [host.vip.name for host in self._hosts()]}

    def _answer_reload(self, _request: Request) -> Later:
        answer = Later()
        self._reload(answer)
        return answer

    def _answer_restart(self, _request: Request) -> Later:
        answer = Later()
        self._restart(answer)
        return answer

    def _names(self, request: Request) -> list[str]:
        """Return the names that a request is about: all, if it names none, and else all of the groups of those."""
        known = [host.vip.name for host in self._hosts()]
        names = request.arguments.get("vips") or known
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ControlError('vips is a list of names of virtual hosts, such as ["smtp"]')
        unknown = [name for name in names if name not in known]
        if unknown:
            have = f"known are {', '.join(known)}" if known else "there is none at all"
            raise ControlError(f"there is no virtual host {', '.join(unknown)}; {have}")
        groups = {host.vip.group for host in self._hosts() if host.vip.name in names} - {""}
        others = [host.vip.name for host in self._hosts() if host.vip.group in groups]
        return list(dict.fromkeys([*names, *others]))
