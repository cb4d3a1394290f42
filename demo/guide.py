# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to do with the lab once the demo is over."""

from __future__ import annotations

from drill.failover import ADDRESS, CLIENT, PREFERRED, STANDBY

LOOK_AROUND = f"""\
The machines go on running. Look around:
  podman exec {PREFERRED.container} carpctl status
  podman exec {STANDBY.container} carpctl status
  podman exec {PREFERRED.container} journalctl -u carpd
  podman exec {CLIENT.container} ping {ADDRESS}
  podman exec -it {STANDBY.container} bash
Take them down: make demo-down
"""
