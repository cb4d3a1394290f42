# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the advertisements of the other hosts of a virtual IP come from, so that those of nobody else are believed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from . import networks
from .hosts import Host

# What makes that more than facts can tell: a peer behind a router, an address chosen by hand.
_UNKNOWABLE = ("source", "routed_peers")


def known_peers(options: Mapping[str, Any], addresses: Iterable[str], others: Iterable[Host]) -> list[str]:
    """Return what option known_peers has to say, empty where not all of the others can be known.

    ``options`` are those of the virtual IP, ``addresses`` its own without prefix lengths. All of a host's addresses on
    the interface count, since it may advertise from another one tomorrow. No number is given: what carpd says of its
    rank it signs, and the order of the hosts may change while they advertise.
    """
    virtual = list(addresses)
    if any(options.get(key) for key in _UNKNOWABLE):
        return []
    found: list[str] = []
    per_host = [_addresses_of(host, virtual) for host in others]
    for version in (4, 6):
        # By an IP version in which one of them is not known, nobody can be refused.
        of_version = [[each for each in one if (":" in each) == (version == 6)] for one in per_host]
        if all(of_version):
            found += [address for one in of_version for address in one]
    peers = options.get("peers") or ()
    given = {str(networks.bare(peer)) for peer in ([peers] if isinstance(peers, str) else peers)}
    # Someone is spoken to who is none of the hosts.
    return [] if given - set(found) else [f"{address} carpd" for address in dict.fromkeys(found)]


def _addresses_of(host: Host, virtual: list[str]) -> list[str]:
    """Return all that the host has on the interfaces in whose networks the virtual addresses are."""
    own = [known for known in host.own_addresses if known.address not in virtual]
    places = {place.interface for address in virtual for place in networks.locate(address, own)}
    return [known.address for known in own if known.interface in places] + [
        address for interface in sorted(places) for address in networks.link_local(host.facts, interface)
    ]
