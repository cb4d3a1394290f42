# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hands of one virtual host: performs on this host's wire and addresses what its election decides."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Address, IPv4Interface
from threading import Thread

from .actions import Action, Advertise, Announce, Ask, Changed, Count, Hold, HoldBack, LetIn, Release, Reset
from .config import Vip
from .connections import Connections
from .forwarding import Forwarding
from .guard import Guard, Turns
from .homes import switch_off, virtual_mac_of
from .logs import log
from .neighbours import Neighbour
from .netlink import Link, Requests
from .news import ALARM, DEMOTION, STATE, News, nobody
from .options import Interface
from .packet import Address, Datagram
from .paths import MULTICAST, UNICAST, Copy, copies
from .recorder import forget
from .rivals import Claim, Rivals
from .speaker import Speaker
from .tracking import Verdict
from .transitions import Event, State
from .trust import AHEAD
from .typed import Any
from .wire import Wire

_GUARD_PATIENCE = 0.5  # of the lease: a daemon that hangs is found out before the kernel ends it
_COMPLAINT_INTERVAL = 60.0  # seconds between two log lines about the same kind of bad packet
_NOBODY = IPv4Address("0.0.0.0")  # the source of an ARP probe (RFC 5227, 2.1.1)
# What others know of the states: ours are finer.
_SHOWN = {state: "MASTER" for state in State if state.holds} | {State.FAULTY: "INIT", State.ENDED: "INIT"}
_REFUSALS = {
    "digest": "its digest is wrong: another password or another list of addresses",
    "echo": "it is our own: a switch or hypervisor sends it back",
    "destination": "it is for neither our group nor our address",
    "ttl": "it passed a router, which only routed_peers allows, and only to peers",
    "stranger": "its sender is none of known_peers",
    "range": "it promises more than known_peers allows its sender",
    "tag": "its digest is right, but not what carpd adds to it: somebody may have changed an old one",
    "replay": "it is older than the last one: somebody may have sent it again",
}


