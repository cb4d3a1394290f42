# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Advertisements of ucarp, FreeBSD and OpenBSD: heed what their receiver heeds, refuse what it refuses, say the same.

vectors.json holds them: captured from ucarp, made from such a capture and fed to ucarp, or computed with the kernels'
own functions. Each takes one of three ways through the daemon, see ``way``. Where ``receiver`` says nothing else, the
receiver is a peer with the sender's vhid, password and addresses.
"""

from __future__ import annotations

import json
from collections import Counter
from ipaddress import ip_address, ip_interface
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd.config import ConfigError, Vip, load, parse_vip
from ansible_collections.failover.carp.plugins.module_utils.carpd.digest import Digest
from ansible_collections.failover.carp.plugins.module_utils.carpd.packet import (
    GROUPS,
    Address,
    Advertisement,
    Datagram,
    PacketError,
)
from ansible_collections.failover.carp.plugins.module_utils.carpd.speaker import Speaker
from ansible_collections.failover.carp.plugins.module_utils.carpd.transitions import Event

Vector = dict[str, Any]

VECTORS: list[Vector] = json.loads(Path(__file__).with_name("vectors.json").read_text(encoding="utf-8"))
OWN = {4: ip_address("10.99.0.9"), 6: ip_address("fe80::9")}

# Changed by hand after ucarp sent it: version, type, length of the authentication data, checksum.
TAMPERED = {"ucarp-rx-03", "ucarp-rx-04", "ucarp-rx-07", "ucarp-rx-10"}
# FreeBSD hashes link-local addresses, OpenBSD does not: both are accepted, and sent is OpenBSD's form.
ACCEPTED_NOT_SENT = {"freebsd-08"}
# Why a receiver does not heed a vector; the rest are heeded.
# To our own address: ucarp refuses that, the BSDs send it on purpose ("carppeer", "peer"), and so do we.
UNICAST = "ucarp-rx-09"
REFUSALS = {
    "ucarp-rx-03": "version",
    "ucarp-rx-05": "another vhid",
    "ucarp-rx-08": "destination",
    "ucarp-rx-10": "checksum",
    "ucarp-rx-11": "checksum",
    "freebsd-15": "digest",
}


def way(vector: Vector) -> str:
    """Tell which way a vector takes.

    config: a password that is refused before anything is sent. speaker: the daemon's own way from the packet to the
    election. codec: that way's parts, for what this daemon does not take part in: other destinations than the groups,
    and a hardware address set by hand.
    """
    if not vector.get("packet_hex"):
        return "config"
    if "receiver" in vector:
        return "speaker"
    to_group = ip_address(vector["dst"]) in GROUPS.values()
    return "speaker" if to_group and "lladdr" not in vector else "codec"


def on(*ways: str) -> Any:
    """Run a test with each vector that takes one of these ways."""
    chosen = [vector for vector in VECTORS if way(vector) in ways]
    return pytest.mark.parametrize("vector", chosen, ids=[vector["id"] for vector in chosen])


def hear(receiver: Vector, packet: bytes, monkeypatch: pytest.MonkeyPatch) -> tuple[str | None, list[Any]]:
    """Hand an IP packet to a speaker; return why it was not heeded and what reached the election."""
    addresses = tuple(ip_interface(text) for text in receiver["vips"])
    vip = Vip("smtp", "eth1", receiver["vhid"], addresses, receiver["password"].encode(), 1, 0, True, 3, None)
    speaker = Speaker(vip, sequence=1, now=0.0)
    speaker.sources = {version: OWN[version] for version in vip.versions}
    if "srcip" in receiver:
        speaker.sources[4] = ip_address(receiver["srcip"])
    speaker.machine.event(Event.UP, 0.0, "the test begins")
    heard: list[Any] = []
    through = speaker.machine.received

    def received(advertisement: Advertisement, source: Address, own: Address | None, now: float) -> None:
        heard.append((advertisement, source))
        through(advertisement, source, own, now)

    monkeypatch.setattr(speaker.machine, "received", received)
    try:
        refused = speaker.received(Datagram.decode(packet), 0.5)
    except PacketError as error:
        return error.reason, heard
    assert speaker.refused == ({refused: 1} if refused else {})
    return refused, heard


def advertisement_of(vector: Vector) -> Advertisement:
    # Newer fields of the file are plain numbers; the counter is taken from its hex form, which no reader rounds.
    counter = int(vector["counter_hex"], 16)
    mac = bytes.fromhex(vector["sha1_hmac_hex"])
    return Advertisement(vector["vhid"], vector["advbase"], vector["advskew"], vector["demote"], counter, mac)


def digest_of(vector: Vector) -> Digest:
    addresses = [ip_address(text) for text in vector["vips"]]
    lladdr = bytes.fromhex(vector.get("lladdr", "").replace(":", ""))
    return Digest(vector["password"].encode(), vector["vhid"], addresses, lladdr)


def test_no_vector_is_left_out() -> None:
    ids = [vector["id"] for vector in VECTORS]
    assert len(set(ids)) == len(ids) == 51
    assert Counter(way(vector) for vector in VECTORS) == {"speaker": 45, "codec": 4, "config": 2}
    assert {vector["id"] for vector in VECTORS if not vector["valid"]} == {
        *REFUSALS,
        UNICAST,
        "ucarp-reject-pw20",
        "ucarp-reject-pw30",
    }
    assert (TAMPERED | ACCEPTED_NOT_SENT | set(REFUSALS)) <= set(ids)


@on("speaker")
def test_heeded_or_refused(vector: Vector, monkeypatch: pytest.MonkeyPatch) -> None:
    packet = bytes.fromhex(vector["ip_packet_hex"])
    refused, heard = hear(vector.get("receiver", vector), packet, monkeypatch)
    if vector["valid"] or vector["id"] == UNICAST:
        assert refused is None
        assert heard == [(advertisement_of(vector), ip_address(packet[12:16] if packet[0] >> 4 == 4 else packet[8:24]))]
    else:
        assert refused == (None if REFUSALS[vector["id"]] == "another vhid" else REFUSALS[vector["id"]])
        assert heard == []


@on("codec")
def test_accepted_outside_of_the_election(vector: Vector) -> None:
    assert vector["valid"]
    advertisement = Advertisement.decode(bytes.fromhex(vector["packet_hex"]))
    assert advertisement == advertisement_of(vector)
    assert digest_of(vector).accepts(advertisement.counter, advertisement.mac)
    assert not digest_of({**vector, "password": "wrong"}).accepts(advertisement.counter, advertisement.mac)


REACTING = [vector for vector in VECTORS if "real_ucarp_reaction" in vector]


@pytest.mark.parametrize("vector", REACTING, ids=[vector["id"] for vector in REACTING])
def test_with_one_address_reacts_as_ucarp_did(vector: Vector, monkeypatch: pytest.MonkeyPatch) -> None:
    reaction = vector["real_ucarp_reaction"]
    receiver = {**vector, "vips": [reaction["vip"]]}
    refused, heard = hear(receiver, bytes.fromhex(vector["ip_packet_hex"]), monkeypatch)
    expected = {
        "accepted": None,
        "rejected: Bad digest": "digest",
        "ignored: destination is not the multicast group": "destination",
    }
    assert refused == expected[reaction["reaction"]]
    assert len(heard) == (refused is None)


def test_ucarp_s_reactions_are_of_every_kind() -> None:
    kinds = Counter(vector["real_ucarp_reaction"]["reaction"].partition(":")[0] for vector in REACTING)
    assert kinds == {"accepted": 7, "rejected": 8, "ignored": 2}


@on("speaker", "codec")
def test_the_digest_is_the_same(vector: Vector) -> None:
    digest, counter = digest_of(vector), int(vector["counter_hex"], 16)
    expected = bytes.fromhex(vector["sha1_hmac_hex"])
    if vector["id"] == "ucarp-rx-05":
        # Its vhid was changed after the MAC was made.
        digest = digest_of({**vector, "vhid": vector["receiver"]["vhid"]})
    assert digest.accepts(counter, expected)
    assert (digest.mac(counter) == expected) is (vector["id"] not in ACCEPTED_NOT_SENT)


@on("speaker", "codec")
def test_encodes_to_the_same_bytes(vector: Vector) -> None:
    encoded = advertisement_of(vector).encode()
    assert (encoded.hex() == vector["packet_hex"]) is (vector["id"] not in TAMPERED)


WITH_OUR_HEADER = [
    vector
    for vector in VECTORS
    if (vector["ip_packet_hex"] or "").startswith(("4510", "6000")) and vector["id"] != "ucarp-rx-11"
]


@pytest.mark.parametrize("vector", WITH_OUR_HEADER, ids=[vector["id"] for vector in WITH_OUR_HEADER])
def test_the_ip_header_is_that_of_ucarp_and_openbsd(vector: Vector) -> None:
    packet = bytes.fromhex(vector["ip_packet_hex"])
    datagram = Datagram.decode(packet)
    assert datagram.encode(identification=int.from_bytes(packet[4:6], "big")) == packet
    assert datagram.payload.hex() == vector["packet_hex"]


def test_the_ip_header_was_compared_for_every_such_packet() -> None:
    assert Counter(vector["implementation"] for vector in WITH_OUR_HEADER) == {"ucarp": 25, "openbsd": 12}


@on("config")
def test_a_password_that_ucarp_refuses_is_refused(vector: Vector, tmp_path: Path) -> None:
    options = {
        "interface": "eth1",
        "vhid": vector["vhid"],
        "addresses": f"{vector['vips'][0]}/24",
        "password": vector["password"],
    }
    vip, problems = parse_vip("smtp", options, "here")
    assert vip is None
    assert [problem.option for problem in problems] == ["password"]
    assert "19 bytes" in str(problems[0])
    assert vector["password"] not in str(problems[0])

    secret = tmp_path / "secret"
    secret.write_text(vector["password"])
    config = tmp_path / "carpd.conf"
    config.write_text(f"[vip smtp]\ninterface = eth1\nvhid = 1\naddresses = 10.99.0.50/24\npassword_file = {secret}\n")
    with pytest.raises(ConfigError, match=r"password_file = .*19 bytes") as caught:
        load(str(config))
    assert vector["password"] not in str(caught.value)
    # The longest that is allowed differs by what was wrong alone.
    secret.write_text(vector["password"][:19])
    assert load(str(config)).vips[0].password == vector["password"][:19].encode()
