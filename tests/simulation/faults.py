# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong: each fault begins, lasts for a time that is drawn, and ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable

from attacker import Attacker
from bsd import Bsd, OpenBsd
from carpd.transitions import Event
from computer import Computer
from host import Host
from peer import Peer
from promises import Promises
from segment import Segment
from ucarp import Ucarp
from world import World

_RESTART_TIME = 0.1  # the service manager's
_SLOW_NETLINK = 0.1
_LONG_DELAYS = (0.3, 1.0, 2.0)

Fault = Callable[[], None]


class Faults:
    """The faults of one schedule. ``pace`` is by how much they last longer or shorter than usual."""

    def __init__(
        self,
        world: World,
        segment: Segment,
        hosts: Sequence[Host],
        peers: Sequence[Peer],
        promises: Sequence[Promises],
        pace: float,
    ) -> None:
        self._world = world
        self._draw = world.random
        self._segment = segment
        self._hosts = hosts
        self._peers = peers
        self._everyone: list[Computer] = [*hosts, *peers]
        self._promises = promises
        self._pace = pace
        self._right = {host: host.vip for host in hosts}
        self._mended = False
        self._attacker: Attacker | None = None

    def of_hosts(self) -> list[Fault]:
        """Return the faults that befall our hosts and the network, each as often as it shall be drawn."""
        return [
            self._kill,
            self._freeze,
            self._kill_all,
            self._freeze_all,
            self._power_cut,
            self._suspend,
            self._unplug,
            self._cut,
            self._cut,
            self._lossy,
            self._disorder,
            self._lag,
            self._mute,
            self._stop,
            self._step_down,
            self._delete,
            self._refuse,
            self._slow_netlink,
            self._reload,
            self._set_clock,
            self._demote,
            self._demote_all,
            self._fault,
            self._restart,
            self._restart,
            self._retire,
            self._promote,
        ]

    def of_attackers(self) -> list[Fault]:
        """Return what somebody without the password does to the segment."""
        return [self._attack] * 8

    def of_families(self) -> list[Fault]:
        """Return the faults that only hosts with both IP versions have."""
        return [self._cut_family] * 4

    def of_paths(self) -> list[Fault]:
        """Return the faults that only hosts have which advertise by several paths."""
        return [self._cut_path] * 4

    def of_identity(self) -> list[Fault]:
        """Return the mistakes in a configuration because of which hosts do not understand each other."""
        return [self._other_password, self._other_vhid]

    def of_clients(self) -> list[Fault]:
        """Return what matters to hosts that drain: more reasons to leave, and a kernel that does not help."""
        leaving = [self._stop, self._step_down, self._retire, self._fault, self._demote]
        meanwhile = [self._delete, self._slow_netlink, self._busy_kernel, self._old_kernel, self._drain_anew]
        return [*leaving * 2, *meanwhile]

    def of_peers(self) -> list[Fault]:
        """Return what befalls the peers, as often as what befalls us."""
        faults: list[Fault] = []
        for peer in self._peers:
            faults += [lambda peer=peer: self._peer_unplugged(peer), lambda peer=peer: self._peer_stops(peer)]  # type: ignore[misc]
            faults += [lambda peer=peer: self._peer_mute(peer)]  # type: ignore[misc]
            if isinstance(peer, Ucarp):
                faults += self._of_ucarp(peer) * 2
            elif isinstance(peer, Bsd):
                faults += self._of_bsd(peer) * 3
        return faults

    def mend(self) -> None:
        """End every fault, and begin no new one."""
        self._begin("everything is mended", network=True)
        self._mended = True
        if self._attacker is not None:
            self._attacker.end()
        self._segment.mend()
        for host in self._hosts:
            if (host.vip.vhid, host.vip.password) != (self._right[host].vhid, self._right[host].password):
                host.become(vhid=self._right[host].vhid, password=self._right[host].password)
            host.sending_works = True
            host.refuses = False
            host.netlink_delay = 0.0
            host.clients.hang(False)
            host.clients.fail(False)
            host.resume()
            host.set_carrier(True)
            host.thaw()
            host.set_fault(False)
            host.demote(0)
            host.retire("")
            host.start()
        for peer in self._peers:
            peer.mend()
        self._trouble(network=True)

    def _trouble(self, network: bool) -> None:
        for promises in self._promises:
            promises.trouble(network)

    def _begin(self, what: str, network: bool = False) -> None:
        self._world.note("*", what)
        self._trouble(network)

    def _end(self, delay: float, network: bool, *ends: Callable[[], None]) -> None:
        def end() -> None:
            if not self._mended:
                self._trouble(network)
                for each in ends:
                    each()

        self._world.after(delay, end)

    def _some(self) -> Host:
        """One of the hosts, and most often the one that matters."""
        owners = [host for host in self._hosts if host.holds]
        return self._draw.choice(owners) if owners and self._draw.random() < 0.7 else self._draw.choice(self._hosts)

    def _short(self) -> float:
        some_time: float = self._draw.choice([0.05, 0.5, 1.5, 2.2, 2.9, 3.5, 6.0, 15.0])
        return some_time * self._pace * self._draw.uniform(0.8, 1.2)

    def _kill(self) -> None:
        host = self._some()
        self._begin(f"kill -9 on the daemon of {host.name}")
        for one in host.together:
            one.kill()
        self._end(max(_RESTART_TIME, self._short()), False, *(one.start for one in host.together))

    def _freeze(self) -> None:
        host = self._some()
        self._begin(f"SIGSTOP on the daemon of {host.name}")
        for one in host.together:
            one.freeze()
        self._end(self._short(), False, *(one.thaw for one in host.together))

    def _kill_all(self) -> None:
        host = self._some()
        self._begin(f"kill -9 on everything of {host.name}")
        for one in host.together:
            one.kill(guard_too=True)
        self._end(self._short(), False, *(one.start for one in host.together))

    def _freeze_all(self) -> None:
        host = self._some()
        self._begin(f"SIGSTOP on everything of {host.name}")
        for one in host.together:
            one.freeze(guard_too=True)
        if self._draw.random() < 0.3:  # and then the service manager loses its patience
            self._end(self._short(), False, lambda: self._kill_frozen(host))
        self._end(self._short(), False, *(one.thaw for one in host.together), *(one.start for one in host.together))

    def _kill_frozen(self, host: Host) -> None:
        guard_too = self._draw.random() < 0.5
        for one in host.together:
            one.kill(guard_too)

    def _power_cut(self) -> None:
        host = self._some()
        self._begin(f"{host.name} loses its power")
        for one in host.together:
            one.power_off()
        self._end(self._short(), False, *(one.start for one in host.together))

    def _suspend(self) -> None:
        host = self._some()
        self._begin(f"a hypervisor suspends {host.name}")
        clock_stops = self._draw.random() < 0.5
        for one in host.together:
            one.suspend(clock_stops)
        # It finds its old world back, with packets in it that are long out of date: as if the network had been away.
        self._end(self._short(), True, *(one.resume for one in host.together))

    def _unplug(self) -> None:
        host = self._some()
        self._begin(f"the cable of {host.name}", network=True)
        host.set_carrier(False)
        self._end(self._short(), True, lambda: host.set_carrier(True))

    def _cut(self) -> None:
        """Cut a host off from the others in one direction or both, without it noticing."""
        host = self._some()
        paths = self._paths(host)
        self._begin(f"{host.name} is cut off: {len(paths)} of {2 * len(self._everyone) - 2} paths", network=True)
        host.segment.cut(paths)
        self._end(self._short(), True, lambda: host.segment.heal(paths))

    def _cut_family(self) -> None:
        """Cut paths for one IP version: advertisements arrive by the other, and nothing may happen."""
        version, paths = self._draw.choice([4, 6]), self._paths(self._some())
        self._begin(f"IPv{version} is cut on {len(paths)} paths")
        self._segment.cut(paths, version)
        self._end(self._short(), False, lambda: self._segment.heal(paths, version))

    def _cut_path(self) -> None:
        """Let a switch forget the group, or a firewall drop one kind of packets: nothing may happen."""
        path, paths = self._draw.choice(self._segment.paths), self._paths(self._some())
        self._begin(f"{path} is cut on {len(paths)} paths")
        self._segment.cut(paths, path)
        self._end(self._short(), False, lambda: self._segment.heal(paths, path))

    def _paths(self, host: Host) -> list[tuple[str, str]]:
        """Return all paths from or to a host, or both."""
        others = [other for other in self._everyone if other is not host]
        out = [(host.name, other.name) for other in others]
        inward = [(other.name, host.name) for other in others]
        return self._draw.choice([out, inward, out + inward])

    def _lossy(self) -> None:
        self._segment.loss = self._draw.choice([0.1, 0.3, 0.5])
        self._begin(f"{self._segment.loss:.0%} of the packets are lost", network=True)
        self._end(self._short(), True, lambda: setattr(self._segment, "loss", 0.0))

    def _disorder(self) -> None:
        self._segment.duplication = self._segment.reorder = 0.3
        self._begin("packets are repeated and reordered")
        self._end(
            self._short(),
            False,
            lambda: setattr(self._segment, "duplication", 0.0),
            lambda: setattr(self._segment, "reorder", 0.0),
        )

    def _lag(self) -> None:
        lag = self._draw.choice(_LONG_DELAYS) * self._pace
        self._begin(f"packets take up to {lag:.1f} s", network=True)
        self._segment.lag = lag
        duration = self._short()
        self._end(duration, True, lambda: setattr(self._segment, "lag", 0.0))
        self._end(duration + lag, True)  # the last of them has arrived

    def _mute(self) -> None:
        host = self._some()
        self._begin(f"{host.name} cannot send", network=True)
        host.sending_works = False
        self._end(self._short(), True, lambda: setattr(host, "sending_works", True))

    def _stop(self) -> None:
        host = self._some()
        self._begin(f"SIGTERM on {host.name}")
        for one in host.together:
            one.stop()
        self._end(self._short(), False, *(one.start for one in host.together))

    def _step_down(self) -> None:
        host = self._some()
        self._begin(f"{host.name} is asked to step down")
        host.tell(Event.STEP_DOWN)
        if self._draw.random() < 0.3:
            self._end(self._draw.uniform(0, 2), False, *(one.stop for one in host.together))
            self._end(self._short() + 2, False, *(one.start for one in host.together))

    def _delete(self) -> None:
        host = self._some()
        self._begin(f"somebody deletes the address on {host.name}")
        host.lose_address()

    def _refuse(self) -> None:
        host = self._some()
        self._begin(f"the kernel of {host.name} does not accept the address any more")
        host.refuses = True
        if self._draw.random() < 0.5:
            host.lose_address()
        self._end(self._short(), False, lambda: setattr(host, "refuses", False))

    def _slow_netlink(self) -> None:
        host = self._some()
        self._begin(f"the kernel of {host.name} takes up to {_SLOW_NETLINK} s to change an address")
        host.netlink_delay = _SLOW_NETLINK
        for promises in self._promises:
            promises.slowest_netlink = _SLOW_NETLINK
        self._end(self._short(), False, lambda: setattr(host, "netlink_delay", 0.0))

    def _reload(self) -> None:
        host = self._some()
        self._begin(f"{host.name} reloads the other policy")
        host.reconfigure(preempt=not host.vip.preempt)

    def _set_clock(self) -> None:
        """Set the time of day, forth or back, which nobody may notice; some restart the daemon then."""
        host, seconds = self._some(), self._draw.choice([-3600.0, -30.0, -1.0, 1.0, 3600.0])
        self._begin(f"the clock of {host.name} is set by {seconds:+g} s")
        for one in host.together:
            one.time_of_day += seconds
        if self._draw.random() < 0.3:
            self._begin(f"SIGTERM on {host.name}")
            for one in host.together:
                one.stop()
            self._end(3.0, False, *(one.start for one in host.together))

    def _demote(self) -> None:
        """Let a check fail on one host; some fail for sure only after a time of doubt."""
        host = self._some()
        weight, doubt = self._draw.choice([1, 10, 50, 254]), self._draw.choice([0.0, 0.0, 1.0, 2.0])
        self._begin(f"a check of weight {weight} fails on {host.name}")
        if doubt:
            host.demote(host.demotion, weight)
            self._end(doubt, False, lambda: host.demote(weight))
        else:
            host.demote(weight)
        self._end(doubt + self._short(), False, lambda: host.demote(0))

    def _demote_all(self) -> None:
        """Let something fail that all hosts need; each finds out in its own time."""
        self._begin("a check fails on all hosts")
        for host in self._hosts:
            self._end(self._draw.uniform(0, 2), False, lambda host=host: host.demote(100))  # type: ignore[misc]
            self._end(self._short() + 2, False, lambda host=host: host.demote(0))  # type: ignore[misc]

    def _fault(self) -> None:
        """Let a check fail because of which a host must not be master."""
        host = self._some()
        self._begin(f"{host.name} must not be master")
        host.set_fault(True)
        self._end(self._short(), False, lambda: host.set_fault(False))

    def _restart(self) -> None:
        """Let the daemon's program be replaced in place."""
        host = self._some()
        for one in host.together:
            if one.restart():
                self._begin(f"carpctl restart on {one.name}")

    def _retire(self) -> None:
        """Let the operator demote a host, and later no longer."""
        host = self._some()
        self._begin(f"carpctl demote on {host.name}")
        host.retire("by order")
        end = host.promote if self._draw.random() < 0.5 else lambda: host.retire("")
        self._end(self._short() + 2, False, end)

    def _promote(self) -> None:
        host = self._some()
        self._begin(f"carpctl promote on {host.name}")
        host.promote()

    def _busy_kernel(self) -> None:
        """Let the kernel take its time to look at connections, or to load a module."""
        host = self._some()
        self._begin(f"the kernel of {host.name} does not answer about connections")
        host.clients.hang(True)
        self._end(self._short(), False, lambda: host.clients.hang(False))

    def _old_kernel(self) -> None:
        """Let the kernel refuse to hold connections back, to count them and to reset them."""
        host = self._some()
        self._begin(f"the kernel of {host.name} can do nothing about connections")
        host.clients.fail(True)
        self._end(self._short(), False, lambda: host.clients.fail(False))

    def _drain_anew(self) -> None:
        host = self._some()
        seconds = self._draw.choice([0.0, 0.3, 2.0]) * self._pace
        self._begin(f"{host.name} reloads another drain")
        host.reconfigure(drain=seconds, reset_sessions=not host.vip.reset_sessions)

    def _attack(self) -> None:
        duration, pause = self._short(), self._draw.choice([0.05, 0.2, 1.0])
        # Whoever knows its peers must not even notice; all others only have to recover from it.
        helpless = not self._hosts[0].vip.known_peers
        if self._attacker is None:
            self._attacker = Attacker(self._world, self._segment, patient=not helpless)
        if helpless:
            self._begin(f"an attacker forges for {duration:.1f} s", network=True)
            self._segment.forgers += 1
            self._end(duration + 0.1, True, lambda: setattr(self._segment, "forgers", self._segment.forgers - 1))
        else:
            self._world.note("*", f"an attacker forges for {duration:.1f} s")
        self._attacker.attack(duration, pause)

    def _other_password(self) -> None:
        self._mistake("another password", password=b"other")

    def _other_vhid(self) -> None:
        self._mistake("another vhid", vhid=2)

    def _mistake(self, what: str, **changes: object) -> None:
        """Start a host anew with another identity, and later with the right one."""
        host = self._some()
        right = {name: getattr(self._right[host], name) for name in changes}
        self._begin(f"{host.name} is given {what}", network=True)
        host.stop()
        self._end(3.0, True, lambda: host.become(**changes), host.start)
        back = 3.0 + self._short()
        self._end(back, True, host.stop)
        self._end(back + 3.0, True, lambda: host.become(**right), host.start)

    def _peer_unplugged(self, peer: Peer) -> None:
        self._begin(f"the cable of {peer.name}", network=True)
        peer.set_carrier(False)
        self._end(self._short(), True, lambda: peer.set_carrier(True))

    def _peer_stops(self, peer: Peer) -> None:
        self._begin(f"{peer.name} is to end")
        peer.stop()
        self._end(self._short(), False, peer.start)

    def _peer_mute(self, peer: Peer) -> None:
        self._begin(f"{peer.name} cannot send", network=True)
        peer.sending_works = False
        self._end(self._short(), True, lambda: setattr(peer, "sending_works", True))

    def _of_ucarp(self, peer: Ucarp) -> list[Fault]:
        def kill() -> None:
            self._begin(f"kill -9 on {peer.name}")
            peer.kill()
            self._end(self._short(), False, peer.start)

        def freeze() -> None:
            self._begin(f"SIGSTOP on {peer.name}")
            peer.freeze()
            self._end(self._short(), False, peer.thaw)

        def step_down() -> None:
            self._begin(f"SIGUSR2 on {peer.name}")
            peer.step_down()

        def set_clock() -> None:
            seconds = self._draw.choice([-30.0, -5.0, 5.0, 30.0])
            self._begin(f"the clock of {peer.name} is set")
            peer.step_clock(seconds)
            self._end(self._short(), False, lambda: peer.step_clock(-seconds))

        return [kill, freeze, step_down, set_clock]

    def _of_bsd(self, peer: Bsd) -> list[Fault]:
        def power_cut() -> None:
            self._begin(f"{peer.name} loses its power")
            peer.power_off()
            self._end(self._short(), False, peer.start)

        def demote() -> None:
            self._begin(f"{peer.name} is demoted")
            peer.demote(self._draw.choice([1, 50] if isinstance(peer, OpenBsd) else [50, 240]))
            self._end(self._short(), False, lambda: peer.demote(0))

        return [power_cut, demote]
