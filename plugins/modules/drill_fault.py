#!/usr/bin/python
# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: drill_fault
short_description: Break a host for some seconds, on purpose
version_added: 0.1.0
description:
  - Breaks a host that shares an address in one of several ways, and mends it after some seconds, to see whether another
    host takes over. The playbook C(failover.carp.drill) is made of it.
  - Before it breaks anything, it has systemd promise to mend the host later (a timer), also if the module is killed or
    the machine that runs Ansible is lost. So run it with C(async) and C(poll=0), since the host may be out of reach
    meanwhile.
extends_documentation_fragment:
  - failover.carp.attributes
  - failover.carp.attributes.action_group
options:
  state:
    description:
      - With V(broken), the host is broken, and mended after O(seconds).
      - With V(mended), what an earlier run may have left is mended at once.
    type: str
    choices:
      - broken
      - mended
    default: broken
  kind:
    description:
      - With V(power), O(interface) drops everything both ways from one moment on, and the daemon is killed with all of
        its processes and started only at the end.
      - With V(daemon), the daemon's main process is killed.
      - With V(hang), all processes of the daemon are stopped, and continued at the end.
      - With V(link), the kernel believes that O(interface) has no link, and drops everything both ways.
      - With V(service), O(unit) is stopped, or O(break_command) run.
      - With V(switchover), O(vips) are handed over, and taken back at the end.
    type: str
    choices:
      - power
      - daemon
      - hang
      - link
      - service
      - switchover
  interface:
    description: The network interface of the virtual IPs. For V(power) and V(link).
    type: str
    default: ""
  vips:
    description: The names of the virtual IPs. For V(switchover).
    type: list
    elements: str
    default: []
  unit:
    description: The unit of systemd that is stopped. For V(service).
    type: str
    default: ""
  break_command:
    description: A line for the shell that puts the service out of order. For V(service), instead of O(unit).
    type: str
    default: ""
  mend_command:
    description: A line for the shell that ends that. It must do no harm if it is run twice.
    type: str
    default: ""
  seconds:
    description: For how many seconds the host stays broken.
    type: float
    default: 6.0
  delay:
    description: How many seconds to wait before, so that Ansible can leave the host.
    type: float
    default: 1.0
  rescue:
    description: After how many further seconds systemd mends the host if the module did not.
    type: float
    default: 20.0
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: none
    details: To break a host is what it is for.
author:
  - The failover.carp authors (@failover-carp)
seealso:
  - module: failover.carp.drill_watch
  - module: failover.carp.drill_probe
"""

EXAMPLES = r"""
- name: Cut the master off for six seconds
  failover.carp.drill_fault:
    kind: power
    interface: eth0
    seconds: 6
  async: 60
  poll: 0
  register: fault

- name: Wait until it can be reached again
  ansible.builtin.wait_for_connection:
    delay: 7

- name: Ask what was done
  ansible.builtin.async_status:
    jid: "{{ fault.ansible_job_id }}"
  register: done
  until: done is finished
  retries: 10
"""

RETURN = r"""
words:
  description: What was done to the host, for a report.
  returned: when O(state=broken)
  type: str
  sample: The main process of carpd was killed (SIGKILL).
began:
  description: When the first command was run, in seconds of the host's monotonic clock.
  returned: when something was broken
  type: float
  sample: 5120.1
broken:
  description: When the last command had been run.
  returned: when something was broken
  type: float
  sample: 5120.12
mending:
  description: When mending began.
  returned: when something was broken
  type: float
  sample: 5126.12
mended:
  description: When it was done.
  returned: when something was broken
  type: float
  sample: 5126.2
problems:
  description: What commands that mend the host had to complain about.
  returned: when something was broken
  type: list
  elements: str
  sample: []
