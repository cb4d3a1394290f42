# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the promises notice a broken daemon: ``python3 tests/simulation/mutants.py [--schedules N] [WORD ...]``.

Each mutant is one mistake, made in memory in the code that is simulated. Schedules are run until a promise breaks; one
that survives all of them shows what nobody would notice, and is an error. With words, only mutants that have one in
their name are tried.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import pathlib
import signal
import sys
import time
from typing import Any, Callable, NamedTuple

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "plugins" / "module_utils"))

from carpd import drain, groups, machine, standing, timing, trust
from carpd import speaker as speakers
from carpd.actions import Advertise, Count, HoldBack, LetIn, Release, Reset
from carpd.drain import Draining
from carpd.heard import Heard
from carpd.machine import Machine
from carpd.packet import BOW_OUT
from carpd.silence import Silence
from carpd.speaker import Speaker
from carpd.standing import Standing
from carpd.timing import Timing
from carpd.transitions import TRANSITIONS, Event, Reaction, State, Transition
from carpd.trust import Trust
from schedule import broken_promise

_ENDLESS = 60  # seconds that no schedule takes, which has hundreds of them in one
MUTANTS: dict[str, Callable[[], None]] = {}


def mutant(name: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Give a mistake the name under which it is told."""

    def enter(make: Callable[[], None]) -> Callable[[], None]:
        MUTANTS[name] = make
        return make

    return enter


class Fate(NamedTuple):
    """What became of a mutant: the schedule that noticed it and the promise that it broke, if one did."""

    name: str
    seed: int | None
    promise: str
    seconds: float


# Of the table: reactions that are left out, and transitions that do not happen.


def _without(reaction: Reaction, *places: tuple[State, Event]) -> Callable[[], None]:
    def make() -> None:
        for place in places:
            state, reactions = TRANSITIONS[place]
            assert reaction in reactions, place
            TRANSITIONS[place] = Transition(state, tuple(one for one in reactions if one is not reaction))

    return make


def _ignoring(event: Event, *states: State) -> Callable[[], None]:
    def make() -> None:
        for state in states:
            TRANSITIONS[state, event] = Transition(state)

    return make


def _becoming(transition: Transition, state: State, event: Event) -> Callable[[], None]:
    def make() -> None:
        TRANSITIONS[state, event] = transition

    return make


_M, _B, _L = State.MASTER, State.BACKUP, State.LEAVING
_GONE = (Reaction.RELEASE, Reaction.LISTEN)
MUTANTS.update(
    {
        "no goodbye at stop": _without(Reaction.BOW_OUT, (_M, Event.STOP)),
        "no goodbye at step-down": _without(Reaction.BOW_OUT, (_M, Event.STEP_DOWN)),
        "no goodbye at a fault": _without(Reaction.BOW_OUT, (_M, Event.FAULT)),
        "the address dropped at once at stop": _becoming(
            Transition(State.ENDED, (Reaction.BOW_OUT, Reaction.RELEASE)), _M, Event.STOP
        ),
        "the address dropped at once at step-down": _becoming(
            Transition(_B, (Reaction.BOW_OUT, Reaction.YIELD, *_GONE)), _M, Event.STEP_DOWN
        ),
        "the address kept though nobody comes": _becoming(
            Transition(State.CLOSING, (Reaction.HOLD,)), State.CLOSING, Event.HOLD_ENDED
        ),
        "no yielding after step-down": _without(Reaction.YIELD, (_M, Event.STEP_DOWN)),
        "the address not restored": _ignoring(Event.ADDRESS_LOST, _M),
        "the address not restored while leaving": _ignoring(Event.ADDRESS_LOST, _L, State.CLOSING, State.FAILING),
        "no last answer to a better host": _without(Reaction.ANSWER, (_M, Event.SUPERIOR)),
        "nothing said against a worse master": _without(
            Reaction.REASSERT, (_M, Event.INFERIOR), (_M, Event.TOLERATED), (_M, Event.GOODBYE)
        ),
        "a better host ignored": _ignoring(Event.SUPERIOR, _M),
        "a goodbye ignored": _ignoring(Event.GOODBYE, _B),
        "a successor ignored": _ignoring(Event.INFERIOR, State.CLOSING, State.LEAVING, State.FAILING),
        "faults ignored": _ignoring(Event.FAULT, _M),
        "faults of a backup ignored": _ignoring(Event.FAULT, _B),
        "healing ignored": _ignoring(Event.HEALED, State.FAULTY),
        "a lost carrier ignored": _ignoring(Event.DOWN, _M),
        "a refused address advertised": _becoming(Transition(_M), _M, Event.ADDRESS_REFUSED),
        "a refused address claimed again at once": _without(Reaction.YIELD, (_M, Event.ADDRESS_REFUSED)),
        "the master does not resume after a restart": _becoming(
            Transition(_B, (Reaction.LISTEN,)), State.INIT, Event.RESUME
        ),
        "backups do not listen to a tolerated master": _becoming(Transition(_B), _B, Event.TOLERATED),
        "silence means nothing": _becoming(Transition(_B, (Reaction.LISTEN,)), _B, Event.SILENCE),
    }
)


# Of the machine's methods.


def _replace(owner: Any, name: str, value: object) -> Callable[[], None]:
    assert hasattr(owner, name), name
    return lambda: setattr(owner, name, value)


def _returning(value: object) -> Any:
    return lambda *_arguments: value


def _constantly(value: object) -> property:
    return property(_returning(value))


MUTANTS.update(
    {
        "preempting without leave": _replace(Machine, "_may_fail_back", _returning(True)),
        "never preempting": _replace(Machine, "_may_fail_back", _returning(False)),
        "pauses not noticed": _replace(Machine, "_unheard_at", _returning(math.inf)),
        "answers ignored": _replace(Silence, "answer", _returning(None)),
        "freshness ignored": _replace(Heard, "is_fresh", _returning(False)),
        "an endless penalty for failed sends": _replace(Standing, "forgive", _returning(None)),
        "no penalty for failed sends": _replace(Standing, "unheard", _returning(None)),
        "doubts ignored": _replace(Standing, "feared", property(lambda self: self.demotion)),
        "demotion ignored": _replace(Standing, "demotion", _constantly(0)),
        "an order to leave ignored": _replace(Standing, "retire", _returning(False)),
        "what it was left forgotten after a restart": _replace(Machine, "inherit", _returning(None)),
        "goodbyes of the guard not skipped": _replace(Speaker, "skip_goodbyes", _returning(None)),
        "ties lost by both": _replace(machine, "_order", _returning(0)),
        "addresses announced once": _replace(machine, "ANNOUNCE_AT", (0.0,)),
        "goodbyes said once": _replace(machine, "BOW_OUT_INTERVAL", math.inf),
        "a lease that outlives everybody's patience": _replace(Timing, "lease", _constantly(60)),
        "leases half as long": _replace(machine, "RENEWALS", 0.5),
        "strangers believed": _replace(trust.Trust, "examine", _returning(True)),
        "groups that do not move together": _replace(
            groups, "share", lambda members: {name: member.verdict for name, member in members.items()}
        ),
    }
)


@mutant("a sicker master is kept")
def _sicker_kept() -> None:
    rank = Machine._rank

    def kept(self: Machine, advertisement: Any, source: Any, own: Any, now: float) -> Event | None:
        event = rank(self, advertisement, source, own, now)
        may = self.claiming or self._may_fail_back(now)
        return Event.TOLERATED if event is Event.INFERIOR and not may else event

    setattr(Machine, "_rank", kept)  # noqa: B010


@mutant("no question below a second")
def _no_question_below_a_second() -> None:
    asks = Silence.asks

    def silent(self: Silence, now: float) -> bool:
        return asks(self, now) and self._interval >= 1

    setattr(Silence, "asks", silent)  # noqa: B010


@mutant("an answer ends the question for good")
def _asked_once() -> None:
    def prolong(self: Silence, now: float) -> None:
        self.ends_at = math.inf

    setattr(Silence, "prolong", prolong)  # noqa: B010


@mutant("who does not answer any more is waited for")
def _answers_for_ever() -> None:
    prolong = Silence.prolong

    def remembering(self: Silence, now: float) -> None:
        prolong(self, now)
        self.answered = self.answered_by_master = True

    setattr(Silence, "prolong", remembering)  # noqa: B010


@mutant("replays accepted")
def _replays() -> None:
    is_next = Trust._is_next

    def forgetful(self: Trust, *arguments: Any) -> bool:
        self._last.clear()
        return is_next(self, *arguments)

    setattr(Trust, "_is_next", forgetful)  # noqa: B010


@mutant("tags not looked at")
def _tags() -> None:
    def untagged(self: Trust, advertisement: Any, source: Any, _digest: Any) -> bool:
        sequence = advertisement.counter >> trust.TAG_BITS
        last, self._last[source] = self._last.get(source, -1), max(sequence, self._last.get(source, -1))
        return bool(sequence > last)

    setattr(Trust, "_is_next", untagged)  # noqa: B010


@mutant("counters not counted")
def _counters() -> None:
    packets = Speaker.packets

    def same(self: Speaker, *fields: int) -> dict[int, bytes]:
        self.sequence -= self.sequence % 2
        return packets(self, *fields)

    setattr(Speaker, "packets", same)  # noqa: B010


@mutant("the lease renewed though nothing left")
def _unearned_lease() -> None:
    sent = Machine.sent

    def renewed(self: Machine, ok: bool, now: float) -> None:
        sent(self, ok, now)
        if self.state.holds:
            self._hold(now)
            self._left(now)

    setattr(Machine, "sent", renewed)  # noqa: B010


@mutant("too little patience")
def _impatient() -> None:
    patience = Timing.patience
    setattr(Timing, "patience", lambda self, *arguments: patience(self, *arguments) * 0.8)  # noqa: B010


@mutant("too much patience")
def _too_patient() -> None:
    patience = Timing.patience
    setattr(Timing, "patience", lambda self, *arguments: patience(self, *arguments) * 1.5)  # noqa: B010


@mutant("every tie won")
def _ties_won() -> None:
    setattr(machine, "_order", _Descending())  # noqa: B010


class _Descending:
    """Ranks whatever comes later lower, so that both hosts of a pair think to be the first."""

    def __init__(self) -> None:
        self._next = 0

    def __call__(self, _address: object) -> int:
        self._next += 1
        return self._next


@mutant("ties decided the other way round than ucarp")
def _big_endian() -> None:
    setattr(machine, "_order", lambda address: -int.from_bytes(address.packed, "little"))  # noqa: B010


@mutant("a change of demotion is not told at once")
def _late_demotion() -> None:
    def changed(self: Machine, now: float) -> None:
        self._sound_since = now

    setattr(Machine, "_demotion_changed", changed)  # noqa: B010


@mutant("demotion not shown in advskew")
def _unskewed() -> None:
    for module in (standing, timing, machine):
        module.demoted_skew = lambda advskew, _demotion: advskew


@mutant("demotion not shown in its byte")
def _uncounted() -> None:
    def advertisement(self: Machine) -> Advertise:
        return Advertise(self.timing.advbase, self.advskew, 0)

    setattr(Machine, "_advertisement", advertisement)  # noqa: B010


@mutant("no announcement after a takeover")
def _unannounced() -> None:
    setattr(Machine, "_restart_announcements", lambda self, now: None)  # noqa: B010


@mutant("no announcement after a conflict")
def _not_announced_anew() -> None:
    react = Machine._react

    def quiet(self: Machine, reaction: Reaction, now: float, reason: str) -> None:
        announce = self._announce_at, self._announced
        react(self, reaction, now, reason)
        if reaction is Reaction.REASSERT:
            self._announce_at, self._announced = announce

    setattr(Machine, "_react", quiet)  # noqa: B010


@mutant("a goodbye that is none")
def _mumbled() -> None:
    actions = Machine.actions

    def mumbling(self: Machine) -> list[Any]:
        return [
            self._advertisement() if one == Advertise(*BOW_OUT) and self.state.leaves else one for one in actions(self)
        ]

    setattr(Machine, "actions", mumbling)  # noqa: B010


@mutant("a claim without an advertisement")
def _mute_claim() -> None:
    def claim(self: Machine, reaction: Reaction, now: float, reason: str) -> None:
        if reaction is Reaction.CLAIM:
            self._hold(now)
            self._restart_announcements(now)
            self._advertise_at = now + self.timing.interval(self.advskew)
        else:
            react(self, reaction, now, reason)

    react = Machine._react
    setattr(Machine, "_react", claim)  # noqa: B010


@mutant("failback without waiting to be stable")
def _unstable() -> None:
    setattr(speakers, "failback_of", lambda vip: timing.Failback(vip.preempt, 0.0))  # noqa: B010


@mutant("failback that waits for ever to be stable")
def _ever_unstable() -> None:
    setattr(speakers, "failback_of", lambda vip: timing.Failback(vip.preempt, vip.stable_for and 1e9))  # noqa: B010


@mutant("a beat that drifts out of time")
def _unsteady() -> None:
    def tick(self: Machine, now: float) -> float:
        return now + 1.5 * self.timing.interval(self.advskew)

    setattr(Machine, "_next_tick", tick)  # noqa: B010


@mutant("a promoted host stays behind")
def _unpromoted() -> None:
    def promote(self: Machine, now: float) -> str:
        self.retire(now, "")
        return ""

    setattr(Machine, "promote", promote)  # noqa: B010


@mutant("a retired host comes back")
def _unretired() -> None:
    setattr(standing, "RETIREMENT_DEMOTION", 0)  # noqa: B010


# Of what is done about clients. All of these have "clients" in their names.


def _never_asking(*kinds: type) -> Callable[[], None]:
    def make() -> None:
        actions = Machine.actions

        def fewer(self: Machine) -> list[Any]:
            return [one for one in actions(self) if not isinstance(one, kinds)]

        setattr(Machine, "actions", fewer)  # noqa: B010

    return make


def _giving(part: float) -> Callable[[], None]:
    return _replace(speakers, "drain_of", lambda vip: drain.Drain(part * vip.drain, vip.reset_sessions))


_D = State.DRAINING
MUTANTS.update(
    {
        "clients not held back": _never_asking(HoldBack),
        "clients never let in again": _never_asking(LetIn),
        "clients never counted": _never_asking(Count),
        "clients never reset": _never_asking(Reset),
        "clients not waited for": _replace(Machine, "_drains", _constantly(False)),
        "clients of a sick master not parted with": _replace(Machine, "_part_with_clients", _returning(None)),
        "clients counted once": _replace(drain, "COUNT_INTERVAL", math.inf),
        "clients given too much time": _giving(1.5),
        "clients given too little time": _giving(0.5),
        "clients waited for though nobody answers": _replace(drain, "ANSWER_TIME", 60.0),
        "clients waited for though the service is sick": _replace(Draining, "cut_short", _returning(None)),
        "clients held back though the order is taken back": _replace(Draining, "stay", _returning(False)),
        "clients let in though another reason to leave is left": _replace(Draining, "stay", _returning(True)),
        "clients dropped by a master whose drain is over": _becoming(
            Transition(_B, (Reaction.BOW_OUT, Reaction.YIELD, *_GONE)), _D, Event.STEP_DOWN
        ),
        "clients held back and a better host ignored": _ignoring(Event.SUPERIOR, _D),
        "clients waited for without an address": _ignoring(Event.ADDRESS_LOST, _D),
    }
)


@mutant("clients let in before the address is gone")
def _let_in_early() -> None:
    actions = Machine.actions

    def hasty(self: Machine) -> list[Any]:
        return sorted(actions(self), key=lambda one: not isinstance(one, LetIn) and isinstance(one, Release))

    setattr(Machine, "actions", hasty)  # noqa: B010


@mutant("clients left to a host without the address")
def _left_behind() -> None:
    actions = Machine.actions

    def careless(self: Machine) -> list[Any]:
        done = actions(self)
        return [
            one
            for before, one in zip([None, *done], done)
            if not (isinstance(one, Reset) and isinstance(before, Release))
        ]

    setattr(Machine, "actions", careless)  # noqa: B010


@mutant("clients reset when the address is gone")
def _reset_late() -> None:
    def leave(self: Machine, now: float) -> None:
        if self._draining.resets(now) and self.drain.resets:
            self._leave(now)
        elif self._draining.counts(now):
            self._actions.append(Count())

    setattr(Machine, "_go_on_draining", leave)  # noqa: B010


@mutant("clients learn last that a master is sick")
def _clients_last() -> None:
    setattr(Draining, "told", property(lambda self: None, lambda self, told: None))  # noqa: B010


@mutant("clients held back by a master that is well again")
def _held_for_nothing() -> None:
    stay = Machine._stay

    def stubborn(self: Machine, event: Event, now: float, reason: str) -> None:
        if event is not Event.STAY:
            stay(self, event, now, reason)

    setattr(Machine, "_stay", stubborn)  # noqa: B010


def _give_up(_number: int, _frame: object) -> None:
    raise TimeoutError("time stands still")


def _try(task: tuple[str, int]) -> Fate:
    """Make one mistake and see when it is noticed; in a process of its own, which ends with it."""
    name, most = task
    begun = time.monotonic()
    MUTANTS[name]()
    signal.signal(signal.SIGALRM, _give_up)
    for seed in range(most):
        signal.alarm(_ENDLESS)
        promise = broken_promise(seed)
        if promise:
            return Fate(name, seed, promise, time.monotonic() - begun)
    return Fate(name, None, "", time.monotonic() - begun)


def main() -> int:
    """Try the mutants, print the table, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=1000, help="how many at most (default: %(default)s)")
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    chosen = [name for name in MUTANTS if not options.words or any(word in name for word in options.words)]
    begun = time.monotonic()
    survivors = []
    print(f"{'mutant':<50} {'seed':>6}  promise")
    with multiprocessing.Pool(maxtasksperchild=1) as pool:
        for fate in pool.imap_unordered(_try, [(name, options.schedules) for name in chosen], chunksize=1):
            if fate.seed is None:
                survivors.append(fate.name)
            seed = "-" if fate.seed is None else fate.seed
            print(f"{fate.name:<50} {seed:>6}  {fate.promise or 'NOT NOTICED'}", flush=True)
    print(f"{len(chosen)} mutants in {time.monotonic() - begun:.0f} s, {len(survivors)} not noticed")
    return 1 if survivors else 0


if __name__ == "__main__":
    raise SystemExit(main())
