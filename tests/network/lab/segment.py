# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A segment: some hosts and a client, each a namespace with one veth, joined by a bridge in one more."""

from __future__ import annotations

import contextlib
import ipaddress
import itertools
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from .capture import Advert, Capture
from .namespaces import PREFIX, Namespace, remove_stale
from .owners import Owners
from .probe import Probe
from .process import DEADLINE, Process
from .recorder import Recorder

INTERFACE = "eth0"
BRIDGE = "br0"
CLIENT = "client"
NETWORK, NETWORK6 = "10.77.0.{}", "fd77::{}"
PREFIX_LENGTH, PREFIX_LENGTH6 = 22, 64
CLIENT_NUMBER, VIRTUAL = 50, 100
"""Hosts have the numbers from 1 on, virtual addresses those from 100 on, in both families."""
T = TypeVar("T")
_numbers = itertools.count(1)


def with_prefix(address: str) -> str:
    """An address of the segment with the length of its network's prefix."""
    return f"{address}/{PREFIX_LENGTH6 if ':' in address else PREFIX_LENGTH}"


class Lab:
    """One segment with everything that observes it.  Use it as a context manager: nothing is left at the end."""

    def __init__(self, directory: Path, hosts: Sequence[str] = ("a", "b")) -> None:
        self.directory = directory
        self.number = next(_numbers)
        self._stack = contextlib.ExitStack()
        self._processes: list[Process] = []
        try:
            self._build(hosts)
        except BaseException:
            self.close()
            raise

    def _build(self, hosts: Sequence[str]) -> None:
        remove_stale()
        self.recorder = self._stack.enter_context(Recorder())
        self.owners = Owners(self.recorder)
        self._stack.callback(self.owners.close)
        self.bridge = self._namespace("bridge")
        self.bridge.ip("link", "add", BRIDGE, "type", "bridge", "stp_state", "0", "mcast_snooping", "0")
        self.bridge.ip("link", "set", BRIDGE, "up")
        self.capture = Capture(self.recorder, self.bridge, BRIDGE)
        self._stack.callback(self.capture.close)
        self.hosts = {label: self._attach(label, number) for number, label in enumerate(hosts, 1)}
        self.client = self._attach(CLIENT, CLIENT_NUMBER)
        self._stack.callback(self._close_processes)
        for label in (*hosts, CLIENT):
            self.wait_link(label)

    def _namespace(self, label: str) -> Namespace:
        name = f"{PREFIX}{os.getpid()}.{self.number}-{label}"
        namespace = Namespace(name, label)
        self._stack.callback(namespace.remove)
        return namespace

    def _attach(self, label: str, number: int) -> Namespace:
        namespace = self._namespace(label)
        self.owners.watch(namespace)
        self._plug_in(namespace, label, number)
        return namespace

    def _plug_in(self, namespace: Namespace, label: str, number: int) -> None:
        self.bridge.ip("link", "add", "name", label, "type", "veth", "peer", "name", INTERFACE, "netns", namespace.name)
        self.bridge.ip("link", "set", "dev", label, "master", BRIDGE, "up")
        namespace.ip("link", "set", INTERFACE, "up")
        for address in (NETWORK.format(number), NETWORK6.format(number)):
            namespace.ip("addr", "add", with_prefix(address), "dev", INTERFACE, "nodad")

    def remove_card(self, host: str) -> float:
        """Pull the host's network card out; returns the time."""
        now = self._mark(host, "card removed")
        self.hosts[host].ip("link", "del", "dev", INTERFACE)
        return now

    def insert_card(self, host: str) -> None:
        """Put another one in, with another MAC and the host's own addresses."""
        self._mark(host, "card inserted")
        self._plug_in(self.hosts[host], host, list(self.hosts).index(host) + 1)
        self.wait_link(host)

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Kill the processes, delete the namespaces, end the observers."""
        self._stack.close()

    def _close_processes(self) -> None:
        for process in self._processes:
            process.close()

    def source(self, host: str) -> str:
        """The host's own address."""
        return NETWORK.format(list(self.hosts).index(host) + 1)

    def source6(self, host: str) -> str:
        """The host's own global IPv6 address."""
        return NETWORK6.format(list(self.hosts).index(host) + 1)

    def wait_link_local(self, host: str) -> str:
        """Wait until the host has a link-local address that has passed duplicate address detection; returns it."""
        return self.wait(lambda: self.owners.link_local(host), f"link-local address of {host}")

    def mac(self, host: str) -> str:
        """The hardware address of the host's interface."""
        return self.hosts[host].mac(INTERFACE)

    @staticmethod
    def address(number: int) -> str:
        """A virtual address of the segment, without prefix length."""
        return str(ipaddress.IPv4Address(NETWORK.format(0)) + VIRTUAL + number)

    @staticmethod
    def address6(number: int) -> str:
        """The same, IPv6."""
        return NETWORK6.format(VIRTUAL + number)

    def spawn(self, host: str, argv: Sequence[str], env: dict[str, str] | None = None) -> Process:
        """Start a process on a host or the client; the lab ends it at the latest when it is closed."""
        process = Process(self.recorder, self.client if host == CLIENT else self.hosts[host], argv, env)
        self._processes.append(process)
        self.recorder.note(time.monotonic(), host, f"process {process.pid} started: {' '.join(argv)}")
        return process

    def probe(self, address: str, interval: float = 0.001) -> Probe:
        """Start asking ``address`` from the client."""
        return Probe(self.recorder, self.client, address, interval)

    def cut(self, host: str) -> float:
        """Take the bridge port of a host down: it loses carrier and nobody hears it.  Returns the time."""
        now = self._mark(host, "cable cut")
        self.bridge.ip("link", "set", "dev", host, "down")
        return now

    def heal(self, host: str) -> float:
        """Put the cable back; returns the time."""
        now = self._mark(host, "cable back")
        self.bridge.ip("link", "set", "dev", host, "up")
        return now

    def part(self, *hosts: str) -> float:
        """Let these hosts not hear each other, while each keeps carrier and reaches everybody else."""
        now = self._mark("+".join(hosts), "parted")
        for host in hosts:
            self.bridge.ip("link", "set", "dev", host, "type", "bridge_slave", "isolated", "on")
        return now

    def join(self, *hosts: str) -> float:
        """Undo ``part``."""
        now = self._mark("+".join(hosts), "joined")
        for host in hosts:
            self.bridge.ip("link", "set", "dev", host, "type", "bridge_slave", "isolated", "off")
        return now

    def multicast(self, works: bool) -> float:
        """Let the bridge drop what goes to a multicast group, neighbour solicitations included, or no longer."""
        now = self._mark(BRIDGE, f"multicast {'works' if works else 'is dropped'}")
        for host in (*self.hosts, CLIENT):
            self.bridge.ip("link", "set", "dev", host, "type", "bridge_slave", "mcast_flood", "on" if works else "off")
        return now

    def power_off(self, host: str) -> float:
        """Cut the cable, then kill everything on the host.  Returns the time."""
        now = self.cut(host)
        self.hosts[host].kill_all()
        return now

    def clear(self) -> None:
        """Kill what runs on the hosts, plug them in, and remove all addresses but their own."""
        for host, namespace in self.hosts.items():
            namespace.kill_all()
            self.power_on(host)
        self.wait(lambda: not any(process.running for process in self._processes), "all processes have ended")

    def power_on(self, host: str) -> None:
        """What a boot does: no address but the host's own, and a link."""
        for cidr in self.hosts[host].addresses(INTERFACE):
            if cidr.split("/")[0] not in (self.source(host), self.source6(host)):
                with contextlib.suppress(RuntimeError):  # its lease has ended meanwhile
                    self.hosts[host].ip("addr", "del", cidr, "dev", INTERFACE)
        self.heal(host)
        self.wait_link(host)

    def _mark(self, host: str, text: str) -> float:
        now = time.monotonic()
        self.recorder.note(now, host, text)
        return now

    def wait(self, condition: Callable[[], T | None], what: str, timeout: float = DEADLINE) -> T:
        """Wait for a condition over anything observed."""
        return self.recorder.wait(condition, timeout, what)

    def wait_link(self, host: str, up: bool = True) -> None:
        """Wait for the host's interface to have carrier, or none."""
        self.wait(lambda: self.owners.link_up(host, INTERFACE) == up, f"link of {host} {'up' if up else 'down'}")

    def wait_owner(self, address: str, host: str, timeout: float = DEADLINE) -> float:
        """Wait until ``host`` and nobody else holds ``address``; returns the time at which it was so."""
        self.wait(lambda: self.owners.holders(address) == [host], f"{address} on {host} alone", timeout)
        return self.owners.changes(address, 0.0)[-1][0]

    def wait_advert(
        self, host: str, count: int = 1, vhid: int | None = None, since: float | None = None, timeout: float = DEADLINE
    ) -> Advert:
        """Wait for the ``count``th advertisement of ``host`` from now on, or from ``since``; a goodbye is none."""
        start = time.monotonic() if since is None else since

        def found() -> list[Advert] | None:
            adverts = [advert for advert in self.capture.after(start, host, vhid) if not advert.is_goodbye]
            return adverts if len(adverts) >= count else None

        return self.wait(found, f"{count} advertisements of {host}", timeout)[count - 1]

    def wait_gone(self, address: str, host: str, timeout: float = DEADLINE) -> None:
        """Wait until ``host`` does not hold ``address``."""
        self.wait(lambda: host not in self.owners.holders(address), f"{address} gone from {host}", timeout)
