# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write ``configuration.md`` from the daemon's own table of options; with ``--check``, tell if it is up to date."""

from __future__ import annotations

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "plugins" / "module_utils"))

from carpd.options import CARPD_OPTIONS, CHECK_OPTIONS, NAME_RULE, VIP_OPTIONS, Option  # noqa: E402 - the path comes first
from carpd.targets import TARGETS  # noqa: E402

TARGET = HERE / "configuration.md"
HEAD = """\
# Configuration of carpd

<!-- Written by docs/reference.py from the daemon's own table of options: change it there. -->

The roles write these files for you; this page is for whoever wants to read them, or to run the daemon without Ansible.

The configuration is INI. One file may hold everything; `carpd check --config FILE` names every mistake in it, one a
line, and says nothing if there is none. A line that begins with `#` or `;` is a comment, and so is what follows ` ;`
behind a value, except behind a password.

```ini
[carpd]
log_level = info

[vip smtp]
interface = eth1
vhid = 1
addresses = 172.17.0.74/20
password_file = /etc/carpd/secrets/smtp
advskew = 0                 ; 20 on the second host

[check postfix]
type = smtp
target = 127.0.0.1:25
recipient = postmaster@example.org
```

The daemon reads its configuration at start and again at SIGHUP or `carpctl reload`. A virtual host whose section did
not change is not touched then. One that changed goes on in its role with the new values, addresses that came or went
included; only with another interface, vhid or virtual_mac does it hand over first and start anew. Password and
addresses must be changed in steps that leave the hosts understanding each other: see accept_password and
accept_addresses. A broken file changes nothing.
"""
CHECKS = """\
One for each check of this host's health. NAME is {name_rule}.

While a check fails, its virtual hosts are demoted on this host: a healthier host takes over at once, even if it may
not preempt otherwise. When the check is good again, a host that may preempt takes its place again. Both moves are
handovers, in which the old master keeps the addresses until the new one has them. If all hosts are demoted alike,
nothing moves; and a host whose own check has just failed, too, though not yet often enough to be sure, does not take
over from one that is demoted. Until its first result a check counts as good.

A process of its own runs the checks, so that nothing they wait for delays the daemon. It is replaced when it dies; a
check that tells no result for two seconds longer than its interval and timeout fails. Checks see the host as the daemon
does: as its user, and where the role's unit confines it, without home folders and with a /tmp of their own.
"""


def main() -> int:
    """Write the page, or check it; return the exit status."""
    text = "\n".join(
        [
            HEAD,
            *_section("[carpd]", "What holds for the daemon.", CARPD_OPTIONS),
            *_section("[vip NAME]", f"One for each virtual host. NAME is {NAME_RULE}.", VIP_OPTIONS),
            *_section("[check NAME]", CHECKS.format(name_rule=NAME_RULE).rstrip(), CHECK_OPTIONS),
            *_targets(),
        ]
    )
    if "--check" not in sys.argv:
        TARGET.write_text(text, encoding="utf-8")
    elif TARGET.read_text(encoding="utf-8") != text:
        sys.stderr.write("docs/configuration.md is not what docs/reference.py writes: run `make docs`\n")
        return 1
    return 0


_ONE = "one of password, password_file and password_credential is required"
_OPTIONAL = {"password": _ONE, "password_file": _ONE, "password_credential": _ONE}


def _targets() -> list[str]:
    lines = ["### Types of checks", "", "| type | target | good when |", "| --- | --- | --- |"]
    lines += [f"| `{name}` | {target.allowed} | {target.good} |" for name, target in TARGETS.items()]
    return [*lines, ""]


def _section(title: str, summary: str, options: dict[str, Option]) -> list[str]:
    lines = [f"## `{title}`", "", summary, ""]
    for option in options.values():
        if option.default is None:
            default = _OPTIONAL.get(option.name, "none by default") if option.optional else "required"
        else:
            default = f"default `{option.default}`" if option.default else "none by default"
        lines += [f"### `{option.name}`", "", option.summary, "", f"*Allowed:* {option.allowed}; *{default}*.", ""]
    return lines


if __name__ == "__main__":
    raise SystemExit(main())
