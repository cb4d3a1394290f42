# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Postfix is not restarted where that would cut sessions on the shared address."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.module_utils.postfix import changes, service

VIPS = ["172.17.0.74", "2001:db8::0:74"]
RESTART = changes.Need(changes.RESTART, ("inet_protocols",))


def refusal(fake: Any, policy: str, need: changes.Need = RESTART) -> str:
    return service.refusal(need, policy, VIPS, service.Unit("postfix.service", fake), fake)


@pytest.mark.parametrize("policy", service.POLICIES)
@pytest.mark.parametrize("action", [changes.NONE, changes.POSTMAP, changes.RELOAD])
def test_what_is_no_restart_may_always_be(fake: Any, policy: str, action: str) -> None:
    fake.addresses = VIPS
    assert refusal(fake, policy, changes.Need(action)) == ""


def test_the_policies(fake: Any) -> None:
    assert refusal(fake, "never_on_vip") == ""
    assert refusal(fake, "always") == ""
    assert refusal(fake, "never") == (
        "a change of inet_protocols needs a restart of postfix.service, which cuts all sessions, and restart_policy is "
        "never. Nothing was changed. Run this again with another policy."
    )
    fake.addresses = ["127.0.0.1", "2001:db8::74"]
    assert refusal(fake, "always") == ""
    assert refusal(fake, "never_on_vip") == (
        "a change of inet_protocols needs a restart of postfix.service, which cuts all sessions, and this host holds "
        "2001:db8::0:74. Nothing was changed. Move the address to another host and run this again."
    )


def test_not_to_know_is_no_permission(fake: Any) -> None:
    fake.answers["ip"] = (1, "", "ip: no permission")
    with pytest.raises(OSError, match="cannot tell which addresses this host has: ip: no permission"):
        refusal(fake, "never_on_vip")


def test_the_unit(fake: Any) -> None:
    unit = service.Unit("postfix@-.service", fake)
    assert unit.is_active()
    assert unit.follow(changes.RELOAD) == ""
    assert fake.commands[-1] == ["systemctl", "reload", "postfix@-.service"]
    fake.answers["systemctl"] = (3, "", "")
    assert not unit.is_active()
    assert unit.follow(changes.RESTART) == "systemctl ended with status 3"
    fake.answers["systemctl"] = (1, "", "Job failed.\n")
    assert unit.follow(changes.RESTART) == "Job failed."
