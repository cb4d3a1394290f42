# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One virtual host's election: events and the time go in, actions come out.

There is no clock, no socket and no file here. The caller hands in what it received and what time it is, performs the
actions, and tells whether an advertisement really left. All times are seconds of one monotonic clock.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from .actions import Action, Advertise, Announce, Ask, Changed, Count, Hold, HoldBack, LetIn, Release, Reset
from .drain import NO_DRAIN, Departure, Drain, Draining
from .heard import Heard, describe
from .packet import BOW_OUT, Address, Advertisement
from .silence import Silence
from .standing import Standing, demoted_skew
from .timing import LEASE_LATENESS, Failback, Timing
from .transitions import TRANSITIONS, Event, Reaction, State
from .typed import Any

# A master renews its lease with its advertisements; below one second not with every one, but so often in the time of a
# lease: each costs the kernel work.
RENEWALS = 4
# How long a leaving master waits for its successor. A stock ucarp reads a packet up to 1 s late (its libpcap timeout).
HOLD_TIME = 2.0
BOW_OUT_INTERVAL = 0.25  # while it waits, it repeats the goodbye: the first may have been lost
# When addresses are announced after a takeover; then at REFRESH_INTERVAL, for whoever missed it. The early ones are for
# a stock ucarp: as it yields it announces the address a last time, about a millisecond after we did.
ANNOUNCE_AT = (0.0, 0.002, 0.01, 0.05, 0.2, 1.0, 2.0, 5.0)
REFRESH_INTERVAL = 30.0
# After a goodbye, or where a worse host is master, the best backup should be first: each step of advskew waits so long.
HURRY_STEP = 0.0001
# At most so often in one interval a master answers others that think to be master, too.
REASSERTIONS = 20
# So long after the kernel refused the addresses, not even a sicker master is taken over from.
REFUSAL_TIME = 30.0


