#!/usr/bin/python
# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: postfix_config
short_description: Configure Postfix, checked before it goes live
version_added: 0.1.0
description:
  - Writes the whole configuration of Postfix on one host. C(main.cf), C(master.cf), lookup tables with their indexes,
    and the aliases. What is not asked for is not in them.
  - Everything is put into a private copy of the configuration directory first, where Postfix's own programs try it.
    Nothing that is live is touched unless all of them are content.
  - Then each file that differs is replaced by one rename, and a running Postfix is told, by no more than what the
    change needs. Should it not follow, the old files are put back.
  - The content of O(maps) is shown in differences and logs. That of O(secret_maps) and O(tls_content) is not.
notes:
  - The check of the staged configuration starts one SMTP server process that talks to nobody but this module. It leaves
    two lines in the mail log.
extends_documentation_fragment:
  - failover.carp.attributes
  - failover.carp.attributes.action_group
attributes:
  check_mode:
    support: full
    details:
      - The configuration is staged and checked as always.
      - Where Postfix, or the package for a type of table, is not installed yet, the texts are shown, but cannot be
        checked. Without Postfix there is no C(master.cf) either.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  settings:
    description:
      - All of C(main.cf). A parameter that is not here has Postfix's own default.
      - A value is text, a whole number, a boolean (written as V(yes) or V(no)), or a list (joined with commas).
    type: dict
    required: true
  services:
    description:
      - Services of C(master.cf), laid over those of the package by O(services[].name) and O(services[].type).
      - What is not given here is as in the package.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The service's name. For O(services[].type=inet) a port, with or without an address in front.
        type: str
        required: true
      type:
        description: The kind of endpoint.
        type: str
        choices: [inet, unix, unix-dgram, fifo, pass]
        default: inet
      private:
        description: Whether only Postfix itself may connect.
        type: bool
      unpriv:
        description: Whether the process runs without the privileges of root.
        type: bool
      chroot:
        description: Whether the process runs below the queue directory.
        type: bool
      wakeup:
        description: After how many seconds to wake the service. With a C(?) behind it only if it is in use.
        type: str
      maxproc:
        description: How many processes there may be at a time. V(0) means any number.
        type: int
      command:
        description: The program and its arguments. It takes the place of the packaged one, but for C(-o) options.
        type: str
      options:
        description: Parameters that have another value in this service, written as C(-o) options.
        type: dict
      state:
        description: With V(absent), the service is left out.
        type: str
        choices: [absent, present]
        default: present
  process_limit:
    description:
      - How many processes a service may have whose O(services[].maxproc) nobody has set.
      - By default this is the parameter C(default_process_limit), which also sizes the backlog of the listening
        sockets. This option sets the two apart.
    type: int
  maps:
    description:
      - Lookup tables in the configuration directory, each of them complete.
      - A table that was written by this module and is no longer here is removed, index and all.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The file's name.
        type: str
        required: true
      type:
        description: The type, by default O(map_type). For those with an index, the index is built.
        type: str
        choices: [btree, cdb, cidr, hash, lmdb, pcre, regexp, texthash]
      entries:
        description: Keys with their values, in this order.
        type: dict
      content:
        description: The file's text, in place of O(maps[].entries).
        type: str
      owner:
        description: The user that the file belongs to, by default root.
        type: str
      mode:
        description: The file's mode in octal digits, by default V(0644), or V(0600) for O(secret_maps).
        type: str
  secret_maps:
    description:
      - Lookup tables as in O(maps), whose content is shown nowhere.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The file's name.
        type: str
        required: true
      type:
        description: The type, by default O(map_type).
        type: str
        choices: [btree, cdb, cidr, hash, lmdb, pcre, regexp, texthash]
      entries:
        description: Keys with their values, in this order.
        type: dict
      content:
        description: The file's text, in place of O(secret_maps[].entries).
        type: str
      owner:
        description: The user that the file belongs to, by default root.
        type: str
      mode:
        description: The file's mode in octal digits.
        type: str
        default: "0600"
  tls_content:
    description:
      - A private key, its certificate, and the chain behind it, in this order, as PEM text. They are written to one
        file, C(tls_chain) in the configuration directory, which only root can read.
    type: str
  tls_files:
    description:
      - Files on the host that hold the same, for O(tls_names) to be compared with. Nothing is done with them.
    type: list
    elements: path
    default: []
  tls_names:
    description:
      - The names that the certificate is for, that of the service first. If it is not for that one, has ended, or does
        not belong to the key, the module fails and nothing is changed. For the others, and if it ends within two
        weeks, there is a warning.
    type: list
    elements: str
    default: []
  aliases:
    description:
      - All mail aliases. C(postmaster) and C(mailer-daemon) are added if they are missing, because mail for them must
        arrive somewhere.
      - Without this option the aliases are left alone.
    type: dict
  map_type:
    description: The type of the aliases, and of tables that state none.
    type: str
    choices: [btree, cdb, hash, lmdb]
    default: lmdb
  aliases_path:
    description: The file with the aliases.
    type: path
    default: /etc/aliases
  config_dir:
    description: The configuration directory.
    type: path
    default: /etc/postfix
  packaged_master:
    description: The C(master.cf) of the package, over which O(services) are laid.
    type: path
    default: /usr/share/postfix/master.cf.dist
  validate:
    description: Whether to check the staged configuration. Without, a mistake can stop the service.
    type: bool
    default: true
  unit:
    description:
      - The systemd unit that runs Postfix. If it is active, it is reloaded or restarted when a change needs that.
      - Without this option Postfix is left alone.
    type: str
  restart_policy:
    description:
      - When Postfix may be restarted, for the few changes that take one (RV(restart_for)).
      - If it may not, the module fails, and nothing is changed.
    type: str
    choices: [always, never, never_on_vip]
    default: never_on_vip
  vip_addresses:
    description: The addresses that mark the active host. As long as it has one, V(never_on_vip) forbids a restart.
    type: list
    elements: str
    default: []
