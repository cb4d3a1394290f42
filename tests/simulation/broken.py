# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is promised, and how it is told that a promise was not kept."""

from __future__ import annotations

PROMISES = {
    "I1": "never two owners of the address for longer than hosts need to hear each other",
    "I2": "while a healthy host is connected, some host owns the address",
    "I3": "no address for longer than a lease after the last advertisement that left, whatever works and what does not",
    "I4": "after two owners one is left within an interval, and it announces the address anew",
    "I5": "nobody becomes master without silence for the full time, a goodbye or a worse master that it may follow",
    "I6": "a master that works advertises on time",
    "I7": "a counter never repeats",
    "end": "a daemon that is asked to end does so in time",
    "health": "whoever must not be master hands over or lets go, and of the rest one of the least demoted is master",
    "order": "of healthy hosts a preferred one that may preempt is master",
    "prompt": "a backup that hears a goodbye, or a worse host that it may take over from, is master at once",
    "restore": "a master that something takes the address from has it again at once",
    "penalty": "that a backup's advertisements could not be sent is forgiven in time",
    "truth": "an advertisement says how good a master its sender is, and says it at once when that changes",
    "trust": "who knows its peers heeds nothing that none of them has said, or that is older than what was heard",
    "refusal": "whose kernel does not give it the address takes it from no other host for a while",
    "restart": "a daemon whose program is replaced in time is what it was",
    "announce": "a new master announces the address, again and again",
    "together": "who cannot serve one address keeps no other that moves with it",
    "yield": "a master that hears a better host gives way at once, and to no other",
    "handover": "who leaves keeps the address until another host has it, or for the full time of a handover",
    "drain": "who leaves on purpose holds new connections back, and lets the others end or resets them, in time",
    "held": "nobody is kept from connecting but by a host that is about to leave, until it has left or stays",
    "cleared": "nobody goes on with connections of an address that was lost, if they are to be reset",
    "calm": "without faults nothing changes",
}

EARLY = 0.005  # seconds: the daemon's and the promises' idea of one moment


class Broken(AssertionError):
    """A promise was not kept; ``promise`` is its name."""

    def __init__(self, promise: str, how: str) -> None:
        super().__init__(f"{promise}, {PROMISES[promise]}: {how}")
        self.promise = promise
