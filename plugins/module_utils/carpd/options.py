# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every option that the configuration knows, as data: name, default, what is allowed, what it does.

The parser, the error messages, the reference in ``docs/configuration.md`` and the Ansible modules all read these
tables, so that they cannot disagree.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from .paths import PATHS
from .records import dataclass
from .targets import TARGETS, Endpoint, parse_command, parse_endpoint, parse_interface, parse_path
from .timing import Failback
from .trust import KnownPeer
from .typed import Union

Interface = Union[ipaddress.IPv4Interface, ipaddress.IPv6Interface]

# A key of 20 bytes, the last always zero: BSD's ifconfig copies at most 19 bytes and ucarp refuses more
# (OpenBSD and FreeBSD ip_carp.c CARP_KEY_LEN; UCarp src/carp.c docarp).
PASSWORD_MAX = 19
PASSWORD_RULE = (
    "1 to 19 bytes (the protocol's key has 20 bytes and every ucarp and BSD peer uses 19 of them, so a longer password "
    "would be cut or refused there)"
)
NAME_RULE = "1 to 32 letters, digits, '_', '.' or '-', beginning with a letter or digit"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
FAULT = "fault"
_CREDENTIAL = "the name of a credential that systemd passes to the daemon, whose first line is the password"
_COMMAND = "a command line, which no shell reads, or nothing"
# What a profile stands for; an option that is given counts for more.
PROFILES: dict[str, dict[str, str]] = {
    "default": {},
    "fast": {"advbase": "0", "advskew": "1"},
    "vm": {"dead_ratio": "6"},
}
_NEVER, _IMMEDIATE, _AFTER = "never", "immediate", "after_stable_for"


@dataclass(frozen=True)
class Option:
    """One option of a section.

    ``parse`` turns the text into its value and raises ValueError for anything that ``allowed`` does not describe.
    An option whose default is None must be given, unless ``optional`` is set.
    """

    name: str
    default: str | None
    allowed: str
    summary: str
    parse: Callable[[str], object]
    optional: bool = False
    secret: bool = False


