# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes of what the digest covers, in steps in each of which the hosts understand each other.

First all accept the new addresses and password beside the old ones, then all send the new ones and accept the old ones,
then the old ones go. What stands in a host's files tells where it is, so that a play that broke off can be run again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_interface
from typing import Any

from ansible_collections.failover.carp.plugins.module_utils.carpd.config import Vip

ACCEPT, SEND = "accept", "send"


def between(planned: Mapping[str, Any], before: Vip | None, step: str) -> dict[str, Any]:
    """Return a virtual IP as it is in a step on the way to what is planned; as planned where no step is needed.

    ``planned`` is as module vip takes it and without mistakes, ``before`` what is configured.
    """
    now = dict(planned)
    # Another number or interface makes it another virtual IP.
    if before is None or (before.interface, before.vhid) != (planned["interface"], planned["vhid"]):
        return now
    addresses = _texts(ip_interface(address) for address in planned["addresses"])
    _move(now, "addresses", _texts(before.addresses), addresses, _texts(before.accept_addresses), step)
    if now.get("password") is not None and not any(now.get(f"accept_password_{way}") for way in ("file", "credential")):
        # Whatever bytes a file has: they come back as they were.
        old, other = (each.decode(errors="surrogateescape") for each in (before.password, before.accept_password))
        _move(now, "password", old, now["password"], other, step)
    return now


def is_on_the_way(now: Mapping[str, Any], planned: Mapping[str, Any], before: Vip | None) -> bool:
    """Tell whether the other hosts have to be told before this change goes on."""
    if now != planned:
        return True
    # A host that comes is not to start before those that are there would believe it.
    peers = {ip_address(str(text).split(maxsplit=1)[0]) for text in planned.get("known_peers") or ()}
    return before is not None and bool(before.known_peers and peers - {peer.address for peer in before.known_peers})


def _move(now: dict[str, Any], option: str, old: Any, new: Any, other: Any, step: str) -> None:
    accepting = f"accept_{option}"
    if old != new:
        now[option], now[accepting] = (old, new) if step == ACCEPT else (new, old)
    elif other and not now.get(accepting):
        now[accepting] = other  # not all hosts may be so far


def _texts(addresses: Iterable[Any]) -> list[str]:
    return [str(address) for address in addresses]


def as_given(vip: Vip) -> dict[str, Any]:
    """Return what there is to see from outside of a virtual IP that is configured."""
    place = {"name": vip.name, "interface": vip.interface, "vhid": vip.vhid}
    return {**place, "addresses": _texts(vip.addresses), "advbase": vip.advbase, "advskew": vip.advskew}


def known_peers_of(vip: Vip) -> list[str]:
    """Return option known_peers as it is configured."""
    return [
        f"{peer.address} {'carpd' if peer.ours else 'any'}{'' if peer.advskew is None else f' {peer.advskew}'}"
        for peer in vip.known_peers
    ]
