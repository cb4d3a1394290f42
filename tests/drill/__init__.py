# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The failover drill: pull the plug of a server that holds the address, and measure what a client sees.

`make demo` shows it, the Molecule scenario `default` judges by it. It works on the containers that molecule/shared
makes, needs nothing but the standard library, and asks the daemon nothing: it looks at the kernels, the wire and the
mailboxes.
"""
