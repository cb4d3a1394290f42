# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a host is made: how late it wakes up, and who manages its network and its firewall."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Run = Callable[[list[str]], "tuple[int, str, str]"]

_OFF = ("", "0", "0.0", "no", "none", "false", "[]")
_TICK = 0.005  # seconds between two wake-ups that are measured
# Above the worst of what was measured, since a look of seconds does not see the worst of a day.
_FAST_ENOUGH = 0.001
_STEADY_ENOUGH = 0.25
_OURS = re.compile(r"\b(protocol|l4proto)\b.*\b(112|vrrp|carp)\b")
# What network managers that are at work do to an address they did not set, and what keeps them from it: measured, see
# hostnet/managers.py.
MANAGERS = {
    "systemd-networkd.service": (
        "systemd-networkd removes addresses that it did not set when it reconfigures an interface; carpd puts them "
        "back at once. What keeps it from that is KeepConfiguration=yes in a drop-in of the interface's .network file, "
        "which role carp writes"
    ),
    "NetworkManager.service": (
        "NetworkManager removes addresses that it did not set when a connection is brought up anew; carpd puts them "
        "back at once"
    ),
    "networking.service": (
        "ifdown, and with it a restart of networking.service, takes the interface down; carpd waits for it"
    ),
}


def wake_ups(
    seconds: float, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
) -> list[float]:
    """Return by how many seconds this process woke up late, again and again, in so many seconds."""
    late = []
    end = clock() + seconds
    wanted = clock() + _TICK
    while wanted < end:
        sleep(max(0.0, wanted - clock()))
        now = clock()
        late.append(max(0.0, now - wanted))
        wanted = max(wanted, now) + _TICK
    return late


def measured(seconds: float) -> dict[str, Any]:
    """Return how late a process wakes up here, scheduled as carpd is if that is permitted, in milliseconds."""
    scheduled = _realtime()
    late = sorted(wake_ups(seconds)) or [0.0]
    if scheduled:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    worst = late[-1]
    return {
        "realtime": scheduled,
        "samples": len(late),
        "p99_ms": round(late[int(len(late) * 0.99) - 1] * 1000, 3),
        "worst_ms": round(worst * 1000, 3),
        "profile": profile_for(worst, scheduled),
    }


def profile_for(worst: float, realtime: bool) -> str:
    """Return the timing profile for a host whose worst wake-up was so many seconds late."""
    if worst > _STEADY_ENOUGH:
        return "vm"
    return "fast" if realtime and worst <= _FAST_ENOUGH else "default"


def _realtime() -> bool:
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
    except OSError:
        return False
    return True


# What of the kernel an option of a virtual IP needs: the option, the module, and what it is for.
_MODULES = (
    ("virtual_mac", "macvlan", "an interface with the virtual MAC"),
    ("drain", "nf_tables", "holding new connections back"),
)
_DESTROY = re.compile(r"(?m)^# CONFIG_INET_DIAG_DESTROY is not set")


def lacks(run: Run, vips: Iterable[Mapping[str, Any]], release: str = "", root: str = "/") -> list[str]:
    """Return what options of the virtual IPs need and the kernel, as far as its files tell, does not have."""
    asked = {key for vip in vips for key, value in vip.items() if str(value).lower() not in _OFF}
    release = release or os.uname().release
    said = []
    # In a container there are no files of the kernel to go by.
    if os.path.isdir(os.path.join(root, "lib/modules", release)):
        for option, module, purpose in _MODULES:
            loaded = os.path.isdir(os.path.join(root, "sys/module", module))
            if option in asked and not loaded and run(["modprobe", "--dry-run", "--quiet", module])[0] not in (0, 127):
                said.append(f"the kernel has no {module}, which option {option} needs for {purpose}")
    try:
        with open(os.path.join(root, "boot", f"config-{release}"), encoding="ascii", errors="replace") as file:
            built = file.read()
    except OSError:
        built = ""
    if asked & {"drain", "reset_sessions"} and _DESTROY.search(built):
        said.append("the kernel cannot end connections (CONFIG_INET_DIAG_DESTROY): reset_sessions will not do anything")
    return said


def managers(run: Run, interface: str) -> list[str]:
    """Return what there is to say about the network managers that are at work, and know the interface."""
    said = []
    for unit, text in MANAGERS.items():
        code, _out, _err = run(["systemctl", "is-active", "--quiet", unit])
        if code == 0 and _knows(run, unit, interface):
            said.append(f"{interface}: {text}")
    return said


def _knows(run: Run, unit: str, interface: str) -> bool:
    if unit == "systemd-networkd.service":
        code, out, _err = run(["networkctl", "--no-pager", "--no-legend", "list", interface])
        return code == 0 and "unmanaged" not in out
    if unit == "NetworkManager.service":
        code, out, _err = run(["nmcli", "--get-values", "GENERAL.STATE", "device", "show", interface])
        return code == 0 and "unmanaged" not in out
    code, out, _err = run(["ifquery", "--state", interface])
    return code == 0


def firewall(rules: str) -> list[str]:
    """Return what a ruleset, as ``nft list ruleset`` tells it, does to protocol 112.

    carpd hears by packet sockets, which are before any filter but those of the device, and sends by them, but for
    unicast. So only a device's chains and, for unicast, those on the way out can stop it.
    """
    said: list[str] = []
    family = hook = unsure = ""
    for line in rules.splitlines():
        words = line.split()
        if words[:1] == ["table"]:
            family = words[1]
        elif "hook" in words:
            hook, unsure = words[words.index("hook") + 1], ""
            if "policy drop" in line and _matters(family, hook):
                unsure = _stopped("may drop", family, hook, "by its policy")
                said.append(unsure)
        elif _matters(family, hook) and _OURS.search(line):
            if re.search(r"\b(drop|reject)\b", line):
                said.append(_stopped("drops", family, hook, f"by: {line.strip()}"))
            elif "accept" in words and unsure in said:
                said.remove(unsure)
    return said


def _matters(family: str, hook: str) -> bool:
    return family == "netdev" or hook == "output"


def _stopped(does: str, family: str, hook: str, how: str) -> str:
    what = "advertisements" if family == "netdev" else "advertisements by unicast"
    return f"the firewall {does} {what} (IP protocol 112) in a chain of family {family}, hook {hook}, {how}"