class VirtualHost:
    """One virtual host on this host. ``clock`` returns monotonic seconds.

    ``tell`` is told what others want to know, and ``note``, see ``Recorder``, everything.
    """

    def __init__(
        self,
        vip: Vip,
        requests: Requests,
        guard: Guard,
        sequence: int,
        clock: Callable[[], float],
        connections: Connections,
        forwarding: Forwarding,
        tell: Callable[[News], None] = nobody,
        note: Callable[..., None] = forget,
    ) -> None:
        self._requests = requests
        self._guard = guard
        self._guarded = False
        self._masters_mac = b""  # that the last master's advertisements came from
        self._sign_anew_at = 0  # the sequence number at which the guard's goodbye gets old
        self._clock = clock
        self._connections = connections
        self._forwarding = forwarding
        self._tell = tell
        self._note = note
        self.sent = self.heard = 0  # advertisements
        self._told_demotion = 0
        self._speaker = Speaker(vip, sequence, clock())
        self._machine = self._speaker.machine
        self._link: Link | None = None
        self._made: Link | None = None  # the interface that was made for the addresses, if so
        self._switching: Thread | None = None  # that interface off
        self.wires: dict[int, Wire] = {}  # by IP version; none while there is an obstacle
        self._complained: dict[str, float] = {}
        self._verdict = Verdict()
        self._rivals = Rivals()
        self._plan()
        self.obstacle = "starting"
        self._resumes = False  # an earlier program was master until now

    @property
    def vip(self) -> Vip:
        """The configuration that is in force."""
        return self._speaker.vip

    @property
    def state(self) -> State:
        """Where the election stands."""
        return self._machine.state

    @property
    def operator(self) -> str:
        """By whose order this host is demoted, and why; empty if it is not."""
        return self._machine.retirement

    @property
    def ifindex(self) -> int | None:
        """The number of the interface in use, or None while there is an obstacle."""
        home = self._made or self._link
        return home.ifindex if home else None

    @property
    def made(self) -> Link | None:
        """The interface that was made for the addresses, if so."""
        return self._made

    @property
    def sources(self) -> dict[int, Address]:
        """The addresses that advertisements come from, by IP version."""
        return self._speaker.sources

    def next_timer(self) -> float:
        """Return when ``due`` wants to be called."""
        return self._next_timer

    def attach(self, link: Link, wires: dict[int, Wire], sources: dict[int, Address], made: Link | None = None) -> None:
        """Begin to take part, or go on with other source addresses.

        ``made`` is the interface that was made for the addresses, if so.
        """
        self._guarded = False  # the goodbye has the source address in it
        if self.obstacle:
            own = " and ".join(str(source) for source in sources.values())
            log.info("%s: %s is ready, advertising from %s", self.vip.name, link.name, own)
            self._keep_apart(link, made)
        self._link, self._made, self.wires, self._speaker.sources, self.obstacle = link, made, wires, sources, ""
        if self._resumes:
            self.event(Event.RESUME, "the daemon's program was loaded anew")
        else:
            self.event(Event.UP, f"{link.name} is ready")
        self._resumes = False

    def renew(self, link: Link) -> None:
        """Take note of what has changed about the interface in use."""
        old, self._link = self._link, link
        if old is not None and old.mac != link.mac and self._made is None and self.state.holds:
            log.info("%s: %s has the MAC %s now", self.vip.name, link.name, link.mac.hex(":"))
            # For the neighbours the addresses are lost: they are to be announced as often as after a takeover.
            self.event(Event.ADDRESS_LOST, f"{link.name} has another MAC")

    def _keep_apart(self, link: Link, made: Link | None) -> None:
        """Have neither the host's own addresses go with ours nor ours with them."""
        if made is not None:
            return
        try:
            self._requests.keep_apart(link.ifindex)
        except OSError as error:
            self._complain("protect", error.strerror)

    def step_behind(self) -> None:
        """Let the addresses stand behind the host's own ones of their network."""
        if self._link is None or self._made is not None:
            return
        self._note("step behind:", self.vip.name)
        addresses = [address for address in self.vip.addresses if isinstance(address, IPv4Interface)]
        try:
            self._requests.step_behind(self._link.ifindex, addresses, self.lease)
        except OSError as error:
            self._complain("hold", error.strerror)  # and if one is gone now, it will be put back

    def detach(self, obstacle: str) -> None:
        """Stop taking part, because of the obstacle."""
        if obstacle == self.obstacle:
            return
        log.warning("%s: %s", self.vip.name, obstacle)
        self.obstacle, self._resumes = obstacle, False
        self.event(Event.DOWN, obstacle)
        self._link, self._made, self.wires = None, None, {}

    def received(self, datagram: Datagram) -> None:
        """Take in what arrived on a wire."""
        held = self.state.holds
        refused = self._speaker.received(datagram, self._clock())
        if refused or datagram.payload[1] == self.vip.vhid:
            self.heard += not refused
            self._note("heard", self.vip.name, datagram.source, datagram.payload, refused)
        if refused:
            self._complain(refused, datagram.source)
        elif datagram.is_testimony:
            self._weigh()
        elif self._machine.master is not None and self._machine.master.source == datagram.source:
            self._masters_mac = datagram.mac
        self._perform()
        if not refused and not self.state.holds and (held or self._masters_mac == datagram.mac):
            self._forwarding.aim(self.vip.name, datagram.mac)

    def neighbour(self, neighbour: Neighbour) -> None:
        """Take in that somebody else says to have an address; only ours matter."""
        if neighbour.address in [address.ip for address in self.vip.addresses]:
            self._rivals.claimed(neighbour, self._clock())
            self._note("neighbour", self.vip.name, neighbour.address, "is at", neighbour.mac.hex(":"))
            known = virtual_mac_of(self.vip.vhid) if self.vip.virtual_mac else self._masters_mac
            self._machine.answered(neighbour.mac == known, self._clock())
            self._perform()

    def event(self, event: Event, reason: str) -> None:
        """Take in anything else that happened."""
        self._note("event:", self.vip.name, event.value, "-", reason)
        self._machine.event(event, self._clock(), reason)
        self._perform()

    def given_up(self, reason: str) -> None:
        """Take in that the guard has given the addresses up, and said goodbye, for whomever held them."""
        self._speaker.skip_goodbyes()
        if self.state.holds:
            self.event(Event.UNHEARD, reason)

    def due(self) -> None:
        """Do what the time has come for."""
        now = self._clock()
        self._machine.due(now)
        self._perform()
        # What has come up just now waits for another turn: first all virtual hosts are served that are due in this one.
        if self._next_timer <= now:
            self._watch_rivals()
            self._testify()
            self._plan()

    def reconfigure(self, vip: Vip) -> None:
        """Take over another configuration in place; see ``same_identity``."""
        self._guarded = False  # its patience follows the lease
        gone = [address for address in self.vip.addresses if address not in vip.addresses]
        if self.state.holds and gone:
            self._remove(gone)
        self._speaker.reconfigure(vip, self._clock())
        self._perform()

    def judge(self, verdict: Verdict) -> None:
        """Take in what the checks say."""
        if verdict == self._verdict:
            return
        self._verdict, now = verdict, self._clock()
        self._weigh()
        if verdict.fault != self._machine.fault:
            # Also when only the reason has changed, which a person may read.
            event = Event.FAULT if verdict.fault else Event.HEALED
            self._machine.event(event, now, verdict.fault or "the checks are good again")
        self._perform()

    def _weigh(self) -> None:
        """Have what the checks and the peers say decide about the rank, and about what the peers are told."""
        verdict, testimony, now = self._verdict, self._speaker.testimony, self._clock()
        self._machine.demote(verdict.demotion + testimony.demotion(now), verdict.doubts, now)
        sound = not (self._machine.demotion or verdict.doubts or verdict.fault)
        testimony.judge(verdict.views, sound, now)

    def _testify(self) -> None:
        """Tell peers that their service cannot be reached from here."""
        testimony = self._speaker.testimony
        if testimony.next_timer() > self._clock():
            return
        accused = testimony.due(self._clock())
        self._weigh()
        for peer in accused:
            packet = self._speaker.testify(peer)
            if packet is not None and peer.version in self.wires:
                self._note("testify", self.vip.name, peer)
                try:
                    self.wires[peer.version].send(Copy(packet, UNICAST))
                except OSError as error:
                    self._complain("send to a peer", error.strerror)
        self._perform()

    def release(self) -> None:
        """Remove the addresses, whatever the election thinks; for the end of the daemon. Never raises OSError."""
        if self._link is None:
            return
        self._remove(self.vip.addresses)
        if self._made is not None:
            self._switching = switch_off(self._made)
        self._guard.release(self.vip.name)
        self._guarded = False

    @property
    def holds(self) -> bool:
        """Whether the addresses are here, or were left here by an earlier program of the daemon."""
        return self.state.holds or self._resumes

    @property
    def sequence(self) -> int:
        """The sequence number of the last advertisement."""
        return self._speaker.sequence

    @property
    def lease(self) -> int:
        """For how many seconds the addresses are held without being renewed."""
        return self._machine.timing.lease

    def turns(self, seconds: float) -> Turns | None:
        """Renew the lease, and return what is to be advertised for so many seconds; None if this is no master.

        Raises OSError when nothing can be sent: then the lease must end, and nobody can stand in.
        """
        machine = self._machine
        if self.state is State.MASTER:
            machine.renew(self._clock())
            self._perform()
        if self.state is not State.MASTER or self._link is None:
            return None
        if machine.failing:
            raise OSError(f"{self.vip.name} cannot send advertisements")
        interval = machine.timing.interval(machine.advskew)
        rank = (machine.timing.advbase, machine.advskew, machine.demotion)
        turns = [self._copies(self._speaker.packets(*rank)) for _turn in range(math.ceil(seconds / interval))]
        return Turns(self._link.name, interval, turns)

    def legacy(self) -> dict[str, Any]:
        """Return what the next program of the daemon has to know, as JSON can carry it."""
        return {**self._machine.legacy(), "sequence": self._speaker.sequence}

    def inherit(self, legacy: Mapping[str, Any], is_held: bool) -> None:
        """Take over what an earlier program knew; ``is_held`` tells that its guard still holds the addresses."""
        self._machine.inherit(legacy)
        self._speaker.sequence = max(self._speaker.sequence, legacy["sequence"])
        self._resumes = is_held and legacy["master"]

    def demote(self, reason: str) -> None:
        """Let another host be master, until this is called without a reason or ``promote`` is."""
        self._machine.retire(self._clock(), reason)
        self._perform()

    def promote(self) -> str:
        """End a demotion by ``demote``, and take over from any worse master; return what is in the way, if so."""
        obstacle = self._machine.promote(self._clock())
        self._perform()
        return self.obstacle or obstacle

    def status(self) -> dict[str, Any]:
        """Return what a person or a program wants to know, as JSON can carry it."""
        machine, vip, now = self._machine, self.vip, self._clock()
        heard = machine.master
        master = heard and {
            "source": str(heard.source),
            "advbase": heard.advbase,
            "advskew": heard.advskew,
            "demotion": heard.demotion,
            "age": round(now - heard.at, 3),
            "mac": self._mac_of_master(),
        }
        return {
            "name": vip.name,
            "interface": vip.interface,
            "vhid": vip.vhid,
            "state": _SHOWN.get(machine.state, machine.state.value),
            "leaving": machine.state.leaves,
            "draining": machine.draining(now),
            "addresses": [str(address) for address in vip.addresses],
            "advbase": vip.advbase,
            "advskew": vip.advskew,
            "demotion": machine.demotion,
            "preempt": vip.preempt and not machine.yielding,
            "operator": machine.retirement,
            "since": round(now - machine.since, 3),
            "transitions": machine.transitions,
            "master": master,
            "reason": self._reason(),
            "refused": dict(self._speaker.refused),
            "sent": self.sent,
            "heard": self.heard,
            "fault": machine.fault,
            "alarm": self._alarm(),
            "election": {**machine.outlook(now), "obstacle": self.obstacle, "causes": self._causes()},
            "rivals": [
                {
                    "address": str(claim.address),
                    "mac": claim.mac.hex(":"),
                    "age": round(now - claim.at, 3),
                    "count": claim.count,
                }
                for claim in self._rivals.conflicts()
            ],
        }

    def _alarm(self) -> str:
        now = self._clock()
        opponent = self._machine.opponent(now)
        if opponent:
            return f"{opponent} is alive, but different: see what is refused"
        if self._machine.is_unheard_of(now):
            return "the master has the addresses, but its advertisements do not arrive: a firewall, or a switch?"
        return ""

    def _mac_of_master(self) -> str:
        """Return who said last to have the first address; empty if nobody has."""
        claim = self._rivals.owner(self.vip.addresses[0].ip)
        return claim.mac.hex(":") if claim is not None else ""

    def _reason(self) -> str:
        """Say why the state is as it is, and what demotes this host."""
        machine = self._machine
        reason = self.obstacle or machine.fault or machine.reason
        return f"{reason}; demoted by {machine.demotion}: {self._demoted_by()}" if machine.demotion else reason

    def _demoted_by(self) -> str:
        """Say what demotes this host; empty if nothing does."""
        return "; ".join(self._causes())

    def _causes(self) -> list[str]:
        causes = [self._machine.retirement] if self._machine.retirement else []
        causes += [self._verdict.reason] if self._verdict.demotion else []
        witnesses = self._speaker.testimony.witnesses(self._clock())
        if witnesses:
            causes.append(f"{' and '.join(map(str, witnesses))} cannot use the service here")
        if self._machine.impaired:
            causes.append("advertisements could not be sent")
        return causes

    def _perform(self) -> None:
        actions = self._machine.actions()
        while actions:
            for action in actions:
                self._act(action)
                if isinstance(action, Hold) and not self._machine.state.holds:
                    break  # refused: what was to follow would claim what is not here
            actions = self._machine.actions()  # sending has consequences of its own
        self._tell_demotion()
        self._plan()

    def _plan(self) -> None:
        """Note when there is something to do: the loop asks each of many virtual hosts in every turn."""
        timers = (self._machine.next_timer(), self._rivals.next_timer(), self._speaker.testimony.next_timer())
        self._next_timer = min(timers)

    def _tell_demotion(self) -> None:
        old, self._told_demotion = self._told_demotion, self._machine.demotion
        if old != self._told_demotion:
            self._tell(News(DEMOTION, self.vip.name, str(old), str(self._told_demotion), self._demoted_by()))
            self._weigh()  # for who is demoted testifies against nobody

    def _act(self, action: Action) -> None:
        if isinstance(action, Changed):
            log.info("%s: %s -> %s: %s", self.vip.name, action.old.value, action.new.value, action.reason)
            if action.new is State.MASTER and not action.old.advertises:
                addresses = [address.ip for address in self.vip.addresses]
                self._rivals.took_over(addresses, self._clock(), patiently=self.vip.virtual_mac)
            elif action.old.advertises and not action.new.advertises:
                self._rivals.gave_up()
            self._forward(action)
            self._tell(News(STATE, self.vip.name, action.old.value, action.new.value, action.reason))
        elif isinstance(action, (HoldBack, LetIn, Count, Reset)):
            self._act_on_connections(action)
        elif self._link is None:
            return
        elif isinstance(action, Advertise):
            left = self._send(action)
            self.sent += left
            self._note("sent", self.vip.name, action.advbase, action.advskew, action.demotion, left)
            self._machine.sent(left, self._clock())
        elif isinstance(action, Hold):
            self._note("hold for", self.vip.name, action.lease, "s")
            self._hold(self._link, action.lease)
        elif isinstance(action, Release):
            self._note("release", self.vip.name)
            self.release()
        elif isinstance(action, Announce):
            self._note("announce", self.vip.name)
            self._announce()
        elif isinstance(action, Ask):
            self._probe(address.ip for address in self.vip.addresses)

    def _forward(self, change: Changed) -> None:
        """Pass packets on after a handover; not what has a MAC of its own, or another segment to go to."""
        vip = self.vip
        wanted = vip.forward and not vip.virtual_mac and not vip.routed_peers
        if change.new in (State.MASTER, State.INIT, State.ENDED):
            self._forwarding.end(vip.name)
        elif change.old.leaves and not change.new.leaves and self._link is not None and wanted:
            self._forwarding.begin(vip, self._link)

    def _act_on_connections(self, action: HoldBack | LetIn | Count | Reset) -> None:
        self._note("connections:", self.vip.name, type(action).__name__)
        if isinstance(action, HoldBack):
            self._connections.hold_back(self.vip, self._cannot_drain)
        elif isinstance(action, LetIn):
            self._connections.let_in(self.vip)
        elif isinstance(action, Count):
            self._connections.count(self.vip, self._counted, self._cannot_drain)
        else:
            self._connections.reset(self.vip, self._was_reset, lost=not self.state.holds)

    def _counted(self, connections: int) -> None:
        self._note("connections:", self.vip.name, connections)
        self._machine.counted(connections, self._clock())
        self._perform()

    def _was_reset(self) -> None:
        self._machine.was_reset(self._clock())
        self._perform()

    def _cannot_drain(self) -> None:
        self._machine.cannot_drain(self._clock())
        self._perform()

    def _send(self, action: Advertise) -> bool:
        """Send by every path and IP version; one that leaves is enough to be heard."""
        left = False
        packets = self._speaker.packets(action.advbase, action.advskew, action.demotion)
        for copy in self._copies(packets):
            try:
                self.wires[copy.packet[0] >> 4].send(copy)
            except OSError as error:
                self._complain("send" if copy.path == MULTICAST else f"send by {copy.path}", error.strerror)
            else:
                left = True
        return left

    def _copies(self, packets: dict[int, bytes]) -> list[Copy]:
        return copies(packets.values(), self.vip.paths, self.vip.peers)

    def _hold(self, link: Link, lease: int) -> None:
        made, begins = self._made, not self._guarded
        if begins or self._speaker.sequence >= self._sign_anew_at:
            self._guard.hold(self.vip, link, self._copies(self._speaker.goodbyes()), lease * _GUARD_PATIENCE, made)
            self._guarded, self._sign_anew_at = True, self._speaker.sequence + AHEAD // 2
        try:
            if begins and made is not None:
                if self._switching is not None:
                    self._switching.join()
                self._requests.switch(made.ifindex, True)
            hold = self._requests.add if begins else self._requests.hold
            hold((made or link).ifindex, self.vip.addresses, lease, made is None)
        except OSError as error:
            self._complain("hold", error.strerror)
            self._machine.event(Event.ADDRESS_REFUSED, self._clock(), f"no address could be added: {error.strerror}")

    def _remove(self, addresses: Iterable[Interface]) -> None:
        try:
            self._requests.release(self.ifindex or 0, addresses)
        except OSError as error:
            log.error("%s: the addresses could not be removed: %s", self.vip.name, error.strerror)

    def _announce(self) -> None:
        for address in self.vip.addresses:
            try:
                self.wires[address.version].announce(address.ip, self._made)
            except OSError as error:
                self._complain("announce", error.strerror)

    def _watch_rivals(self) -> None:
        """Ask who else has the addresses, tell of those who do, and announce the addresses against them."""
        found = self._rivals.due(self._clock())
        self._probe(found.ask)
        for claim in found.began:
            self._complain(f"rival for {claim.address}", claim)
        for claim in found.ended:
            self._complain(f"peace about {claim.address}", claim)
        if found.announce:
            self._announce()

    def _probe(self, addresses: Iterable[Address]) -> None:
        """Ask who else has addresses of ours, without saying that we do."""
        for address in addresses:
            source = self._speaker.sources.get(6) if address.version == 6 else _NOBODY
            try:
                if source is not None:
                    self.wires[address.version].ask(address, source)
            except OSError as error:
                self._complain("ask", error.strerror)

    def _complain(self, kind: str, about: object) -> None:
        """Log what goes wrong again and again, but each kind only now and then."""
        now = self._clock()
        if now - self._complained.get(kind, -_COMPLAINT_INTERVAL) < _COMPLAINT_INTERVAL:
            return
        self._complained[kind] = now
        if isinstance(about, Claim):
            says = "says to have" if about.conflict else "no longer says to have"
            mac, address = about.mac.hex(":"), about.address
            text = f"another host, with the MAC {mac}, {says} {address}"
        elif kind.partition(" ")[0] in ("send", "hold", "announce", "ask", "protect"):
            text = f"{kind} failed on {self.vip.interface}: {about}"
        else:
            text = f"an advertisement from {about} is not heeded: {_REFUSALS.get(kind, f'bad {kind}')}"
        log.warning("%s: %s", self.vip.name, text)
        self._tell(News(ALARM, self.vip.name, "", kind, text))
