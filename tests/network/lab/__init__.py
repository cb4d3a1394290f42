# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network laboratory: namespaces on one machine, what runs in them, and what can be observed of it.

Used by the network tests and by the benchmarks.  Needs root, iproute2, and the packages of the peers that are started.
"""

from __future__ import annotations

from .carpd import Carpd, Vip
from .daemon import Daemon, Pair
from .impairment import CARP, MULTICAST, Impairment
from .keepalived import Keepalived, KeepalivedOptions
from .probe import Probe, Result
from .process import DEADLINE, Process
from .recorder import WaitError
from .segment import INTERFACE, Lab, with_prefix
from .ucarp import Ucarp, UcarpOptions

__all__ = [
    "CARP",
    "DEADLINE",
    "INTERFACE",
    "MULTICAST",
    "Carpd",
    "Daemon",
    "Impairment",
    "Keepalived",
    "KeepalivedOptions",
    "Lab",
    "Pair",
    "Probe",
    "Process",
    "Result",
    "Ucarp",
    "UcarpOptions",
    "Vip",
    "WaitError",
    "with_prefix",
]