author:
  - The failover.carp authors (@failover-carp)
"""

EXAMPLES = r"""
- name: Configure a relay for the local network
  failover.carp.postfix_config:
    settings:
      compatibility_level: "3.6"
      myhostname: "{{ inventory_hostname }}.example.com"
      mynetworks:
        - 127.0.0.0/8
        - 172.17.0.0/20
      default_process_limit: 1000
      transport_maps: lmdb:/etc/postfix/transport
    process_limit: 100
    services:
      - name: submission
        command: smtpd
        private: false
        options:
          syslog_name: postfix/submission
      - name: uucp
        type: unix
        state: absent
    maps:
      - name: transport
        entries:
          example.net: smtp:[172.17.0.9]:2525
    unit: postfix.service
    vip_addresses:
      - 172.17.0.74
"""

RETURN = r"""
action:
  description:
    - What the change needed. V(none), V(postmap) (new indexes only, which running processes notice by themselves),
      V(reload) or V(restart).
    - A Postfix that does not run needs nothing but indexes. In check mode, what it would need.
  returned: success
  type: str
  sample: reload
restart_for:
  description: The parameters that make a restart necessary.
  returned: success
  type: list
  elements: str
  sample:
    - inet_protocols
files:
  description: The files that were changed, in this order.
  returned: success
  type: list
  elements: str
  sample:
    - /etc/postfix/main.cf
checked:
  description: Whether the configuration was checked.
  returned: success
  type: bool
  sample: true
