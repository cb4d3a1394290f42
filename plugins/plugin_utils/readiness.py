# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the hosts' looks at their network mean for what is planned there."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .hosts import Host
from .text import listed

_DEFAULT_PATH = "multicast"
_OVERLAP = 1.0  # seconds, in which four trials are sent
_REFUSED = os.strerror(errno.EPERM)  # what the kernel says of a packet that the host's own firewall drops


@dataclass(frozen=True)
class Look:
    """A host's plan, and what module preflight found there."""

    vips: tuple[Mapping[str, Any], ...]
    found: Mapping[str, Any]


@dataclass
class Readiness:
    """What keeps the hosts from being changed, and what is only worth knowing."""

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def judge(
    looks: Mapping[str, Look], hosts: Mapping[str, Host], everyone: Iterable[str], at_once: bool, opens: bool = False
) -> Readiness:
    """Return what the looks of some hosts mean.

    ``hosts`` has the facts of those that are known, ``everyone`` are all. ``at_once`` tells that all looked at the same
    time: what did not arrive then does not arrive. ``opens`` tells that firewalls that drop by their policy will be
    opened.
    """
    ready = Readiness()
    known = all(hosts[name].facts for name in everyone if name in hosts) and set(everyone) <= set(hosts)
    family = _Family(hosts.values())
    for host, look in looks.items():
        # Where not all are known, a stranger may be one of our own.
        tell = ready.problems if known else ready.warnings
        for vip in look.vips:
            place = _place(look, vip)
            if place.get("error"):
                ready.problems.append(f"{host}: {place['error']}")
                continue
            tell += [f"{host}: [vip {vip['name']}] {text}" for text in _strangers(vip, place, family)]
            ready.warnings += [f"{host}: [vip {vip['name']}] {text}" for text in _neighbours(vip, place)]
            ready.warnings += _too_fast(host, vip, look.found.get("wakeups") or {})
        for text in look.found.get("firewall") or ():
            stops = str(text).startswith("the firewall drops advertisements (")
            (ready.problems if stops else ready.warnings).append(f"{host}: {text}")
        for topic in ("managers", "kernel"):
            ready.warnings += [f"{host}: {text}" for text in look.found.get(topic) or ()]
    ready.problems += _secrets(looks)
    for speaker, listener, refused, texts in _ways(looks):
        closed = _closed(looks[speaker])
        sure = refused or (at_once and _together(looks[speaker], looks[listener]))
        will_pass = not sure or (opens and closed)
        (ready.warnings if will_pass else ready.problems).extend(texts + _because(speaker, closed))
    ready.problems = list(dict.fromkeys(ready.problems))
    ready.warnings = list(dict.fromkeys(ready.warnings))
    return ready


class _Family:
    """The addresses and MACs of the hosts themselves."""

    def __init__(self, hosts: Iterable[Host]) -> None:
        self.addresses: set[str] = set()
        self.macs: set[str] = set()
        for host in hosts:
            for about in host.facts.values():
                if isinstance(about, Mapping) and about.get("macaddress"):
                    self.macs.add(str(about["macaddress"]).lower())
                    self.addresses |= {str(entry.get("address")) for entry in about.get("ipv6") or ()}
            self.addresses |= {known.address for known in host.own_addresses}


def _place(look: Look, vip: Mapping[str, Any]) -> Mapping[str, Any]:
    place: Mapping[str, Any] = (look.found.get("interfaces") or {}).get(vip["interface"]) or {}
    return place


def _strangers(vip: Mapping[str, Any], place: Mapping[str, Any], family: _Family) -> Iterable[str]:
    for speaker in place.get("speakers") or ():
        same = (speaker["protocol"], speaker["number"]) == ("carp", vip["vhid"])
        if same and speaker["source"] not in family.addresses:
            free = place["free"].get(str(vip["vhid"]))
            instead = f"; {free} is free" if free else ""
            yield f"vhid {vip['vhid']} is in use on {vip['interface']} already, by {speaker['source']}{instead}"
    for address in vip["addresses"]:
        macs = (place.get("answers") or {}).get(str(address).partition("/")[0]) or ()
        strange = [mac for mac in macs if mac.lower() not in family.macs]
        if strange:
            yield f"{address} is in use on {vip['interface']} already, by {listed(strange)}"


