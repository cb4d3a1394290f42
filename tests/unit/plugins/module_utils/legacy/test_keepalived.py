# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances are found in whatever layout keepalived accepts."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.module_utils.legacy import keepalived

TWO = """\
! a comment { with a brace
global_defs {
    router_id server1
}
vrrp_script chk { script "/usr/bin/test ! -e /tmp/x {" }
vrrp_sync_group both {
    group {
        smtp
    }
}
vrrp_instance smtp {
    state MASTER
    interface eth1          # the inner one
    virtual_router_id 51
    priority 150
    advert_int 0.5
    nopreempt
    authentication {
        auth_type PASS
        auth_pass longer-than-eight
    }
    virtual_ipaddress {
        172.17.0.74/20 dev eth1 label eth1:1
        172.17.0.73
    }
    track_script { chk }
    notify_master "/opt/up.sh smtp"
}
vrrp_instance www
{
    interface eth2
    virtual_router_id 52
    version 3
    virtual_ipaddress { 2001:db8::1/64 }
    virtual_ipaddress_excluded {
        2001:db8::2/64
    } }
"""


def test_two_instances(made_up: Any) -> None:
    smtp, www = keepalived.find(made_up({keepalived.TOP: TWO}))
    assert (smtp.name, smtp.interface, smtp.vhid, smtp.priority) == ("smtp", "eth1", 51, 150)
    assert smtp.addresses == ("172.17.0.74/20", "172.17.0.73")
    assert (smtp.interval, smtp.preempt, smtp.password) == (0.5, False, "longer-t")
    assert www.addresses == ("2001:db8::1/64", "2001:db8::2/64")
    assert (www.interval, www.preempt, www.priority) == (1.0, True, 100)
    assert "longer-t" not in repr(smtp)


def test_what_has_to_be_done_by_hand_is_noted(made_up: Any) -> None:
    smtp, www = keepalived.find(made_up({keepalived.TOP: TWO}))
    for word in ("track_script", "notify_master", "vrrp_sync_group both"):
        assert any(word in note for note in smtp.notes), word
    assert any("no password" in note for note in www.notes)
    assert not any("no password" in note for note in smtp.notes)


def test_included_files_are_read(made_up: Any) -> None:
    inner = "vrrp_instance smtp {\n virtual_router_id 51\n virtual_ipaddress {\n  172.17.0.74\n }\n}\n"
    files = made_up({keepalived.TOP: "include conf.d/*.conf\n", "/etc/keepalived/conf.d/a.conf": inner})
    assert [instance.vhid for instance in keepalived.find(files)] == [51]


@pytest.mark.parametrize("text", ["", "}", "vrrp_instance", "vrrp_instance x", "vrrp_instance x {", '" {', "{ { }"])
def test_what_is_broken_raises_nothing(made_up: Any, text: str) -> None:
    assert [instance.addresses for instance in keepalived.find(made_up({keepalived.TOP: text}))] in ([], [()])


def test_without_keepalived_there_is_nothing(made_up: Any) -> None:
    assert keepalived.find(made_up({})) == []
