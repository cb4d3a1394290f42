#!/usr/bin/python
# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vip
short_description: Configure the virtual IPs of the CARP daemon
version_added: 0.1.0
description:
  - Writes the configuration of any number of virtual IPs on one host, in one call.
  - Each virtual IP has a file C(vips.d/NAME.conf), and C(secrets/NAME) if O(vips[].password) is given. Both are for
    root and the daemon's group only.
  - Everything is checked by the daemon's own rules first, and nothing is written if anything is wrong.
  - A running daemon has to be reloaded to follow, for example by a handler. It does not touch a virtual IP whose
    configuration did not change.
extends_documentation_fragment:
  - failover.carp.attributes
  - failover.carp.attributes.action_group
  - failover.carp.attributes.writes
options:
  vips:
    description:
      - The virtual IPs.
      - With O(state=absent), only O(vips[].name) matters.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - What to call the virtual IP on the host, in files, logs and status.
          - One to 32 letters, digits, C(_), C(.) or C(-), beginning with a letter or digit.
        type: str
        required: true
      interface:
        description: The network interface on which the addresses live. Needed unless O(state=absent).
        type: str
      vhid:
        description:
          - The number of the virtual host, 1 to 255. Needed unless O(state=absent).
          - All hosts that share the virtual IP must agree on it, and nothing else on the segment may use it.
        type: int
      addresses:
        description:
          - The addresses that the master holds, each with its prefix length. Needed unless O(state=absent).
          - All hosts that share the virtual IP must list the same ones.
        type: list
        elements: str
      password:
        description:
          - The secret that the hosts share, 1 to 19 bytes. Either this or O(vips[].password_file) is needed unless
            O(state=absent).
        type: str
      password_credential:
        description:
          - A credential of systemd whose first line is the secret, instead of O(vips[].password). The unit of the
            daemon must get it, for example by C(LoadCredentialEncrypted=) in a drop-in.
        type: str
      password_file:
        description: A file on the host whose first line is the secret. This module does not write it.
        type: path
      advbase:
        description: The interval between advertisements, in seconds, 0 to 255. The daemon's default is 1.
        type: int
      advskew:
        description:
          - Added to the interval, in 1/256 seconds, 0 to 254. The host with the lowest is preferred. The daemon's
            default is 0.
        type: int
      profile:
        description:
          - Values for several options that fit together, for those that are not given.
          - V(fast) finds a dead master within milliseconds, and needs an advskew of its own on each host.
          - V(vm) bears it that a virtual machine stands still for seconds while it is moved.
        type: str
        choices:
          - default
          - fast
          - vm
      preempt:
        description:
          - Whether this host takes the addresses back from a less preferred master. The daemon's default is V(true).
          - The short form of O(vips[].failback).
        type: bool
      failback:
        description:
          - When this host takes the addresses back from a less preferred master, V(immediate), V(never), or
            C(after_stable_for) and a number of seconds.
        type: str
      dead_ratio:
        description: How many intervals of silence mean that the master is gone, 2 to 255. The daemon's default is 3.
        type: int
      source:
        description:
          - The address of this host that advertisements come from. By default the interface's own address in the
            network of the first virtual address.
        type: str
      peers:
        description:
          - The addresses that the other hosts' advertisements come from, to send them ours, each by itself.
        type: list
        elements: str
      paths:
        description:
          - How advertisements go out. The daemon's default is V(unicast) if there are O(vips[].peers), else
            V(multicast).
        type: list
        elements: str
      routed_peers:
        description: Whether advertisements from O(vips[].peers) are heard that passed a router.
        type: bool
      virtual_mac:
        description: Whether the addresses have a MAC of their own, which all hosts must agree on.
        type: bool
      group:
        description: A name. Virtual IPs of one group move together.
        type: str
      known_peers:
        description:
          - The addresses of the other hosts, each with C(carpd) or C(any) behind it, and the lowest advskew that it may
            advertise. No other advertisements are believed then.
        type: list
        elements: str
      accept_password:
        description: Another secret to accept, but not to send, while the password is changed.
        type: str
      accept_password_credential:
        description: A credential of systemd whose first line is that other secret.
        type: str
      accept_password_file:
        description: A file on the host whose first line is that other secret. This module does not write it.
        type: path
      accept_addresses:
        description: Another list of addresses to accept advertisements for, while the list is changed.
        type: list
        elements: str
      drain:
        description:
          - For how many seconds, 0 to 3600, TCP connections may end by themselves before a planned handover, while new
            ones are held back. The daemon's default is 0, which hands over at once.
        type: float
      drain_ports:
        description: The TCP ports that O(vips[].drain) and O(vips[].reset_sessions) are about. By default all.
        type: list
        elements: int
      reset_sessions:
        description:
          - Whether TCP connections that remain before a handover are reset while the address is still here, and those
            that are left after the address was lost are ended. By default so if O(vips[].drain) is above 0.
        type: bool
      forward:
        description:
          - For how many seconds, 0 to 3600, this host passes packets on to the new master after a handover, if
            neighbours still send them here. The daemon's default is 0.
        type: float
      on_master:
        description:
          - A command line to run when this host has become the master. No shell reads it, and the election does not
            wait for it.
        type: str
      on_backup:
        description: A command line to run when this host is not, or no longer, the master; also at start.
        type: str
      on_fault:
        description: A command line to run when this host cannot be the master.
        type: str
      hook_timeout:
        description: How many seconds these may take, 0.1 to 300. The daemon's default is 10.
        type: float
      hook_user:
        description: Who runs them. By default the daemon's user; for another one, the daemon must run as root.
        type: str
      up_script:
        description:
          - A script as ucarp calls it when it becomes master, with interface, first address and O(vips[].xparam).
        type: path
      down_script:
        description: The same at start, and when the host is no longer master.
        type: path
      xparam:
        description: The third argument of these two scripts.
        type: str
  state:
    description:
      - With V(present), O(vips) are configured beside those that are configured already.
      - With V(only), any other is removed. An empty list then removes all.
      - With V(absent), O(vips) are removed.
    type: str
    choices:
      - absent
      - only
      - present
    default: present
  config_dir:
    description: The folder of the daemon's configuration. It is made if it is missing.
    type: path
    default: /etc/carpd
  keep_known_peers:
    description:
      - Whether a virtual IP that has no O(vips[].known_peers) keeps those that it is configured with.
    type: bool
    default: false
  step:
    description:
      - Change what all hosts must agree on in steps, in each of which they understand each other. That is about
        O(vips[].addresses), O(vips[].password) and O(vips[].known_peers) of virtual IPs that are configured already.
      - With V(accept), the daemon goes on with what it has and accepts the new. Then with V(send), once the daemons of
        all hosts have been reloaded, it has the new and accepts the old. Then without a step the old is gone.
      - As long as RV(pending) is true, virtual IPs that are new or are to go wait for the next step.
      - In check mode there are no steps.
    type: str
    choices:
      - accept
      - send
  group:
    description: The group of the daemon, which may read what is written. It must exist.
    type: str
    default: carpd
