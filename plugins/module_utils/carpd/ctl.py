# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``carpctl``: ask a running daemon, or have it do something and see that it is done."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence

from .cli import DEFAULT_RUNTIME_DIR, SOCKET_NAME
from .control import ControlError, Conversation, request
from .explain import explain
from .metrics import render
from .phrases import failures, happening, in_maintenance, paragraph, successes
from .typed import Any
from .version import VERSION
from .waiting import Status, is_free, is_left, is_master, order

_WAIT = 15.0  # seconds; twice as long as a ucarp with its slowest sensible timing takes
_RETRY_INTERVAL = 0.02
_FILES_TIME = 60.0  # seconds that the daemon may take to read its configuration, from whatever disk
_ENDED_BY_READER = 141  # as the shell tells of a program that wrote into a pipe which nobody reads


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0, or 1 when the daemon cannot be asked or refuses, or is slow."""
    options = _parser().parse_args(arguments)
    verb: Callable[[argparse.Namespace], int] = options.run
    try:
        return verb(options)
    except ControlError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:
        # Else the interpreter tries once more to write, and complains.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _ENDED_BY_READER


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="carpctl", description="Ask the CARP daemon of this host.")
    parser.add_argument("--version", action="version", version=VERSION)
    default = f"{DEFAULT_RUNTIME_DIR}/{SOCKET_NAME}"
    parser.add_argument("--socket", default=default, metavar="FILE", help="default: %(default)s")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def add(name: str, run: Callable[[argparse.Namespace], int], summary: str) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        sub.add_argument("--json", action="store_true", help="for programs")
        sub.set_defaults(run=run)
        return sub

    add("status", _status, "who is master, and why")
    reasons = add("explain", _explain, "why this host is or is not the master, and what would change that")
    reasons.add_argument("vips", nargs="*", metavar="VIP", help="names of virtual hosts; all by default")
    add("watch", _watch, "status, and then each thing that happens, until interrupted")
    demote = add("demote", _demote, "leave virtual hosts to other hosts, until promoted or the daemon is restarted")
    promote = add("promote", _promote, "end that, and be master again if no other host ranks better")
    maintenance = add("maintenance", _maintenance, "leave everything to other hosts, also after a reboot, or end that")
    for sub in (demote, promote):
        sub.add_argument("vips", nargs="*", metavar="VIP", help="names of virtual hosts; all by default")
    maintenance.add_argument("mode", nargs="?", choices=("on", "off", "status"), default="status")
    restart = add("restart", _restart, "load the daemon's program anew, after an upgrade, without giving anything up")
    for sub in (demote, promote, maintenance, restart):
        text = "for how long to wait until it is so; 0 not to wait; default: %(default)g"
        sub.add_argument("--wait", type=_seconds, default=_WAIT, metavar="SECONDS", help=text)
    add("metrics", _metrics, "figures as Prometheus reads them, once")
    add("record", _record, "the last things that the daemon heard, sent and decided, in detail")
    add("reload", _reload, "read the configuration anew; a broken one changes nothing")
    return parser


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 86400:
        raise ValueError(text)
    return value


def _print(text: str) -> None:
    sys.stdout.write(text + "\n" if text else "")
    sys.stdout.flush()


def _print_json(value: object, indent: int | None = 2) -> None:
    _print(json.dumps(value, indent=indent))


def _status(options: argparse.Namespace) -> int:
    answer = request(options.socket, "status")
    if options.json:
        _print_json(answer)
    else:
        _print("\n".join(paragraph(one) for one in answer))
    return 0


def _explain(options: argparse.Namespace) -> int:
    found = {one["name"]: one for one in request(options.socket, "status")}
    unknown = [name for name in options.vips if name not in found]
    if unknown:
        raise ControlError(f"there is no virtual host {', '.join(unknown)}; known are {', '.join(found)}")
    sentences = {name: explain(one) for name, one in found.items() if not options.vips or name in options.vips}
    if options.json:
        _print_json(sentences)
    else:
        _print("\n".join("\n    ".join([f"{name}:", *lines]) for name, lines in sentences.items()))
    return 0


def _metrics(options: argparse.Namespace) -> int:
    daemon, statuses = request(options.socket, "metrics"), request(options.socket, "status")
    if options.json:
        _print_json({**daemon, "vips": statuses})
    else:
        _print(render(daemon, statuses).rstrip("\n"))
    return 0


def _record(options: argparse.Namespace) -> int:
    lines = request(options.socket, "record")
    if options.json:
        _print_json(lines)
    else:
        _print("\n".join(lines))
    return 0


def _watch(options: argparse.Namespace) -> int:
    with Conversation(options.socket, "watch") as conversation:
        if options.json:
            _print_json({"event": "status", "status": conversation.answer}, None)
        else:
            _print("\n".join(paragraph(one) for one in conversation.answer))
        while True:
            event = conversation.next() or {}
            if options.json:
                _print_json(event, None)
            else:
                _print(happening(event))


def _demote(options: argparse.Namespace) -> int:
    return _order(options, is_left, vips=options.vips)


def _promote(options: argparse.Namespace) -> int:
    return _order(options, is_master, vips=options.vips)


def _maintenance(options: argparse.Namespace) -> int:
    if options.mode != "status":
        return _order(options, is_left if options.mode == "on" else is_free, mode=options.mode)
    answer = request(options.socket, "maintenance", mode="status")
    if options.json:
        _print_json({key: value for key, value in answer.items() if key != "vips"})
    else:
        _print(in_maintenance(answer))
    return 0


def _order(options: argparse.Namespace, reached: Callable[[Status], bool], **arguments: Any) -> int:
    """Give an order, wait until what it is about is so, and tell how that went."""
    if not options.wait:
        answer = request(options.socket, options.verb, **arguments)
        if options.json:
            _print_json(answer)
        return 0
    outcome = order(options.socket, options.verb, reached, options.wait, **arguments)
    if options.json:
        found: dict[str, Any] = {"ok": outcome.ok, "took": outcome.took, "failed": outcome.failed}
        _print_json({**found, "maintenance": outcome.maintenance, "vips": list(outcome.statuses.values())})
    else:
        _print("\n".join(successes(options.verb, outcome)))
        sys.stderr.write("".join(f"{line}\n" for line in failures(outcome)))
    return 0 if outcome.ok else 1


def _restart(options: argparse.Namespace) -> int:
    began = time.monotonic()
    request(options.socket, "restart", _FILES_TIME)
    while True:
        try:
            answer = request(options.socket, "status")
        except ControlError:
            if time.monotonic() - began > options.wait:
                raise
            time.sleep(_RETRY_INTERVAL)  # the next program does not listen yet, and nobody tells when it does
        else:
            break
    took = time.monotonic() - began
    if options.json:
        _print_json({"ok": True, "took": round(took, 3), "vips": answer})
    else:
        _print(f"the daemon was restarted within {took:.2f} s")
    return 0


def _reload(options: argparse.Namespace) -> int:
    answer = request(options.socket, "reload", _FILES_TIME)
    if options.json:
        _print_json(answer)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
