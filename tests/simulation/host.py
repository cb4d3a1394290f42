# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A virtual host computer of ours: the real speaker, with a shell, a guard and a kernel that are modelled.

The shell does what daemon.py and virtualhost.py do: packets before timers, actions in their order, and waiting while
the kernel changes an address. What it does about connections is in clients.py. The kernel keeps addresses on a lease
and removes them up to half a second late, whatever becomes of the daemon.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Iterable
from typing import Any, Callable

from carpd import groups
from carpd.actions import Action, Advertise, Announce, Ask, Changed, Hold, Release
from carpd.config import Vip
from carpd.groups import Member
from carpd.packet import Address, Datagram
from carpd.paths import copies
from carpd.records import replace
from carpd.speaker import Speaker
from carpd.tracking import Verdict
from carpd.transitions import Event, State
from carpd.trust import AHEAD, first_step
from clients import ABOUT_CLIENTS, Clients
from computer import Computer
from guard import Guard
from segment import Segment
from world import World

KERNEL_LATENESS = 0.49  # measured on Linux 6.18
USUAL_LATENESS = 0.0005  # of the daemon's wake-ups, in seconds
_RESERVE = 1 << 24  # as in reserve.py
RETIRED = 240  # what an order to leave demotes by
STAND_IN = 0.9  # of the lease, as in daemon.py
GUARD_PATIENCE = 0.5  # of the lease, as in virtualhost.py


class Watcher:
    """Whoever wants to know what a host does."""

    def changed(self, host: Host, change: Changed) -> None:
        """Hear of a change of state."""

    def sent(self, host: Host, packet: bytes) -> None:
        """Hear of a packet that left."""

    def heard(self, host: Host, datagram: Datagram) -> None:
        """Hear of a packet that the daemon is about to take in."""

    def announced(self, host: Host) -> None:
        """Hear that it announced the address."""

    def unsent(self, host: Host) -> None:
        """Hear that a packet could not be sent."""

    def started(self, host: Host) -> None:
        """Hear that its daemon begins, and knows of nothing that was before."""

    def judged(self, host: Host, refused: str | None) -> None:
        """Hear why the daemon did not heed the packet that it has just heard, if so."""

    def demoted(self, host: Host) -> None:
        """Hear that the daemon has just been told of another demotion, or of other doubts."""

    def told(self, host: Host, event: Event) -> None:
        """Hear that the daemon has just taken in an event."""

    def resumed(self, host: Host, legacy: dict[str, Any], held: bool) -> None:
        """Hear that its program was replaced; the new one has done what it does first with what it was left."""


