# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to a host in a drill, and what makes it good again. Pure: a fault in, commands out.

Everything that makes good is a command that may be run at any time, and twice: it is also given to systemd, which runs
it if nobody else does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

UNIT = "carpd.service"
TABLE = "failover_carp_drill"
"""The table of nftables that cuts a host off."""
PREFERENCE = "32112"
"""The filter of tc(8) that does it where the kernel or its tools are too old for nftables on the way out."""
CTL = "/usr/local/sbin/carpctl"

Command = list[str]


@dataclass(frozen=True)
class Step:
    """A command, what it is given to read, and whether the fault is none if it fails."""

    argv: Command
    text: str = ""
    needed: bool = True


@dataclass(frozen=True)
class Fault:
    """How to break a host, how to mend it, and what that is in words, for a report."""

    breaks: list[Step]
    mends: list[Command]
    words: str


@dataclass(frozen=True)
class Target:
    """The part of a host that is to be broken. ``by`` is ``nft`` or ``tc``."""

    interface: str
    vips: list[str]
    unit: str = ""
    break_command: str = ""
    mend_command: str = ""
    by: str = "nft"
    wait: float = 15.0


def cut(target: Target) -> tuple[list[Step], list[Command], str]:
    """Return how to have the interface neither send nor receive anything, ARP included, and how to end that."""
    interface = target.interface
    if target.by == "nft":
        hook = f"device {interface} priority -500; policy drop;"
        # One transaction: both ways in the same moment.
        rules = (
            f"table netdev {TABLE} {{\n"
            f"  chain in {{ type filter hook ingress {hook} }}\n"
            f"  chain out {{ type filter hook egress {hook} }}\n"
            "}\n"
        )
        return [Step(["nft", "-f", "-"], rules)], [["nft", "delete", "table", "netdev", TABLE]], "nftables, hook netdev"
    drop = ["pref", PREFERENCE, "protocol", "all", "matchall", "action", "drop"]
    add = ["tc", "filter", "add", "dev", interface]
    remove = ["tc", "filter", "del", "dev", interface]
    steps = [
        # Fails where there is one already, which serves as well.
        Step(["tc", "qdisc", "add", "dev", interface, "clsact"], needed=False),
        Step([*add, "egress", *drop]),
        Step([*add, "ingress", *drop]),
    ]
    return steps, [[*remove, way, "pref", PREFERENCE] for way in ("egress", "ingress")], "tc, matchall"


def power(target: Target) -> Fault:
    """Return a host that falls silent in a moment, and boots its daemon later."""
    steps, mends, by = cut(target)
    kill = [
        Step(["systemctl", "kill", "--signal=KILL", UNIT]),
        # Else it would be started again at once, as no host without power does.
        Step(["systemctl", "stop", UNIT]),
    ]
    words = (
        f"All packets of {target.interface}, ARP included, were dropped both ways from one moment on ({by}); then "
        "every process of carpd was killed, so that no goodbye was sent, and carpd stayed off. At the end the "
        "interface was opened and carpd started, as at boot. Kernel, disks and other services of the host went "
        "on running."
    )
    return Fault([*steps, *kill], [*mends, ["systemctl", "start", UNIT]], words)


def link(target: Target) -> Fault:
    """Return a host whose cable is out."""
    steps, mends, by = cut(target)
    change = ["ip", "link", "set", "dev", target.interface]
    down = [Step([*change, "mode", "dormant"]), Step([*change, "state", "dormant"])]
    words = (
        f"The kernel was told that {target.interface} is not running (operational state dormant), and all of its "
        f"packets, ARP included, were dropped both ways ({by}). The interface was not switched off, so it kept its "
        "addresses and routes, as it does when a cable is pulled."
    )
    return Fault([*steps, *down], [*mends, [*change, "mode", "default"], [*change, "state", "up"]], words)


def daemon(_target: Target) -> Fault:
    """Return a daemon that is killed."""
    words = (
        "The main process of carpd was killed (SIGKILL). Nothing was restored by hand: its guard gives the addresses "
        "up, and systemd starts it again."
    )
    # The older name of the option, which newer versions know as well.
    return Fault(
        [Step(["systemctl", "kill", "--kill-who=main", "--signal=KILL", UNIT])], [["systemctl", "start", UNIT]], words
    )


def hang(_target: Target) -> Fault:
    """Return a daemon of which nothing works any more, its guard included."""
    words = (
        "All processes of carpd, its guard included, were stopped (SIGSTOP), so that nothing of it could act, and "
        "later continued (SIGCONT), unless systemd's watchdog had replaced them before. Only the kernel's lease can "
        "take the address away."
    )
    return Fault(
        [Step(["systemctl", "kill", "--signal=STOP", UNIT])],
        [["systemctl", "kill", "--signal=CONT", UNIT], ["systemctl", "start", UNIT]],
        words,
    )


def service(target: Target) -> Fault:
    """Return a host whose service is out of order."""
    if target.unit:
        words = f"The service {target.unit} was stopped, and started again later; carpd was not told."
        return Fault([Step(["systemctl", "stop", target.unit])], [["systemctl", "start", target.unit]], words)
    words = f"The command `{target.break_command}` was run, and later `{target.mend_command}`; carpd was not told."
    return Fault([Step(["/bin/sh", "-c", target.break_command])], [["/bin/sh", "-c", target.mend_command]], words)


def switchover(target: Target) -> Fault:
    """Return a host that hands its addresses over on purpose."""
    wait = ["--wait", f"{target.wait:g}"]
    words = (
        f"The host was told to leave {', '.join(target.vips)} to others (carpctl demote), and later to take it back "
        "(carpctl promote)."
    )
    return Fault([Step([CTL, "demote", *wait, *target.vips])], [[CTL, "promote", *wait, *target.vips]], words)


FAULTS: dict[str, Callable[[Target], Fault]] = {
    "power": power,
    "daemon": daemon,
    "hang": hang,
    "link": link,
    "service": service,
    "switchover": switchover,
}
