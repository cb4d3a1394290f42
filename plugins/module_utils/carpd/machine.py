# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One virtual host's election: events and the time go in, actions come out.

There is no clock, no socket and no file here. The caller hands in what it received and what time it is, performs the
actions, and tells whether an advertisement really left. All times are seconds of one monotonic clock.
"""

from __future__ import annotations

import math
from typing import Union

from .packet import BOW_OUT, Address, Advertisement
from .records import dataclass
from .standing import Standing, demoted_skew
from .transitions import TRANSITIONS, Event, Reaction, State

# The kernel counts a lease in whole seconds and ends it up to half a second late (measured on Linux 6.18: 0.49 s).
LEASE_LATENESS = 0.5
# A master renews its lease with its advertisements; this much earlier than it could end.
LEASE_MARGIN = 0.25
RENEWALS = 4  # below one second not with every one, but so often in the time of a lease: each costs the kernel work
# How long a leaving master waits for its successor. A stock ucarp reads a packet up to 1 s late (its libpcap timeout).
HOLD_TIME = 2.0
BOW_OUT_INTERVAL = 0.25  # while it waits, it repeats the goodbye: the first may have been lost
# When addresses are announced after a takeover; then at REFRESH_INTERVAL, for whoever missed it. The early ones are for
# a stock ucarp: as it yields it announces the address a last time, about a millisecond after we did.
ANNOUNCE_AT = (0.0, 0.002, 0.01, 0.05, 0.2, 1.0, 2.0, 5.0)
REFRESH_INTERVAL = 30.0
# After a goodbye, or where a worse host is master, the best backup should be first: each step of advskew waits so long.
HURRY_STEP = 0.0001
# For so many of its intervals after its last advertisement, a better master counts for more than a worse one's claim.
FRESH = 1.5
# At most so often in one interval a master answers others that think to be master, too.
REASSERTIONS = 20
# So long after the kernel refused the addresses, not even a sicker master is taken over from.
REFUSAL_TIME = 30.0


@dataclass(frozen=True)
class Timing:
    """How often a host advertises and how long it waits for others.

    advbase is in seconds (0..255), advskew in 1/256 s (0..254), dead_ratio a number of intervals (2 or more).
    """

    advbase: int
    advskew: int
    dead_ratio: int = 3

    @property
    def lease(self) -> int:
        """For how many whole seconds the kernel may keep an address that nobody renews.

        With advbase 1 or more it ends before a peer's patience does. Below one second that cannot be: it is then 1 s.
        """
        return max(1, math.floor(self.dead_ratio * self.advbase - LEASE_LATENESS))

    def interval(self, advskew: int) -> float:
        """Return the time between advertisements in seconds, never so long that the lease could end between them."""
        return min(self.advbase + advskew / 256, self.lease - LEASE_MARGIN)

    def patience(self, master_interval: float, demotion: int = 0) -> float:
        """Return how many seconds of silence mean that the master is gone.

        From one second on as ucarp and FreeBSD count (carp_setrun): dead_ratio times the own advbase, plus the own
        skew. With advbase 0 the intervals that the master promised count, plus at most a fifth of one by skew: ucarp's
        rule would leave one single interval there, and flaps. Whoever is demoted waits longer: of two backups, the
        healthier one shall be first.
        """
        skew = demoted_skew(self.advskew, demotion) / 256
        if self.advbase:
            return self.dead_ratio * self.advbase + skew
        return master_interval * (self.dead_ratio + skew / 5)


@dataclass(frozen=True)
class Advertise:
    """Send an advertisement with these values, then call ``sent``."""

    advbase: int
    advskew: int
    demotion: int = 0


@dataclass(frozen=True)
class Hold:
    """Add the addresses, or renew their lease, for this many seconds."""

    lease: int


@dataclass(frozen=True)
class Release:
    """Remove the addresses."""


@dataclass(frozen=True)
class Announce:
    """Tell the segment where the addresses are now."""


@dataclass(frozen=True)
class Changed:
    """The state has changed; for the log and whoever watches."""

    old: State
    new: State
    reason: str


Action = Union[Advertise, Hold, Release, Announce, Changed]


@dataclass(frozen=True)
class Heard:
    """The last advertisement of another master."""

    source: Address
    advbase: int
    advskew: int
    demotion: int
    superior: bool
    at: float

    @property
    def interval(self) -> float:
        """The promised time between its advertisements, in seconds."""
        return self.advbase + self.advskew / 256

    def is_fresh(self, now: float) -> bool:
        """Tell whether this is a better host than we are, and surely still master."""
        return self.superior and now - self.at < FRESH * self.interval


class Machine:
    """The election of one virtual host.

    Feed it with ``received``, ``event``, ``due`` and ``sent``; after each, perform ``actions()`` in their order and
    come back by ``next_timer()``. Packets that have already arrived go in before ``due`` is called, so that a host that
    was late itself does not take a silence for real that never was.
    """

    def __init__(self, timing: Timing, preempt: bool, now: float) -> None:
        self.timing = timing
        self.preempt = preempt
        self.state = State.INIT
        self.since = now
        self.transitions = 0
        self.reason = "starting"
        self.master: Heard | None = None
        self.yielding = False  # stepped down: does not preempt until it has been master again
        self.fault = ""  # why this host must not be master, if so
        self._actions: list[Action] = []
        self._clear_timers()
        self._listening_since = now
        self._announced = 0
        self._left_at = now  # when our last advertisement really left
        self._promised = timing.interval(timing.advskew)  # and when that said the next one would come
        self._held_at = -math.inf  # when the lease began
        self._reasserted_at = -math.inf
        self._refused_at = -math.inf  # when the kernel refused the addresses
        self._standing = Standing()

    @property
    def advskew(self) -> int:
        """The skew that is advertised and compared: the configured one and what demotes this host."""
        return demoted_skew(self.timing.advskew, self.demotion)

    @property
    def demotion(self) -> int:
        """The sum of all that makes this host a worse master than it is configured to be, 0 to 255."""
        return self._standing.demotion

    def actions(self) -> list[Action]:
        """Return what is to be done now, and forget it."""
        actions, self._actions = self._actions, []
        return actions

    def next_timer(self) -> float:
        """Return when ``due`` wants to be called; infinity if never."""
        return min(self._silent_at, self._advertise_at, self._announce_at, self._hold_until, self._unheard_at())

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
            return  # among several hosts, one that is leaving, or about to learn of the better master as well
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
        self._apply(event, now, reason)
        if event is Event.UP and self.fault:
            self._apply(Event.FAULT, now, self.fault)

    def demote(self, demotion: int, doubts: int, now: float) -> None:
        """Take in by how much the checks demote this host, and by how much more they may soon.

        A master tells of it at once, so that a better host takes over without waiting for the next advertisement.
        """
        self._notice_pause(now)
        if self._standing.judge(demotion, doubts) and self.state is State.MASTER:
            self._advertise(now)

    def due(self, now: float) -> None:
        """Do what the time has come for."""
        self._notice_pause(now)
        if now >= self._silent_at:
            heard_nothing = f"no advertisement for {now - self._listening_since:.3f} s"
            self._apply(Event.SILENCE, now, self._hurried_by or heard_nothing)
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
            if self.state is State.MASTER and now - self._held_at >= self.timing.lease / RENEWALS:
                self._hold(now)
        self._standing.sent(ok, now)

    def reconfigure(self, timing: Timing, preempt: bool, now: float) -> None:
        """Change timing and policy in place, whatever the state, without giving anything up."""
        self.timing, self.preempt = timing, preempt
        self._held_at = -math.inf
        if self.state is State.MASTER:
            self._advertise(now)
        elif self.state is State.BACKUP:
            self._react(Reaction.LISTEN, now, self.reason)

    def _apply(self, event: Event, now: float, reason: str) -> None:
        old = self.state
        self.state, reactions = TRANSITIONS[old, event]
        if self.state is not old:
            self._actions.append(Changed(old, self.state, reason))
            self.since, self.reason = now, reason
            self.transitions += 1
            if not (old.leaves and self.state.leaves):  # whoever leaves has one deadline, whatever comes in between
                self._clear_timers()
            if self.state is State.MASTER:
                self.master = None
                self.yielding = False
        for reaction in reactions:
            self._react(reaction, now, reason)

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
        return Event.INFERIOR if sicker or (self.preempt and not self.yielding) else Event.TOLERATED

    def _rank_if(self, demotion: int) -> tuple[int, int, int]:
        """Return what hosts compare, the lowest first, if this one is demoted so much."""
        return demotion, self.timing.advbase, demoted_skew(self.timing.advskew, demotion)

    def _react(self, reaction: Reaction, now: float, reason: str) -> None:
        if reaction is Reaction.CLAIM:
            # Announced before it is advertised: the old master keeps answering until it hears the advertisement.
            self._hold(now)
            self._restart_announcements(now)
            self._left(now)
            self._advertise(now)
        elif reaction is Reaction.REASSERT:
            if self._reasserted_at <= now:  # else it is about to
                earliest = self._reasserted_at + self.timing.interval(self.advskew) / REASSERTIONS
                self._reasserted_at = self._advertise_at = self._announce_at = max(now, earliest)
                self._announced = 0
        elif reaction is Reaction.ANSWER:
            self._actions.append(self._advertisement())
        elif reaction is Reaction.RESTORE:
            if self.state is State.MASTER:
                self._held_at = -math.inf
                self._advertise(now)  # and when it has left, the lease is renewed: never without
            else:
                self._hold(now)
            self._announced, self._announce_at = 0, now
        elif reaction is Reaction.BOW_OUT:
            self._actions.append(Advertise(*BOW_OUT))
        elif reaction is Reaction.HOLD:
            self._hold(now)
            self._hold_until = now + min(HOLD_TIME, self.timing.lease)
            self._advertise_at = now + BOW_OUT_INTERVAL
        elif reaction is Reaction.RELEASE:
            self._actions.append(Release())
        elif reaction is Reaction.LISTEN:
            interval = self.master.interval if self.master else self.timing.interval(self.advskew)
            self._listening_since, self._hurried_by = now, ""
            self._silent_at = now + self.timing.patience(interval, self.demotion)
        elif reaction is Reaction.HURRY:
            self._hurried_by = reason
            self._silent_at = min(self._silent_at, now + HURRY_STEP * self.advskew)
        elif reaction is Reaction.YIELD:
            self.yielding = True

    def _notice_pause(self, now: float) -> None:
        """Give up mastership after a pause, or failed sends, so long that a peer may have taken over."""
        if not self.state.holds:
            self._standing.forgive(now)
        if now >= self._unheard_at():
            self._standing.unheard(now)
            unheard = f"no advertisement of ours left for {now - self._left_at:.1f} s: another host may have taken over"
            self._apply(Event.UNHEARD, now, unheard)

    def _unheard_at(self) -> float:
        """Return when the most impatient peer would take over from us, if we are master."""
        if self.state is not State.MASTER:
            return math.inf
        return self._left_at + self.timing.dead_ratio * (self.timing.advbase or self._promised)

    def _left(self, now: float) -> None:
        self._left_at, self._promised = now, self.timing.interval(self.advskew)

    def _hold(self, now: float) -> None:
        self._actions.append(Hold(self.timing.lease))
        self._held_at = now

    def _advertisement(self) -> Advertise:
        return Advertise(self.timing.advbase, self.advskew, self.demotion)

    def _advertise(self, now: float) -> None:
        if self.state is State.MASTER:
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
        self._silent_at = self._advertise_at = self._announce_at = self._hold_until = math.inf
        self._hurried_by = ""


def _order(address: Address) -> int:
    """Rank addresses as ucarp does on a little-endian host, where the last octet decides first.

    It compares the words as they stand in the packet (UCarp src/carp.c packethandler); all that matters is that both
    hosts agree.
    """
    return int.from_bytes(address.packed, "little")


def _describe(event: Event, advertisement: Advertisement, source: Address) -> str:
    rank = f"{source} advertises {advertisement.advbase}+{advertisement.advskew}/256 s"
    if event is Event.GOODBYE:
        return f"{source} says goodbye" if advertisement.is_bow_out else f"{rank}, longer than we would wait"
    demoted = f" and is demoted by {advertisement.demotion}" if advertisement.demotion else ""
    return f"{rank}{demoted}, which is {'better' if event is Event.SUPERIOR else 'worse'} than ours"
