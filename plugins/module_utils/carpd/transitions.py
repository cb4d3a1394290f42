# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of CARP as a table: which event leads from which state to which, and what is done on the way.

Two rules keep this file readable. Everything about *which* transition happens is in TRANSITIONS and nowhere else; and
the table is complete, so that no event can surprise a state. What the reactions mean is the business of the machine.

Sources: UCarp src/carp.c packethandler and carp_master_down, OpenBSD ip_carp.c carp_proto_input_c, FreeBSD ip_carp.c
carp_input_c. They agree on INIT, BACKUP and MASTER. The others are ours. In LEAVING, FAILING and CLOSING a master that
has said goodbye keeps the addresses until its successor is heard, so that a planned move loses no packet. In DRAINING
it has not said so yet: it is the master, and lets connections end.
"""

from __future__ import annotations

from enum import Enum

from .typed import NamedTuple


class State(Enum):
    """Where a virtual host stands. Only masters and those that are leaving hold the addresses."""

    INIT = "INIT"  # the interface cannot be used
    BACKUP = "BACKUP"  # another host is master, or we wait to find out
    MASTER = "MASTER"
    DRAINING = "DRAINING"  # the same, but about to leave: holds new connections back until those that run have ended
    LEAVING = "LEAVING"  # said goodbye, holds the addresses until the successor is heard, then goes on as BACKUP
    FAILING = "FAILING"  # the same, then goes on as FAULTY; also if no successor is heard
    FAULTY = "FAULTY"  # the interface can be used, but a check says that this host must not be master
    CLOSING = "CLOSING"  # as LEAVING, then ends
    ENDED = "ENDED"

    @property
    def holds(self) -> bool:
        """Whether the addresses are here."""
        return self.advertises or self.leaves

    @property
    def advertises(self) -> bool:
        """Whether this host is the master to all others."""
        return self in (State.MASTER, State.DRAINING)

    @property
    def leaves(self) -> bool:
        """Whether the peers know that the addresses are about to go."""
        return self in (State.LEAVING, State.FAILING, State.CLOSING)


class Event(Enum):
    """What can happen to a virtual host."""

    UP = "up"  # the interface is up, has carrier and an address of its own
    RESUME = "resume"  # the same, and an earlier program of this daemon was master until now
    DOWN = "down"  # one of these is no longer so
    SUPERIOR = "superior"  # advertisement of a host that ranks above us
    INFERIOR = "inferior"  # of a host that ranks below us
    TOLERATED = "tolerated"  # of a host that ranks below us, but that we may not preempt
    GOODBYE = "goodbye"  # of a host that leaves, or promises less than our patience asks for
    SILENCE = "silence"  # no advertisement for as long as our patience lasts
    HELD = "held"  # the same, but somebody else still has the addresses
    UNHEARD = "unheard"  # none of ours got out for so long that a peer may have taken over, or our guard gave up
    ADDRESS_LOST = "address lost"  # something else removed one of our addresses
    ADDRESS_REFUSED = "address refused"  # the kernel does not let us add one
    HOLD_ENDED = "hold ended"  # no successor was heard in time
    FAULT = "fault"  # a check says that this host must not be master
    HEALED = "healed"  # and none says so any more
    DRAIN = "drain"  # a master is about to leave, and lets connections end first
    STAY = "stay"  # the reason to leave is gone before it was done
    STEP_DOWN = "step down"  # the operator wants another host to be master
    STOP = "stop"  # the daemon ends, or the virtual host left its configuration


class Reaction(Enum):
    """What a transition does, in the order of the table."""

    CLAIM = "claim"  # add the addresses, announce them, advertise
    REASSERT = "reassert"  # advertise and announce again: somebody else thought to be master
    ANSWER = "answer"  # advertise a last time: the better host shall know that there were two, and announce itself
    RESTORE = "restore"  # add the addresses again and announce them
    BOW_OUT = "bow out"  # tell the peers to take over at once
    DRAIN = "drain"  # hold new connections back, and wait a bounded time for those that run
    HOLD = "hold"  # keep the addresses for a bounded time
    RELEASE = "release"  # remove the addresses
    LISTEN = "listen"  # begin to count the silence
    WAIT = "wait"  # a little longer, and ask again
    HURRY = "hurry"  # shorten that count to next to nothing
    YIELD = "yield"  # do not preempt until we have been master again


class Transition(NamedTuple):
    """The outcome of one event in one state."""

    state: State
    reactions: tuple[Reaction, ...] = ()


def _rows(state: State, **outcomes: Transition) -> dict[tuple[State, Event], Transition]:
    """Return a state's rows; an event that is not named leaves all as it is."""
    unknown = set(outcomes) - set(Event.__members__)
    if unknown:
        raise KeyError(unknown)
    return {(state, event): outcomes.get(event.name, Transition(state)) for event in Event}


