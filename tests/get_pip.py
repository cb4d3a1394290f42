# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand in for the pip installer that ansible-test would download for each of its environments.

Python has a pip in its own bundle; from there the wanted version comes out of the package index that the
machine is set up for. So the tests need no host but that index.
"""

from __future__ import annotations

import subprocess
import sys

# ansible-test calls get-pip with options that pip itself does not know.
wanted = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]

# As a child: called in this process, ensurepip would leave PIP_CONFIG_FILE pointing at nothing, and the next
# pip would miss the machine's index and certificates.
subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"])
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", *wanted]))