author:
  - The failover.carp authors (@failover-carp)
seealso:
  - module: failover.carp.daemon
  - module: failover.carp.vip_info
  - plugin: failover.carp.plan
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Configure a virtual IP
  failover.carp.vip:
    vips:
      - name: smtp
        interface: eth1
        vhid: 1
        addresses:
          - 172.17.0.74/20
        password: "{{ carp_passwords.smtp }}"
        advskew: 0
  notify: Reload the CARP daemon

- name: Configure the virtual IPs that the plan has for this host, and no others
  failover.carp.vip:
    vips: "{{ plan.vips }}"
    state: only
  notify: Reload the CARP daemon

- name: Remove a virtual IP
  failover.carp.vip:
    vips:
      - name: smtp
    state: absent
  notify: Reload the CARP daemon
"""

RETURN = r"""
written:
  description: The names of the virtual IPs that were added or changed.
  returned: success
  type: list
  elements: str
  sample:
    - smtp
removed:
  description: The names of the virtual IPs that were removed.
  returned: success
  type: list
  elements: str
  sample: []
pending:
  description: Whether a step is still to come, of O(step).
  returned: success
  type: bool
  sample: false
vips:
  description: What is configured now of the virtual IPs that were given, without secrets.
  returned: when O(state) is not V(absent)
  type: list
  elements: dict
  sample:
    - name: smtp
      interface: eth1
      vhid: 1
      addresses:
        - 172.17.0.74/20
      advskew: 0
