# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a drill found, and which promises that breaks. Pure: what the agents saw in, a record for JSON out.

All times of the record are in seconds since the prober began, by its clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from .drill_clock import HostClock
from .drill_spans import Span, longest, overlaps, spans, without
from .text import listed

FORMAT = 1
HANDOVER = 0.5
"""Seconds for which two may have the address while one hands it over: it answers until it hears the other."""
ATTEMPT = 1.5
"""Seconds that an attempt to reach the service may take beyond the silence of its address: it has a time-out."""

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Promise:
    """One thing that has to be so, whether it was, and what was measured."""

    text: str
    kept: bool
    found: str


@dataclass
class Owner:
    """A host: when it had the address and its link, by the prober's clock, give or take ``error`` seconds."""

    clock: HostClock
    held: list[Span] = field(default_factory=list)
    unlinked: list[Span] = field(default_factory=list)
    error: float = 0.0


@dataclass
class Seen:
    """All that the agents brought home. ``faults`` are in their order, each with ``kind``, ``host`` and ``result``."""

    plan: Facts
    watches: Mapping[str, Facts]
    probe: Facts
    faults: Sequence[Facts]
    service: Facts | None = None
    arrivals: Mapping[str, Facts] | None = None
    health: Sequence[str] = ()
    trouble: str = ""


def judge(seen: Seen) -> dict[str, Any]:
    """Return the record of a drill."""
    start, end = float(seen.probe["start"]), float(seen.probe["end"])
    owners = {host: _owner(host, facts, seen.probe, end) for host, facts in seen.watches.items()}
    faults = [_Timed.of(each, owners, seen.plan) for each in seen.faults]
    known = [each for each in faults if each.began is not None]
    for one, following in zip(known, known[1:]):
        one.end = following.began or end
    if known:
        known[-1].end = end
    judged = [_fault(each, seen, owners) for each in faults]
    general = _general(seen, owners)
    promises = [promise for each in judged for promise in each["promises"]] + [asdict(each) for each in general]
    broken = [promise for promise in promises if not promise["kept"]]
    return _shifted(
        {
            "format": FORMAT,
            "kept": not broken,
            "broken": [f"{each['text']}: {each['found']}" for each in broken],
            "said": [f"{'kept' if each['kept'] else 'BROKEN'}: {each['text']} ({each['found']})" for each in promises],
            "vip": seen.plan["vip"],
            "address": seen.plan["address"],
            "preferred": seen.plan["preferred"],
            "wall": float(seen.probe["now"]["real"]) - float(seen.probe["now"]["monotonic"]) + start,
            "owners": {
                host: {
                    "held": [[span.start, span.end] for span in owner.held],
                    "unlinked": [[span.start, span.end] for span in owner.unlinked],
                    "clock_offset": owner.clock.offset,
                    "clock_error": owner.error,
                }
                for host, owner in owners.items()
            },
            "probe": {
                **{name: seen.probe[name] for name in ("sent", "answered", "repeated", "interval", "start", "end")},
                "lost": list(seen.probe["lost"]),
                "stalls": list(seen.probe["stalls"]),
            },
            "service": _service(seen),
            "faults": judged,
            "promises": [asdict(each) for each in general],
        },
        start,
    )


_TIMES = {"start", "end", "at", "began", "broken_at", "mending", "mended", "gained_at", "held", "unlinked"}


