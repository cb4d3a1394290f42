# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a host is or is not the master of a virtual host, and what would change that, in sentences.

All that is said follows from the status, as ``carpctl status --json`` has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .phrases import duration
from .standing import demoted_skew
from .typed import Any

Status = Mapping[str, Any]
_COMPARED = ("demotion", "advbase", "advskew")  # in this order, the lowest first


def explain(status: Status) -> list[str]:
    """Return sentences, the most important one first. The status is that of one virtual host."""
    tell = {
        "INIT": _obstacle,
        "BACKUP": _backup,
        "MASTER": _master,
        "DRAINING": _draining,
        "LEAVING": _leaving,
        "FAILING": _leaving,
        "FAULTY": _faulty,
        "CLOSING": _leaving,
        "ENDED": _ended,
    }[status["election"]["state"]]
    return [*tell(status), *_demotion(status), *_checks(status), *_alarms(status)]


def _obstacle(status: Status) -> Iterator[str]:
    yield f"This host takes no part: {status['election']['obstacle']}."
    yield "It listens for a master, and counts as a backup, as soon as that has changed."


def _ended(_status: Status) -> Iterator[str]:
    yield "This host no longer takes part: its daemon ends, or its configuration does not have this any more."


def _faulty(status: Status) -> Iterator[str]:
    yield f"This host must not be the master, whoever else is: {status['fault']}."
    yield "It becomes a backup as soon as that has changed. A check with a weight other than fault only demotes."


def _draining(status: Status) -> Iterator[str]:
    draining = status["draining"]
    yield f"This host is the master, and about to hand over: {status['reason']}."
    count = draining["connections"]
    known = "connections" if count is None else f"{count} connection{'' if count == 1 else 's'}"
    yield (
        f"It holds new TCP connections back, and waits for {known} to end, {draining['left']:.1f} s at most; then it "
        "says goodbye."
    )
    if status["operator"]:
        yield f"carpctl promote {status['name']} has it stay."


def _leaving(status: Status) -> Iterator[str]:
    yield f"This host is handing over: {status['reason']}."
    yield "It has said goodbye, and keeps the addresses until it hears another master, two seconds at most."
    yield {
        "LEAVING": "If none takes over until then, it goes on as the master.",
        "FAILING": "Then it gives them up, even if none takes over, since it must not be the master.",
        "CLOSING": "Then it gives them up, even if none takes over, since it ends.",
    }[status["election"]["state"]]


def _master(status: Status) -> Iterator[str]:
    yield f"This host is the master, for {duration(status['since'])}: {status['reason']}."
    yield f"It advertises {_rank_text(_own(status))}; a host that advertises less may take over."
    if status["demotion"]:
        yield "No healthier host has been heard, or it would have taken over."
    else:
        yield f"To hand over on purpose: carpctl demote {status['name']}."


def _backup(status: Status) -> Iterator[str]:
    master = status["master"]
    if master is None:
        yield "This host is not the master, and hears none."
        yield from _silence(status)
        return
    ours, theirs = _own(status), {key: master[key] for key in _COMPARED}
    if _rank(theirs) <= _rank(ours):
        yield f"This host is not the master, since {master['source']} is, and ranks {_better(theirs, ours)}."
        yield f"It advertises {_rank_text(theirs)}; this host would advertise {_rank_text(ours)}."
        yield from _silence(status)
        yield f"To have it take over before, use carpctl demote {status['name']} there, or make this host rank better."
    else:
        yield f"This host is not the master, since {master['source']} is, though this host ranks better."
        yield f"It advertises {_rank_text(theirs)}; this host would advertise {_rank_text(ours)}."
        yield _patience(status)
        yield from _silence(status)


def _patience(status: Status) -> str:
    """Say why a better host leaves a worse master in peace."""
    election = status["election"]
    promote = f"carpctl promote {status['name']} takes over at once"
    if election["claiming"]:
        return "It was promoted, and takes over at the next advertisement of that master."
    if election["yielding"]:
        return f"It was asked to step down, or the kernel refused it the addresses: it waits until asked; {promote}."
    if not election["preempt"]:
        return f"Its failback is never (preempt = no), so it waits until that master has gone; {promote}."
    left = election["stable_for"] - election["sound_for"]
    if left > 0:
        return f"Its failback is after_stable_for, and it has to be sound for {duration(left)} more; {promote}."
    return "It takes over at the next advertisement of that master, unless one of its own checks has just failed."


def _silence(status: Status) -> Iterator[str]:
    election = status["election"]
    if election["silence_left"] is not None:
        yield (
            f"It takes over after {election['patience']:.3f} s without an advertisement; of that, "
            f"{max(0.0, election['silence_left']):.3f} s are left."
        )


def _demotion(status: Status) -> Iterator[str]:
    if not status["demotion"]:
        return
    skew = demoted_skew(status["advskew"], status["demotion"])
    yield (
        f"This host is demoted by {status['demotion']}: its advskew counts as {skew} instead of {status['advskew']}, "
        "and a host that is demoted less ranks better whatever its advskew is."
    )
    for cause in status["election"]["causes"]:
        yield f"It is demoted since: {cause}."
    if status["operator"].startswith("this host is in maintenance"):
        yield "carpctl maintenance off ends that."
    elif status["operator"]:
        yield f"carpctl promote {status['name']} ends that."


def _checks(status: Status) -> Iterator[str]:
    for check in status.get("checks", ()):
        if check["state"] != "failing":
            continue
        effect = "forbids to be master" if check["weight"] == "fault" else f"demotes by {check['weight']}"
        detail = f": {check['detail']}" if check["detail"] else ""
        yield f"Check {check['name']} fails for {duration(check['since'])}, which {effect}{detail}."


def _alarms(status: Status) -> Iterator[str]:
    if status["alarm"]:
        yield f"Alarm: {status['alarm']}."
    for rival in status["rivals"]:
        yield f"Alarm: {rival['mac']} claims to have {rival['address']}, and is none of the hosts that are known."
    for reason, count in sorted(status["refused"].items()):
        yield f"Advertisements not heeded by {reason}: {count}."


def _own(status: Status) -> dict[str, int]:
    skew = demoted_skew(status["advskew"], status["demotion"])
    return {"demotion": status["demotion"], "advbase": status["advbase"], "advskew": skew}


def _rank(values: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(values[key] for key in _COMPARED)


def _rank_text(values: Mapping[str, int]) -> str:
    demoted = f", demoted by {values['demotion']}" if values["demotion"] else ""
    return f"{values['advbase']}+{values['advskew']}/256 s{demoted}"


def _better(theirs: Mapping[str, int], ours: Mapping[str, int]) -> str:
    """Say by what one ranks better: the first that differs decides."""
    for key in _COMPARED:
        if theirs[key] != ours[key]:
            what = "it is demoted less" if key == "demotion" else f"its {key} is lower"
            return f"better: {what} ({theirs[key]} against {ours[key]})"
    return "alike, and whoever is the master stays it"
