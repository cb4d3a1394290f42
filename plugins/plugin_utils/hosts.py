# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of a group, as far as they are known, and their order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from . import networks
from .text import listed

OLDEST_PYTHON = (3, 9)
ADVSKEW_MAX = 254
STEP = 20
FAST_STEP = 1


@dataclass(frozen=True)
class Host:
    """A host: its facts, empty if there are none, and the addresses that its carpd manages."""

    facts: Mapping[str, Any] = field(default_factory=dict)
    managed: frozenset[str] = frozenset()

    @cached_property
    def own_addresses(self) -> list[networks.HostAddress]:
        """The addresses that the host has by itself: one that it holds as master says nothing about its networks."""
        return [known for known in networks.host_addresses(self.facts) if known.address not in self.managed]

    def faults(self) -> Iterator[str]:
        """Tell what keeps carpd from running there."""
        version = str(self.facts.get("python_version", ""))
        if tuple(int(part) for part in re.findall(r"\d+", version)[:2]) < OLDEST_PYTHON:
            found = f"Ansible runs Python {version} there" if version else "its facts name none"
            yield f"needs Python 3.9 or newer, and {found}; set ansible_python_interpreter to a newer one"
        manager = self.facts.get("service_mgr", "unknown")
        if manager != "systemd":
            yield f"needs systemd, which starts and watches the daemon, and its service manager is {manager}"
        if not self.facts.get("interfaces"):
            yield "its facts name no network interface; Ansible finds them with the command ip (package iproute2)"


@dataclass(frozen=True)
class Order:
    """All hosts, the preferred one first, and by how much the advskew grows from one to the next.

    Without a ``step`` that is 20, and 1 where the advskew is all there is to the interval.
    """

    hosts: tuple[str, ...]
    step: object = None

    def faults(self, host: str) -> Iterator[str]:
        """Tell what is wrong with the order, seen from one host."""
        if not self.hosts:
            yield "carp_hosts: is empty; put the hosts into the group carp, the preferred one first"
        elif host not in self.hosts:
            there = listed(dict.fromkeys(self.hosts))
            yield f"carp_hosts: has no {host}; it must have every host that the role runs on, and it has {there}"
        for twice in repeated(self.hosts):
            yield f"carp_hosts: has {twice} twice; a host has one place in the order, and no two are equally preferred"
        if not self.steps():
            yield f"carp_advskew_step = {self.step}: must be a whole number from 1 to {ADVSKEW_MAX}"

    def steps(self, fast: bool = False) -> int:
        """Return the step as a number, 0 if it is not right. ``fast`` tells that advbase is 0."""
        if self.step is None:
            return FAST_STEP if fast else STEP
        return self.step if isinstance(self.step, int) and 1 <= self.step <= ADVSKEW_MAX else 0


def repeated(names: tuple[str, ...]) -> list[str]:
    """Return the names that are there more than once."""
    return sorted({name for name in names if names.count(name) > 1})