def _neighbours(vip: Mapping[str, Any], place: Mapping[str, Any]) -> Iterable[str]:
    for speaker in place.get("speakers") or ():
        if (speaker["protocol"], speaker["number"]) == ("vrrp", vip["vhid"]):
            free = place["free"].get(str(vip["vhid"]))
            yield (
                f"VRRP on {vip['interface']} has the number {vip['vhid']}, too, from {speaker['source']}: the two have "
                f"the same virtual MAC, where one is used; {free} is free"
            )


def _too_fast(host: str, vip: Mapping[str, Any], wakeups: Mapping[str, Any]) -> Iterable[str]:
    fast = str(vip.get("advbase", "")) == "0" or vip.get("profile") == "fast"
    if wakeups.get("profile") == "vm" or (fast and wakeups.get("profile") != "fast"):
        better = "profile: vm" if wakeups["profile"] == "vm" else "whole seconds (the default)"
        why = "" if wakeups["realtime"] else ", and realtime scheduling is not permitted"
        late = f"a process woke up {wakeups['worst_ms']} ms late{why}"
        yield f"{host}: [vip {vip['name']}] {late}: {better} is the safer choice"


def _secrets(looks: Mapping[str, Look]) -> Iterable[str]:
    digests: dict[str, dict[str, str]] = {}
    for host, look in looks.items():
        for name, digest in (look.found.get("digests") or {}).items():
            digests.setdefault(name, {})[host] = digest
    for name, by_host in digests.items():
        if len(set(by_host.values())) > 1:
            yield f"[vip {name}] the password files on {listed(by_host)} do not hold the same password"


def _closed(look: Look) -> list[str]:
    """Return what the firewall of a host may drop by its policy."""
    return [str(text) for text in look.found.get("firewall") or () if str(text).startswith("the firewall may drop")]


def _because(host: str, closed: list[str]) -> list[str]:
    return [f"{host}: {text}; let the role open it, by carp_manage_firewall, or do so yourself" for text in closed]


def _together(one: Look, other: Look) -> bool:
    """Tell whether two hosts listened at the same time for long enough, as far as their clocks tell.

    On a machine that is very busy Ansible may start one of them when the other has ended.
    """
    begin, end = zip(*(look.found.get("listened") or (0.0, _OVERLAP) for look in (one, other)))
    return bool(min(end) - max(begin) >= _OVERLAP)


def _ways(looks: Mapping[str, Look]) -> Iterable[tuple[str, str, bool, list[str]]]:
    """Go through every host, as the others should have heard it, and return who was not heard by whom.

    Also whether that is because the speaker's own firewall let nothing out, whenever the other listened.
    """
    for speaker, look in looks.items():
        for listener, other in looks.items():
            for vip in look.vips:
                theirs = next((each for each in other.vips if each["name"] == vip["name"]), None)
                if speaker == listener or theirs is None:
                    continue
                here, there = _place(look, vip), _place(other, theirs)
                if here.get("source") and there.get("source"):
                    lost = list(_way(speaker, listener, vip, here["source"], there["trials"]))
                    if lost:
                        failures = here.get("failures") or {}
                        yield speaker, listener, all(failures.get(path) == _REFUSED for path in _wanted(vip)), lost


def _wanted(vip: Mapping[str, Any]) -> list[str]:
    """Return the paths by which a virtual IP advertises."""
    chosen = vip.get("paths") or ("unicast" if vip.get("peers") else _DEFAULT_PATH)
    return [path.strip() for path in (chosen if isinstance(chosen, (list, tuple)) else str(chosen).split(","))]


def _way(speaker: str, listener: str, vip: Mapping[str, Any], source: str, trials: Mapping[str, Any]) -> Iterable[str]:
    wanted = _wanted(vip)
    arrive = [path for path in trials if source in trials[path]]
    if not set(wanted) & set(arrive):
        instead = (
            f"by {listed(arrive)} they do: see the options paths and peers"
            if arrive
            else "nothing of IP protocol 112 does: look at the firewalls and security groups between them"
        )
        lost = f"advertisements by {listed(wanted)} from {speaker} do not reach {listener}"
        yield f"[vip {vip['name']}] {lost}; {instead}"
