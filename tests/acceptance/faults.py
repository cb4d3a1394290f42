# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with the mail service of a server, and how to put it right again. Needs nothing but the image."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from drill.machines import Machine

QUEUE = "/var/spool/postfix"
UNIT = "u=postfix.service; systemctl cat postfix@-.service >/dev/null 2>&1 && u=postfix@-.service; "
MASTER = f"$(tr -d ' ' <{QUEUE}/pid/master.pid)"
INODES = 3000
NO_RESOLVER = "nameserver 172.17.0.99"
"""Nobody has this address."""

Fault = Callable[[Machine], "contextlib.AbstractContextManager[None]"]


def shell(machine: Machine, script: str) -> str:
    """Run a shell script in a machine."""
    return machine.run("sh", "-c", script)


def _fault(do: str, undo: str) -> Fault:
    @contextlib.contextmanager
    def fault(machine: Machine) -> Iterator[None]:
        try:
            shell(machine, do)
            yield
        finally:
            shell(machine, undo)

    return fault


hung = _fault(
    f"kill -STOP {MASTER} $(pgrep -P {MASTER} -x smtpd)",
    f"for p in {MASTER} $(pgrep -P {MASTER} -x smtpd); do kill -CONT $p; done",
)
"""The master process and those that talk to clients stand still; the kernel goes on accepting connections."""

stopped = _fault(UNIT + "systemctl stop $u", UNIT + "systemctl start $u")

small_queue = _fault(
    UNIT + f"systemctl stop $u && cp -a {QUEUE} /var/lib/queue-before"
    f" && mount -t tmpfs -o size=64m,nr_inodes={INODES},mode=755 tmpfs {QUEUE}"
    f" && cp -a /var/lib/queue-before/. {QUEUE}/ && systemctl start $u",
    UNIT + f"systemctl stop $u; umount -l {QUEUE}; rm -rf /var/lib/queue-before; systemctl start $u",
)
"""The queue is on a file system of its own that is soon full."""

disk_full = _fault(
    f"head -c 100m /dev/zero >{QUEUE}/full 2>/dev/null; test -s {QUEUE}/full",
    f"rm -f {QUEUE}/full",
)
inodes_full = _fault(
    f"mkdir {QUEUE}/full && cd {QUEUE}/full && seq {INODES} | xargs touch 2>/dev/null; test -e 1 || exit 1;"
    f" n={INODES}; while :; do n=$((n + 1)); touch $n || sleep 0.1; done >/dev/null 2>&1 & echo $! >/run/inodes",
    f"kill $(cat /run/inodes); rm -rf {QUEUE}/full",
)
"""What took all inodes goes on taking those that delivered mails give back."""
no_map = _fault(
    "mv /etc/postfix/recipients.lmdb /etc/postfix/recipients.lost; postfix reload 2>/dev/null",
    "mv /etc/postfix/recipients.lost /etc/postfix/recipients.lmdb; postfix reload 2>/dev/null",
)
no_milter = _fault(
    "cp -p /etc/postfix/main.cf /root/main.cf.before; postconf -e smtpd_milters=inet:127.0.0.1:9"
    " milter_default_action=tempfail; postfix reload 2>/dev/null",
    "cp -p /root/main.cf.before /etc/postfix/main.cf; postfix reload 2>/dev/null",
)
firewall = _fault(
    "ip rule add pref 10 ipproto tcp sport 25 blackhole",
    "ip rule del pref 10",
)
"""What port 25 answers to others vanishes; the server itself, whose own addresses come first, sees nothing of it."""

no_resolver = _fault(
    f"cp /etc/resolv.conf /root/resolv.before; cp /etc/hosts /root/hosts.before; echo {NO_RESOLVER} >/etc/resolv.conf;"
    " echo 127.0.0.1 localhost >/etc/hosts; cp /etc/resolv.conf /etc/hosts"
    f" {QUEUE}/etc/; postfix reload 2>/dev/null",
    "cat /root/resolv.before >/etc/resolv.conf; cat /root/hosts.before >/etc/hosts;"
    f" cp /etc/resolv.conf /etc/hosts {QUEUE}/etc/; postfix reload 2>/dev/null",
)
