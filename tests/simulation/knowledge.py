# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one host has been told, and what it may and must do because of that, by the rules and not by its own code."""

from __future__ import annotations

import math

from carpd.machine import HURRY_STEP, REFUSAL_TIME
from carpd.packet import BOW_OUT, Address, Advertisement
from carpd.standing import SEND_ERROR_DEMOTION, SEND_PENALTY_TIME, demoted_skew
from carpd.timing import LEASE_LATENESS, LEASE_MARGIN
from carpd.transitions import State
from host import Host

_FRESH = 1.5  # of its intervals, in which a better master counts for more than a worse one's claim
_MOMENT = 0.01  # seconds: two clocks may differ by so much about one moment
_NEVER = -math.inf

Rank = tuple[int, int, int]


class Knowledge:
    """Is told whatever its host is told. Times are those of the world, but where a host's own clock is meant."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.begin()

    def begin(self) -> None:
        """Know nothing: the daemon is new."""
        self.may_rise = False
        self.rises_by = math.inf  # when it must be master, unless something else happens first
        self.why = ""
        self.counts_from, self.interval = _NEVER, 0.0  # since when there has been silence, and what was promised
        self._heard_at = _NEVER
        self._better: tuple[Address, float, float] | None = None
        self._perhaps_better = self._better  # than it was just then, since its sends failed; which it knows better
        self._penalised_at = _NEVER  # by the host's clock
        self._tied_until = _NEVER
        self._demoted = (_NEVER, 0)  # when it was told of another demotion last, and by how much it was before

    def listen(self, now: float) -> None:
        """Take note that it is a backup from now on."""
        own = self._host.vip
        lease = max(1, math.floor(own.dead_ratio * own.advbase - LEASE_LATENESS))
        # A master advertises before its lease ends, however bad it is.
        told_at, before = self._demoted  # what it is told after a pause comes after what it notices of the pause
        demotion = min(before, self._host.known_demotion) if told_at == now else self._host.known_demotion
        interval = own.advbase + demoted_skew(own.advskew, demotion) / 256
        interval = min(interval, lease - LEASE_MARGIN)
        self.counts_from, self.interval = now, min(interval, self.interval or interval)
        # By what it hears it may find out at first that it was away, and has to be backup.
        self.may_rise, self.rises_by = self.may_rise and self._heard_at == now, math.inf

    def became_master(self) -> None:
        """Take note that it is master: what was before does not count any more."""
        self.rises_by, self._better, self._penalised_at = math.inf, None, _NEVER

    def penalise(self) -> None:
        """Take note that it could not be heard as master, since it could not send."""
        self._penalised_at = self._host.clock()

    def demoted(self, before: int, now: float) -> None:
        """Take note that it has just been told of another demotion, and by how much it was demoted before."""
        told_at, least = self._demoted
        self._demoted = now, min(before, least) if told_at == now else before
        self.forget_haste()

    def forget_haste(self) -> None:
        """Take note of something because of which it need not rise as soon as it had to."""
        self.rises_by = math.inf

    def hears(self, said: Advertisement, source: Address, now: float) -> bool:
        """Take in an advertisement that counts, and return whether it is of a better host or an equal one."""
        self._heard_at = now
        host = self._host
        ours, theirs = self._rank(host.known_demotion), (said.demotion, said.advbase, said.advskew)
        too_slow = 0 < host.vip.dead_ratio * host.vip.advbase < said.interval
        goodbye = (said.advbase, said.advskew) == BOW_OUT or too_slow
        if not goodbye and theirs <= ours:
            self._better = (source, now, said.interval)
            # Of an equal host, who has the address knows itself whether it wins the tie, and then forgets the other.
            self._tied_until = now + _FRESH * said.interval if theirs == ours and self._holds() else _NEVER
            self._restrain(said, now)
            return True
        if not goodbye:
            impaired = self._is_impaired() and theirs <= self._rank(min(255, host.known_demotion + SEND_ERROR_DEMOTION))
            self._perhaps_better = (source, now, said.interval) if impaired else self._perhaps_better
        if self._is_fresh(self._better, source, now):
            self.may_rise |= goodbye and now < self._tied_until
            # Another one is about to learn of the better host, too, as long as there is time for that.
            patience = host.vip.dead_ratio * (host.vip.advbase or self.interval)
            if not goodbye and now + said.interval > self.counts_from + patience - _MOMENT:
                self.may_rise |= self._perhaps_may(said) and not self._is_penalised_below(theirs)
            return False
        self._better = None
        if goodbye and self._is_fresh(self._perhaps_better, source, now):
            self.may_rise, self.rises_by = True, math.inf
        elif goodbye:
            self._hurry("it has heard a goodbye", now)
        elif self._fears_as_much(theirs) or self._is_penalised_below(theirs):
            self._restrain(said, now)
        elif self._surely_may(said):
            self._hurry("it has heard a worse host", now)
        elif self._perhaps_may(said):
            self.may_rise, self.rises_by = True, math.inf
        else:
            self._restrain(said, now)
        return False

    def _holds(self) -> bool:
        return self._host.speaker is not None and self._host.speaker.machine.state.holds

    def _is_fresh(self, better: tuple[Address, float, float] | None, source: Address, now: float) -> bool:
        """Whether another one than the source was heard just now, and is better."""
        return better is not None and source != better[0] and now - better[1] < _FRESH * better[2]

    def _restrain(self, said: Advertisement, now: float) -> None:
        self.may_rise, self.rises_by = False, math.inf
        self.counts_from, self.interval = now, said.interval

    def _hurry(self, why: str, now: float) -> None:
        self.may_rise, self.why = True, why
        self.rises_by = now + HURRY_STEP * 255 + _MOMENT if self._is_free() else math.inf

    def _is_free(self) -> bool:
        machine = self._host.speaker.machine if self._host.speaker else None
        return machine is not None and machine.state is State.BACKUP and not machine.impaired

    def _is_impaired(self) -> bool:
        return self._host.speaker is not None and self._host.speaker.machine.impaired

    def _rank(self, demotion: int) -> Rank:
        vip = self._host.vip
        return demotion, vip.advbase, demoted_skew(vip.advskew, demotion)

    def _fears_as_much(self, theirs: Rank) -> bool:
        host = self._host
        return theirs <= self._rank(min(255, host.known_demotion + host.verdict.doubts))

    def _is_penalised_below(self, theirs: Rank) -> bool:
        if self._host.clock() - self._penalised_at >= SEND_PENALTY_TIME - _MOMENT:
            return False
        return theirs <= self._rank(min(255, self._host.known_demotion + SEND_ERROR_DEMOTION))

    def _settled_for(self) -> float:
        return self._host.clock() - self._host.unsettled_at

    def _has_rights(self) -> bool:
        """Whether it takes over from one that is no sicker, if it has been sound for long enough."""
        host = self._host
        return host.vip.preempt and not host.stepped_down and not host.known_demotion

    def _surely_may(self, said: Advertisement) -> bool:
        host = self._host
        is_called = said.demotion > host.known_demotion or host.promoted
        if is_called and host.world.now - host.refused_at > REFUSAL_TIME + _MOMENT:
            return True
        settled = self._settled_for() > host.vip.stable_for + _MOMENT or not host.vip.stable_for
        yielding = host.speaker is not None and host.speaker.machine.yielding  # also since the kernel refused
        return self._has_rights() and not yielding and settled

    def _perhaps_may(self, said: Advertisement) -> bool:
        host = self._host
        if said.demotion > host.known_demotion or host.promoted:
            return True
        settled = self._settled_for() > host.vip.stable_for - _MOMENT
        # Failed sends may have put it back, which it knows better.
        return self._has_rights() and settled
