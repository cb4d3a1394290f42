# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The promises, checked after every step of every schedule.

Beside a peer of another kind only those count that are ours to keep: an address that a killed ucarp leaves behind is
not held against us.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from broken import EARLY, Broken
from carpd.actions import Changed
from carpd.digest import Digest
from carpd.machine import BOW_OUT_INTERVAL, HOLD_TIME, REFUSAL_TIME
from carpd.packet import Address, Advertisement, Datagram
from carpd.standing import MOST_DEMOTION, SEND_ERROR_DEMOTION, SEND_PENALTY_TIME, WORST_SKEW, demoted_skew
from carpd.transitions import Event, State
from computer import Computer
from host import KERNEL_LATENESS, STAND_IN, Host, Watcher
from knowledge import Knowledge
from parting import Parting
from peer import Peer
from segment import Segment
from world import World

LATE = 0.1
_ANNOUNCEMENTS = 4, 1.5  # so many in so many seconds after a takeover, at least
RECENT = 6.0  # faults that are less apart may add up
UNJUST = 3.0  # seconds for which the wrong host may be master while nothing else happens


class Promises(Watcher):
    """Watches a world and raises Broken as soon as a promise is not kept.

    ``patient`` is after how many seconds without a new fault everything must be in order. ``skeptical`` says that not
    every packet can be taken for authentic.
    """

    def __init__(
        self,
        world: World,
        segment: Segment,
        hosts: Sequence[Host],
        peers: Sequence[Peer],
        patient: float,
        skeptical: bool,
    ) -> None:
        hosts = [host for host in hosts if host.segment is segment]
        self._world = world
        self._segment = segment
        self._hosts = hosts
        self._peers = peers
        self._everyone: list[Computer] = [*hosts, *peers]
        self._patient = patient
        vip = hosts[0].vip
        # In parts of a second no lease can be, and the kernel is late: then no patience of a peer is longer.
        self._lease = max(float(vip.dead_ratio * vip.advbase), 1 + KERNEL_LATENESS)
        self._exchange = 4 * segment.longest_delay  # two packets there, two back, at their slowest
        # The most demoted host waits longest. Below a second patience follows the master's interval, and may have to
        # wait for the end of its lease.
        worst = WORST_SKEW / 256
        patience = vip.dead_ratio * vip.advbase + worst if vip.advbase else (vip.dead_ratio + 1) * worst + self._lease
        self._takeover_time = patience + self._exchange + LATE
        # As long as the kernel would keep the address by itself at least.
        self._holds = min(HOLD_TIME, max(1, math.ceil(vip.dead_ratio * vip.advbase - 1)))
        self._recent = max(RECENT * vip.advbase, 2 * self._lease)
        self._interval = max(_interval(one.vip.advbase, one.vip.advskew) for one in (*hosts, *peers))
        self._together: dict[tuple[Computer, Computer], float] = {}
        self._unjust: dict[tuple[str, Computer, Computer], float] = {}
        self._insane_at = dict.fromkeys(peers, 0.0)
        self._network_trouble = 0.0
        self._any_trouble = 0.0
        self._troubles: list[float] = []
        # What was sent with a counter, and how many were used before.
        self._counters: dict[tuple[Address, int], tuple[int, Advertisement, float]] = {}
        self._knowledge = {host: Knowledge(host) for host in hosts}
        self._latest: dict[Host, tuple[Advertisement, Address]] = {}
        self._last_heard: dict[tuple[Host, Address], tuple[Advertisement, float]] = {}
        self._newest: dict[tuple[Host, Address], int] = {}
        self._suspects: dict[Host, bool] = {}  # whether what it hears just now cannot be genuine
        self._goodbye_owed: dict[Host, float] = {}
        self._word_owed: dict[Host, float] = {}  # since when it has not told of another demotion
        self._unsent: dict[Host, bool] = {}  # whether it could not send last
        self._bare_since: dict[Host, float] = {}
        self._holding: set[Host] = set()
        self._impaired_since: dict[Host, float] = {}  # by its own clock
        self._risen: dict[Host, tuple[float, int]] = {}  # when it became master, and announcements since
        self._must_yield: dict[Host, Datagram] = {}
        self._excused_at: dict[Host, float] = {}  # when it last advertised, or had a reason not to
        self._leaves_since: dict[Host, float] = {}
        self._owned_since: dict[Host, float] = {}
        self._left_at: dict[Host, float] = {}
        self._heard_until: dict[Host, float] = {}  # or since when it owes to be heard; by its own clock
        self._unowned_since = math.inf
        self._promised: dict[Host, float] = {}  # and what interval it promised
        self._owes_announcement: dict[Computer, float] = {}
        self._demotions: list[int] = []
        self.slowest_netlink = 0.0
        self._skeptical = skeptical
        self._digests: dict[tuple[object, ...], Digest] = {}
        self._parting = Parting(world)
        self._moved: dict[Computer, float] = {}  # when it became master last
        self._gave_way: dict[Computer, float] = {}
        for host in hosts:
            host.watcher = self
        for peer in peers:
            peer.promoted = self._note_move

    def trouble(self, network: bool) -> None:
        """Take note of a fault that begins or ends now; ``network`` if hosts may not hear each other because of it."""
        now = self._any_trouble = self._world.now
        self._troubles = [moment for moment in self._troubles if now - moment < self._recent]
        self._troubles.append(now)
        if network:
            self._network_trouble = now

    def check(self) -> None:
        """Look at the world."""
        now = self._world.now
        if self._segment.disturbed or not all(host.carrier and host.sending_works for host in self._hosts):
            self._network_trouble = self._any_trouble = now
        for peer in self._peers:
            if not peer.sane:
                self._insane_at[peer] = now
        self._one_owner(now)
        self._someone_soon(now)
        for host in self._hosts:
            if host.owns:
                self._no_ghost(host, now)
            else:
                self._owned_since.pop(host, None)
            if host.speaker is not None and host.frozen_at is None:
                self._works(host, now)
                self._parting.check(host)
        if self._owes_announcement:
            self._announces(now)
        if now - self._any_trouble > self._patient:
            self._in_order(now)
        else:
            self._unjust.clear()

    def _works(self, host: Host, now: float) -> None:
        """What a daemon that is neither dead nor frozen must do."""
        if self._must_yield:
            self._yields(host)
        if host.asked_to_end_at is not None:
            self._ends(host, host.asked_to_end_at, now)
        if host.faulty_since is not None:
            self._heeds_fault(host, host.faulty_since, now)
        state = host.speaker.machine.state if host.speaker else State.ENDED
        if state.holds:
            if host not in self._holding:
                self._holding.add(host)
                self._excused_at.pop(host, None)
            self._restores(host, now)
            if host in self._risen:
                self._announces_takeover(host, *self._risen[host], now)
            self._says_so(host, now)
            self._on_time(host, now)
        elif host in self._holding:
            self._holding.discard(host)
            for memory in (self._bare_since, self._goodbye_owed, self._word_owed, self._risen, self._excused_at):
                memory.pop(host, None)
        if state is State.BACKUP:
            if now > self._knowledge[host].rises_by:
                self._is_prompt(host, now)
            self._forgives(host)
        else:
            self._impaired_since.pop(host, None)

    def _is_prompt(self, host: Host, now: float) -> None:
        knowledge = self._knowledge[host]
        machine = host.speaker.machine if host.speaker else None
        if host.busy or not host.running or machine is None or machine.state is not State.BACKUP:
            knowledge.forget_haste()
        elif host.thawed_at < knowledge.rises_by - 2 * LATE:
            raise Broken("prompt", f"{host.name} is still backup, though {knowledge.why}")

    def _can_speak(self, host: Host) -> bool:
        return host.running and host.carrier and host.sending_works and not host.busy

    def _restores(self, host: Host, now: float) -> None:
        leaves = host.speaker is not None and host.speaker.machine.state.leaves
        if (
            not (host.is_master or leaves)
            or host.holds
            or not self._can_speak(host)
            or host.refuses
            or self._unsent.get(host)
        ):
            self._bare_since.pop(host, None)
        elif now - max(self._bare_since.setdefault(host, now), host.thawed_at) > EARLY:
            raise Broken("restore", f"{host.name} is master and has not had the address for a while")

    def _announces_takeover(self, host: Host, since: float, count: int, now: float) -> None:
        if not host.is_master or not self._can_speak(host) or host.thawed_at > since or host.slow_at > since:
            del self._risen[host]
        elif count < 1 and now - since > EARLY:
            raise Broken("announce", f"{host.name} is master and has not announced the address")
        elif now - since > _ANNOUNCEMENTS[1]:
            del self._risen[host]
            if count < _ANNOUNCEMENTS[0]:
                raise Broken("announce", f"{host.name} has announced the address only {count} times")

    def _forgives(self, host: Host) -> None:
        machine = host.speaker.machine if host.speaker else None
        if machine is None or not machine.impaired or machine.state is not State.BACKUP or not host.running:
            self._impaired_since.pop(host, None)
            return
        clock = host.clock()
        if clock - self._impaired_since.setdefault(host, clock) > SEND_PENALTY_TIME + self._takeover_time:
            raise Broken("penalty", f"{host.name} is still demoted because it once could not send")

    def _says_so(self, host: Host, now: float) -> None:
        if not self._can_speak(host):
            self._goodbye_owed.pop(host, None)
            self._word_owed.pop(host, None)
            return
        machine = host.speaker.machine if host.speaker else None
        leaves = machine is not None and machine.state.leaves
        if host in self._goodbye_owed:
            since = max(self._goodbye_owed[host], host.thawed_at, host.slow_at)
            if not leaves:
                del self._goodbye_owed[host]
            elif now > since + EARLY:
                raise Broken("handover", f"{host.name} is about to let go, and does not say so")
        if host in self._word_owed:
            if not host.is_master:
                del self._word_owed[host]
            elif now > max(self._word_owed[host], host.thawed_at, host.slow_at) + EARLY:
                raise Broken("truth", f"{host.name} does not tell that it is demoted by {host.known_demotion} now")

    def _one_owner(self, now: float) -> None:
        """I1 and the first half of I4."""
        owners = [one for one in self._everyone if one.owns]
        if len(owners) < 2 and not self._together:
            return
        pairs = set(itertools.combinations(owners, 2))
        for pair in list(self._together):
            if pair not in pairs:
                del self._together[pair]
                self._settled(pair, now)
        for one, other in pairs:
            if not isinstance(one, Host) or (isinstance(other, Host) and _identity(one) != _identity(other)):
                continue  # both are peers, or they cannot know that they are meant to be a pair
            since = self._together.setdefault((one, other), now)
            bound = self._exchange + 2 * self.slowest_netlink
            # When two things coincide, the lease is what bounds how long a dead or deaf host can hold on.
            unheard = now - self._network_trouble < self._recent
            if unheard or len(self._troubles) >= 2 or self._died_unheard(one, other):
                bound += self._lease
            since = max(since, *(self._was_loading(host, now) for host in (one, other) if isinstance(host, Host)))
            if isinstance(other, Peer):
                since = max(since, self._insane_at[other])
                bound += other.slowness + self._interval
            if now > max(since, self._network_trouble + self._interval) + bound:
                raise Broken("I1", f"{one.name} and {other.name} both own the address, for {now - since:.3f} s now")

    def _was_loading(self, host: Host, now: float) -> float:
        """When it was last about to replace its program, which hears nobody for no longer than its guard stands in."""
        return min(now if host.loading else host.loaded_at, host.replaced_at + STAND_IN * self._lease)

    def _died_unheard(self, one: Computer, other: Computer) -> bool:
        """Whether one of them stopped working in the very moment in which the other took over from it."""
        for dead, heir in ((one, other), (other, one)):
            gone = (dead.died_at if dead.speaker is None else dead.frozen_at) if isinstance(dead, Host) else None
            if gone is not None and abs(gone - self._moved.get(heir, -math.inf)) < self._exchange:
                return True
        return False

    def _note_move(self, one: Computer) -> None:
        self._moved[one] = self._world.now

    def _settled(self, pair: tuple[Computer, Computer], now: float) -> None:
        left = [one for one in self._everyone if one.owns]
        if len(left) == 1 and left[0] in pair:
            loser = pair[0] if left[0] is pair[1] else pair[1]
            if now - self._gave_way.get(loser, -math.inf) <= self._exchange:
                self._owes_announcement[left[0]] = now

    def _announces(self, now: float) -> None:
        """The second half of I4."""
        for host, since in list(self._owes_announcement.items()):
            if (
                not (isinstance(host, Host) and host.running and host.is_master)
                or host.busy
                or self._any_trouble >= since
            ):
                del self._owes_announcement[host]
            elif now - since > self._interval + self._exchange:
                raise Broken("I4", f"{host.name} is the only owner again and has not announced the address since")

    def announced(self, host: Host) -> None:
        """Take note of an announcement."""
        self._owes_announcement.pop(host, None)
        if host in self._risen:
            since, count = self._risen[host]
            self._risen[host] = since, count + 1

    def _no_ghost(self, host: Host, now: float) -> None:
        """I3."""
        since = max(self._owned_since.setdefault(host, now), self._left_at.get(host, 0.0), host.thawed_at)
        if now - since > self._lease + self.slowest_netlink + EARLY:
            raise Broken("I3", f"{host.name} owns the address, and nothing of it was heard for {now - since:.3f} s")

    def _someone_soon(self, now: float) -> None:
        """I2, soon after the last fault: when somebody's patience must have ended."""
        able = [host for host in self._hosts if self._is_able(host)]
        if not able or any(one.owns for one in self._everyone):
            self._unowned_since = math.inf
            return
        self._unowned_since = min(self._unowned_since, now)
        quiet = now - max(self._unowned_since, self._any_trouble)
        # What an attacker sends is opposition, which makes an answer to the last question count for a whole patience.
        if quiet > self._takeover_time:
            raise Broken("I2", f"{able[0].name} could own the address, and nobody has for {quiet:.3f} s")

    def _is_able(self, host: Host) -> bool:
        return host.running and host.faulty_since is None and not host.refuses

    def _ends(self, host: Host, asked: float, now: float) -> None:
        late = now - max(asked, host.thawed_at, host.drained_at) - HOLD_TIME - LATE - 2 * self.slowest_netlink
        if late > 0 and host.running:
            raise Broken("end", f"{host.name} was asked to end {now - asked:.1f} s ago")

    def _heeds_fault(self, host: Host, since: float, now: float) -> None:
        late = now - max(since, host.thawed_at, host.drained_at) - HOLD_TIME - LATE - 2 * self.slowest_netlink
        if late > 0 and host.running and host.owns:
            raise Broken("health", f"{host.name} owns the address and must not, for {now - since:.1f} s now")

    def _yields(self, host: Host) -> None:
        if host in self._must_yield and not host.busy:
            datagram = self._must_yield.pop(host)
            if host.running and (host.is_master or host.holds):
                raise Broken("yield", f"{host.name} has heard {datagram.source}, which is better, and stays master")

    def _on_time(self, host: Host, now: float) -> None:
        """I6, as far as the election answers for it; what else could hold it up is not simulated."""
        leaves = host.speaker is not None and host.speaker.machine.state.leaves
        if not (host.is_master or leaves):
            self._excused_at.pop(host, None)
            return
        if not (host.running and host.carrier and host.sending_works) or host.busy:
            self._excused_at[host] = now
            return
        silence = now - max(self._excused_at.setdefault(host, now), host.thawed_at) - EARLY
        if leaves:
            if silence > BOW_OUT_INTERVAL:
                raise Broken("handover", f"{host.name} is about to let go, and has not said so for {silence:.3f} s")
            return
        if silence > self._promised.get(host, 0.0) and silence > _interval(host.vip.advbase, _rank(host)[2]):
            raise Broken("I6", f"{host.name} is master and has not advertised for {silence:.3f} s")

    def _in_order(self, now: float) -> None:
        """What must be so in peace."""
        if self._is_demoted_anew():
            self._any_trouble = now
            self._unjust.clear()
            return
        able = [host for host in self._hosts if self._is_able(host)]
        owners = [one for one in self._everyone if one.owns and not (isinstance(one, Peer) and not one.sane)]
        if able and not owners:
            raise Broken("I2", f"after {self._patient:g} s of peace nobody owns the address")
        for owner, host in itertools.product(owners, able):
            if isinstance(owner, Host) and _identity(owner) != _identity(host):
                continue
            if isinstance(owner, Host) and owner is not host and now - host.refused_at > REFUSAL_TIME:
                self._just("health", owner, host, _rank(host)[0] < _rank(owner)[0], now)
            if (
                owner is not host
                and host.vip.preempt
                and host.speaker
                and not (host.speaker.machine.yielding or host.speaker.machine.demotion)
                and host.has_settled
            ):
                self._just("order", owner, host, _rank(host) < _rank(owner), now)

    def _is_demoted_anew(self) -> bool:
        """Whether some host is demoted more or less than before, be it by its own: that is no peace yet."""
        before, self._demotions = self._demotions, [_rank(host)[0] for host in self._hosts]
        return self._demotions != before

    def _just(self, promise: str, owner: Computer, host: Host, unjust: bool, now: float) -> None:
        case = (promise, owner, host)
        if not unjust:
            self._unjust.pop(case, None)
        elif now - self._unjust.setdefault(case, now) > UNJUST:
            raise Broken(promise, f"{owner.name} owns the address, and {host.name} is better")

    def changed(self, host: Host, change: Changed) -> None:
        """Check calm and I5."""
        now = self._world.now
        if self._is_demoted_anew():
            self._any_trouble = now
        knowledge = self._knowledge[host]
        if change.new is State.MASTER and not change.old.advertises:
            self._note_move(host)
            self._risen[host] = now, 0
        elif change.old.advertises and change.new is State.BACKUP:
            self._gave_way[host] = now
            if "better" in change.reason:
                self._gives_way_to_a_better(host)
        if change.new.holds and not change.old.holds:
            self._heard_until[host] = host.clock()
        if change.new.leaves and not change.old.leaves:
            self._leaves_since[host] = now
        elif change.old.leaves and not change.new.holds:
            self._hands_over(host, now)
        mad_at = max(self._insane_at.values(), default=-math.inf)
        # Whom its kernel does not give the address tries again whenever nobody else has it.
        if now - max(self._any_trouble, mad_at) > self._patient + UNJUST and not host.refuses:
            raise Broken("calm", f"{host.name} turns from {change.old.value} to {change.new.value}")
        if change.old is State.BACKUP and change.new is State.MASTER:
            if not knowledge.may_rise:
                patience = host.vip.dead_ratio * (host.vip.advbase or knowledge.interval)
                silence = now - knowledge.counts_from
                if silence < patience - EARLY * min(1.0, patience):
                    raise Broken("I5", f"{host.name} becomes master {silence:.3f} s after it heard that it should not")
                self._asks(host, now)
            if host.put_off and now - host.refused_at < REFUSAL_TIME and "worse" in change.reason:
                raise Broken("refusal", f"{host.name} takes over {now - host.refused_at:.3f} s after that")
        if change.old.advertises and not change.new.advertises:
            self._leaves_in_order(host, change, now)
        self._parting.changed(host, change)
        if change.new is State.MASTER:
            knowledge.became_master()
        elif change.new is State.BACKUP:
            knowledge.listen(now)

    def _leaves_in_order(self, host: Host, change: Changed, now: float) -> None:
        if change.new.leaves:
            self._goodbye_owed[host] = now
        elif change.new in (State.ENDED, State.FAULTY) or change.reason == Event.STEP_DOWN.value:
            raise Broken("handover", f"{host.name} lets go at once, and waits for nobody: {change.reason}")
        elif change.new is State.BACKUP and self._was_unheard(host):
            self._knowledge[host].penalise()

    def _was_unheard(self, host: Host) -> bool:
        """Whether it failed to send for so long that a peer may have taken over.

        Three failures in a row demote it as well; but since when, it knows better.
        """
        patience = host.vip.dead_ratio * host.vip.advbase
        return bool(patience) and self._unsent.get(host, False) and host.clock() - self._heard_until[host] > patience

    def _asks(self, host: Host, now: float) -> None:
        """Nobody takes over by silence from a host that still has the address, and would say so if it were asked."""
        knowledge = self._knowledge[host]
        silence, lease = now - knowledge.counts_from, max(1.0, host.vip.dead_ratio * host.vip.advbase)
        patience = host.vip.dead_ratio * (host.vip.advbase or knowledge.interval)
        settled = max(self._network_trouble, host.thawed_at) + 2 * patience + self._exchange
        if silence > lease or now < settled:
            return  # somebody may answer for an address that nobody has any more
        for owner in self._hosts:
            since = max(self._owned_since.get(owner, math.inf), owner.thawed_at)
            asked = owner is not host and _identity(owner) == _identity(host) and now > since + patience
            if asked and owner.owns and owner.answers and host.answers:
                raise Broken("I5", f"{host.name} becomes master, and {owner.name} still answers for the address")

    def _hands_over(self, host: Host, now: float) -> None:
        since = self._leaves_since.get(host, now)
        disturbed = max(self._network_trouble, host.thawed_at, host.refused_at) > since - self._recent
        heir = any(one.owns for one in self._everyone if one is not host)
        if not disturbed and not heir and now - since < self._holds - EARLY:
            raise Broken("handover", f"{host.name} lets go after {now - since:.3f} s, and nobody else has the address")

    def _gives_way_to_a_better(self, host: Host) -> None:
        said, source = self._latest[host]
        theirs, ours = (said.demotion, said.advbase, said.advskew), _rank(host)
        version = min(host.sources)
        own = host.sources[version]
        # As ucarp ranks them: the last octet decides first.
        loses = source.version == version and source.packed[::-1] < own.packed[::-1]
        if theirs > ours or (theirs == ours and not loses):
            raise Broken("yield", f"{host.name} gives way to {source}, which is not better")

    def heard(self, host: Host, datagram: Datagram) -> None:
        """Take note of what a host knows."""
        said = Advertisement.decode(datagram.payload)
        self._latest[host] = said, datagram.source
        self._suspects[host] = False
        if datagram.source in host.sources.values():
            return  # whoever sent that, it tells the host nothing
        if self._skeptical and not self._is_authentic(host, said):
            working = host.speaker.vip if host.speaker is not None else host.vip
            same = (working.vhid, working.password) == (host.vip.vhid, host.vip.password)  # what it is given may wait
            self._suspects[host] = same and said.vhid == host.vip.vhid
            return
        if host.vip.known_peers and not self._is_news(host, datagram.source, said):
            return  # which carpd can tell of its own kind
        last, at = self._last_heard.get((host, datagram.source), (None, -math.inf))
        if said == last and self._world.now - at < min(0.1, said.interval / 2):
            return  # it counts as a copy that took another path
        self._last_heard[host, datagram.source] = said, self._world.now
        self._must_yield.pop(host, None)
        better = self._knowledge[host].hears(said, datagram.source, self._world.now)
        # Failed sends may rank it lower; but that can end at any time.
        ours = (host.known_demotion, host.vip.advbase, demoted_skew(host.vip.advskew, host.known_demotion))
        if better and (said.demotion, said.advbase, said.advskew) < ours and host.is_master:
            self._must_yield[host] = datagram

    def judged(self, host: Host, refused: str | None) -> None:
        """Check trust."""
        if self._suspects.get(host) and refused is None:
            raise Broken("trust", f"{host.name} believes what it should not")

    def told(self, host: Host, event: Event) -> None:
        """Take note of what puts a host back, or makes it forget what it was about to do."""
        self._knowledge[host].forget_haste()

    def demoted(self, host: Host) -> None:
        """Take note that it has to tell of it."""
        self._knowledge[host].demoted(host.told_demotion, self._world.now)
        told, known = self._in_all(host, host.told_demotion), self._in_all(host, host.known_demotion)
        # Who begins to drain no longer says that it is to leave, if it has said so; which is not urgent.
        if host.is_master and (known > told if host.drains else known != told):
            self._word_owed[host] = self._world.now
        host.told_demotion = host.known_demotion

    @staticmethod
    def _in_all(host: Host, demotion: int) -> int:
        """What it tells of, as far as that fits in, when failed sends demote it as well."""
        impaired = host.speaker is not None and host.speaker.machine.impaired
        return min(MOST_DEMOTION, demotion + (SEND_ERROR_DEMOTION if impaired else 0))

    def started(self, host: Host) -> None:
        """Forget what an earlier daemon knew."""
        self._knowledge[host].begin()
        for key in [key for key in self._newest if key[0] is host]:
            del self._newest[key]
        for one in (self._goodbye_owed, self._word_owed, self._risen, self._unsent):
            one.pop(host, None)
        self._parting.began(host)

    def unsent(self, host: Host) -> None:
        """Take note."""
        self._unsent[host] = True

    def resumed(self, host: Host, legacy: dict[str, Any], held: bool) -> None:
        """Check that nothing was lost when a program was replaced."""
        machine = host.speaker.machine if host.speaker is not None else None
        if machine and legacy["yielding"] and not (machine.yielding or host.retired or host.is_master):
            raise Broken("restart", f"{host.name} had stepped down before its program was replaced, and forgot it")
        if (
            legacy["master"]
            and held
            and host.carrier
            and not host.refuses
            and not host.is_master
            and not host.faulty_since
        ):
            raise Broken("restart", f"{host.name} was master before its program was replaced, and is not now")

    def _is_authentic(self, host: Host, said: Advertisement) -> bool:
        identity = _identity(host)
        if identity not in self._digests:
            addresses = [address.ip for address in host.vip.addresses]
            self._digests[identity] = Digest(host.vip.password, host.vip.vhid, addresses)
        return said.vhid == host.vip.vhid and self._digests[identity].accepts(said.counter, said.mac)

    def sent(self, host: Host, packet: bytes) -> None:
        """Check I7."""
        datagram = Datagram.decode(packet)
        said = Advertisement.decode(datagram.payload)
        self._excused_at[host] = self._left_at[host] = self._world.now
        self._heard_until[host] = host.clock()
        self._unsent[host] = False
        if said.is_bow_out:
            self._goodbye_owed.pop(host, None)
        else:
            self._word_owed.pop(host, None)
            self._is_true(host, said)
            self._parting.said(host, said)
        self._promised[host] = 0.0 if said.is_bow_out else said.interval
        use = (datagram.source, said.counter)
        if use in self._counters:
            raise Broken("I7", f"{host.name} used the counter {said.counter} twice")
        self._counters[use] = len(self._counters), said, self._world.now

    def _is_true(self, host: Host, said: Advertisement) -> None:
        demotion = host.known_demotion
        if host.speaker is None or (
            said.demotion >= demotion and said.advskew >= demoted_skew(host.vip.advskew, demotion)
        ):
            return
        raise Broken("truth", f"{host.name} advertises to be demoted by {said.demotion}, and is by {demotion}")

    def _is_news(self, host: Host, source: Address, said: Advertisement) -> bool:
        """Whether one of ours sent exactly this, and the host has heard nothing from there that was sent later."""
        if all(source not in one.sources.values() for one in self._hosts):
            return True
        number, sent, at = self._counters.get((source, said.counter), (-1, None, -math.inf))
        newest = self._newest.get((host, source), -1)
        self._suspects[host] = sent != said or number < newest
        if sent != said or number <= newest:
            return False
        self._newest[host, source] = number
        if self._world.now - max(at, host.thawed_at) > self._exchange:
            # Kept back by somebody: what a host could not hear in time is news to it, and nobody can tell how old.
            self.trouble(network=True)
        return True


def _interval(advbase: int, advskew: int) -> float:
    return advbase + advskew / 256


def _identity(host: Host) -> tuple[object, ...]:
    return host.vip.vhid, host.vip.password, host.vip.addresses


def _rank(one: Computer) -> tuple[int, int, int]:
    """Return what hosts compare, the lowest first: demotion, sends that failed included, advbase and advskew."""
    if isinstance(one, Peer):
        return one.claim
    assert isinstance(one, Host)
    demotion = one.speaker.machine.demotion if one.speaker is not None else 0
    return demotion, one.vip.advbase, demoted_skew(one.vip.advskew, demotion)