"""

import grp
import os
import re

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.failover.carp.plugins.module_utils import _files, _password, _steps
from ansible_collections.failover.carp.plugins.module_utils.carpd import config, sections
from ansible_collections.failover.carp.plugins.module_utils.carpd.options import NAME_RULE, valid_name

SUFFIX = ".conf"
# What the files of the secrets end in, by the option that they are given with.
SECRETS = {"password": "", "accept_password": "~accept"}
FOLDER_MODE = 0o750
FILE_MODE = 0o640


class Failure(Exception):
    """The module cannot do what it was asked for; the text says why, one mistake a line."""


class Store:
    """The virtual IPs in the configuration folder.

    ``set`` and ``remove`` do nothing that is not needed and keep a record; ``check`` leaves the files alone.
    """

    def __init__(self, folder: str, owner: _files.Owner, check: bool) -> None:
        self.folder = folder
        self.vips_folder = os.path.join(folder, "vips.d")
        self.secrets_folder = os.path.join(folder, "secrets")
        self.owner = owner
        self.check = check
        self.changed = False
        self.written: list[str] = []
        self.removed: list[str] = []
        self.diff: list[dict[str, str]] = []
        self.pending = False
        self.vips: list[dict] = []

    def names(self) -> list[str]:
        """Return the names of all that is configured."""
        files = _files.names(self.vips_folder)
        return [name[: -len(SUFFIX)] for name in files if name.endswith(SUFFIX) and not name.startswith(".")]

    def configured(self) -> dict[str, config.Vip]:
        """Return what is configured, but for files with a mistake in them."""
        found: dict[str, config.Vip] = {}
        for name in self.names():
            try:
                found.update({vip.name: vip for vip in config.load(self.vip_path(name)).vips if vip.name == name})
            except config.ConfigError:
                continue
        return found

    def vip_path(self, name: str) -> str:
        """Return the path of a virtual IP's section."""
        return os.path.join(self.vips_folder, name + SUFFIX)

    def secret_path(self, name: str, option: str = "password") -> str:
        """Return the path of the file for a virtual IP's secret; no virtual IP's name has a tilde."""
        return os.path.join(self.secrets_folder, name + SECRETS[option])

    def make_folders(self) -> None:
        """Make the folders, or give them the right mode and owner."""
        for folder in (self.folder, self.vips_folder, self.secrets_folder):
            if not _files.belongs(folder, FOLDER_MODE, self.owner):
                self.changed = True
                if not self.check:
                    _files.make_folder(folder, FOLDER_MODE, self.owner)

    def set(self, name: str, section: str, secrets: dict[str, str]) -> None:
        """Write a virtual IP. The secrets go first: the section that names them is never there without."""
        changed = [
            self._put(self.secret_path(name, option), f"{secret}\n".encode(), "a password\n", "another password\n")
            for option, secret in secrets.items()
        ]
        changed.append(self._put(self.vip_path(name), section.encode()))
        if any(changed):
            self.written.append(name)

    def remove(self, name: str) -> None:
        """Remove a virtual IP. The section goes first, see ``set``."""
        removed = [self._drop(self.vip_path(name))]
        removed += [self.remove_secret(self.secret_path(name, option)) for option in SECRETS]
        if any(removed):
            self.removed.append(name)

    def remove_secret(self, path: str) -> bool:
        """Remove a file with a secret, and tell whether there was one."""
        return self._drop(path, "a password\n")

    def _put(self, path: str, data: bytes, hidden_before: str | None = None, hidden_after: str | None = None) -> bool:
        if _files.holds(path, data, FILE_MODE, self.owner):
            return False
        old = _files.read(path)
        if old is None:
            before, after = "", hidden_before or data.decode()
        elif hidden_before is None:
            before, after = without_password(old), data.decode()
        else:
            before, after = hidden_before, hidden_before if old == data else hidden_after or ""
        self._record(path, before, after)
        if not self.check:
            _files.write(path, data, FILE_MODE, self.owner)
        return True

    def _drop(self, path: str, hidden: str | None = None) -> bool:
        old = _files.read(path)
        if old is None:
            return False
        self._record(path, hidden or without_password(old), "")
        if not self.check:
            os.unlink(path)
        return True

    def _record(self, path: str, before: str, after: str) -> None:
        self.changed = True
        self.diff.append({"before_header": path, "after_header": path, "before": before, "after": after})