class Machine:
    """The election of one virtual host.

    Feed it with ``received``, ``event``, ``due``, ``sent``, ``counted`` and ``was_reset``; after each, perform
    ``actions()`` in their order and come back by ``next_timer()``. Packets that have already arrived go in before
    ``due`` is called, so that a host that was late itself does not take a silence for real that never was.
    """

    def __init__(self, timing: Timing, failback: Failback, now: float, drain: Drain = NO_DRAIN) -> None:
        self.timing = timing
        self.failback = failback
        self.drain = drain
        self.state = State.INIT
        self.since = now
        self.transitions = 0
        self.reason = "starting"
        self.master: Heard | None = None
        self.yielding = False  # stepped down: does not preempt until it has been master again
        self.claiming = False  # promoted: takes over from any worse master, whatever the policy of failback is
        self.fault = ""  # why this host must not be master, if so
        self._actions: list[Action] = []
        self._silence = Silence()
        self._draining = Draining()
        self._holds_back = False  # new connections
        self._clear_timers()
        self._announced = 0
        self._left_at = now  # when our last advertisement really left
        self._promised = timing.interval(timing.advskew)  # and when that said the next one would come
        self._held_at = -math.inf  # when the lease began
        self._reasserted_at = -math.inf
        self._refused_at = -math.inf  # when the kernel refused the addresses
        self._standing = Standing()
        self._sound_since = now  # when this host was last put back, by a fault, an obstacle or another demotion
        self._opponent: Address | None = None  # who advertises what we do not understand
        self._opposed_at = -math.inf

    @property
    def advskew(self) -> int:
        """The skew that is advertised and compared: the configured one and what demotes this host."""
        return demoted_skew(self.timing.advskew, self.demotion)

    @property
    def demotion(self) -> int:
        """The sum of all that makes this host a worse master than it is configured to be, 0 to 255.

        By the operator's will only when it leaves: until then it lets connections end. And by its checks, if it resets
        connections, only when these are.
        """
        if self.state is not State.DRAINING:
            return self._standing.demotion
        if self._draining.told is not None:
            return self._draining.told
        return self._standing.unordered if self._draining.is_for(Event.STEP_DOWN) else self._standing.demotion

    def actions(self) -> list[Action]:
        """Return what is to be done now, and forget it."""
        actions, self._actions = self._actions, []
        return actions

    def next_timer(self) -> float:
        """Return when ``due`` wants to be called; infinity if never."""
        timers = (self._silence.next_timer, self._advertise_at, self._announce_at, self._hold_until)
        return min(*timers, self._unheard_at(), self._draining.next_timer())

    def received(self, advertisement: Advertisement, source: Address, own: Address | None, now: float) -> None:
        """Take in a peer's advertisement, already authenticated.

        ``own`` is the address that ours come from, or None when this advertisement may not decide between equals.
        """
        self._notice_pause(now)
        event = self._rank(advertisement, source, own, now)
        if event is None:
            return
        better = self.master if self.state is State.BACKUP else None
        if event is not Event.SUPERIOR and better and better.is_fresh(now) and source != better.source:
            # Among several hosts, one that is leaving, or about to learn of the better master as well. If it is not, it
            # has to be heard again before the silence of the better one has lasted long enough.
            heard_again = now + advertisement.interval < self._silence.ends_at
            if event is Event.GOODBYE or heard_again:
                return
        if event is Event.GOODBYE:
            self.master = None
        elif event is Event.SUPERIOR or not self.state.holds:
            values = (advertisement.advbase, advertisement.advskew, advertisement.demotion)
            self.master = Heard(source, *values, superior=event is Event.SUPERIOR, at=now)
        self._apply(event, now, _describe(event, advertisement, source))

    def event(self, event: Event, now: float, reason: str) -> None:
        """Take in anything else that happened, with the reason that a person shall read."""
        self._notice_pause(now)
        if event in (Event.FAULT, Event.HEALED):
            self.fault = reason if event is Event.FAULT else ""
        elif event is Event.ADDRESS_REFUSED:
            self._refused_at = now
        elif event is Event.HOLD_ENDED and self.state is State.DRAINING:
            self._leave(now)  # whoever has no patience with a handover has none with what precedes it
        if event in (Event.FAULT, Event.STEP_DOWN, Event.STOP):
            self._depart(event, now, reason)
        else:
            if event is Event.HEALED:
                self._stay(Event.FAULT, now, reason)
            self._apply(event, now, reason)
        if event in (Event.UP, Event.RESUME) and self.fault:
            self._depart(Event.FAULT, now, self.fault)

    def demote(self, demotion: int, doubts: int, now: float) -> None:
        """Take in by how much the checks demote this host, and by how much more they may soon.

        A master tells of it at once, so that a better host takes over without waiting for the next advertisement; but
        first, if that is wanted, its clients.
        """
        self._notice_pause(now)
        told, before = self.demotion, self._standing.unordered
        self._standing.judge(demotion, doubts)
        if not demotion:
            self._stay(Event.STAY, now, "the checks are good again")
        if self._standing.unordered > before and self._drains and self.drain.resets and not self._draining.parted:
            self._part_with_clients(told, now)
        elif self.demotion != told:
            self._demotion_changed(now)

    def retire(self, now: float, reason: str) -> None:
        """Rank last by the operator's will, and as master hand over; without a reason this ends."""
        self._notice_pause(now)
        self.yielding = self.claiming = False
        differs = self._standing.retire(reason)
        if reason and self._drains:
            self._depart(Event.STEP_DOWN, now, reason)
            return
        self._stay(Event.STEP_DOWN, now, "the operator wants it to stay")
        if reason:  # first: whoever says goodbye need not say how bad a master it is, which may arrive behind that
            self._apply(Event.STEP_DOWN, now, reason)
        if differs:
            self._demotion_changed(now)

    def promote(self, now: float) -> str:
        """End what the operator, or stepping down, has put this host back by, and take over from any worse master.

        Returns why it will not become master by this, or nothing.
        """
        self.retire(now, "")
        if self.state.holds:
            return ""
        if self.state is not State.BACKUP:
            return self.fault or self.reason
        if self.master is not None and self.master.rank <= self._rank_if(self.demotion):
            return f"{describe(self.master, self.master.source)}, which is better than ours: demote it there"
        self.claiming = True
        return ""

    @property
    def impaired(self) -> bool:
        """Whether this host is demoted since its advertisements could not be sent."""
        return self._standing.impaired

    @property
    def retirement(self) -> str:
        """Why the operator has put this host back, if so."""
        return self._standing.retirement

    def draining(self, now: float) -> dict[str, Any] | None:
        """Return how far it is with letting connections end, as JSON can carry it, if it does so."""
        return self._draining.status(self.since, now) if self.state is State.DRAINING else None

    def counted(self, connections: int, now: float) -> None:
        """Take in how many connections to the addresses there are; without any it goes on."""
        self._notice_pause(now)
        if self.state is State.DRAINING:
            self._draining.counted(connections, now)
            if not connections:
                self._leave(now)

    def was_reset(self, now: float) -> None:
        """Take note that the connections which remained have been ended, as far as that is possible."""
        self._notice_pause(now)
        if self.state is State.DRAINING and self._draining.ends_at == math.inf:
            self._leave(now)

    def cannot_drain(self, now: float) -> None:
        """Take note that new connections cannot be held back, or not be counted: to wait would help nobody."""
        self._notice_pause(now)
        self._draining.cut_short(now)

    def answered(self, by_master: bool, now: float) -> None:
        """Take note that another host says to have the addresses, and whether it is surely the master last heard."""
        self._notice_pause(now)
        self._silence.answer(by_master)

    def opposed(self, source: Address, now: float) -> None:
        """Take note that somebody advertises for our vhid what we do not understand: another password, say."""
        self._notice_pause(now)
        self._opponent, self._opposed_at = source, now

    def is_unheard_of(self, now: float) -> bool:
        """Tell whether the master has the addresses, as this host can see, but is not heard though it should be."""
        silence = self._silence
        return self.state is State.BACKUP and silence.answered_by_master and now > self._lease_ends_at()

    def opponent(self, now: float) -> Address | None:
        """Return who advertises for our vhid what we do not understand, as long as it goes on."""
        patience = self.timing.patience(self._expected_interval(), self.demotion)
        return self._opponent if now - self._opposed_at <= patience else None

    def outlook(self, now: float) -> dict[str, Any]:
        """Return what decides about the next takeover, as JSON can carry it; times are in seconds."""
        counting = self._silence.ends_at < math.inf
        return {
            "state": self.state.value,
            "yielding": self.yielding,
            "claiming": self.claiming,
            "preempt": self.failback.preempt,
            "stable_for": self.failback.stable_for,
            "sound_for": round(now - self._sound_since, 3),
            "patience": round(self.timing.patience(self._expected_interval(), self.demotion), 3),
            "silence_left": round(self._silence.ends_at - now, 3) if counting else None,
        }

    def legacy(self) -> dict[str, Any]:
        """Return what the next program of the daemon has to know, as JSON can carry it."""
        return {
            "master": self.state is State.MASTER,
            "transitions": self.transitions,
            "yielding": self.yielding,
        }

    def inherit(self, legacy: Mapping[str, Any]) -> None:
        """Take over what the ``legacy`` of an earlier program says, before anything happens here."""
        self.transitions, self.yielding = legacy["transitions"], legacy["yielding"]

    def renew(self, now: float) -> None:
        """Advertise now, and as soon as that has left renew the lease, whatever is left of it."""
        self._held_at = -math.inf
        self._advertise(now)

    @property
    def failing(self) -> bool:
        """Whether the last advertisements could not be sent."""
        return self._standing.failing

    def due(self, now: float) -> None:
        """Do what the time has come for."""
        self._notice_pause(now)
        silence = self._silence
        if silence.asks(now):
            self._actions.append(Ask())
        if now >= silence.ends_at:
            heard_nothing = f"no advertisement for {now - silence.since:.3f} s"
            self._apply(self._meaning_of_silence(now), now, silence.cut_short_by or heard_nothing)
        if self.state is State.DRAINING:
            self._go_on_draining(now)
        if now >= self._hold_until:
            self._apply(Event.HOLD_ENDED, now, f"no other host took over within {now - self.since:.1f} s")
        if now >= self._advertise_at:
            self._advertise(now)
        if now >= self._announce_at:
            self._announce(now)

    def sent(self, ok: bool, now: float) -> None:
        """Take note whether the advertisement left. Only then is the addresses' lease renewed."""
        if ok:
            self._left(now)
            if self.state.holds and now - self._held_at >= self.timing.lease / RENEWALS:
                self._hold(now)
        self._standing.sent(ok, now)

    def reconfigure(self, timing: Timing, failback: Failback, now: float, drain: Drain = NO_DRAIN) -> None:
        """Change timing and policy in place, whatever the state, without giving anything up."""
        self.timing, self.failback, self.drain = timing, failback, drain
        self._held_at = -math.inf
        if self.state.advertises:
            self._advertise(now)
            self._announced, self._announce_at = 0, now
        elif self.state is State.BACKUP:
            self._react(Reaction.LISTEN, now, self.reason)

    def _apply(self, event: Event, now: float, reason: str) -> None:
        old, told = self.state, self.demotion
        departures: list[Departure] = []
        self.state, reactions = TRANSITIONS[old, event]
        if self.state is not old:
            self._actions.append(Changed(old, self.state, reason))
            self.since, self.reason = now, reason
            self.transitions += 1
            # Whoever leaves has one deadline, whatever comes in between; and whoever is master keeps its beat.
            if not (old.leaves and self.state.leaves) and not (old.advertises and self.state.advertises):
                self._clear_timers()
            if old is State.DRAINING:
                departures, self._sound_since = self._draining.end(), now
                if self.state is State.MASTER and self.demotion != told:
                    self._advertise(now)
            if old in (State.INIT, State.FAULTY, State.FAILING):
                self._sound_since = now
            if self.state.holds and not old.holds:
                self._left(now)
            if self.state is State.MASTER:
                self.master = None
                self.yielding = self.claiming = False
        for reaction in reactions:
            self._react(reaction, now, reason)
        if self._holds_back and (self.state is State.MASTER or not self.state.holds):
            self._holds_back = False
            self._actions.append(LetIn())
        for departure in departures:  # however it ended, what it was begun for still counts
            if departure.event is not event:
                self._apply(departure.event, now, departure.reason)

    @property
    def _drains(self) -> bool:
        """Whether this host lets connections end before it leaves, or does so already."""
        return self.state is State.DRAINING or (self.state is State.MASTER and self.drain.wanted)

    def _depart(self, event: Event, now: float, reason: str) -> None:
        """Let connections end if that is wanted, and then give mastership up by this event."""
        if not self._drains:
            self._apply(event, now, reason)
            return
        if self.state is State.MASTER:
            self._apply(Event.DRAIN, now, reason)
        self._draining.leave(event, reason)
        if event is Event.FAULT:
            self._draining.cut_short(now)  # a service that is sick makes its clients wait for nothing
        if self._draining.parted:
            self._leave(now)

    def _part_with_clients(self, told: int, now: float) -> None:
        """End the connections while the addresses are here, since a check fails; afterwards no reset reaches a client.

        Until then the others are ``told`` the demotion as it was. If there is no better host, all goes on as before.
        """
        self._sound_since = now
        if self.state is State.MASTER:
            self._apply(Event.DRAIN, now, "a check fails")
            self._draining.leave(Event.STAY, "no better host took over")
        self._draining.told = told
        self._draining.cut_short(now)

    def _stay(self, event: Event, now: float, reason: str) -> None:
        """Forget what would have been a reason to leave, if it is not too late."""
        if self.state is State.DRAINING and self._draining.stay(event):
            self._apply(Event.STAY, now, reason)

    def _leave(self, now: float) -> None:
        """Do what connections have been waited for."""
        for departure in self._draining.departures[:1]:
            if departure.event is Event.STAY and self._draining.awaits_successor(now):
                self._advertise(now)  # how sick this host is
            else:
                self._apply(departure.event, now, departure.reason)

    def _go_on_draining(self, now: float) -> None:
        draining = self._draining
        if draining.resets(now) and self.drain.resets:
            self._actions.append(Reset())
        elif draining.ends_at == math.inf and (not self.drain.resets or draining.is_over(now)):
            self._leave(now)
        elif draining.counts(now):
            self._actions.append(Count())

    def _rank(self, advertisement: Advertisement, source: Address, own: Address | None, now: float) -> Event | None:
        # Below one second our patience follows the master's promise, so that it can never promise too little.
        patience = self.timing.patience(advertisement.interval, self.demotion)
        if advertisement.is_bow_out or (self.timing.advbase and advertisement.interval > patience):
            return Event.GOODBYE
        theirs = (advertisement.demotion, advertisement.advbase, advertisement.advskew)
        ours = self._rank_if(self.demotion)
        # A backup leaves an equal master in peace, as everyone does; two equal masters are told apart by address.
        if theirs == ours and self.state.holds and own is None:
            return None
        if theirs < ours or (theirs == ours and not (self.state.holds and own and _order(own) < _order(source))):
            return Event.SUPERIOR
        # What is about to befall us, too, is no reason to take over: a fault that all hosts share moves nothing.
        if theirs <= self._rank_if(self._standing.feared):
            return Event.TOLERATED
        sicker = advertisement.demotion > self.demotion and now - self._refused_at >= REFUSAL_TIME
        return Event.INFERIOR if sicker or self.claiming or self._may_fail_back(now) else Event.TOLERATED

    def _may_fail_back(self, now: float) -> bool:
        """Tell whether this host takes over from one that is no sicker: by rights, which only a sound one has.

        When all hosts get sick one after the other, the addresses stay where the first of these faults has moved them.
        """
        if self.demotion or self.yielding or not self.failback.preempt:
            return False
        return now - self._sound_since >= self.failback.stable_for

    def _rank_if(self, demotion: int) -> tuple[int, int, int]:
        """Return what hosts compare, the lowest first, if this one is demoted so much."""
        return demotion, self.timing.advbase, demoted_skew(self.timing.advskew, demotion)

    def _react(self, reaction: Reaction, now: float, reason: str) -> None:
        if reaction is Reaction.CLAIM:
            # Announced before it is advertised: the old master keeps answering until it hears the advertisement.
            self._hold(now)
            self._restart_announcements(now)
            self._advertise(now)
        elif reaction is Reaction.REASSERT:
            if self._reasserted_at <= now:  # else it is about to
                earliest = self._reasserted_at + self.timing.interval(self.advskew) / REASSERTIONS
                self._reasserted_at = self._advertise_at = self._announce_at = max(now, earliest)
                self._announced = 0
        elif reaction is Reaction.ANSWER:
            self._actions.append(self._advertisement())
        elif reaction is Reaction.RESTORE:
            if self.state.advertises:
                self.renew(now)  # never without an advertisement that left
            else:
                self._hold(now)
            self._announced, self._announce_at = 0, now
        elif reaction is Reaction.BOW_OUT:
            self._actions.append(Advertise(*BOW_OUT))
        elif reaction is Reaction.DRAIN:
            self._draining.begin(self.drain.seconds, now)
            self._holds_back = True
            self._actions += [HoldBack(), Count()]
        elif reaction is Reaction.HOLD:
            self._hold_until = now + min(HOLD_TIME, self.timing.lease)
            self._advertise_at = now + BOW_OUT_INTERVAL
        elif reaction is Reaction.RELEASE:
            self._actions.append(Release())
            if self.drain.resets:  # those that were not waited for, or began since
                self._actions.append(Reset())
        elif reaction is Reaction.LISTEN:
            interval = self._expected_interval()
            self._silence.begin(interval, self.timing.patience(interval, self.demotion), now)
        elif reaction is Reaction.WAIT:
            self._silence.prolong(now)
        elif reaction is Reaction.HURRY:
            self._silence.cut_short(HURRY_STEP * self.advskew, reason, now)
        elif reaction is Reaction.YIELD:
            self.yielding = True

    def _expected_interval(self) -> float:
        return self.master.interval if self.master else self.timing.interval(self.advskew)

    def _meaning_of_silence(self, now: float) -> Event:
        """Tell a dead master from one that is only not heard.

        Whose MAC is known as the master's may keep the addresses for as long as it answers. Anybody else may for as
        long as a lease can last: there are routers that answer for addresses which nobody has.
        """
        silence = self._silence
        if silence.cut_short_by or not silence.answered:
            return Event.SILENCE
        is_master = silence.answered_by_master or self.opponent(now) is not None
        return Event.HELD if is_master or now < self._lease_ends_at() else Event.SILENCE

    def _lease_ends_at(self) -> float:
        """Return when the addresses of a master have surely fallen that was last heard when the silence began."""
        return self._silence.since + self.timing.lease + LEASE_LATENESS

    def _demotion_changed(self, now: float) -> None:
        self._sound_since = now
        if self.state.advertises:
            self._advertise(now)
        elif self._silence.cut_short_by and self.master and self.master.rank <= self._rank_if(self.demotion):
            self._react(Reaction.LISTEN, now, self.reason)  # it was about to take over, and is the worse one now

    def _notice_pause(self, now: float) -> None:
        """Give up mastership after a pause, or failed sends, so long that a peer may have taken over."""
        if not self.state.holds:
            self._standing.forgive(now)
        if now >= self._unheard_at():
            self._standing.unheard(now)
            unheard = f"no advertisement of ours left for {now - self._left_at:.1f} s: another host may have taken over"
            self._apply(Event.UNHEARD, now, unheard)

    def _unheard_at(self) -> float:
        """Return when the most impatient peer would take over from us, if the addresses are here."""
        if not self.state.holds:
            return math.inf
        patience = self.timing.dead_ratio * (self.timing.advbase or self._promised)
        # Who leaves says so less often than a master advertises below a second.
        return self._left_at + (max(patience, 2 * BOW_OUT_INTERVAL) if self.state.leaves else patience)

    def _left(self, now: float) -> None:
        self._left_at, self._promised = now, self.timing.interval(self.advskew)

    def _hold(self, now: float) -> None:
        self._actions.append(Hold(self.timing.lease))
        self._held_at = now

    def _advertisement(self) -> Advertise:
        return Advertise(self.timing.advbase, self.advskew, self.demotion)

    def _advertise(self, now: float) -> None:
        if self.state.advertises:
            self._actions.append(self._advertisement())
            self._advertise_at = self._next_tick(now)
        else:
            self._actions.append(Advertise(*BOW_OUT))
            self._advertise_at = now + BOW_OUT_INTERVAL

    def _next_tick(self, now: float) -> float:
        """Keep the beat when a little late, so that lateness does not add up; start anew when it was missed."""
        interval = self.timing.interval(self.advskew)
        on_beat = self._advertise_at + interval
        return on_beat if now < on_beat < math.inf and self._advertise_at <= now else now + interval

    def _restart_announcements(self, now: float) -> None:
        self._announced = 0
        self._announce(now)

    def _announce(self, now: float) -> None:
        self._actions.append(Announce())
        self._announced += 1
        if self._announced < len(ANNOUNCE_AT):
            self._announce_at = now + ANNOUNCE_AT[self._announced] - ANNOUNCE_AT[self._announced - 1]
        else:
            self._announce_at = now + REFRESH_INTERVAL

    def _clear_timers(self) -> None:
        self._silence.clear()
        self._advertise_at = self._announce_at = self._hold_until = math.inf


def _order(address: Address) -> int:
    """Rank addresses as ucarp does on a little-endian host, where the last octet decides first.

    It compares the words as they stand in the packet (UCarp src/carp.c packethandler); all that matters is that both
    hosts agree.
    """
    return int.from_bytes(address.packed, "little")


def _describe(event: Event, advertisement: Advertisement, source: Address) -> str:
    rank = describe(advertisement, source)
    if event is Event.GOODBYE:
        return f"{source} says goodbye" if advertisement.is_bow_out else f"{rank}, longer than we would wait"
    return f"{rank}, which is {'better' if event is Event.SUPERIOR else 'worse'} than ours"
