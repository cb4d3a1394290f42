# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What no plan shows by itself is found when the plans are laid side by side."""

from __future__ import annotations

from typing import Any

from ansible_collections.failover.carp.plugins.plugin_utils.conflicts import find_conflicts


def vip(
    name: str = "smtp", vhid: Any = 1, address: str = "172.17.0.74/20", advskew: Any = 0, **more: Any
) -> dict[str, Any]:
    return {"name": name, "vhid": vhid, "addresses": [address], "advskew": advskew, **more}


def test_plans_that_go_together_are_right() -> None:
    assert find_conflicts({"server1": [vip()], "server2": [vip(advskew=20)], "server3": []}) == []


def test_equal_preference_is_found() -> None:
    plans = {"server1": [vip(advskew=7)], "server2": [vip(advskew="7")], "server3": [vip(advskew=8)]}
    assert find_conflicts(plans) == [
        "carp_vips: [vip smtp] advskew = 7: must be different on each host, since the lowest is preferred, "
        "and server1 and server2 have the same"
    ]


def test_another_interval_is_another_preference() -> None:
    assert find_conflicts({"server1": [vip(advbase=1)], "server2": [vip(advbase=2)]}) == []
    assert len(find_conflicts({"server1": [vip(advbase=1)], "server2": [vip()]})) == 1


def test_what_goes_into_the_digest_must_be_alike() -> None:
    plans = {"server1": [vip()], "server2": [vip(vhid=2, address="172.17.0.73/20", advskew=20)]}
    assert find_conflicts(plans) == [
        "carp_vips: [vip smtp] vhid must be the same on all hosts, and it is 1 on server1; 2 on server2",
        "carp_vips: [vip smtp] addresses must be the same on all hosts, and it is "
        "172.17.0.74/20 on server1; 172.17.0.73/20 on server2",
    ]


def test_one_vhid_for_two_pairs_in_one_network_is_found() -> None:
    http = vip("http", address="172.17.1.1/20")
    plans = {"server1": [vip()], "server2": [vip(advskew=20)], "server3": [http], "server4": [{**http, "advskew": 20}]}
    assert find_conflicts(plans) == [
        "carp_vips: [vip http] vhid = 1: must be another number than that of [vip smtp] on server1 and server2, "
        "since both are in the network 172.17.0.0/20"
    ]


def test_in_another_network_it_is_right() -> None:
    assert find_conflicts({"server1": [vip()], "server3": [vip("http", address="172.18.0.1/20")]}) == []
