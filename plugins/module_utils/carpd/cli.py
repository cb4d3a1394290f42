# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``carpd``: run the daemon, check a configuration, or remove the addresses that a dead daemon left.

What it needs is imported where it is needed: the guard is forked first, while this process is still small.
"""

from __future__ import annotations

import os
import sys

from .sentry import Sentry
from .version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from .config import Config, Vip
    from .packet import Address

DEFAULT_CONFIG = "/etc/carpd/carpd.conf"
DEFAULT_RUNTIME_DIR = "/run/carpd"
DEFAULT_STATE_DIR = "/var/lib/carpd"
SOCKET_NAME = "control.sock"


# What ``run`` may be told, by option: what stands for the value in the help, and the default.
_RUN_OPTIONS = {
    "--config": ("FILE", DEFAULT_CONFIG),
    "--runtime-dir": ("DIR", DEFAULT_RUNTIME_DIR),
    "--state-dir": ("DIR", ""),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0, 1 for a failure of the system, 2 for a wrong configuration."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words[:1] != ["run"]:
        return _obey(words, None)
    sentry = Sentry()
    try:
        return _obey(words, sentry)
    finally:
        sentry.close()


def _obey(words: Sequence[str], sentry: Sentry | None) -> int:
    from .config import CREDENTIALS, ConfigError, load

    verb, options = _plain(words) or _parse(words)
    try:
        # Who checks by hand has no credentials, which is no mistake in the file; and to remove addresses needs none.
        has_credentials = verb == "run" or (verb == "check" and CREDENTIALS in os.environ)
        config = load(options["--config"], has_credentials)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if sentry is not None:
        usual = options["--runtime-dir"] == DEFAULT_RUNTIME_DIR
        state_dir = options["--state-dir"] or (DEFAULT_STATE_DIR if usual else options["--runtime-dir"])
        return _run(options["--config"], config, options["--runtime-dir"], state_dir, sentry)
    if verb == "release":
        return _release(config)
    return _check(options["--config"], config)


def _check(path: str, config: Config) -> int:
    """Check what only the host can tell: who is there. A daemon that runs goes on without them."""
    from .options import CARPD_OPTIONS, VIP_OPTIONS
    from .sections import Problem

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


def _plain(words: Sequence[str]) -> tuple[str, dict[str, str]] | None:
    """Read ``run`` with whole options and their values, as a service manager gives them; None for anything else.

    ``_parse`` would read that, too, but what it loads takes 1.2 MB, which the daemon would keep to its end.
    """
    names, values = words[1::2], words[2::2]
    if words[:1] != ["run"] or len(names) != len(values) or not _RUN_OPTIONS.keys() >= set(names):
        return None
    if any(value.startswith("-") for value in values):
        return None
    defaults = {name: default for name, (_what, default) in _RUN_OPTIONS.items()}
    return "run", {**defaults, **dict(zip(names, values))}


def _parse(words: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Read any command line; help and mistakes end the process."""
    import argparse

    parser = argparse.ArgumentParser(prog="carpd", description="Keep addresses on one of several hosts, by CARP.")
    parser.add_argument("--version", action="version", version=VERSION)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="run | check | release")
    for verb, names, summary in (
        ("run", list(_RUN_OPTIONS), "run in the foreground until SIGTERM"),
        ("check", ["--config"], "say nothing if the configuration is right, else every mistake, one a line"),
        ("release", ["--config"], "remove the addresses that a dead daemon left"),
    ):
        sub = verbs.add_parser(verb, help=summary, description=summary)
        for name in names:
            what, default = _RUN_OPTIONS[name]
            shown = default or f"{DEFAULT_STATE_DIR}, or the runtime directory if that is another one"
            sub.add_argument(name, dest=name, default=default, metavar=what, help=f"default: {shown}")
    options = vars(parser.parse_args(words))
    return options.pop("verb"), options


def _run(path: str, config: Config, runtime_dir: str, state_dir: str, sentry: Sentry) -> int:
    from .control import ControlError
    from .daemon import Daemon
    from .guard import Guard
    from .logs import LogWriter, log
    from .realtime import become_realtime
    from .succession import hear_signals, leave, take

    successor = None
    inheritance = take()
    with LogWriter():
        try:
            os.makedirs(runtime_dir, mode=0o755, exist_ok=True)
            for notice in become_realtime(config.priority, sentry.pid) if config.priority else []:
                log.warning("%s", notice)
            group = _group_number(config.control_group) if config.control_group else None
            if config.control_group and group is None:
                log.error("control_group = %s: there is no such group, so only root may ask", config.control_group)
            socket_path = os.path.join(runtime_dir, SOCKET_NAME)
            daemon = Daemon(path, config, socket_path, state_dir, Guard(sentry), group, inheritance)
            hear_signals()
            successor = daemon.run()
        except (OSError, ControlError) as error:
            log.error("carpd cannot go on: %s", error)
            return 1
    if successor is not None:
        leave(*successor)
    return 0


def _release(config: Config) -> int:
    """Remove what has a lease only: a permanent address of the same number was never the daemon's.

    Interfaces that were made for virtual MACs go as a whole.
    """
    from contextlib import closing

    from .homes import name_of
    from .netlink import Requests

    ours = {(vip.interface, address.ip) for vip in config.vips for address in vip.addresses}
    try:
        with closing(Requests()) as requests:
            links = requests.links()
            names = {link.ifindex: link.name for link in links}
            made = {name_of(vip, link) for vip in config.vips for link in links if link.name == vip.interface}
            for link in links:
                if link.name in made:
                    requests.remove_link(link.ifindex)
            for there in requests.addresses():
                if there.leased and (names.get(there.ifindex), there.address.ip) in ours:
                    requests.release(there.ifindex, [there.address])
            here = {there.address.ip for there in requests.addresses()}
    except OSError as error:
        sys.stderr.write(f"the addresses could not be removed: {error}\n")
        return 1
    return _end_sessions([vip for vip in config.vips if vip.reset_sessions], here)


def _end_sessions(vips: Sequence[Vip], here: Collection[Address]) -> int:
    """End the connections of addresses that are not on this host any more: its processes would hold them for long."""
    from contextlib import closing

    from .sessions import Sessions

    try:
        with closing(Sessions()) as sessions:
            for vip in vips:
                lost = [address.ip for address in vip.addresses if address.ip not in here]
                if lost:
                    sessions.destroy(sessions.find(lost, vip.drain_ports, all_left=True))
    except OSError as error:
        sys.stderr.write(f"what is left of the addresses' connections could not be ended: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