def valid_name(name: str) -> bool:
    """Tell whether a virtual host may be called so; see NAME_RULE."""
    return _NAME.fullmatch(name) is not None


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """Return a parser for decimal numbers from low to high, both included."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(text)
        return int(text)

    return parse


def _seconds(low: float, high: float) -> Callable[[str], float]:
    """Return a parser for seconds with at most three decimals, from low to high."""

    def parse(text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,3})?", text) or not low <= float(text) <= high:
            raise ValueError(text)
        return float(text)

    return parse


def _boolean(text: str) -> bool:
    words = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
    if text.lower() not in words:
        raise ValueError(text)
    return words[text.lower()]


def _addresses(text: str) -> tuple[Interface, ...]:
    found = tuple(_address(part) for part in _words(text))
    if not found or len({address.ip for address in found}) != len(found):
        raise ValueError(text)
    return found


def _address(text: str) -> Interface:
    if not re.fullmatch(r"[0-9A-Fa-f:.]+/[0-9]{1,3}", text):
        raise ValueError(text)
    address = ipaddress.ip_interface(text)
    ip, network = address.ip, address.network
    if ip.is_multicast or ip.is_unspecified or ip.is_loopback or int(ip) == 0xFFFFFFFF:
        raise ValueError(text)
    # The first address of an IPv6 network belongs to all its routers (RFC 4291, 2.6.1).
    if network.prefixlen < network.max_prefixlen - 1:
        ends = [network.network_address, *([network.broadcast_address] if ip.version == 4 else [])]
        if ip in ends:
            raise ValueError(text)
    return address


def _addresses_or_none(text: str) -> tuple[Interface, ...]:
    return _addresses(text) if text else ()


def _peers(text: str) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, ...]:
    peers = tuple(ipaddress.ip_address(part) for part in _words(text))
    odd = [peer for peer in peers if peer.is_multicast or peer.is_unspecified or peer.is_loopback]
    if odd or "%" in text or len(set(peers)) != len(peers):
        raise ValueError(text)
    return peers


def _paths(text: str) -> tuple[str, ...]:
    found = _words(text)
    if not set(found) <= set(PATHS) or len(set(found)) != len(found):
        raise ValueError(text)
    return tuple(path for path in PATHS if path in found)


def _ports(text: str) -> tuple[int, ...]:
    ports = tuple(whole_number(1, 65535)(part) for part in _words(text))
    if len(set(ports)) != len(ports):
        raise ValueError(text)
    return ports


def _words(text: str) -> list[str]:
    return [part for part in re.split(r"[,\s]+", text) if part]


def _failback(text: str) -> Failback:
    policy, _blank, seconds = text.partition(" ")
    if text in (_NEVER, _IMMEDIATE):
        return Failback(text == _IMMEDIATE)
    if policy != _AFTER:
        raise ValueError(text)
    return Failback(True, _seconds(0.1, 86400)(seconds.strip()))


def _known_peers(text: str) -> tuple[KnownPeer, ...]:
    peers = tuple(_known_peer(part.split()) for part in text.split(",")) if text else ()
    if len({peer.address for peer in peers}) != len(peers):
        raise ValueError(text)
    return peers


def _known_peer(words: list[str]) -> KnownPeer:
    kind = words[1] if len(words) > 1 else "any"
    if not 1 <= len(words) <= 3 or kind not in ("carpd", "any"):
        raise ValueError(words)
    ours = kind == "carpd"
    lowest = whole_number(0, 254)(words[2]) if len(words) > 2 else None if ours else 0
    return KnownPeer(ipaddress.ip_address(words[0]), ours, lowest)


def _source(text: str) -> ipaddress.IPv4Address | None:
    return ipaddress.IPv4Address(text) if text else None


def _path(text: str) -> str:
    if not text or not text.isprintable():
        raise ValueError(text)
    return text


def _pattern(text: str) -> str:
    return _path(text) if text else ""


def _password(text: str) -> str:
    """Only what can stand in the file as it is: anything else belongs into a password_file."""
    if not text or not text.isprintable() or text != text.strip() or re.search(r"(^|\s);", text):
        raise ValueError(text)
    return text


def _command(text: str) -> tuple[str, ...]:
    return tuple(parse_command(text)) if text else ()


def _text(text: str) -> str:
    if not text.isprintable():
        raise ValueError(text)
    return text


def _credential(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,255}", text) or text in (".", ".."):
        raise ValueError(text)
    return text


def _script(text: str) -> str:
    return parse_path(text) if text else ""


def _listen(text: str) -> Endpoint | None:
    if not text:
        return None
    endpoint = parse_endpoint(text)
    ipaddress.ip_address(endpoint.host)  # to look a name up may take any time
    return endpoint


def _account(text: str) -> str:
    if not re.fullmatch(r"[^\s:,]{0,32}", text):
        raise ValueError(text)
    return text


def _given(text: str) -> str:
    if not text:
        raise ValueError(text)
    return text


def _group(text: str) -> str:
    if text and not valid_name(text):
        raise ValueError(text)
    return text


def _weight(text: str) -> int | None:
    return None if text == FAULT else whole_number(1, 254)(text)


def _peer(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(text)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(part for part in re.split(r"[,\s]+", text) if part)
    if not all(valid_name(name) for name in names) or len(set(names)) != len(names):
        raise ValueError(text)
    return names


def _recipient(text: str) -> str:
    # RFC 5321, 4.5.1: "postmaster" alone is accepted whatever else is wrong, which shows nothing.
    if len(text) > 254 or not re.fullmatch(r"[^\s<>\x00-\x1f]+@[^\s<>\x00-\x1f@]+", text):
        raise ValueError(text)
    return text


def _choice(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(text)
        return text

    return parse


def _table(*options: Option) -> dict[str, Option]:
    return {option.name: option for option in options}


CARPD_OPTIONS = _table(
    Option(
        "include",
        "",
        "a file name pattern such as vips.d/*.conf, relative to this file's folder",
        "More files to read, in the order of their names. They may hold any section but [carpd].",
        _pattern,
    ),
    Option(
        "priority",
        "50",
        "a whole number from 0 to 99 (0 for ordinary scheduling)",
        "The realtime priority (SCHED_FIFO) of the daemon and its guard. With it goes locked memory. Where the system "
        "does not permit it, the daemon says so and works without. Takes effect at the next start.",
        whole_number(0, 99),
    ),
    Option(
        "log_level",
        "info",
        "debug, info, warning or error",
        "The least important messages that are still written to standard error.",
        _choice("debug", "info", "warning", "error"),
    ),
    Option(
        "control_group",
        "",
        "the name of a group that exists on this host",
        "The group whose members may ask the daemon by carpctl, and give it orders, beside root and the daemon's own "
        "user. The daemon's user must be in it, unless that is root. By default it is the daemon's own group. Takes "
        "effect at the next start.",
        _account,
    ),
    Option(
        "metrics_listen",
        "",
        "an address and port such as 127.0.0.1:9150 or [::1]:9150, or nothing",
        "Where Prometheus is answered, at /metrics. A process of its own does so, and whoever can connect may ask. It "
        "tells no secret.",
        _listen,
    ),
)

VIP_OPTIONS = _table(
    Option(
        "interface",
        None,
        "the name of a network interface, at most 15 characters without blank, '/' or ':'",
        "Where the addresses live and the advertisements go. It may be absent for now: the virtual host waits for it.",
        parse_interface,
    ),
    Option(
        "vhid",
        None,
        "a whole number from 1 to 255",
        "The number of the virtual host. All its hosts must agree, and no other pair on the segment may use it.",
        whole_number(1, 255),
    ),
    Option(
        "addresses",
        None,
        "one or more different addresses of hosts with prefix lengths, such as 172.17.0.74/20 or 2001:db8::74/64, "
        "separated by commas",
        "The addresses that the master holds, IPv4 and IPv6. All hosts must list the same ones: they are part of the "
        "digest. Advertisements go out by each family that is in the list.",
        _addresses,
    ),
    Option(
        "password",
        None,
        PASSWORD_RULE
        + "; here without blanks at its ends, control characters and ' ;', which a password_file may have",
        "The secret that authenticates advertisements. Prefer password_file.",
        _password,
        optional=True,
        secret=True,
    ),
    Option(
        "password_file",
        None,
        "a readable file whose first line is the password, " + PASSWORD_RULE,
        "A file that holds the secret. Only its first line counts; a carriage return at its end is dropped.",
        _path,
        optional=True,
    ),
    Option(
        "password_credential",
        None,
        _CREDENTIAL,
        "A credential of systemd that holds the secret, as a password_file does: the unit has LoadCredential= or "
        "LoadCredentialEncrypted= for it. systemd reads it when the service starts: a reload does not see another.",
        _credential,
        optional=True,
    ),
    Option(
        "advbase",
        "1",
        "a whole number from 0 to 255 (seconds)",
        "The interval between advertisements, in seconds. 0 is for detection below a second, between our own daemons.",
        whole_number(0, 255),
    ),
    Option(
        "advskew",
        "0",
        "a whole number from 0 to 254 (1/256 seconds)",
        "Added to the interval in steps of 1/256 s. The lowest is preferred. No two hosts may have the same.",
        whole_number(0, 254),
    ),
    Option(
        "profile",
        "default",
        "one of " + ", ".join(PROFILES),
        "Values for several options that fit together, for those that are not given. `default` needs nothing of the "
        "hosts; `fast` (advbase 0, advskew 1) finds a dead master in 12 ms, and wants realtime scheduling and an "
        "advskew of its own on each host; `vm` (dead_ratio 6) bears it that a virtual machine stands still for seconds "
        "while it is moved.",
        _choice(*PROFILES),
    ),
    Option(
        "preempt",
        "yes",
        "yes or no",
        "Whether this host takes the addresses back from a less preferred master. The short form of failback.",
        _boolean,
    ),
    Option(
        "failback",
        None,
        "immediate, never, or after_stable_for and a number of seconds from 0.1 to 86400",
        "When this host takes the addresses back from a less preferred master: as soon as it hears one (as preempt = "
        "yes), never (as preempt = no), or after it has been without fault, obstacle or change of demotion for so "
        "long. A master that is demoted more than this host is relieved at once, whatever the policy.",
        _failback,
        optional=True,
    ),
    Option(
        "dead_ratio",
        "3",
        "a whole number from 2 to 255",
        "How many intervals of silence mean that the master is gone.",
        whole_number(2, 255),
    ),
    Option(
        "source",
        "",
        "an IPv4 address of this host on the interface",
        "The address that IPv4 advertisements come from. By default the interface's own address in the first VIP's "
        "network. IPv6 advertisements come from the interface's link-local address.",
        _source,
    ),
    Option(
        "group",
        "",
        "nothing, or a name: " + NAME_RULE,
        "Virtual hosts of one group move together: what demotes one of them, or keeps it from working, does so to all.",
        _group,
    ),
    Option(
        "known_peers",
        "",
        "addresses that peers advertise from, separated by commas, each with 'carpd' or 'any' behind it and the lowest "
        "advskew that it may advertise, such as 172.17.0.75 any 20",
        "Believe no other advertisements, of the IP versions that are in the list. Whoever listens on the segment can "
        "send an old advertisement again with a better rank, since the protocol's digest does not cover it. A peer "
        "that runs carpd signs that, too, and numbers what it sends, and is believed only so. Without a number, it may "
        "therefore advertise any rank, and any other peer what our advbase allows. A host that has just "
        "started believes the first that it hears of each, since it knows of no newer one.",
        _known_peers,
    ),
    Option(
        "drain",
        "0",
        "a number from 0 to 3600 (seconds)",
        "For how long TCP connections to the addresses may end by themselves before a planned handover, while new ones "
        "are held back: their clients try again, and find the next master. 0 hands over at once. Needs nftables in the "
        "kernel; the program nft need not be there.",
        _seconds(0, 3600),
    ),
    Option(
        "drain_ports",
        "",
        "nothing, or TCP ports from 1 to 65535, separated by commas",
        "The ports that drain and reset_sessions are about. By default all.",
        _ports,
    ),
    Option(
        "reset_sessions",
        None,
        "yes or no",
        "Whether TCP connections to the addresses that remain at the end of drain are reset while the address is still "
        "here, so that their clients learn of it and try again; and whether those are ended that are left when the "
        "address is lost without a plan, so that no process of this host goes on with them. By default yes if drain is "
        "above 0, else no.",
        _boolean,
        optional=True,
    ),
    Option(
        "forward",
        "0",
        "a number from 0 to 3600 (seconds)",
        "For how long this host passes packets on to the new master after a handover, if neighbours that missed its "
        "announcement still send them here; it tells these neighbours, too. 0 passes nothing on. Not with virtual_mac "
        "or routed_peers, nor by a host whose kernel forwards by itself.",
        _seconds(0, 3600),
    ),
    Option(
        "accept_password",
        None,
        PASSWORD_RULE + "; as password",
        "Another secret to accept, but not to send. To change the password, first let all hosts accept the new one, "
        "then let them send it and accept the old one, then take the old one out.",
        _password,
        optional=True,
        secret=True,
    ),
    Option(
        "accept_password_file",
        None,
        "a readable file whose first line is the password, " + PASSWORD_RULE,
        "A file that holds the other secret to accept.",
        _path,
        optional=True,
    ),
    Option(
        "accept_password_credential",
        None,
        _CREDENTIAL,
        "A credential of systemd that holds the other secret to accept.",
        _credential,
        optional=True,
    ),
    Option(
        "accept_addresses",
        "",
        "nothing, or addresses as in addresses",
        "Another list of addresses to accept advertisements for: to change the list, in the same three steps.",
        _addresses_or_none,
    ),
    Option(
        "on_master",
        "",
        _COMMAND,
        "What is run when this host has become the master: a hook. Hooks of one virtual host run one after the other, "
        "in a process of their own; the election does not wait for them.",
        _command,
    ),
    Option(
        "on_backup",
        "",
        _COMMAND,
        "What is run when this host is not, or no longer, the master, but could be; also when the daemon ends on the "
        "master. At start it is run, too.",
        _command,
    ),
    Option(
        "on_fault",
        "",
        _COMMAND,
        "What is run when this host cannot be the master: its interface cannot be used, or a check with weight `fault` "
        "fails.",
        _command,
    ),
    Option(
        "hook_timeout",
        "10",
        "a number from 0.1 to 300 (seconds)",
        "How long a hook may take. Then it is killed, with all that it has started in its process group.",
        _seconds(0.1, 300),
    ),
    Option(
        "hook_user",
        "",
        "the name of a user that exists on this host",
        "Who runs the hooks. By default the daemon's user; for another one, the daemon must run as root.",
        _account,
    ),
    Option(
        "up_script",
        "",
        "an absolute path",
        "A script as ucarp calls it when it becomes master (`--upscript`): its arguments are interface, first address "
        "and, if it is given, xparam. The address is there already, other than with ucarp.",
        _script,
    ),
    Option(
        "down_script",
        "",
        "an absolute path",
        "The same at start, and when the host is no longer master (`--downscript`).",
        _script,
    ),
    Option(
        "xparam",
        "",
        "any text without control characters",
        "The third argument of up_script and down_script, as one word (`--xparam`).",
        _text,
    ),
    Option(
        "peers",
        "",
        "addresses of hosts, IPv4 or IPv6, without prefix lengths, separated by commas",
        "The other hosts, by the addresses that their advertisements come from, for networks without multicast. With "
        "an IPv6 peer that is not link-local, this host's IPv6 advertisements come from such an address, too.",
        _peers,
    ),
    Option(
        "paths",
        "",
        "one or more of " + ", ".join(PATHS) + ", separated by commas",
        "How advertisements go out: to CARP's group, to each of peers, or to everybody on the segment (as `ucarp -M` "
        "does). By default unicast if there are peers, else multicast. With several, whoever hears more than one copy "
        "counts one. What comes to the group or to this host's own address is always heard.",
        _paths,
    ),
    Option(
        "routed_peers",
        "no",
        "yes or no",
        "Whether advertisements from peers are heard that passed a router. Otherwise they must come from the same "
        "segment, which their TTL proves.",
        _boolean,
    ),
    Option(
        "virtual_mac",
        "no",
        "yes or no",
        "Whether the addresses have a MAC of their own, 00:00:5e:00:01 and the vhid, on an interface that carpd makes, "
        "so that no neighbour has to learn anything when they move. All hosts must agree. Hypervisors must permit it.",
        _boolean,
    ),
)

CHECK_OPTIONS = _table(
    Option(
        "type",
        None,
        "one of " + ", ".join(TARGETS),
        "What kind of check it is.",
        _choice(*TARGETS),
    ),
    Option(
        "target",
        None,
        "what its type asks for",
        "What is looked at; what that means depends on the type.",
        _given,
    ),
    Option(
        "recipient",
        None,
        "an address of mail with its domain, for type smtp only",
        "How far an SMTP check goes: with a recipient, until the server says that it would take mail for it. It must "
        "be one for whom the server takes mail, such as postmaster@localhost with the role postfix.",
        _recipient,
        optional=True,
    ),
    Option(
        "peer",
        None,
        "an address that a peer which runs carpd advertises from",
        "Whose service the target is; without it, this host's. While such a check fails, and no other of this host "
        "does, the peer is told. It believes that if it has a check with this host's address as `peer`, and finds that "
        "good; then it is demoted by that check's weight. So a service that a firewall hides moves, and one that no "
        "host can reach at the others stays where it is.",
        _peer,
        optional=True,
    ),
    Option(
        "interval",
        "2",
        "a number from 0.1 to 3600 (seconds)",
        "The time from the beginning of one look to that of the next.",
        _seconds(0.1, 3600),
    ),
    Option(
        "timeout",
        "3",
        "a number from 0.1 to 300 (seconds)",
        "How long one look may take; longer means that it failed.",
        _seconds(0.1, 300),
    ),
    Option(
        "rise",
        "3",
        "a whole number from 1 to 100",
        "After so many good looks in a row a failing check is good again.",
        whole_number(1, 100),
    ),
    Option(
        "fall",
        "2",
        "a whole number from 1 to 100",
        "After so many failed looks in a row a good check fails.",
        whole_number(1, 100),
    ),
    Option(
        "weight",
        "100",
        "a whole number from 1 to 254, or fault",
        "By how much the check demotes its virtual hosts while it fails: it is added to their advskew and sent as "
        "their demotion. ucarp and FreeBSD look at advskew alone, so beside them it must be more than the distance to "
        "the next host. With `fault` this host must not be master at all, even if no other host can be.",
        _weight,
    ),
    Option(
        "vips",
        "",
        "names of virtual hosts, separated by commas",
        "The virtual hosts that the check is about; all of them by default.",
        _names,
    ),
)