def _shifted(value: Any, start: float, name: str = "") -> Any:
    """Return the record with its times counted from ``start``."""
    if isinstance(value, dict):
        return {key: _shifted(each, start, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_shifted(each, start, name) for each in value]
    if name in _TIMES and isinstance(value, float):
        return round(value - start, 6)
    return value


def _owner(host: str, facts: Facts, probe: Facts, end: float) -> Owner:
    clock = HostClock.compared(host, probe["clocks"], facts["clocks"])
    owner = Owner(clock)
    for what, wanted in (("address", True), ("link", False)):
        changes = []
        for event in facts["events"]:
            moment = clock.read(float(event["at"]))
            if event["what"] == what and moment is not None:
                changes.append((moment.at, bool(event["is"]) is wanted))
                owner.error = max(owner.error, moment.error)
        # What began before the first probe did so outside of the picture.
        clipped = [span.within(Span(float(probe["start"]), end)) for span in spans(changes, end)]
        found = [span for span in clipped if span is not None]
        if what == "address":
            owner.held = found
        else:
            owner.unlinked = found
    return owner


@dataclass
class _Timed:
    """A fault by the prober's clock; without times if it did not come about."""

    kind: str
    host: str
    facts: Facts
    planned: Facts
    began: float | None = None
    broken: float = 0.0
    mending: float = 0.0
    mended: float = 0.0
    end: float = 0.0

    @classmethod
    def of(cls, fault: Facts, owners: Mapping[str, Owner], plan: Facts) -> _Timed:
        result = fault.get("result") or {}
        planned = next(each for each in plan["faults"] if each["kind"] == fault["kind"])
        timed = cls(str(fault["kind"]), str(fault["host"]), fault, planned)
        owner = owners.get(timed.host)
        moments = [owner.clock.read(float(result[name])) for name in _MOMENTS] if owner and "began" in result else []
        if moments and all(moment is not None for moment in moments):
            timed.began, timed.broken, timed.mending, timed.mended = (moment.at for moment in moments if moment)
        return timed

    @property
    def cut(self) -> list[Span]:
        """When the host could not be reached by anybody."""
        return [Span(self.broken, self.mending)] if self.kind in ("power", "link") and self.began is not None else []


_MOMENTS = ("began", "broken", "mending", "mended")


def _fault(fault: _Timed, seen: Seen, owners: Mapping[str, Owner]) -> dict[str, Any]:
    about: dict[str, Any] = {
        "kind": fault.kind,
        "title": fault.planned["title"],
        "host": fault.host,
        "words": (fault.facts.get("result") or {}).get("words", ""),
        "done": fault.began is not None,
    }
    if fault.began is None:
        why = (fault.facts.get("result") or {}).get("msg") or "its times cannot be told by the prober's clock"
        return {
            **about,
            "promises": [asdict(Promise(f"{fault.planned['title']}: it can be rehearsed", False, str(why)))],
        }
    taking, returning = Span(fault.began, fault.mending), Span(fault.mending, fault.end)
    silent = [Span(float(run["start"]), float(run["end"])) for run in seen.probe["lost"]]
    lost = sum(int(run["count"]) for run in seen.probe["lost"] if fault.began <= run["start"] < fault.end)
    gains = [
        (span.start, host)
        for host, owner in owners.items()
        if host != fault.host
        for span in owner.held
        if fault.began - owner.error <= span.start < fault.end
    ]
    gained = min(gains, default=None)
    home = owners[fault.host]
    again = [span.start for span in home.held if gained is not None and span.start > gained[0]]
    still = any(span.start < fault.began and span.end >= fault.end for span in home.held)
    back_from = (
        fault.began if fault.kind in ("daemon", "hang") and again and again[0] < fault.mending else fault.mending
    )
    reachable = {
        host: without(owner.held, fault.cut) if host == fault.host else owner.held for host, owner in owners.items()
    }
    window = Span(fault.began, fault.end)
    doubled = [both for span in overlaps(reachable) if (both := span.within(window)) is not None]
    measured: dict[str, Any] = {
        "began": fault.began,
        "broken_at": fault.broken,
        "mending": fault.mending,
        "mended": fault.mended,
        "end": fault.end,
        "taken_by": gained[1] if gained else "",
        "gained_at": gained[0] if gained else None,
        "takeover": gained[0] - fault.began if gained else None,
        "moves": len(gains),
        "bound": float(fault.planned["outage"]),
        "outage": longest(silent, taking),
        "back": max(0.0, again[0] - back_from) if again else (0.0 if still else None),
        "return_outage": longest(silent, returning),
        "lost": lost,
        "overlap": max((span.seconds for span in doubled), default=0.0),
    }
    service = seen.service
    if service is not None:
        measured["service_pause"] = longest(_pauses(service, fault.end), window)
    promises = _promises(fault, measured, seen, sum(owner.error for owner in owners.values()))
    return {**about, **measured, "promises": [asdict(promise) for promise in promises]}


def _promises(fault: _Timed, found: Facts, seen: Seen, error: float) -> list[Promise]:
    planned, address = fault.planned, seen.plan["address"]
    title = planned["title"]
    moves = f"in {seconds(found['takeover'])}" if found["gained_at"] is not None else "no other host took it"
    promises = [Promise(f"{title}: another host takes {address} over", found["gained_at"] is not None, moves)]
    if planned["outage"]:
        text = f"{title}: {address} answers again within {planned['outage']:g} s"
        promises.append(Promise(text, found["outage"] <= planned["outage"], _silence(found["outage"])))
    else:
        lost = f"{found['lost']} lost" if found["lost"] else "none lost"
        promises.append(
            Promise(f"{title}: no probe is lost, neither on the way there nor back", found["lost"] == 0, lost)
        )
    if fault.kind in ("power", "link"):
        text = f"{title}: never two reachable owners, but while it is handed back ({HANDOVER:g} s at most)"
    else:
        text = f"{title}: never two owners, but while it is handed over ({HANDOVER:g} s at most)"
    overlap = f"{seconds(found['overlap'])}, give or take {seconds(error)}" if found["overlap"] else "never two"
    promises.append(Promise(text, found["overlap"] <= HANDOVER + error, overlap))
    if seen.plan["returns"]:
        is_back = found["back"] is not None and found["back"] <= planned["back"]
        text = f"{title}: {fault.host} has it again within {planned['back']:g} s of its recovery"
        promises.append(Promise(text, is_back, f"after {seconds(found['back'])}"))
        text = f"{title}: nobody misses an answer for longer than 1 s on the way back"
        if planned["outage"]:
            promises.append(Promise(text, found["return_outage"] <= 1.0, _silence(found["return_outage"])))
    if "service_pause" in found:
        bound = max(planned["outage"], planned["seconds"] if fault.kind == "service" else 0.0) + ATTEMPT
        text = f"{title}: the service is reached again within {bound:g} s"
        promises.append(Promise(text, found["service_pause"] <= bound, f"{seconds(found['service_pause'])} at most"))
    return promises


def _silence(length: float) -> str:
    return f"{seconds(length)} without an answer" if length else "none missed"


def _pauses(service: Facts, end: float) -> list[Span]:
    """Return the stretches between one success and the next."""
    moments = sorted(float(each["at"]) for each in service["done"])
    return [Span(one, other) for one, other in zip(moments, [*moments[1:], max([end, *moments[-1:]])])]


def _general(seen: Seen, owners: Mapping[str, Owner]) -> list[Promise]:
    promises = []
    if seen.trouble:
        promises.append(Promise("the drill comes to its end", False, seen.trouble))
    unread = [host for host, owner in owners.items() if owner.clock.offset is None]
    worst = max((owner.error for owner in owners.values()), default=0.0)
    promises.append(
        Promise(
            "the clocks of all hosts can be compared",
            not unread,
            f"{listed(unread)} answered no ping" if unread else f"to {seconds(worst)}",
        )
    )
    promises.append(
        Promise(
            "all hosts are well at the end, and the preferred one holds the address",
            not seen.health,
            "; ".join(seen.health) or "they are",
        )
    )
    service = _service(seen)
    if service is not None and service["mails"]:
        accepted, begun = service["successes"], service["begun"]
        promises.append(Promise("every mail is accepted", accepted == begun > 0, f"{accepted} of {begun}"))
        if seen.arrivals is not None:
            missing = service["missing"]
            numbers = f": {', '.join(map(str, missing[:10]))}" if missing else ""
            text = "every accepted mail is in a mailbox or a queue"
            promises.append(Promise(text, not missing, f"{len(missing)} missing{numbers}"))
    return promises


def _service(seen: Seen) -> dict[str, Any] | None:
    if seen.service is None:
        return None
    there = Counter(
        int(number)
        for facts in (seen.arrivals or {}).values()
        for kind in ("queued", "delivered")
        for number in facts.get(kind) or ()
    )
    accepted = [int(each["number"]) for each in seen.service["done"]]
    return {
        "mails": bool(seen.service.get("mails")),
        "begun": int(seen.service["begun"]),
        "successes": len(accepted),
        "done": [{"number": each["number"], "at": each["at"], "tries": each["tries"]} for each in seen.service["done"]],
        "failures": list(seen.service["failures"]),
        "missing": sorted(set(accepted) - set(there)) if seen.arrivals is not None else None,
        "doubled": sorted(number for number, times in there.items() if times > 1),
    }


def seconds(value: float | None) -> str:
    """Return a duration, for people."""
    if value is None:
        return "never"
    if value < 0.001:
        return f"{value * 1000:.2f} ms"
    return f"{value * 1000:.0f} ms" if value < 0.1 else f"{value:.2f} s"
