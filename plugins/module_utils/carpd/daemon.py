# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon: one loop that waits for packets, notices, requests, signals and the next deadline.

Nothing in it may block: addresses are changed by netlink, which answers at once; everything else is without waiting.
"""

from __future__ import annotations

import gc
import math
import os
import selectors
import signal
import socket
import time
from collections.abc import Iterable

from .background import Background
from .config import Config, Vip
from .connections import Connections
from .control import ControlError, ControlServer, Later
from .events import dispatch
from .export import Export
from .forwarding import Forwarding
from .groups import Member, share
from .guard import Guard
from .health import Health
from .homes import Homes
from .hooks import Hooks
from .interfaces import Interfaces, Obstacle
from .logs import LEVELS, log
from .neighbours import Neighbour
from .netlink import AddressGone, Link, Missed, Requests, Watch
from .news import ALARM, RELOAD, STATE, News
from .notify import Notifier
from .orders import Orders
from .packet import Address, PacketError
from .paths import UNICAST
from .reading import Reading
from .recorder import Recorder
from .reserve import Reserve
from .speaker import same_identity
from .succession import Inheritance, dismiss, is_standing_in
from .transitions import Event, State
from .verbs import Verbs
from .virtualhost import VirtualHost
from .wire import Arrival, Wire
from .wires import Wires

_STAND_IN = 0.9  # of the lease: so long may it take to load the program anew
_END_TIME = 10.0  # seconds that the end of the daemon may take, beside draining
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


class Daemon:
    """Runs all virtual hosts of one configuration file until it is told to end.

    Raises OSError when the system does not let it work, and ControlError when another daemon uses its socket.
    """

    def __init__(
        self,
        config_path: str,
        config: Config,
        socket_path: str,
        state_dir: str,
        guard: Guard,
        group: int | None = None,
        inheritance: Inheritance | None = None,
    ) -> None:
        self._config_path = config_path
        self._guard = guard
        # select(2) and not epoll: its timeout counts microseconds, where epoll_wait(2) rounds up to milliseconds.
        self._selector = selectors.SelectSelector()
        self._requests = Requests()
        self._watch = Watch(ours=self._requests)
        self._interfaces = Interfaces(time.monotonic)
        self._homes = Homes(self._requests, self._interfaces)
        self._wires = Wires(self._selector, self._read_wire)
        self._hosts: dict[str, VirtualHost] = {}
        self._listeners: dict[tuple[Wire, int], list[VirtualHost]] = {}  # by wire and vhid
        self._holders: dict[tuple[Wire, Address], list[VirtualHost]] = {}  # by wire and address
        self._virtual: frozenset[Address] = frozenset()  # all addresses of our virtual hosts
        self._gone: list[AddressGone] = []  # of which the virtual hosts are to be told
        self._closing: list[VirtualHost] = []
        self._pending: dict[str, Vip] = {}
        self._stopping = False
        self._notifier = Notifier()
        self._signals = _signal_socket()
        self._health = Health(self._selector, time.monotonic, self._judge)
        self._background = Background(self._selector)
        self._connections = Connections(self._selector)
        self._reading = Reading(config_path, self._selector)
        self._forwarding = Forwarding(self._selector, time.monotonic)
        self._recorder = Recorder(os.path.dirname(socket_path), time.monotonic, self._background.submit)
        self._orders = Orders(state_dir, self._background, self._maintenance_saved)
        self._orders.load()
        self._reserve = Reserve(state_dir, self._background, time.monotonic, time.time, self._highest_sequence)
        self._reserve.load()
        self._verbs = Verbs(
            self._everyone, self._health, self._orders, self._recorder, self._reload, self._restart, self._tell
        )
        self._inheritance = inheritance
        self._legacy: Inheritance | None = None
        self._hooks = Hooks(self._selector, time.monotonic)
        self._export = Export(self._selector, socket_path, time.monotonic)
        self._parts = (self._health, self._hooks, self._export, self._forwarding, self._reserve, self._recorder)
        self._control = ControlServer(socket_path, self._selector, self._verbs.answer, group)
        self._selector.register(self._guard, selectors.EVENT_READ, self._guard_gone)
        self._selector.register(self._watch, selectors.EVENT_READ, self._read_watch)
        self._selector.register(self._signals, selectors.EVENT_READ, self._read_signals)
        self._interfaces.load(self._requests)
        self._configure(config)

    def run(self) -> tuple[Inheritance, dict[str, str]] | None:
        """Work until SIGTERM or SIGINT, then hand over and return None; or until the program shall be loaded anew.

        Then return what the next one needs: what this one leaves, and environment variables.
        """
        # What was made so far stays; the collector then has next to nothing to look through.
        gc.collect()
        gc.freeze()
        self._notifier.tell("READY=1", f"STATUS={self._summary()}")
        beat = self._notifier.watchdog / 3 if self._notifier.watchdog else math.inf
        beat_at = 0.0 if beat < math.inf else math.inf
        try:
            while self._hosts or self._closing or not self._stopping:
                now = time.monotonic()
                if now >= beat_at:
                    self._notifier.tell("WATCHDOG=1")
                    beat_at = now + beat
                rarely = self._rarely_due()
                hosts = [host.next_timer() for host in self._everyone()]
                deadline = min(beat_at, now + self._guard.patience, rarely, *hosts)
                self._guard.beat(deadline)
                timeout = None if deadline == math.inf else max(0.0, deadline - now)
                dispatch(self._selector, timeout, self._look_at_guard)
                if self._legacy is not None:
                    return self._legacy, self._notifier.environment
                # After the packets: those that wait already are no silence.
                now = time.monotonic()
                for host in self._everyone():
                    due_at = host.next_timer()
                    if due_at <= now:
                        self._recorder.late(host.vip.name, now - due_at)
                        host.due()
                # What has just got a timer is looked at in the next turn.
                if rarely <= now:
                    self._do_what_is_rarely_due(now)
                self._settle()
            return None
        finally:
            self._close()

    def _rarely_due(self) -> float:
        """Return when there is something to do that is not done with every advertisement."""
        return min(self._interfaces.next_timer, *[part.next_timer() for part in self._parts])

    def _do_what_is_rarely_due(self, now: float) -> None:
        if self._interfaces.next_timer <= now:
            self._attach_all()
            self._interfaces.forget()
            self._tell_of_gone()
        for part in self._parts:
            if part.next_timer() <= now:
                part.due()

    def _highest_sequence(self) -> int:
        return max((host.sequence for host in self._everyone()), default=0)

    def _maintenance_saved(self) -> None:
        self._verbs.maintenance_saved()

    def _look_at_guard(self) -> None:
        """After a pause in which the guard gave the addresses up: believe it, before anything else happens."""
        if self._guard.acted:
            self._guard_gone()

    def _guard_gone(self) -> None:
        acted = self._guard.acted
        for host in self._everyone():
            if acted:
                host.given_up("the guard gave the addresses up, since the daemon did not work")
        what = f"the guard has {'acted' if acted else 'died'}; it is replaced"
        log.warning("%s", what)
        self._tell(News(ALARM, "", "", "guard", what))
        self._selector.unregister(self._guard)
        self._guard.replace()
        self._selector.register(self._guard, selectors.EVENT_READ, self._guard_gone)

    def _everyone(self) -> list[VirtualHost]:
        return [*self._hosts.values(), *self._closing]

    def _configure(self, config: Config) -> None:
        """Make the configuration true: what did not change is not touched, what goes hands over first."""
        log.level = LEVELS[config.log_level]
        wanted = {vip.name: vip for vip in config.vips}
        for name, host in list(self._hosts.items()):
            if name not in wanted:
                self._retire(host, "it is no longer configured")
            elif not same_identity(host.vip, wanted[name]):
                self._retire(host, "its configuration changed")
            else:
                vip = wanted.pop(name)
                if vip != host.vip:
                    host.reconfigure(vip)
                    log.info("%s: goes on with its new configuration", name)
        self._pending = wanted
        self._health.configure(config.checks)
        self._hooks.configure(config.vips)
        self._export.configure(config.metrics_listen)
        self._connections.configure(config.vips)
        self._attach_all()  # for other IP versions or sources
        self._settle()

    def _judge(self) -> None:
        """Tell every virtual host what is said about it and its group; one that ends has nothing to hear any more."""
        members = {
            name: Member(host.vip.group, host.obstacle, self._health.verdict(name))
            for name, host in self._hosts.items()
        }
        for name, verdict in share(members).items():
            self._hosts[name].judge(verdict)

    def _retire(self, host: VirtualHost, reason: str) -> None:
        del self._hosts[host.vip.name]
        self._closing.append(host)
        host.event(Event.STOP, reason)

    def _settle(self) -> None:
        """Forget what has ended; begin what waited for it, so that no address has two virtual hosts."""
        ended = [host for host in self._closing if host.state is State.ENDED]
        if ended:
            self._closing = [host for host in self._closing if host.state is not State.ENDED]
            self._tidy_wires()
        if self._pending and not self._closing:
            sequence = self._reserve.first()
            for name, vip in self._pending.items():
                self._hosts[name] = VirtualHost(
                    vip,
                    self._requests,
                    self._guard,
                    sequence,
                    time.monotonic,
                    self._connections,
                    self._forwarding,
                    self._tell,
                    self._recorder.note,
                )
                self._hosts[name].judge(self._health.verdict(name))
            self._pending = {}
            inheritance, self._inheritance = self._inheritance, None
            if inheritance is not None:
                self._orders.inherit(inheritance.demoted)
                self._hooks.inherit(inheritance.roles)
                self._come_into(inheritance)
            self._verbs.obey()
            self._attach_all()
            if inheritance is not None:
                dismiss(inheritance.guard)
                self._health.await_end(inheritance.children)

    def _attach_all(self) -> None:
        """Give every virtual host its wires, or tell it what is in the way."""
        virtual = frozenset(address.ip for host in self._everyone() for address in host.vip.addresses)
        self._virtual = virtual
        for host in self._everyone():
            try:
                used = host.sources if host.wires else {}
                link, sources = self._interfaces.usable(host.vip, virtual, host.holds, used)
                wires = self._open_wires(link, host.vip)
                made = self._make_home(link, host.vip)
            except Obstacle as obstacle:
                host.detach(str(obstacle))
                continue
            if any(wires.get(version) is not wire for version, wire in host.wires.items() if version in wires):
                host.detach(f"{link.name} was replaced")
            if host.made is not None and made is not None and host.made.ifindex != made.ifindex:
                host.detach(f"{made.name} was replaced")
            if not host.wires and not host.holds:
                self._clear_left_over(host, link)
                if made is not None:
                    self._clear_left_over(host, made)
                    self._requests.switch(made.ifindex, False)
            if host.wires != wires or host.sources != sources:
                host.attach(link, wires, sources, made)
            host.renew(link)
        self._let_own_addresses_go_first()
        self._tidy_wires()
        self._judge()

    def _let_own_addresses_go_first(self) -> None:
        """Put addresses in order again, after the host's own have been away for a moment."""
        overtaken = self._interfaces.overtaken(self._virtual)
        late = [
            host
            for host in (self._everyone() if overtaken else ())
            if host.state.holds and any((host.ifindex, one.network) in overtaken for one in host.vip.addresses)
        ]
        for host in late:
            host.step_behind()
        if late:
            self._interfaces.load(self._requests)  # the kernel does not tell of all that follows from that

    def _clear_left_over(self, host: VirtualHost, link: Link) -> None:
        for there in self._interfaces.left_over(host.vip, link):
            self._requests.release(link.ifindex, [there.address])
            log.warning("%s: removed %s, which a dead daemon had left on %s", host.vip.name, there.address, link.name)

    def _open_wires(self, link: Link, vip: Vip) -> dict[int, Wire]:
        try:
            wires = {version: self._wires.get(link, version) for version in vip.versions}
            if UNICAST in vip.paths:
                for wire in wires.values():
                    wire.open_unicast()
            return wires
        except OSError as error:
            raise Obstacle(f"{link.name} cannot be used: {error.strerror}") from error

    def _make_home(self, link: Link, vip: Vip) -> Link | None:
        """Return the interface that is made for the addresses of a virtual host, if it wants one."""
        try:
            return self._homes.of(vip, link) if vip.virtual_mac else None
        except OSError as error:
            raise Obstacle(f"no interface with a virtual MAC can be made on {link.name}: {error.strerror}") from error

    def _tidy_wires(self) -> None:
        """Keep what is used, and have it hear who says to have an address of its virtual hosts."""
        watched: dict[Wire, set[Address]] = {}
        self._listeners, self._holders = {}, {}
        for host in self._everyone():
            for wire in host.wires.values():
                watched.setdefault(wire, set()).update(address.ip for address in host.vip.addresses)
                self._listeners.setdefault((wire, host.vip.vhid), []).append(host)
                for address in host.vip.addresses:
                    self._holders.setdefault((wire, address.ip), []).append(host)
        self._wires.keep(watched)
        self._homes.keep([host.vip.name for host in self._everyone() if host.vip.virtual_mac])
        for wire, addresses in watched.items():
            try:
                wire.watch(addresses)
            except OSError as error:
                log.warning("%s: nobody else's claim to an address will be heard: %s", wire.name, error.strerror)

    def _read_wire(self, wire: Wire, heard: Iterable[Arrival]) -> None:
        for one in heard:
            if isinstance(one, PacketError):
                continue  # VRRP shares the protocol number; whatever else it is, it is not ours
            if isinstance(one, Neighbour) and self._interfaces.is_ours(one.mac):
                continue  # by another interface of this host, which answers for all its addresses
            if isinstance(one, Neighbour):
                for host in self._holders.get((wire, one.address), ()):
                    host.neighbour(one)
            else:
                for host in self._listeners.get((wire, one.vhid), ()):
                    host.received(one)

    def _read_watch(self) -> None:
        changed = False
        for notice in self._watch.read():
            routine = self._interfaces.is_routine(notice, self._virtual)
            if isinstance(notice, Missed):
                self._interfaces.load(self._requests)
            elif not self._interfaces.note(notice):
                continue  # a lease was renewed, most likely by us
            self._recorder.note("kernel:", "", notice)
            if isinstance(notice, AddressGone):
                self._gone.append(notice)
            changed |= not routine
        if changed:
            self._attach_all()
        self._tell_of_gone()

    def _tell_of_gone(self) -> None:
        """Have addresses put back, but not before the host's own one that has gone, too.

        That shall stand first, and whoever empties an interface would else never come to an end.
        """
        gone, self._gone = self._gone, []
        for one in gone:
            if self._interfaces.awaits(one.ifindex, one.address.version):
                self._gone.append(one)
                continue
            for host in self._everyone():
                if host.ifindex == one.ifindex and one.address in host.vip.addresses:
                    host.event(Event.ADDRESS_LOST, f"{one.address} was removed")

    def _read_signals(self) -> None:
        for number in self._signals.recv(64):
            if number in (signal.SIGTERM, signal.SIGINT):
                self._stop()
            elif number == signal.SIGHUP:
                self._reload()
            elif number == signal.SIGUSR1:
                for line in self._describe():
                    log.info("%s", line)
            elif number == signal.SIGUSR2:
                for host in self._hosts.values():
                    host.event(Event.STEP_DOWN, "asked to step down")

    def _stop(self) -> None:
        if self._stopping:
            log.warning("asked to end again: ending at once")
            for host in self._closing:
                host.event(Event.HOLD_ENDED, "asked to end again")
            return
        self._stopping = True
        self._pending = {}
        longest = max((host.vip.drain for host in self._hosts.values()), default=0.0)
        # Beyond what the service manager allows by itself for everything else.
        self._notifier.tell(
            "STOPPING=1", *([f"EXTEND_TIMEOUT_USEC={round((longest + _END_TIME) * 1e6)}"] * (longest > 0))
        )
        for host in list(self._hosts.values()):
            self._retire(host, "the daemon ends")

    def _reload(self, answer: Later | None = None) -> None:
        """Have the configuration read anew; when it is broken, or the daemon is ending, nothing changes."""
        self._reading.read(lambda config, wrong: self._reloaded(config, wrong, answer))

    def _reloaded(self, config: Config | None, wrong: str, answer: Later | None) -> None:
        """Make true what was read, and tell whoever asked for it: the log, if nobody did."""
        if config is None or self._stopping:
            why = f"{wrong}\nthe configuration was not reloaded; the old one stays in force" if wrong else ""
            why = why or "the daemon is ending"
            if answer is not None:
                answer.refuse(why)
            else:
                for line in why.splitlines():
                    log.error("%s", line)
            return
        self._configure(config)
        if answer is not None:
            answer.give("reloaded")
        self._notifier.tell(f"STATUS={self._summary()}")
        log.info("reloaded %s", self._config_path)
        self._tell(News(RELOAD, "", "", self._summary(), f"reloaded {self._config_path}"))

    def _tell(self, news: News) -> None:
        """Tell whoever wants to know."""
        self._recorder.note(f"{news.kind}:", news.vip, news.old, "->", news.new, "-", news.reason)
        if news.kind == STATE:
            self._recorder.keep(f"{news.vip}: {news.old} -> {news.new}: {news.reason}")
            # Not a look at each of them: hundreds may tell of a change at the same moment.
            closing = (host for host in self._closing if host.vip.name == news.vip)
            host = self._hosts.get(news.vip) or next(closing, None)
            if host is not None:
                self._hooks.changed(host.vip, State(news.old), State(news.new), news.reason)
        if self._control.watched:
            self._control.tell(self._verbs.event(news))

    def _summary(self) -> str:
        return f"{len(self._hosts)} virtual host{'' if len(self._hosts) == 1 else 's'}"

    def _describe(self) -> list[str]:
        return [
            f"{one['name']}: {one['state']}: {one['reason']}" for one in (host.status() for host in self._everyone())
        ]

    def _restart(self, answer: Later) -> None:
        """Have the program loaded anew. Raises ControlError, and goes on, when that cannot be done now."""
        self._require_quiet()
        self._reading.read(lambda config, wrong: self._restart_with(config, wrong, answer))

    def _require_quiet(self) -> None:
        """Raise ControlError if the program cannot be loaded anew at this moment."""
        leaves = any(host.state.leaves for host in self._everyone()) or self._connections.busy
        if self._stopping or self._closing or self._pending or leaves:
            raise ControlError("a handover is under way: try again when it is over")
        if self._background.busy:
            raise ControlError("a file is being written: try again when that is over")

    def _restart_with(self, config: Config | None, wrong: str, answer: Later) -> None:
        """Have the program loaded anew, now that the configuration which it will read was read once."""
        try:
            if config is None:
                raise ControlError(f"{wrong}\nthe daemon was not restarted: its configuration would stop it")
            self._require_quiet()
            self._stand_aside()
        except ControlError as error:
            answer.refuse(str(error))
        else:
            answer.give("restarting")

    def _stand_aside(self) -> None:
        """Let the guard advertise, and leave what the next program has to know. Raises ControlError."""
        seconds = _STAND_IN * min((host.lease for host in self._hosts.values()), default=1)
        try:
            turns = [host.turns(seconds) for host in self._hosts.values()]
            guard = self._guard.stand_in(seconds, [turn for turn in turns if turn is not None])
        except OSError as error:
            raise ControlError(f"the guard cannot stand in: {error}") from error
        log.info("the program is loaded anew")
        hosts = {name: host.legacy() for name, host in self._hosts.items()}
        self._legacy = Inheritance(
            hosts,
            self._orders.legacy(),
            self._hooks.legacy(),
            guard,
            [self._guard.pid, *self._health.children(), *self._hooks.children(), *self._export.children()],
        )

    def _come_into(self, inheritance: Inheritance) -> None:
        """Go on where an earlier program of this daemon stopped."""
        is_held = is_standing_in(inheritance.guard)
        for name, legacy in inheritance.hosts.items():
            if name in self._hosts:
                self._hosts[name].inherit(legacy, is_held)

    def _close(self) -> None:
        """Leave nothing behind, however the loop ended, but what the next program goes on with."""
        if self._legacy is None:
            for host in self._everyone():
                if host.state.holds:
                    host.release()
            self._guard.close()
        self._health.close()
        self._export.close()
        self._control.close()
        if self._legacy is None:
            self._connections.close()
            self._hooks.close()
            self._background.close()
        else:  # nothing may be waited for
            self._connections.leave()
            self._hooks.leave()
            self._background.leave()
        self._reading.leave()
        self._forwarding.close()
        self._wires.keep([])
        self._homes.keep([])
        self._watch.close()
        self._requests.close()
        self._selector.close()


def _signal_socket() -> socket.socket:
    """Return a socket from which the numbers of arriving signals can be read, one byte each."""
    readable, writable = socket.socketpair()
    readable.setblocking(False)
    writable.setblocking(False)
    for number in _SIGNALS:
        signal.signal(number, lambda *_arguments: None)
    signal.set_wakeup_fd(writable.detach(), warn_on_full_buffer=False)
    return readable