"""

import os
import tempfile
from collections.abc import Sequence

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.failover.carp.plugins.module_utils import _files
from ansible_collections.failover.carp.plugins.module_utils.postfix import (
    activation,
    certificate,
    changes,
    files,
    master_cf,
    service,
    staging,
    tables,
)

#: Nobody but root can put anything there, which cannot be said of the folder that Ansible makes for a login user. It
#: is in memory, so that secrets from other files of the configuration do not get onto the disk a second time.
STAGES = "/run"


TABLE = {
    "name": {"type": "str", "required": True},
    "type": {"type": "str", "choices": list(tables.TYPES)},
    "entries": {"type": "dict"},
    "content": {"type": "str"},
    "owner": {"type": "str"},
}
TABLES = {
    "type": "list",
    "elements": "dict",
    "default": [],
    "mutually_exclusive": [["entries", "content"]],
    "required_one_of": [["entries", "content"]],
}


class Failure(Exception):
    """The module cannot do what it was asked for; the text says why."""


class Configurator:
    """One run: stage, check, compare, activate."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.params = module.params
        self.owner = _files.Owner(os.geteuid(), os.getegid())
        self.unit = service.Unit(self.params["unit"] or "", self.run)

    def run(self, command: Sequence[str], text: str) -> tuple[int, str, str]:
        """Run a command, wherever a non-login shell of root looks for programs."""
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "LANGUAGE": "C"}
        try:
            return self.module.run_command(
                list(command), data=text, binary_data=True, environ_update=environment, handle_exceptions=False
            )
        except FileNotFoundError:
            return 127, "", f"there is no program {command[0]}"

    def configure(self, root: str) -> dict:
        """Do all of it, with a stage in a folder that only root may enter, and return the result."""
        wanted = self.wanted()
        self.look_at_certificate(root)
        if not os.path.exists(self.params["packaged_master"]):
            return self.unchecked(wanted, f"Postfix is not installed: there is no {self.params['packaged_master']}")
        aliases = "" if self.params["aliases"] is None else self.params["aliases_path"]
        stage = staging.Stage(root, self.params["config_dir"], aliases, self.run)
        types = sorted({file.table for file in wanted.files if file.table} - set(stage.table_types))
        if types:
            packages = " ".join(f"postfix-{kind}" for kind in types)
            return self.unchecked(wanted, f"Postfix has no tables of type {', '.join(types)}: install {packages}")
        removed = activation.stale(self.params["config_dir"], wanted.paths)
        self.refuse(stage.fill(wanted, removed))
        if self.params["validate"]:
            self.refuse(stage.problems(wanted))
            for warning in stage.warnings:
                self.module.warn(warning)
        todo = activation.compare(wanted.files, removed, self.owner)
        need = self.need(todo, stage)
        if not self.module.check_mode:
            self.activate(todo, stage, need)
        return self.result(todo, need, self.params["validate"])

    def wanted(self) -> files.Wanted:
        """Return the complete configuration."""
        names = ("config_dir", "settings", "services", "process_limit", "aliases", "aliases_path", "map_type")
        packaged = _files.read(self.params["packaged_master"])
        secret_maps = [{**entry, "secret": True} for entry in self.params["secret_maps"]]
        wanted, problems = files.wanted(
            packaged=None if packaged is None else packaged.decode(),
            maps=self.params["maps"] + secret_maps,
            tls_content=self.params["tls_content"] or "",
            **{name: self.params[name] for name in names},
        )
        self.refuse(problems)
        return wanted

    def look_at_certificate(self, folder: str) -> None:
        """Raise Failure if there is a certificate that clients would not accept; warn if that will be so soon."""
        names, pem, fault = self.params["tls_names"], self.params["tls_content"], ""
        if not names or not (pem or self.params["tls_files"]):
            return
        if not pem:
            pem, fault = certificate.read(self.params["tls_files"])
        found = certificate.Certificate(fault=fault) if fault else certificate.examine(pem, folder)
        problems, notes = certificate.problems(found, names)
        self.refuse(problems)
        for note in notes:
            self.module.warn(note)

    def unchecked(self, wanted: files.Wanted, missing: str) -> dict:
        """Return what would change on a host where something has to be installed first; raise Failure if this is it."""
        if not self.module.check_mode:
            raise Failure(missing)
        self.module.warn(f"The configuration could not be checked. {missing}")
        return self.result(activation.compare(wanted.files, [], self.owner), changes.Need(changes.NONE), False)

    def need(self, todo: Sequence[activation.Change], stage: staging.Stage) -> changes.Need:
        """Return what Postfix needs; raise Failure if that is a restart and it may not have one."""
        need = changes.need(
            [change.action for change in todo],
            staging.at_start(self.params["config_dir"], self.run),
            stage.at_start(),
        )
        if need.action in (changes.RELOAD, changes.RESTART) and not (self.params["unit"] and self.unit.is_active()):
            return changes.need([change.action for change in todo if change.action == changes.POSTMAP], {}, {})
        refusal = service.refusal(
            need, self.params["restart_policy"], self.params["vip_addresses"], self.unit, self.run
        )
        if refusal:
            raise Failure(refusal)
        return need

    def activate(self, todo: Sequence[activation.Change], stage: staging.Stage, need: changes.Need) -> None:
        """Put the files into place and make Postfix follow; put everything back if it does not."""
        before = activation.apply(todo, stage.path, self.owner)
        if need.action not in (changes.RELOAD, changes.RESTART):
            return
        fault = self.unit.follow(need.action)
        if fault:
            activation.restore(before)
            self.unit.follow(need.action)
            raise Failure(f"{self.unit.name} did not {need.action}, and the old configuration was put back: {fault}")

    def refuse(self, problems: Sequence[str]) -> None:
        """Raise Failure if there are problems."""
        if problems:
            lines = "\n".join(f"  {problem}" for problem in problems)
            raise Failure(f"Postfix would not work with this configuration, and nothing was changed:\n{lines}")

    def result(self, todo: Sequence[activation.Change], need: changes.Need, checked: bool) -> dict:
        """Return what the module tells Ansible."""
        return {
            "changed": bool(todo),
            "action": need.action,
            "restart_for": list(need.restart_for),
            "files": [change.path for change in todo],
            "checked": checked,
            "diff": [change.diff() for change in todo],
        }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "settings": {"type": "dict", "required": True},
            "services": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "type": {"type": "str", "choices": list(master_cf.TYPES), "default": "inet"},
                    "private": {"type": "bool"},
                    "unpriv": {"type": "bool"},
                    "chroot": {"type": "bool"},
                    "wakeup": {"type": "str"},
                    "maxproc": {"type": "int"},
                    "command": {"type": "str"},
                    "options": {"type": "dict"},
                    "state": {"type": "str", "choices": ["absent", "present"], "default": "present"},
                },
            },
            "process_limit": {"type": "int"},
            "maps": {**TABLES, "options": {**TABLE, "mode": {"type": "str"}}},
            "secret_maps": {
                **TABLES,
                "no_log": False,
                "options": {
                    **TABLE,
                    "entries": {"type": "dict", "no_log": True},
                    "content": {"type": "str", "no_log": True},
                    "mode": {"type": "str", "default": "0600"},
                },
            },
            "tls_content": {"type": "str", "no_log": True},
            "tls_files": {"type": "list", "elements": "path", "default": []},
            "tls_names": {"type": "list", "elements": "str", "default": []},
            "aliases": {"type": "dict"},
            "map_type": {"type": "str", "choices": sorted(tables.INDEXED), "default": "lmdb"},
            "aliases_path": {"type": "path", "default": "/etc/aliases"},
            "config_dir": {"type": "path", "default": "/etc/postfix"},
            "packaged_master": {"type": "path", "default": "/usr/share/postfix/master.cf.dist"},
            "validate": {"type": "bool", "default": True},
            "unit": {"type": "str"},
            "restart_policy": {"type": "str", "choices": list(service.POLICIES), "default": "never_on_vip"},
            "vip_addresses": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    try:
        with tempfile.TemporaryDirectory(prefix="postfix-", dir=STAGES) as root:
            result = Configurator(module).configure(root)
    except PermissionError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}; the configuration is root's: use become")
    except (Failure, ValueError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
