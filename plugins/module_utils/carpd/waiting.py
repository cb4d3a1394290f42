# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give the daemon an order and watch until it has been carried out. The client's side; nothing is asked twice."""

from __future__ import annotations

import time
from collections.abc import Callable

from .control import Conversation, request
from .typed import Any

Status = dict[str, Any]


def is_left(status: Status) -> bool:
    """Tell whether a virtual host is demoted by order, and its addresses are not here."""
    return bool(status["operator"]) and status["state"] != "MASTER"


def is_master(status: Status) -> bool:
    """Tell whether a virtual host is not demoted by order, and is master here to stay."""
    return not status["operator"] and status["state"] == "MASTER" and not status["leaving"]


def is_free(status: Status) -> bool:
    """Tell whether a virtual host is not demoted by order, whoever is master."""
    return not status["operator"]


class Outcome:
    """What became of an order: for each virtual host how it is now, and how many seconds that took.

    ``took`` has None for what was so before. ``failed`` says why something was not reached.
    """

    def __init__(self, reached: Callable[[Status], bool], before: list[Status]) -> None:
        self._reached = reached
        self.statuses: dict[str, Status] = {one["name"]: one for one in before}
        self.masters = {one["name"] for one in before if one["state"] == "MASTER"}
        self.took: dict[str, float | None] = {}
        self.failed: dict[str, str] = {}
        self.maintenance: dict[str, Any] | None = None

    @property
    def complete(self) -> bool:
        """Whether there is nothing to wait for any more."""
        unknown = self.maintenance is not None and self.maintenance["saved"] is None
        return not unknown and self.took.keys() | self.failed.keys() >= self.statuses.keys()

    @property
    def ok(self) -> bool:
        """Whether all is as it was ordered."""
        return not self.failed and (self.maintenance is None or bool(self.maintenance["saved"]))

    def ordered(self, answer: dict[str, Any]) -> None:
        """Take in what the daemon answered, and forget the virtual hosts that it is not about."""
        self.statuses = {name: one for name, one in self.statuses.items() if name in answer["vips"]}
        if "saved" in answer:
            self.maintenance = {key: value for key, value in answer.items() if key != "vips"}
        for name in self.statuses:
            self._look(name, None)

    def happened(self, event: dict[str, Any], took: float) -> None:
        """Take in what happened so many seconds after the order."""
        name = event.get("name", "")
        if "maintenance" in event and self.maintenance is not None:
            self.maintenance = event["maintenance"]
        if name not in self.statuses or "status" not in event:
            return
        self.statuses[name] = event["status"]
        self._look(name, took)
        if name not in self.took and event.get("new") == "MASTER" and event.get("old") in ("LEAVING", "DRAINING"):
            self.failed[name] = event["reason"]

    @property
    def patience(self) -> float:
        """For how many seconds more connections may be waited for, before what was ordered can begin."""
        drains = [self.statuses[name].get("draining") for name in self.statuses.keys() - self.took.keys()]
        return max((float(drain["left"]) for drain in drains if drain), default=0.0)

    def over(self, waited: float) -> None:
        """Take note that the time is over."""
        for name, status in self.statuses.items():
            if name not in self.took:
                self.failed.setdefault(name, f"still {status['state']} after {waited:g} s: {status['reason']}")
        if self.maintenance is not None and self.maintenance["saved"] is None:
            self.maintenance = {**self.maintenance, "saved": False, "error": f"the disk took longer than {waited:g} s"}

    def _look(self, name: str, took: float | None) -> None:
        if name not in self.took and self._reached(self.statuses[name]):
            self.took[name] = took
            self.failed.pop(name, None)


def order(path: str, verb: str, reached: Callable[[Status], bool], wait: float, **arguments: Any) -> Outcome:
    """Give the order, and wait so many seconds at most until ``reached`` is true of each virtual host.

    For how long connections are drained before does not count. Raises ControlError.
    """
    with Conversation(path, "watch") as watch:
        outcome = Outcome(reached, watch.answer)
        begun = time.monotonic()
        outcome.ordered(request(path, verb, **arguments))
        deadline = begun + wait
        while not outcome.complete:
            event = watch.next(deadline)
            if event is None:
                outcome.over(wait)
                break
            outcome.happened(event, time.monotonic() - begun)
            if outcome.patience:
                deadline = max(deadline, time.monotonic() + outcome.patience + wait)
    return outcome
