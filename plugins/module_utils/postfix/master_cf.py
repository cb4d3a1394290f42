# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the packaged ``master.cf``, merge services over it by name and type, and write the result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from .main_cf import HEADER, as_settings

TYPES = ("inet", "unix", "unix-dgram", "fifo", "pass")
FLAGS = ("private", "unpriv", "chroot")
Key = tuple[str, str]


@dataclass(frozen=True)
class Service:
    """One service. A column that is ``-`` stands for Postfix's own default."""

    name: str
    type: str
    program: str
    private: str = "-"
    unpriv: str = "-"
    chroot: str = "-"
    wakeup: str = "-"
    maxproc: str = "-"
    options: tuple[tuple[str, str], ...] = ()
    arguments: str = ""

    @property
    def key(self) -> Key:
        """Return what tells one service from another."""
        return self.name, self.type


def parse(text: str) -> dict[Key, Service]:
    """Read the services of a ``master.cf``."""
    logical: list[str] = []
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line[0].isspace() and logical:
            logical[-1] += " " + line.strip()
        else:
            logical.append(line.strip())
    services = (_parse_line(line) for line in logical)
    return {service.key: service for service in services}


def merge(
    packaged: Mapping[Key, Service], wanted: Iterable[Mapping[str, object]], process_limit: int | None = None
) -> tuple[dict[Key, Service], list[str]]:
    """Lay the wanted services over the packaged ones; a key that is not given keeps the packaged value."""
    services = dict(packaged)
    problems: list[str] = []
    for entry in wanted:
        key = str(entry["name"]), str(entry["type"])
        if entry.get("state") == "absent":
            services.pop(key, None)
            continue
        options, faults = as_settings(_mapping(entry.get("options")), f"master.cf: {'/'.join(key)}")
        faults += _name_faults(key)
        program, arguments = _command(entry.get("command"))
        if key not in services and not program:
            faults.append(f"master.cf: {'/'.join(key)}: a service that the package does not have needs a command")
        problems += faults
        if not faults:
            base = services.get(key, Service(*key, program=program))
            services[key] = _overlay(base, entry, options, program, arguments)
    if process_limit is not None:
        limit = str(process_limit)
        services = {k: replace(s, maxproc=limit) if s.maxproc == "-" else s for k, s in services.items()}
    return services, problems


def render(services: Mapping[Key, Service]) -> str:
    """Return the text of a whole ``master.cf``."""
    title = Service("# service", "type", "command", "private", "unpriv", "chroot", "wakeup", "maxproc")
    return HEADER + "".join(_render_service(service) for service in (title, *services.values()))


def words(text: str) -> list[str]:
    """Split at blanks, but not inside braces, as Postfix does."""
    found: list[str] = []
    depth = 0
    fresh = True
    for char in text:
        if char.isspace() and depth == 0:
            fresh = True
            continue
        depth += (char == "{") - (char == "}" and depth > 0)
        if fresh:
            found.append("")
            fresh = False
        found[-1] += char
    return found


def _parse_line(line: str) -> Service:
    fields = line.split(None, 7)
    if len(fields) < 8:
        raise ValueError(f"master.cf: {line}: a service has eight columns")
    program, *rest = words(fields[7])
    options: list[tuple[str, str]] = []
    while len(rest) > 1 and rest[0] == "-o":
        option = rest[1][1:-1] if rest[1].startswith("{") else rest[1]
        name, _sep, value = (part.strip() for part in option.partition("="))
        options.append((name, value))
        rest = rest[2:]
    name, kind, private, unpriv, chroot, wakeup, maxproc = fields[:7]
    return Service(
        name, kind, program, private, unpriv, chroot, wakeup, maxproc, tuple(options), arguments=" ".join(rest)
    )


def _overlay(
    base: Service, entry: Mapping[str, object], options: Mapping[str, str], program: str, arguments: str
) -> Service:
    columns: dict[str, str] = {}
    for column in FLAGS:
        if entry.get(column) is not None:
            columns[column] = "y" if entry[column] else "n"
    for column in ("wakeup", "maxproc"):
        if entry.get(column) is not None:
            columns[column] = str(entry[column])
    if program:
        columns.update(program=program, arguments=arguments)
    return replace(base, options=tuple({**dict(base.options), **options}.items()), **columns)


def _command(command: object) -> tuple[str, str]:
    parts = words(str(command)) if command else [""]
    return parts[0], " ".join(parts[1:])


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _name_faults(key: Key) -> list[str]:
    name, kind = key
    if not name or name.startswith("#") or any(char.isspace() for char in name):
        return [f"master.cf: {name}/{kind}: a service's name is one word"]
    return []


def _render_service(service: Service) -> str:
    columns = (
        f"{service.name:<16} {service.type:<10} {service.private:<7} {service.unpriv:<7} {service.chroot:<7} "
        f"{service.wakeup:<7} {service.maxproc:<7} {service.program}\n"
    )
    options = "".join(f"    -o {_option(name, value)}\n" for name, value in service.options)
    return columns + options + (f"    {service.arguments}\n" if service.arguments else "")


def _option(name: str, value: str) -> str:
    # Postfix 3.0 and later take blanks inside braces; before, a value could have none.
    return f"{{ {name} = {value} }}" if any(char.isspace() for char in value) or not value else f"{name}={value}"