def without_password(text: bytes) -> str:
    """Return a section as it may be shown: someone may have written the password into it by hand."""
    shown = text.decode(errors="replace")
    return re.sub(r"(?im)^(\s*(?:accept_)?password\s*[=:]).*$", rf"\1 {sections.HIDDEN}", shown)


def split(vip: dict, store: Store) -> tuple[str, dict, dict[str, str]]:
    """Return a virtual IP's name, the options of its section, and the secrets that go into files of their own."""
    options = {key: value for key, value in vip.items() if value is not None and (key, value) != ("known_peers", [])}
    name = options.pop("name")
    secrets = {option: options.pop(option) for option in SECRETS if option in options}
    for option in secrets:
        options.setdefault(f"{option}_file", store.secret_path(name, option))
    return name, options, secrets


def check_all(vips: list[dict], store: Store) -> list[str]:
    """Return every mistake in the virtual IPs, one by one and among themselves."""
    problems: list[sections.Problem] = []
    parsed: list[config.Vip] = []
    seen: set[str] = set()
    for vip in vips:
        name, options, secrets = split(vip, store)
        section = f"vip {name}"
        if name in seen:
            problems.append(sections.Problem("vips", section, "", "", "this name is given twice"))
        seen.add(name)
        for option in secrets:
            if vip.get(f"{option}_file") is not None:
                text = f"give {option} or {option}_file, not both"
                problems.append(sections.Problem("vips", section, "", "", text))
        found, wrong = config.parse_vip(name, options, "vips", None)
        problems.extend(wrong)
        parsed.extend([found] if found is not None else [])
        for option, secret in secrets.items():
            fault = _password.fault(secret)
            if fault is not None:
                problems.append(sections.Problem("vips", section, "", "", f"{option} {fault}"))
    problems.extend(config.check_vips(parsed, "vips"))
    return [str(problem) for problem in problems]


def check_against_others(vips: list[dict], store: Store) -> list[str]:
    """Return what is wrong between the virtual IPs and those that are configured already and stay."""
    given = {vip["name"] for vip in vips}
    kept: list[config.Vip] = []
    problems: list[str] = []
    for name in store.names():
        if name in given:
            continue
        try:
            found = config.load(store.vip_path(name)).vips
        except config.ConfigError as error:
            # The daemon refuses to reload with a mistake anywhere: what is written now would not come into force.
            problems.extend(str(problem) for problem in error.problems)
            continue
        for vip in found:
            if vip.name in given:
                problems.append(f"vips: [vip {vip.name}] stands in {store.vip_path(name)} already")
        kept.extend(found)
    new = [
        config.parse_vip(name, options, "vips", None)[0]
        for name, options, _secrets in (split(vip, store) for vip in vips)
    ]
    wrong = config.check_vips([*kept, *(vip for vip in new if vip is not None)], "vips")
    return problems + [str(problem) for problem in wrong]


def check_names(vips: list[dict]) -> list[str]:
    """Return the names that no virtual IP can have: they become file names."""
    return [
        f"vips: [vip {vip['name']}] a virtual host's name must be {NAME_RULE}"
        for vip in vips
        if not valid_name(vip["name"])
    ]


def in_step(planned: list[dict], before: dict[str, config.Vip], step: str) -> tuple[list[dict], bool]:
    """Return the virtual IPs as they are in a step, and whether another one is to come."""
    vips = [_steps.between(vip, before.get(vip["name"]), step) for vip in planned]
    pending = any(_steps.is_on_the_way(now, vip, before.get(vip["name"])) for now, vip in zip(vips, planned))
    if pending and step == _steps.ACCEPT:
        # An address may be on its way from one virtual IP to another: that is for the next step.
        vips = [vip for vip in vips if vip["name"] in before]
    return vips, pending


def shown(vip: dict) -> dict:
    """Return what there is to see of a virtual IP from outside."""
    keys = ("name", "interface", "vhid", "addresses", "advbase", "advskew")
    return {key: vip[key] for key in keys if vip.get(key) is not None}


