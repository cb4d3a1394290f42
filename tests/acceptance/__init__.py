# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Acceptance tests of mail on a shared address: numbered mails, a server that counts them, and faults in between.

It works on the containers that molecule/shared makes, as the drill does, whose agents it uses. Every test prints a row:
what was done, what was measured, and the bound.
"""
