# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``carpd``: run the daemon, check a configuration, or remove the addresses that a dead daemon left."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import closing

from .config import Config, ConfigError, load
from .control import ControlError
from .daemon import Daemon
from .logs import LogWriter
from .netlink import Requests
from .options import CARPD_OPTIONS, VIP_OPTIONS
from .realtime import become_realtime
from .sections import Problem
from .version import VERSION

DEFAULT_CONFIG = "/etc/carpd/carpd.conf"
DEFAULT_RUNTIME_DIR = "/run/carpd"
DEFAULT_STATE_DIR = "/var/lib/carpd"
SOCKET_NAME = "control.sock"

_log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0, 1 for a failure of the system, 2 for a wrong configuration."""
    parser = argparse.ArgumentParser(prog="carpd", description="Keep addresses on one of several hosts, by CARP.")
    parser.add_argument("--version", action="version", version=VERSION)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="run | check | release")
    for verb, summary in (
        ("run", "run in the foreground until SIGTERM"),
        ("check", "say nothing if the configuration is right, else every mistake, one a line"),
        ("release", "remove the addresses that a dead daemon left"),
    ):
        sub = verbs.add_parser(verb, help=summary, description=summary)
        sub.add_argument("--config", default=DEFAULT_CONFIG, metavar="FILE", help="default: %(default)s")
        if verb == "run":
            sub.add_argument("--runtime-dir", default=DEFAULT_RUNTIME_DIR, metavar="DIR", help="default: %(default)s")
            default = f"default: {DEFAULT_STATE_DIR}, or the runtime directory if that is another one"
            sub.add_argument("--state-dir", metavar="DIR", help=f"for what outlives a restart; {default}")
    options = parser.parse_args(arguments)
    try:
        config = load(options.config)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if options.verb == "run":
        usual = options.runtime_dir == DEFAULT_RUNTIME_DIR
        state_dir = options.state_dir or (DEFAULT_STATE_DIR if usual else options.runtime_dir)
        return _run(options.config, config, options.runtime_dir, state_dir)
    if options.verb == "release":
        return _release(config)
    return _check(options.config, config)


def _check(path: str, config: Config) -> int:
    """Check what only the host can tell: who is there. A daemon that runs goes on without them."""
    problems = []
    if config.control_group and _group_number(config.control_group) is None:
        allowed = CARPD_OPTIONS["control_group"].allowed
        problems.append(Problem(path, "carpd", "control_group", config.control_group, allowed))
    for vip in config.vips:
        if vip.hook_user and not _is_user(vip.hook_user):
            allowed = VIP_OPTIONS["hook_user"].allowed
            problems.append(Problem(path, f"vip {vip.name}", "hook_user", vip.hook_user, allowed))
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    return 2 if problems else 0


def _is_user(name: str) -> bool:
    import pwd  # as for groups

    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _group_number(name: str) -> int | None:
    import grp  # here, since almost nobody needs it

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None


def _run(path: str, config: Config, runtime_dir: str, state_dir: str) -> int:
    with LogWriter():
        try:
            os.makedirs(runtime_dir, mode=0o755, exist_ok=True)
            for notice in become_realtime(config.priority) if config.priority else []:
                _log.warning("%s", notice)
            group = _group_number(config.control_group) if config.control_group else None
            if config.control_group and group is None:
                _log.error("control_group = %s: there is no such group, so only root may ask", config.control_group)
            Daemon(path, config, os.path.join(runtime_dir, SOCKET_NAME), state_dir, group).run()
        except (OSError, ControlError) as error:
            _log.error("carpd cannot go on: %s", error)
            return 1
    return 0


def _release(config: Config) -> int:
    """Remove what has a lease only: a permanent address of the same number was never the daemon's."""
    ours = {(vip.interface, address.ip) for vip in config.vips for address in vip.addresses}
    try:
        with closing(Requests()) as requests:
            names = {link.ifindex: link.name for link in requests.links()}
            for there in requests.addresses():
                if there.leased and (names.get(there.ifindex), there.address.ip) in ours:
                    requests.release(there.ifindex, [there.address])
    except OSError as error:
        sys.stderr.write(f"the addresses could not be removed: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