"""

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.failover.carp.plugins.module_utils.rehearsal.faults import FAULTS, Fault, Target

RESCUE = "failover-carp-drill-rescue"


class Failure(Exception):
    """The host is not broken, and mended if it was."""


class Host:
    """Runs commands on this host."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module

    def has(self, command: str) -> bool:
        """Tell whether there is such a command."""
        return self._module.get_bin_path(command) is not None

    def run(self, argv: list[str], text: str = "") -> str:
        """Run a command; return what is wrong, nothing if it is well."""
        code, out, err = self._module.run_command(argv, data=text or None)
        return "" if code == 0 else f"{' '.join(argv)}: {(err or out).strip() or f'exit code {code}'}"

    def promise(self, mends: list[list[str]], seconds: float) -> None:
        """Have systemd run the commands after so many seconds. Raises Failure."""
        # Each is tried, whatever became of the one before.
        script = "; ".join(" ".join(_quoted(word) for word in argv) for argv in mends)
        problem = self.run(
            [
                "systemd-run",
                f"--unit={RESCUE}",
                f"--on-active={seconds:g}",
                "--timer-property=AccuracySec=100ms",
                "--property=Type=oneshot",
                "/bin/sh",
                "-c",
                script,
            ]
        )
        if problem:
            raise Failure(f"nothing was broken, since systemd would not promise to mend it: {problem}")

    def rescue_now(self) -> bool:
        """Have systemd do now what it promised, if it did; return whether."""
        if self.run(["systemctl", "is-active", "--quiet", f"{RESCUE}.timer"]):
            return False
        problem = self.run(["systemctl", "start", f"{RESCUE}.service"])
        self.release()
        if problem:
            # Commands that have nothing to undo fail as well; what matters is seen in the state of the pair.
            self._module.warn(f"some of what was to be mended needed no mending: {problem}")
        return True

    def release(self) -> None:
        """Let systemd forget its promise."""
        self.run(["systemctl", "stop", f"{RESCUE}.timer"])
        self.run(["systemctl", "reset-failed", f"{RESCUE}.service"])


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"


def plan(given: dict[str, Any], host: Host) -> Fault:
    """Return what is to be done. Raises Failure."""
    if given["kind"] in ("power", "link") and not given["interface"]:
        raise Failure(f"kind={given['kind']} needs interface")
    if given["kind"] == "service" and bool(given["unit"]) == bool(given["break_command"] and given["mend_command"]):
        raise Failure("kind=service needs unit, or break_command and mend_command")
    if given["kind"] == "switchover" and not given["vips"]:
        raise Failure("kind=switchover needs vips")
    by = next((command for command in ("nft", "tc") if host.has(command)), "")
    if given["kind"] in ("power", "link") and not by:
        raise Failure(f"kind={given['kind']} needs nft (package nftables) or tc (package iproute2) on the host")
    target = Target(
        interface=given["interface"],
        vips=given["vips"],
        unit=given["unit"],
        break_command=given["break_command"],
        mend_command=given["mend_command"],
        by=by,
    )
    return FAULTS[given["kind"]](target)


def perform(fault: Fault, host: Host, given: dict[str, Any]) -> dict[str, Any]:
    """Break the host, wait, and mend it; return when. Raises Failure if it could not be broken."""
    host.promise(fault.mends, given["delay"] + given["seconds"] + given["rescue"])
    times: dict[str, Any] = {}
    problem = ""
    try:
        time.sleep(given["delay"])
        times["began"] = time.monotonic()
        for step in fault.breaks:
            problem = host.run(step.argv, step.text)
            if problem and step.needed:
                raise Failure(problem)
        times["broken"] = time.monotonic()
        time.sleep(max(0.0, times["began"] + given["seconds"] - time.monotonic()))
    finally:
        times["mending"] = time.monotonic()
        problems = [text for text in map(host.run, fault.mends) if text]
        times["mended"] = time.monotonic()
        host.release()
    # A daemon that systemd has replaced meanwhile has nothing to be continued. What counts is how the hosts are then.
    times["problems"] = problems
    return times


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["broken", "mended"], "default": "broken"},
            "kind": {"type": "str", "choices": list(FAULTS)},
            "interface": {"type": "str", "default": ""},
            "vips": {"type": "list", "elements": "str", "default": []},
            "unit": {"type": "str", "default": ""},
            "break_command": {"type": "str", "default": ""},
            "mend_command": {"type": "str", "default": ""},
            "seconds": {"type": "float", "default": 6.0},
            "delay": {"type": "float", "default": 1.0},
            "rescue": {"type": "float", "default": 20.0},
        },
        required_if=[("state", "broken", ["kind"])],
        supports_check_mode=True,
    )
    host = Host(module)
    if module.params["state"] == "mended":
        module.exit_json(changed=not module.check_mode and host.rescue_now())
    try:
        fault = plan(module.params, host)
        times = {} if module.check_mode else perform(fault, host, module.params)
    except Failure as failure:
        module.fail_json(msg=str(failure))
    module.exit_json(changed=True, words=fault.words, **times)


if __name__ == "__main__":
    main()
