#!/usr/bin/python
# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: daemon
short_description: Install or remove the CARP daemon
version_added: 0.1.0
description:
  - Installs the CARP daemon carpd, which is part of this collection, and its commands C(carpd) and C(carpctl).
  - The daemon travels with the module. Nothing is downloaded, and nothing but Python is needed on the host.
  - Files of earlier versions are removed.
  - The files are compiled for the Python that runs this module, which is also the one that runs the daemon. The daemon
    itself cannot write to the folder, and would have to compile everything at each start.
  - The daemon is neither configured nor started. Use M(failover.carp.vip) for the former; the role
    P(failover.carp.carp#role) does it all.
extends_documentation_fragment:
  - failover.carp.attributes
  - failover.carp.attributes.action_group
  - failover.carp.attributes.writes
options:
  state:
    description:
      - With V(present), the daemon is installed in the version of this collection.
      - With V(absent), it is removed. A daemon that is running goes on until it is stopped.
    type: str
    choices:
      - absent
      - present
    default: present
  library:
    description:
      - The folder for the daemon's files. They are put into its subfolder C(carpd), which must hold nothing else.
    type: path
    default: /usr/local/lib/failover-carp
  commands:
    description:
      - The folder for the commands.
    type: path
    default: /usr/local/sbin
  service:
    description:
      - The systemd service that runs the daemon, for RV(restart_needed).
    type: str
    default: carpd.service
  socket:
    description:
      - The control socket of the daemon, for RV(restart_needed). It is as old as the program that the daemon loaded.
    type: path
    default: /run/carpd/control.sock
requirements:
  - Python 3.9 or newer on the managed host
author:
  - The failover.carp authors (@failover-carp)
seealso:
  - module: failover.carp.vip
  - module: failover.carp.vip_info
"""

EXAMPLES = r"""
- name: Install the CARP daemon
  failover.carp.daemon:
  register: daemon
  notify: Restart the CARP daemon

- name: Install the CARP daemon, and see to it that it is restarted even if an earlier run broke off before
  failover.carp.daemon:
  register: daemon
  changed_when: daemon is changed or daemon.restart_needed
  notify: Restart the CARP daemon

- name: Say what was installed
  ansible.builtin.debug:
    msg: carpd {{ daemon.version }} replaces {{ daemon.previous_version or 'nothing' }}
  when: daemon is changed

- name: Remove the CARP daemon
  failover.carp.daemon:
    state: absent
"""

RETURN = r"""
version:
  description: The version that is installed after the run. Empty if there is none.
  returned: success
  type: str
  sample: 0.1.0
previous_version:
  description: The version that was installed before the run. Empty if there was none.
  returned: success
  type: str
  sample: ""
files:
  description: The files and folders that were written, changed or removed.
  returned: success
  type: list
  elements: str
  sample:
    - /usr/local/lib/failover-carp/carpd/version.py
    - /usr/local/sbin/carpctl
restart_needed:
  description:
    - Whether O(service) runs and loaded its program before a file of the daemon, or its unit, was last changed.
    - It is so after a run that changed something, and also if an earlier run ended before the daemon was restarted.
  returned: success
  type: bool
  sample: false
service_restart_needed:
  description:
    - Whether the unit was changed after O(service) was started, so that the service itself has to be restarted.
      Otherwise C(carpctl restart) is enough, which gives no address up.
  returned: success
  type: bool
  sample: false
interpreter:
  description: The Python that runs the daemon.
  returned: success
  type: str
  sample: /usr/bin/python3
"""

import hashlib
import importlib.util
import math
import os
import pkgutil
import py_compile
import re
import shutil
import sys
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.failover.carp.plugins.module_utils import _files

# Ansible sends along what a module imports, so each file of the daemon is named here; a unit test compares the list
# with the folder.
from ansible_collections.failover.carp.plugins.module_utils.carpd import (
    actions,
    announce,
    background,
    checkconfig,
    checker,
    checks,
    cli,
    commands,
    config,
    connections,
    control,
    ctl,
    daemon,
    digest,
    drain,
    events,
    explain,
    export,
    exporter,
    filters,
    forked,
    forwarding,
    groups,
    guard,
    health,
    heard,
    homes,
    hookrunner,
    hooks,
    interfaces,
    libc,
    logs,
    machine,
    metrics,
    neighbours,
    netlink,
    news,
    nftables,
    notify,
    options,
    orders,
    packet,
    paths,
    phrases,
    reading,
    realtime,
    recorder,
    records,
    reserve,
    rivals,
    sections,
    sentry,
    sessions,
    silence,
    speaker,
    standing,
    succession,
    targets,
    testimony,
    timing,
    tracking,
    transitions,
    trust,
    typed,
    verbs,
    version,
    virtualhost,
    waiting,
    wire,
    wires,
)

PARTS = (
    actions,
    announce,
    background,
    checkconfig,
    checker,
    checks,
    cli,
    commands,
    config,
    connections,
    control,
    ctl,
    daemon,
    digest,
    drain,
    events,
    explain,
    export,
    exporter,
    filters,
    forked,
    forwarding,
    groups,
    guard,
    health,
    heard,
    homes,
    hookrunner,
    hooks,
    interfaces,
    libc,
    logs,
    machine,
    metrics,
    neighbours,
    netlink,
    news,
    nftables,
    notify,
    options,
    orders,
    packet,
    paths,
    phrases,
    reading,
    realtime,
    recorder,
    records,
    reserve,
    rivals,
    sections,
    sentry,
    sessions,
    silence,
    speaker,
    standing,
    succession,
    targets,
    testimony,
    timing,
    tracking,
    transitions,
    trust,
    typed,
    verbs,
    version,
    virtualhost,
    waiting,
    wire,
    wires,
)

# The command and the part of the daemon that has its main().
COMMANDS = {"carpd": "cli", "carpctl": "ctl"}

# -I: neither the environment nor the current folder decides what is imported. -S: nor does anything installed beside
# Python, such as Ubuntu's crash reporter, whose dumps could hold a password. -B: the daemon may not write there.
LAUNCHER = """\
#!{interpreter} -ISB
# Written by Ansible, module failover.carp.daemon.
import sys

sys.path.insert(0, {library!r})

from carpd.{part} import main

raise SystemExit(main())
"""

# A line "#!..." is cut after 127 bytes by kernels before 5.1 (fs/binfmt_script.c, BINPRM_BUF_SIZE).
SHEBANG_MAX = 127


class Failure(Exception):
    """The module cannot do what it was asked for."""


def sources() -> dict[str, bytes]:
    """Return the daemon's files, by name, as they came with this module."""
    package = version.__name__.rpartition(".")[0]
    names = ["__init__.py", *(part.__name__.rpartition(".")[2] + ".py" for part in PARTS)]
    found = {name: pkgutil.get_data(package, name) for name in names}
    missing = [name for name, data in found.items() if data is None]
    if missing:
        raise Failure(f"the daemon's files {', '.join(missing)} did not travel with the module")
    return found


def launcher(library: str, part: str) -> bytes:
    """Return the text of a command."""
    text = LAUNCHER.format(interpreter=sys.executable, library=library, part=part)
    first = text.partition("\n")[0]
    if not sys.executable or len(first) > SHEBANG_MAX or " " in sys.executable:
        raise Failure(
            f"the Python {sys.executable!r} cannot be named in the first line of a script: its path must not be empty, "
            f"hold a blank or be longer than {SHEBANG_MAX - 6} characters; set ansible_python_interpreter to another"
        )
    return text.encode()


def compiled_header(source: bytes) -> bytes:
    """Return how the compiled form of a source begins, see PEP 552: Python's version, the kind of check, the hash."""
    return importlib.util.MAGIC_NUMBER + (3).to_bytes(4, "little") + importlib.util.source_hash(source)


def compiled_name(name: str) -> str:
    """Return the name under which Python looks for the compiled form of a source."""
    return f"{name[:-3]}.{sys.implementation.cache_tag}.pyc"


def version_in(source: bytes | None) -> str:
    """Return the version that a version.py states; empty if there is none."""
    found = re.search(rb'^VERSION = "([^"]+)"', source or b"", re.MULTILINE)
    return found.group(1).decode() if found else ""


class Installation:
    """The daemon on this host: what should be there, what is there, and the way from one to the other.

    Only the difference is touched; ``check`` leaves everything alone.
    """

    def __init__(self, library: str, commands: str, check: bool) -> None:
        self.library = library
        self.package = os.path.join(library, "carpd")
        self.cache = os.path.join(self.package, "__pycache__")
        self.commands = commands
        self.check = check
        self.owner = _files.Owner(os.geteuid(), os.getegid())
        self.files: list[str] = []

    def install(self) -> None:
        """Install the daemon, or what of it is missing or different."""
        wanted = sources()
        scripts = {name: launcher(self.library, part) for name, part in COMMANDS.items()}
        for folder in (self.library, self.package, self.cache):
            if not _files.belongs(folder, 0o755, self.owner):
                self._change(folder, lambda folder=folder: _files.make_folder(folder, 0o755, self.owner))
        for name, data in wanted.items():
            self._write(os.path.join(self.package, name), data, 0o644)
            self._compile(name, data)
        self._remove_others(self.package, {*wanted, "__pycache__"})
        self._remove_others(self.cache, {compiled_name(name) for name in wanted})
        if not os.path.isdir(self.commands):
            self._change(self.commands, lambda: os.makedirs(self.commands, 0o755))
        for name, data in scripts.items():
            self._write(os.path.join(self.commands, name), data, 0o755)

    def remove(self) -> None:
        """Remove the daemon, the commands first: they are of no use without it."""
        for name in COMMANDS:
            self._remove(os.path.join(self.commands, name))
        self._remove(self.package)
        if _files.names(self.library) in ([], ["carpd"]):
            self._remove(self.library)

    def version(self) -> str:
        """Return the version that is installed; empty if there is none."""
        return version_in(_files.read(os.path.join(self.package, "version.py")))

    def newest(self) -> float:
        """Return when a file of the daemon was last changed, in seconds since 1970."""
        parts = [os.path.join(self.package, name) for name in _files.names(self.package)]
        found = [*parts, *(os.path.join(self.commands, name) for name in COMMANDS)]
        return max((os.stat(path).st_ctime for path in found if os.path.isfile(path)), default=0.0)

    def listing(self) -> str:
        """Return a line for each file: name, mode, and enough of a hash to see a difference."""
        lines = []
        for folder, kept in ((self.package, None), (self.commands, COMMANDS)):
            for name in _files.names(folder):
                path = os.path.join(folder, name)
                if os.path.isfile(path) and (kept is None or name in kept):
                    lines.append(describe(path, _files.read(path), os.stat(path).st_mode & 0o7777))
        return "".join([f"carpd {self.version()}\n"] if lines else []) + "".join(lines)

    def planned_listing(self) -> str:
        """Return what ``listing`` will be after ``install``."""
        wanted = sources()
        lines = [describe(os.path.join(self.package, name), wanted[name], 0o644) for name in sorted(wanted)]
        for name in sorted(COMMANDS):
            lines.append(describe(os.path.join(self.commands, name), launcher(self.library, COMMANDS[name]), 0o755))
        return f"carpd {version_in(wanted['version.py'])}\n" + "".join(lines)

    def _write(self, path: str, data: bytes, mode: int) -> None:
        if not _files.holds(path, data, mode, self.owner):
            self._change(path, lambda: _files.write(path, data, mode, self.owner))

    def _compile(self, name: str, source: bytes) -> None:
        path = os.path.join(self.cache, compiled_name(name))
        header = compiled_header(source)
        if _files.belongs(path, 0o644, self.owner) and (_files.read(path) or b"").startswith(header):
            return
        self._change(path, lambda: self._compile_to(name, path))

    def _compile_to(self, name: str, path: str) -> None:
        # By hash, not by time: a restored backup or a hand edit is then noticed, by Python and by this module alike.
        mode = py_compile.PycInvalidationMode.CHECKED_HASH
        # Without docstrings, for which the daemon would take 0.1 MB more.
        source = os.path.join(self.package, name)
        py_compile.compile(source, cfile=path, doraise=True, optimize=2, invalidation_mode=mode)
        os.chown(path, *self.owner)
        os.chmod(path, 0o644)

    def _remove_others(self, folder: str, kept: set[str]) -> None:
        for name in _files.names(folder):
            if name not in kept:
                self._remove(os.path.join(folder, name))

    def _remove(self, path: str) -> None:
        if os.path.lexists(path):
            is_folder = os.path.isdir(path) and not os.path.islink(path)
            self._change(path, lambda: shutil.rmtree(path) if is_folder else os.unlink(path))

    def _change(self, path: str, action) -> None:
        if not self.check:
            action()
        elif not writable(path):
            raise PermissionError(13, "Permission denied", path)
        self.files.append(path)


def describe(path: str, data: bytes, mode: int) -> str:
    """Return the line of a file in a listing."""
    return f"{path} {mode:04o} sha256:{hashlib.sha256(data).hexdigest()[:16]}\n"


def writable(path: str) -> bool:
    """Tell whether the nearest folder that exists above the path may be written to."""
    folder = os.path.dirname(path)
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return os.access(folder, os.W_OK)


def outdated(module: AnsibleModule, newest: float) -> tuple[bool, bool]:
    """Tell whether a service that runs has a program from before ``newest``, and whether it is older than its unit."""
    systemctl = module.get_bin_path("systemctl")
    if systemctl is None:
        return False, False
    names = "MainPID,ExecMainStartTimestampMonotonic,FragmentPath"
    _status, output, _error = module.run_command([systemctl, "show", f"--property={names}", module.params["service"]])
    shown = dict(line.split("=", 1) for line in output.splitlines() if "=" in line)
    if shown.get("MainPID", "0") == "0":
        return False, False
    started = int(shown["ExecMainStartTimestampMonotonic"]) / 1e6
    loaded = max(started, changed_at(module.params["socket"]))
    return loaded < moment(newest), started < changed_at(shown.get("FragmentPath", ""))


def changed_at(path: str) -> float:
    """Return when a file was last changed, by the monotonic clock; before all time if it is not there."""
    try:
        return moment(os.stat(path).st_ctime)
    except OSError:
        return -math.inf


def moment(wall: float) -> float:
    """Return a time of day by the monotonic clock.

    One in the future is that of a clock that was set back, and tells nothing: it is taken for before all time.
    """
    age = time.time() - wall
    return time.monotonic() - age if age >= 0 else -math.inf


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["absent", "present"], "default": "present"},
            "library": {"type": "path", "default": "/usr/local/lib/failover-carp"},
            "commands": {"type": "path", "default": "/usr/local/sbin"},
            "service": {"type": "str", "default": "carpd.service"},
            "socket": {"type": "path", "default": "/run/carpd/control.sock"},
        },
        supports_check_mode=True,
    )
    present = module.params["state"] == "present"
    installation = Installation(module.params["library"], module.params["commands"], module.check_mode)
    try:
        before, previous = installation.listing(), installation.version()
        if present:
            installation.install()
        else:
            installation.remove()
        after = installation.planned_listing() if present else ""
        wanted = version_in(sources()["version.py"]) if present else ""
        program, service = outdated(module, installation.newest())
    except PermissionError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}; installing the daemon needs root: use become")
    except (Failure, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=bool(installation.files),
        files=installation.files,
        version=wanted,
        previous_version=previous,
        interpreter=sys.executable,
        restart_needed=program or service,
        service_restart_needed=service,
        diff={
            "before_header": f"{installation.package} (before)",
            "after_header": f"{installation.package} (after)",
            "before": before,
            "after": after,
        },
    )


if __name__ == "__main__":
    main()