_INIT, _BACKUP, _MASTER, _DRAINING, _LEAVING, _FAILING, _FAULTY, _CLOSING, _ENDED = State
_LISTEN, _CLAIM, _RELEASE, _BOW_OUT = Reaction.LISTEN, Reaction.CLAIM, Reaction.RELEASE, Reaction.BOW_OUT

TRANSITIONS: dict[tuple[State, Event], Transition] = {
    **_rows(
        _INIT,
        UP=Transition(_BACKUP, (_LISTEN,)),
        RESUME=Transition(_MASTER, (Reaction.RESTORE,)),
        STEP_DOWN=Transition(_INIT, (Reaction.YIELD,)),
        STOP=Transition(_ENDED),
    ),
    **_rows(
        _BACKUP,
        DOWN=Transition(_INIT),
        SUPERIOR=Transition(_BACKUP, (_LISTEN,)),
        INFERIOR=Transition(_BACKUP, (Reaction.HURRY,)),
        TOLERATED=Transition(_BACKUP, (_LISTEN,)),
        GOODBYE=Transition(_BACKUP, (Reaction.HURRY,)),
        SILENCE=Transition(_MASTER, (_CLAIM,)),
        HELD=Transition(_BACKUP, (Reaction.WAIT,)),
        FAULT=Transition(_FAULTY),
        STEP_DOWN=Transition(_BACKUP, (Reaction.YIELD,)),
        STOP=Transition(_ENDED),
    ),
    **_rows(
        _MASTER,
        DOWN=Transition(_INIT, (_BOW_OUT, _RELEASE)),
        SUPERIOR=Transition(_BACKUP, (Reaction.ANSWER, _RELEASE, _LISTEN)),
        INFERIOR=Transition(_MASTER, (Reaction.REASSERT,)),
        TOLERATED=Transition(_MASTER, (Reaction.REASSERT,)),
        GOODBYE=Transition(_MASTER, (Reaction.REASSERT,)),
        UNHEARD=Transition(_BACKUP, (_RELEASE, _LISTEN)),
        ADDRESS_LOST=Transition(_MASTER, (Reaction.RESTORE,)),
        ADDRESS_REFUSED=Transition(_BACKUP, (_BOW_OUT, _RELEASE, Reaction.YIELD, _LISTEN)),
        DRAIN=Transition(_DRAINING, (Reaction.DRAIN,)),
        FAULT=Transition(_FAILING, (_BOW_OUT, Reaction.HOLD)),
        STEP_DOWN=Transition(_LEAVING, (_BOW_OUT, Reaction.HOLD, Reaction.YIELD)),
        STOP=Transition(_CLOSING, (_BOW_OUT, Reaction.HOLD)),
    ),
    **_rows(
        _DRAINING,
        DOWN=Transition(_INIT, (_BOW_OUT, _RELEASE)),
        SUPERIOR=Transition(_BACKUP, (Reaction.ANSWER, _RELEASE, _LISTEN)),
        INFERIOR=Transition(_DRAINING, (Reaction.REASSERT,)),
        TOLERATED=Transition(_DRAINING, (Reaction.REASSERT,)),
        GOODBYE=Transition(_DRAINING, (Reaction.REASSERT,)),
        UNHEARD=Transition(_BACKUP, (_RELEASE, _LISTEN)),
        ADDRESS_LOST=Transition(_DRAINING, (Reaction.RESTORE,)),
        ADDRESS_REFUSED=Transition(_BACKUP, (_BOW_OUT, _RELEASE, Reaction.YIELD, _LISTEN)),
        STAY=Transition(_MASTER),
        FAULT=Transition(_FAILING, (_BOW_OUT, Reaction.HOLD)),
        STEP_DOWN=Transition(_LEAVING, (_BOW_OUT, Reaction.HOLD, Reaction.YIELD)),
        STOP=Transition(_CLOSING, (_BOW_OUT, Reaction.HOLD)),
    ),
    **_rows(
        _LEAVING,
        DOWN=Transition(_INIT, (_RELEASE,)),
        SUPERIOR=Transition(_BACKUP, (_RELEASE, _LISTEN)),
        INFERIOR=Transition(_BACKUP, (_RELEASE, _LISTEN)),
        TOLERATED=Transition(_BACKUP, (_RELEASE, _LISTEN)),
        UNHEARD=Transition(_BACKUP, (_RELEASE, _LISTEN)),
        ADDRESS_LOST=Transition(_LEAVING, (Reaction.RESTORE,)),
        ADDRESS_REFUSED=Transition(_BACKUP, (_RELEASE, _LISTEN)),
        STEP_DOWN=Transition(_LEAVING, (Reaction.YIELD,)),
        HOLD_ENDED=Transition(_MASTER, (_CLAIM,)),
        FAULT=Transition(_FAILING),
        STOP=Transition(_CLOSING, (_BOW_OUT,)),
    ),
    **_rows(
        _FAILING,
        DOWN=Transition(_INIT, (_RELEASE,)),
        SUPERIOR=Transition(_FAULTY, (_RELEASE,)),
        INFERIOR=Transition(_FAULTY, (_RELEASE,)),
        TOLERATED=Transition(_FAULTY, (_RELEASE,)),
        UNHEARD=Transition(_FAULTY, (_RELEASE,)),
        ADDRESS_LOST=Transition(_FAILING, (Reaction.RESTORE,)),
        ADDRESS_REFUSED=Transition(_FAULTY, (_RELEASE,)),
        HOLD_ENDED=Transition(_FAULTY, (_RELEASE,)),
        HEALED=Transition(_LEAVING),
        STEP_DOWN=Transition(_FAILING, (Reaction.YIELD,)),
        STOP=Transition(_CLOSING, (_BOW_OUT,)),
    ),
    **_rows(
        _FAULTY,
        DOWN=Transition(_INIT),
        HEALED=Transition(_BACKUP, (_LISTEN,)),
        STEP_DOWN=Transition(_FAULTY, (Reaction.YIELD,)),
        STOP=Transition(_ENDED),
    ),
    **_rows(
        _CLOSING,
        DOWN=Transition(_ENDED, (_RELEASE,)),
        SUPERIOR=Transition(_ENDED, (_RELEASE,)),
        INFERIOR=Transition(_ENDED, (_RELEASE,)),
        TOLERATED=Transition(_ENDED, (_RELEASE,)),
        UNHEARD=Transition(_ENDED, (_RELEASE,)),
        ADDRESS_LOST=Transition(_CLOSING, (Reaction.RESTORE,)),
        ADDRESS_REFUSED=Transition(_ENDED, (_RELEASE,)),
        HOLD_ENDED=Transition(_ENDED, (_RELEASE,)),
    ),
    **_rows(_ENDED),
}
