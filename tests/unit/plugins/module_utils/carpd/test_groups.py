# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the members of a group mean for each other."""

from __future__ import annotations

from ansible_collections.failover.carp.plugins.module_utils.carpd.groups import Member, share
from ansible_collections.failover.carp.plugins.module_utils.carpd.standing import MOST_DEMOTION
from ansible_collections.failover.carp.plugins.module_utils.carpd.tracking import Verdict

WELL = Verdict()


def test_who_is_in_no_group_is_left_alone() -> None:
    members = {"a": Member("", "no carrier", Verdict(100, 0, "", "check x fails")), "b": Member("", "", WELL)}
    assert share(members) == {"a": Verdict(100, 0, "", "check x fails"), "b": WELL}


def test_nor_do_other_groups_matter() -> None:
    assert share({"a": Member("g", "no carrier", WELL), "b": Member("h", "", WELL)})["b"] == WELL


def test_an_obstacle_demotes_the_others_and_not_itself() -> None:
    found = share({"a": Member("g", "eth1 is down", WELL), "b": Member("g", "", WELL)})
    assert found["a"] == WELL
    assert found["b"] == Verdict(MOST_DEMOTION, 0, "", "a, of the same group, cannot work: eth1 is down")


def test_a_check_of_one_demotes_all() -> None:
    failing = Verdict(100, 7, "", "check x fails")
    found = share({"a": Member("g", "", failing), "b": Member("g", "", WELL), "c": Member("g", "", WELL)})
    assert found["a"] == failing
    assert found["b"] == found["c"] == Verdict(100, 7, "", "a, of the same group: check x fails")


def test_a_check_that_is_about_all_of_them_counts_once() -> None:
    failing = Verdict(100, 0, "", "check x fails")
    assert share({"a": Member("g", "", failing), "b": Member("g", "", failing)}) == {"a": failing, "b": failing}


def test_the_heaviest_counts() -> None:
    found = share({"a": Member("g", "", Verdict(50, 0, "", "x")), "b": Member("g", "", Verdict(80, 0, "", "y"))})
    assert found["a"] == Verdict(80, 0, "", "b, of the same group: y")
    assert found["b"] == Verdict(80, 0, "", "y")


def test_a_fault_is_one_for_all() -> None:
    found = share({"a": Member("g", "", Verdict(fault="check x fails")), "b": Member("g", "", WELL)})
    assert found["b"].fault == "a, of the same group: check x fails"