def run(store: Store, vips: list[dict], state: str, step: str = "", keep_known_peers: bool = False) -> None:
    """Bring the folder into the state asked for.

    Raises Failure, before anything is written, if that cannot be.
    """
    if state == "absent":
        refuse(check_names(vips))
        for vip in vips:
            store.remove(vip["name"])
        return
    refuse(check_all(vips, store))
    before = store.configured() if step or keep_known_peers else {}
    if keep_known_peers:
        for vip in vips:
            if vip.get("known_peers") is None and vip["name"] in before:
                vip["known_peers"] = _steps.known_peers_of(before[vip["name"]])
    if step:
        vips, store.pending = in_step(vips, before, step)
        refuse(check_all(vips, store))
    if state == "present":
        refuse(check_against_others(vips, store))
    store.vips = [shown(vip) for vip in vips]
    store.make_folders()
    used: set[str] = set()
    for vip in vips:
        name, options, secrets = split(vip, store)
        used.update(str(options[f"{option}_file"]) for option in SECRETS if f"{option}_file" in options)
        store.set(name, config.render_vip(name, options), secrets)
    given = {vip["name"] for vip in vips}
    waits = store.pending and step == _steps.ACCEPT
    if state == "only" and waits:
        store.vips += [_steps.as_given(vip) for name, vip in before.items() if name not in given]
    if state == "only" and not waits:
        for name in store.names():
            if name not in given:
                store.remove(name)
    for file in _files.names(store.secrets_folder):
        path = os.path.join(store.secrets_folder, file)
        if ((state == "only" and not waits) or file.partition("~")[0] in given) and path not in used:
            store.remove_secret(path)


def refuse(problems: list[str]) -> None:
    """Raise Failure if there are problems."""
    if problems:
        raise Failure("\n".join(problems))


def group_id(name: str, check: bool) -> int | None:
    """Return the group's number; in check mode None for one that an earlier task would have made."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        if check:
            return None
        raise Failure(f"there is no group {name}: make it first, or set the option group") from None


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "vips": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "interface": {"type": "str"},
                    "vhid": {"type": "int"},
                    "addresses": {"type": "list", "elements": "str"},
                    "password": {"type": "str", "no_log": True},
                    "password_file": {"type": "path", "no_log": False},
                    "password_credential": {"type": "str", "no_log": False},
                    "advbase": {"type": "int"},
                    "advskew": {"type": "int"},
                    "profile": {"type": "str", "choices": ["default", "fast", "vm"]},
                    "preempt": {"type": "bool"},
                    "failback": {"type": "str"},
                    "dead_ratio": {"type": "int"},
                    "source": {"type": "str"},
                    "peers": {"type": "list", "elements": "str"},
                    "paths": {"type": "list", "elements": "str"},
                    "routed_peers": {"type": "bool"},
                    "virtual_mac": {"type": "bool"},
                    "group": {"type": "str"},
                    "known_peers": {"type": "list", "elements": "str"},
                    "accept_password": {"type": "str", "no_log": True},
                    "accept_password_file": {"type": "path", "no_log": False},
                    "accept_password_credential": {"type": "str", "no_log": False},
                    "accept_addresses": {"type": "list", "elements": "str"},
                    "drain": {"type": "float"},
                    "drain_ports": {"type": "list", "elements": "int"},
                    "reset_sessions": {"type": "bool"},
                    "forward": {"type": "float"},
                    "on_master": {"type": "str"},
                    "on_backup": {"type": "str"},
                    "on_fault": {"type": "str"},
                    "hook_timeout": {"type": "float"},
                    "hook_user": {"type": "str"},
                    "up_script": {"type": "path"},
                    "down_script": {"type": "path"},
                    "xparam": {"type": "str"},
                },
            },
            "state": {"type": "str", "choices": ["absent", "only", "present"], "default": "present"},
            "step": {"type": "str", "choices": ["accept", "send"]},
            "keep_known_peers": {"type": "bool", "default": False},
            "config_dir": {"type": "path", "default": "/etc/carpd"},
            "group": {"type": "str", "default": "carpd"},
        },
        supports_check_mode=True,
    )
    try:
        owner = _files.Owner(os.geteuid(), group_id(module.params["group"], module.check_mode))
        store = Store(module.params["config_dir"], owner, module.check_mode)
        step = "" if module.check_mode else module.params["step"] or ""
        run(store, module.params["vips"], module.params["state"], step, module.params["keep_known_peers"])
    except PermissionError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}; the daemon's configuration is root's: use become")
    except (Failure, OSError) as error:
        module.fail_json(msg=str(error))
    told = {"written": store.written, "removed": store.removed, "pending": store.pending, "vips": store.vips}
    module.exit_json(changed=store.changed, diff=store.diff, **told)


if __name__ == "__main__":
    main()
