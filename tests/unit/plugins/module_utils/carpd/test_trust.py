# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which authentic advertisements are believed, and what a forger can do with recorded ones."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd.digest import Digest
from ansible_collections.failover.carp.plugins.module_utils.carpd.packet import Advertisement, PacketError
from ansible_collections.failover.carp.plugins.module_utils.carpd.trust import (
    STEPS,
    TAG_BITS,
    KnownPeer,
    Trust,
    first_step,
    stamp,
)
from hypothesis import given
from hypothesis import strategies as st

PEER, OTHER = IPv4Address("172.17.0.75"), IPv4Address("172.17.0.76")
DIGEST = Digest(b"sesame", 1, [IPv4Address("172.17.0.74")])
Fields = tuple[int, int, int]
FIELDS = st.tuples(*[st.integers(0, 255)] * 3)


def make(sequence: int, fields: Fields = (1, 20, 0), source: IPv4Address = PEER) -> Advertisement:
    counter = stamp(sequence, DIGEST, *fields, source)
    return Advertisement(1, *fields, counter, DIGEST.mac(counter))


def refusal(trust: Trust, advertisement: Advertisement, source: IPv4Address | IPv6Address = PEER) -> str:
    try:
        return "" if trust.examine(advertisement, source, DIGEST) else "old news"
    except PacketError as error:
        return error.reason


def ours(lowest: int = 0) -> Trust:
    return Trust([KnownPeer(PEER, True, lowest)], 1)


@given(st.lists(st.integers(0, 2**44 - 1), unique=True, min_size=2, max_size=5).map(sorted))
def test_a_growing_sequence_is_believed_and_nothing_twice(numbers: list[int]) -> None:
    trust = ours()
    assert [refusal(trust, make(number)) for number in numbers] == [""] * len(numbers)
    assert refusal(trust, make(numbers[-1])) == "old news"
    assert refusal(trust, make(numbers[0])) == "replay"


@given(FIELDS, FIELDS)
def test_a_recorded_one_cannot_be_sent_with_another_rank(
    recorded: tuple[int, int, int], forged: tuple[int, int, int]
) -> None:
    advertisement = make(7, recorded)
    altered = advertisement._replace(advbase=forged[0], advskew=forged[1], demotion=forged[2])
    if recorded != forged:
        assert refusal(Trust([KnownPeer(PEER, True, 0)], 0), altered) == "tag"


def test_nor_from_another_address() -> None:
    trust = Trust([KnownPeer(PEER, True, 0), KnownPeer(OTHER, True, 0)], 1)
    assert refusal(trust, make(7), OTHER) == "tag"


def test_what_a_goodbye_looks_like_is_signed_too() -> None:
    assert refusal(ours(), make(7)._replace(advbase=255, advskew=255)) == "tag"
    assert refusal(ours(), make(7, (255, 255, 0))) == ""


def test_nobody_else_is_believed() -> None:
    assert refusal(ours(), make(7, source=OTHER), OTHER) == "stranger"


def test_of_another_ip_version_nothing_was_said() -> None:
    assert refusal(ours(), make(7), IPv6Address("fe80::1")) == ""


def test_where_nobody_is_known_everybody_is_believed() -> None:
    trust = Trust([], 1)
    assert [refusal(trust, make(number)) for number in (7, 7, 3)] == ["", "", ""]


@pytest.mark.parametrize(
    ("fields", "said"), [((1, 19, 0), "range"), ((1, 20, 0), ""), ((0, 255, 0), "range"), ((2, 0, 0), "")]
)
def test_nobody_may_promise_more_than_he_is_configured_to(fields: tuple[int, int, int], said: str) -> None:
    assert refusal(ours(20), make(7, fields)) == said


def test_one_of_ours_without_a_range_may_be_given_any_rank() -> None:
    trust = Trust([KnownPeer(PEER, True, None)], 1)
    assert [refusal(trust, make(number, fields)) for number, fields in ((7, (1, 0, 0)), (8, (0, 1, 0)))] == ["", ""]
    assert refusal(trust, make(8, (0, 1, 0))._replace(advskew=0)) == "tag"


def test_an_old_peer_need_not_count() -> None:
    trust = Trust([KnownPeer(PEER, False, 20)], 1)
    for counter in (5, 5, 3):
        assert refusal(trust, Advertisement(1, 1, 20, 0, counter, DIGEST.mac(counter))) == ""
    assert refusal(trust, Advertisement(1, 1, 19, 0, 9, DIGEST.mac(9))) == "range"


def test_a_new_configuration_forgets_nothing() -> None:
    old, new = ours(), ours()
    assert refusal(old, make(7)) == ""
    new.take_over(old)
    assert refusal(new, make(6)) == "replay"


def test_a_sequence_goes_on_after_a_restart() -> None:
    assert first_step(1_800_000_000.5) == 1_800_000_000 * STEPS + STEPS // 2
    assert first_step(1_800_000_000.5, reserved=2**43) == 2**43
    assert first_step(4_294_000_000.0) < 2 ** (64 - TAG_BITS)