class Host(Computer):
    """One computer with our daemon."""

    def __init__(self, world: World, segment: Segment, vip: Vip, number: int, name: str = "") -> None:
        super().__init__(world, segment, name or f"host{number}", number, tuple(vip.versions))
        self.vip = vip
        self.watcher = Watcher()
        self.speaker: Speaker | None = None
        self.frozen_at: float | None = None
        self.died_at: float | None = 0.0
        self.asked_to_end_at: float | None = None
        self.demotion = 0
        self.doubts = 0
        self.fault_since: float | None = None
        self.together: list[Host] = [self]  # the virtual hosts of this computer that move together
        # What its daemon has been told so far: a frozen one has not heard of the latest yet.
        self.verdict = Verdict()
        self.told_demotion = 0
        self.clients = Clients(self)
        self._clients_first: int | None = None  # what it goes on telling until its clients know that it is sicker
        self._drained_at = -math.inf
        self._clients_knew = False  # while it drains: that they do
        self.slow_at = 0.0  # when it last waited for the kernel
        self.retired = self.promoted = self.stepped_down = False
        self.unsettled_at = 0.0  # by its own clock: when it was put back last
        self.thawed_at = 0.0
        self.netlink_delay = 0.0  # the kernel takes up to so many seconds to change an address
        self.refuses = False  # the kernel does not let us have the address
        self.refused_at = -math.inf  # when it did not, last
        self.put_off = False  # by that, and nobody has called it back since
        self.time_of_day = 1.7e9 + world.random.uniform(0, 1)  # at the beginning; seconds since 1970
        self._guard: Guard | None = None
        self._guarded = False
        self._sign_anew_at = 0
        self._reserved = 0
        self._inbox: deque[Callable[[Speaker], None]] = deque()
        self._todo: deque[Action] = deque()
        self.loading = False  # its program is being replaced
        self.replaced_at = self.loaded_at = -math.inf  # when that began last, and was done
        self.restarts = 0
        self._change: Callable[[], None] | None = None  # what the kernel is about
        self._lease_ends: float | None = None
        self._wake = 0
        # Every host's monotonic clock counts from a moment of its own, and may not count while it is suspended.
        self._epoch = world.random.uniform(0, 1e6)
        self._stopped_clock: float | None = None
        self._postponed: list[Callable[[], None]] = []

    @property
    def running(self) -> bool:
        """Whether the daemon works."""
        return self.speaker is not None and self.frozen_at is None and not self.suspended

    @property
    def known_demotion(self) -> int:
        """By how much the daemon is demoted, as far as it has been told: by its checks and by order.

        An order to leave counts when it has drained; and of its checks, if it resets connections, their clients shall
        know first.
        """
        drains = self.drains
        if drains and self._clients_first is not None:
            return self._clients_first
        ordered = self.retired and not (drains and self.stepped_down)
        return min(255, self.verdict.demotion + (RETIRED if ordered else 0))

    @property
    def faulty_since(self) -> float | None:
        """Since when it must not be master, be it for one that it moves together with."""
        if len(self.together) == 1:
            return self.fault_since
        return min((one.fault_since for one in self.together if one.fault_since is not None), default=None)

    @property
    def has_settled(self) -> bool:
        """Whether nothing has put it back for as long as its failback waits."""
        return self.clock() - self.unsettled_at > self.vip.stable_for

    @property
    def obstacle(self) -> str:
        """What keeps it from taking part, as far as others of its group care."""
        return "" if self.carrier else "no carrier"

    @property
    def is_master(self) -> bool:
        """Whether the daemon thinks to be master, be it one that drains."""
        return self.speaker is not None and self.speaker.machine.state.advertises

    @property
    def drains(self) -> bool:
        """Whether the daemon lets connections end before it leaves."""
        return self.speaker is not None and self.speaker.machine.state is State.DRAINING

    @property
    def busy(self) -> bool:
        """Whether the daemon waits for the kernel."""
        return self._change is not None

    def clock(self) -> float:
        """Return the host's monotonic time."""
        return self.world.now + self._epoch if self._stopped_clock is None else self._stopped_clock

    @property
    def drained_at(self) -> float:
        """When it last drained."""
        return self.world.now if self.drains else self._drained_at

    @property
    def hides_demotion(self) -> bool:
        """Whether it drains, and has not told that it is sicker, since its clients shall know first."""
        return self.drains and self._clients_first is not None

    # What can befall it

    def start(self) -> None:
        """Start the daemon, as the service manager does after a crash, too; boot first where that is needed."""
        if self.speaker is not None or self.loading or self.suspended:
            return
        self.world.note(self.name, "starts")
        self.segment.listener_began()
        self.powered = True
        self._drop()  # the real daemon removes what a dead one left
        if self._guard is not None:
            self._guard.end()  # the service manager ends what is left of a service before it starts it again
        self.retired = self.stepped_down = False
        self._begin()
        self._judge()
        if self.carrier:
            self._tell_up()

    def _begin(self) -> Speaker:
        """Load the daemon's program, and fork its guard."""
        self.speaker = Speaker(self.vip, self._first_step(), self.clock())
        self.speaker.sources = self.sources
        self.died_at = self.frozen_at = self.asked_to_end_at = None
        self.verdict = Verdict()
        self.promoted, self.put_off, self.told_demotion = False, False, 0
        self.unsettled_at = self.clock()
        self._renew_guard()
        self._inbox.clear()
        self._todo.clear()
        self.watcher.started(self)
        return self.speaker

    def restart(self) -> bool:
        """Replace the daemon's program in place, as ``carpctl restart`` does; tell whether it can be done now.

        Meanwhile its guard advertises what was signed before. See daemon.py, succession.py and sentry.py.
        """
        speaker, guard = self.speaker, self._guard
        if not self.running or self.busy or self._todo or speaker is None or guard is None:
            return False
        machine = speaker.machine
        if machine.state.leaves or machine.state is State.ENDED or self.drains or self.clients.busy:
            return False
        self.world.note(self.name, "its program is loaded anew")
        seconds = STAND_IN * machine.timing.lease
        interval, turns = 0.0, []
        if machine.state is State.MASTER:
            machine.renew(self.clock())
            self._todo.extend(machine.actions())
            self._work()
            if machine.failing or machine.state is not State.MASTER or self._change is not None:
                return False  # it goes on as it was
            interval = machine.timing.interval(machine.advskew)
            rank = (machine.timing.advbase, machine.advskew, machine.demotion)
            count = math.ceil(seconds / interval)
            turns = [list(speaker.packets(*rank).values()) for _turn in range(count)]
        legacy = {**machine.legacy(), "sequence": speaker.sequence}
        guard.stand_in(seconds, interval, turns)
        self.speaker, self.loading, self.replaced_at = None, True, self.world.now
        self.restarts += 1
        restarts = self.restarts
        load_time = self.world.random.choice([0.15, 0.3, 0.3, 0.5, 2.5]) * self.world.random.uniform(0.8, 1.2)
        self.later(load_time, lambda: self._resume(guard, legacy) if restarts == self.restarts else None)
        return True

    def _resume(self, guard: Guard, legacy: dict[str, Any]) -> None:
        """Let the new program go on where the old one stopped, if the guard still holds what was left to it."""
        if not self.loading:
            return
        self.loading, self.loaded_at = False, self.world.now
        self.world.note(self.name, "its new program begins")
        self.segment.listener_began()
        held = guard.alive
        if not held:
            self._drop()
        was_retired, speaker = self.retired, self._begin()
        self.retired = False
        speaker.machine.inherit(legacy)
        speaker.sequence = max(speaker.sequence, legacy["sequence"])
        self._judge()
        if was_retired:
            self.retire("by order")
        if self.carrier:
            self._guarded = False
            self.tell(Event.RESUME if legacy["master"] and held else Event.UP)
        guard.end()
        self.watcher.resumed(self, legacy, held)

    def _first_step(self) -> int:
        """Begin behind all that was ever sent, as the real daemon does with a number that it keeps in a file."""
        first = first_step(self.time_of_day + self.world.now, self._reserved)
        self._reserved = first + _RESERVE
        return first

    def kill(self, guard_too: bool = False) -> None:
        """Kill the daemon: nobody tidies up but its guard, unless that is killed as well."""
        if (self.speaker is not None or self.loading) and not self.suspended:
            self.world.note(self.name, "is killed, and its guard, too" if guard_too else "is killed")
            self._finish_change()
            self._end()
            if self._guard is not None:
                self._guard.end() if guard_too else self._guard.daemon_died()

    def freeze(self, guard_too: bool = False) -> None:
        """Stop the daemon as SIGSTOP does."""
        if self.running and self._guard is not None:
            self.world.note(self.name, "is frozen, and its guard, too" if guard_too else "is frozen")
            self._finish_change()
            self.frozen_at = self.world.now
            self._guard.freeze() if guard_too else self._guard.daemon_froze()

    def thaw(self) -> None:
        """Let everything that is frozen go on."""
        if self._guard is not None:
            self._guard.thaw()
        if self.speaker is not None and self.frozen_at is not None and self._guard is not None:
            self.world.note(self.name, "thaws")
            self.frozen_at, self.thawed_at = None, self.world.now
            self._guard.daemon_thawed()
            if self._guard.acted:  # which the real loop looks at before anything else
                self._renew_guard()
                self._inbox.appendleft(self._given_up)
            self._work()
            self.clients.go_on()

    def power_off(self) -> None:
        """Cut the power."""
        self.world.note(self.name, "loses its power")
        self._change = None
        self._end()
        if self._guard is not None:
            self._guard.end()
        self.powered = False
        self.clients.lose_power()
        self._drop()

    def suspend(self, clock_stops: bool) -> None:
        """Stop the whole computer, as a hypervisor does with a virtual one."""
        if not self.suspended:
            self.world.note(self.name, f"is suspended, and its clock {'stops' if clock_stops else 'goes on'}")
            self._stopped_clock = self.clock() if clock_stops else None
            self.suspended = True

    def resume(self) -> None:
        """Let it go on."""
        if self.suspended:
            self.world.note(self.name, "is resumed")
            if self._stopped_clock is not None:
                self._epoch, self._stopped_clock = self._stopped_clock - self.world.now, None
            self.suspended, self.thawed_at = False, self.world.now
            postponed, self._postponed = self._postponed, []
            self._watch_lease()
            for happen in postponed:
                happen()
            self._work()
            self.clients.go_on()

    def set_carrier(self, carrier: bool) -> None:
        """Pull or plug the cable."""
        if carrier != self.carrier:
            self.world.note(self.name, "is plugged in" if carrier else "is unplugged")
            self.carrier = carrier
            if carrier:
                self._tell_up()
            else:
                self.tell(Event.DOWN)
            self._judge()

    def stop(self) -> None:
        """Ask the daemon to end, as SIGTERM does."""
        if self.running and self.asked_to_end_at is None:
            self.asked_to_end_at = self.world.now
        self.tell(Event.STOP)

    def lose_address(self) -> None:
        """Let somebody else remove the address."""
        if self.holds:
            self.world.note(self.name, "loses its address to somebody else")
            self._drop()
            self.tell(Event.ADDRESS_LOST)

    def demote(self, demotion: int, doubts: int = 0) -> None:
        """Let checks fail that demote the host by so much, and others be in doubt."""
        self.world.note(self.name, f"is demoted by {demotion}, and perhaps by {doubts} more")
        self.demotion, self.doubts = demotion, doubts
        self._judge()

    def set_fault(self, faulty: bool) -> None:
        """Let a check fail because of which the host must not be master, or let it heal."""
        if faulty != (self.fault_since is not None):
            self.world.note(self.name, "must not be master" if faulty else "may be master again")
            self.fault_since = self.world.now if faulty else None
            self._judge()

    def retire(self, reason: str) -> None:
        """Let the operator demote it, or without a reason no longer."""

        def take(speaker: Speaker) -> None:
            self.retired, self.promoted, self.stepped_down = bool(reason), False, bool(reason)
            self.put_off = False
            self._change_rank(speaker, lambda: speaker.machine.retire(self.clock(), reason))
            if reason:
                self.watcher.told(self, Event.STEP_DOWN)

        self.tell_speaker(take)

    def promote(self) -> None:
        """Let the operator promote it: it takes over from any worse master."""

        def take(speaker: Speaker) -> None:
            self.retired = self.stepped_down = self.put_off = False
            self._change_rank(speaker, lambda: speaker.machine.promote(self.clock()))
            machine = speaker.machine
            ours = machine.demotion, self.vip.advbase, machine.advskew
            is_better = machine.master is None or machine.master.rank > ours
            self.promoted = machine.state is State.BACKUP and is_better

        self.tell_speaker(take)

    def reconfigure(self, **changes: Any) -> None:
        """Change timing or policy in the running daemon."""
        self.vip = replace(self.vip, **changes)
        vip = self.vip

        def take(speaker: Speaker) -> None:
            self._guarded = False
            speaker.reconfigure(vip, self.clock())

        self.tell_speaker(take)

    def become(self, **changes: Any) -> None:
        """Give it another identity; the daemon must have ended, as a changed virtual host does."""
        self.kill(guard_too=True)
        self.vip = replace(self.vip, **changes)

    def tell(self, event: Event) -> None:
        """Bring an event to the daemon, as soon as it can take it."""
        self.tell_speaker(lambda speaker: self._event(speaker, event, event.value))

    def receive(self, datagram: Datagram) -> None:
        """Take in a packet."""
        if self.carrier and self.speaker is not None:

            def take(speaker: Speaker) -> None:
                self.watcher.heard(self, datagram)
                self.watcher.judged(self, speaker.received(datagram, self.clock()))

            self._inbox.append(take)
            self._work()

    # How it works

    def _judge(self) -> None:
        """Tell everyone who moves together what the checks say. That outlives a restart here, unlike with real ones."""
        members = {
            one.name: Member(
                "group" if len(self.together) > 1 else "",
                one.obstacle,
                Verdict(one.demotion, one.doubts, "a check failed" if one.fault_since is not None else ""),
            )
            for one in self.together
        }
        verdicts = groups.share(members)
        for one in self.together:
            one._hear_verdict(verdicts[one.name])

    def _change_rank(self, speaker: Speaker, change: Callable[[], object]) -> None:
        before = speaker.machine.demotion
        change()
        if speaker.machine.demotion != before:
            self.unsettled_at = self.clock()
        self.watcher.demoted(self)

    def clients_know(self) -> None:
        """Take note that the daemon has learnt that none of its connections is left."""
        if self.drains:
            self._clients_first, self._clients_knew = None, True
            self.watcher.demoted(self)

    def _hear_verdict(self, verdict: Verdict) -> None:
        def take(speaker: Speaker) -> None:
            told = self.known_demotion
            old, self.verdict = self.verdict, verdict
            if old == verdict:
                return

            def judge() -> None:
                speaker.machine.demote(verdict.demotion, verdict.doubts, self.clock())
                sicker = verdict.demotion > old.demotion and speaker.vip.reset_sessions and self.drains
                if sicker and self._clients_first is None and not self._clients_knew:
                    self._clients_first = told

            self._change_rank(speaker, judge)
            if old.fault != verdict.fault:
                self._event(speaker, Event.FAULT if verdict.fault else Event.HEALED, verdict.fault or "good again")

        self.tell_speaker(take)

    def _tell_up(self) -> None:
        self._guarded = False  # the goodbye has the source address in it
        self.tell(Event.UP)

    def tell_speaker(self, message: Callable[[Speaker], None]) -> None:
        if self.speaker is not None:
            self._inbox.append(message)
            self._work()

    def _event(self, speaker: Speaker, event: Event, reason: str) -> None:
        if event in (Event.UP, Event.RESUME, Event.HEALED):
            self.unsettled_at = self.clock()
        self.stepped_down |= event is Event.STEP_DOWN
        if event is Event.STOP and self.asked_to_end_at is None:
            self.asked_to_end_at = self.world.now
        speaker.machine.event(event, self.clock(), reason)
        self.watcher.told(self, event)

    def _given_up(self, speaker: Speaker) -> None:
        speaker.skip_goodbyes()
        if speaker.machine.state.holds:
            self._event(speaker, Event.UNHEARD, "the guard acted")

    def _work(self) -> None:
        """One turn of the daemon's loop: messages, each with its consequences, then timers."""
        looked = False
        while self.running and self._change is None and self.speaker is not None:
            machine = self.speaker.machine
            if self._todo:
                self._act(self.speaker, self._todo.popleft())
            elif machine.state is State.ENDED:
                self.clients.close()
                self._end()
                if self._guard is not None:
                    self._guard.end()
            elif self._inbox:
                self._inbox.popleft()(self.speaker)
            elif not looked:
                looked = True
                machine.due(self.clock())
            else:
                self._sleep(machine.next_timer() - self.clock())
                return
            self._todo.extend(machine.actions())

    def _sleep(self, wait: float) -> None:
        self._wake += 1
        wake = self._wake
        if wait < 1e9:
            late = USUAL_LATENESS * self.world.random.random()
            self.world.after(wait + late, lambda: self._wake_up(wake))

    def _wake_up(self, wake: int) -> None:
        if wake == self._wake:
            self._work()

    def _act(self, speaker: Speaker, action: Action) -> None:
        if isinstance(action, Changed):
            self.world.note(self.name, f"{action.old.value} -> {action.new.value}: {action.reason}")
            if action.new is State.MASTER:
                self.promoted = self.stepped_down = False
            if action.old is State.DRAINING:
                self.unsettled_at, self._drained_at = self.clock(), self.world.now
                self._clients_first, self._clients_knew = None, False
                self.watcher.demoted(self)
            self.watcher.changed(self, action)
            self.put_off &= action.new is not State.MASTER
        elif isinstance(action, Advertise):
            packets = speaker.packets(action.advbase, action.advskew, action.demotion).values()
            left = [self._send(packet) for packet in packets]
            if not any(left):
                self.watcher.unsent(self)
            speaker.machine.sent(any(left), self.clock())
        elif isinstance(action, Hold):
            self._hold(speaker, action.lease)
        elif isinstance(action, Release):
            self._change_address(self._release)
        elif isinstance(action, Announce):
            self.watcher.announced(self)
        elif isinstance(action, Ask):
            self.segment.ask(self, self._answered)
        elif isinstance(action, ABOUT_CLIENTS):
            self.clients.act(action)

    def _answered(self, sources: Collection[Address]) -> None:
        """Hear that the computer with these addresses of its own has the virtual one."""

        def take(speaker: Speaker) -> None:
            master = speaker.machine.master
            speaker.machine.answered(master is not None and master.source in sources, self.clock())

        self.tell_speaker(take)

    def _send(self, packet: bytes) -> bool:
        """Send a packet by all its paths."""
        left = [self.emit(copy.packet, copy.path) for copy in copies([packet], self.vip.paths, self.vip.peers)]
        if any(left):
            self.watcher.sent(self, packet)
        return any(left)

    def _hold(self, speaker: Speaker, lease: int) -> None:
        if self._guard is not None and (not self._guarded or speaker.sequence >= self._sign_anew_at):
            self._guard.hold(speaker.goodbyes().values(), lease * GUARD_PATIENCE)
            self._guarded, self._sign_anew_at = True, speaker.sequence + AHEAD // 2
        if self.refuses:
            self.refused_at = self.world.now
            self.put_off = speaker.machine.state.advertises
            self._todo.clear()  # what was to follow would claim what is not here
            self._event(speaker, Event.ADDRESS_REFUSED, "no address could be added")
            return

        self._change_address(lambda: self._lease_for(lease))

    def _lease_for(self, lease: int) -> None:
        """Have the address, for so many seconds unless that is renewed."""
        self.holds = True
        self._lease_ends = self.clock() + lease + self.world.random.uniform(0, KERNEL_LATENESS)
        self._watch_lease()

    def _release(self) -> None:
        self._drop()
        self._guarded = False
        if self._guard is not None:
            self._guard.release()

    def _change_address(self, change: Callable[[], None]) -> None:
        """Let the kernel do it, now or after a while; the daemon waits."""
        self._change = change
        if self.netlink_delay:
            self.later(self.world.random.uniform(0, self.netlink_delay), lambda: self._go_on(change))
        else:
            self._finish_change()

    def _go_on(self, change: Callable[[], None]) -> None:
        if self._change is change:
            self._finish_change()
            self._work()

    def _finish_change(self) -> None:
        """No signal, not even SIGKILL, takes effect while the kernel is at work for a process."""
        change, self._change = self._change, None
        self.slow_at = self.world.now if self.netlink_delay else self.slow_at
        if change is not None:
            change()

    def _watch_lease(self) -> None:
        if self._lease_ends is not None:
            self.world.after(self._lease_ends - self.clock(), self._expire)

    def _expire(self) -> None:
        if self._lease_ends is not None and not self.suspended and self.clock() >= self._lease_ends - 1e-6:
            self.world.note(self.name, "the kernel ends the lease")
            self._drop()
            self.tell(Event.ADDRESS_LOST)

    def _drop(self) -> None:
        self._lease_ends = None
        self.holds = False

    def _end(self) -> None:
        if self.speaker is not None:
            self.speaker, self.died_at = None, self.world.now
            self.clients.end()
        elif self.loading:
            self.loading, self.died_at = False, self.world.now
        self.frozen_at = None
        self._todo.clear()

    def _renew_guard(self) -> None:
        self._guard = Guard(self.world.random, self.later, self._give_up, self._send)
        self._guarded = False

    def _give_up(self, bow_outs: Iterable[bytes]) -> None:
        self.world.note(self.name, "the guard gives the address up")
        if self.holds:
            self._drop()
            self.tell(Event.ADDRESS_LOST)
        for packet in bow_outs:
            self._send(packet)

    def later(self, delay: float, happen: Callable[[], None]) -> None:
        """Run something after so many seconds, or when the computer is resumed."""
        self.world.after(delay, lambda: self._postponed.append(happen) if self.suspended else happen())
