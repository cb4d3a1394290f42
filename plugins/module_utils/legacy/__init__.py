# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what other failover daemons were configured with, so that nobody has to copy it by hand.

Nothing here looks at the host by itself: everything comes through ``Files``, which a test can make up.
"""
