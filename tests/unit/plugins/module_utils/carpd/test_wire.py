# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wire, on sockets that only pretend: real packet sockets need a privilege (the network tests have them)."""

from __future__ import annotations

import ctypes
import errno
import itertools
import socket
import struct
from collections import deque
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd import filters
from ansible_collections.failover.carp.plugins.module_utils.carpd import wire as wire_module
from ansible_collections.failover.carp.plugins.module_utils.carpd.announce import announcements
from ansible_collections.failover.carp.plugins.module_utils.carpd.neighbours import Neighbour, question
from ansible_collections.failover.carp.plugins.module_utils.carpd.packet import GROUPS, Datagram, PacketError
from ansible_collections.failover.carp.plugins.module_utils.carpd.paths import BROADCAST, MULTICAST, UNICAST, Copy
from ansible_collections.failover.carp.plugins.module_utils.carpd.wire import Wire, address_of

MAC, OTHER = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
OWN, PEER, VIRTUAL = IPv4Address("172.17.0.75"), IPv4Address("172.17.0.76"), IPv4Address("172.17.0.74")
OWN_6, PEER_6, VIRTUAL_6 = IPv6Address("fe80::75"), IPv6Address("fe80::76"), IPv6Address("2001:db8::74")
# RFC 1112, 6.4, of 224.0.0.18, and RFC 2464, 7, of ff02::12.
TO_GROUP = {4: (0x0800, 0, 0, bytes.fromhex("01005e000012")), 6: (0x86DD, 0, 0, bytes.fromhex("333300000012"))}
DATAGRAM = Datagram(IPv4Address("172.17.0.75"), GROUPS[4], b"payload!")
DATAGRAM_6 = Datagram(IPv6Address("fe80::75"), GROUPS[6], b"payload!")
HEARD, HEARD_6 = DATAGRAM._replace(mac=OTHER), DATAGRAM_6._replace(mac=OTHER)
Program = list[tuple[int, int, int, int]]
SO_ATTACH_FILTER = 26


class Socket:
    """Keeps what is done to it, and hands out what it was told to have received."""

    def __init__(self, *kind: int) -> None:
        self.kind = kind
        self.done: list[tuple[Any, ...]] = []
        self.filter: Program = []
        self.incoming: deque[bytes | OSError] = deque()
        self.closed = False
        self.fail: dict[str, OSError] = {}

    def __enter__(self) -> Socket:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _do(self, what: str, *arguments: Any) -> None:
        if what in self.fail:
            raise self.fail[what]
        self.done.append((what, *arguments))

    def bind(self, address: tuple[str, int]) -> None:
        self._do("bind", address)

    def setsockopt(self, level: int, option: int, value: bytes) -> None:
        if (level, option) == (socket.SOL_SOCKET, SO_ATTACH_FILTER):
            # A number of instructions and a pointer to them (linux/filter.h), read as the kernel would.
            count, address = struct.unpack("@HP", value)
            raw = ctypes.string_at(address, count * 8)
            self.filter = [struct.unpack_from("=HBBI", raw, at) for at in range(0, len(raw), 8)]
            self._do("filter")
        else:
            self._do("setsockopt", level, option, value)

    def sendto(self, packet: bytes, address: tuple[Any, ...]) -> None:
        self._do("sendto", packet, address)

    def recvfrom(self, size: int) -> tuple[bytes, tuple[object, ...]]:
        if not self.incoming:
            raise BlockingIOError(errno.EAGAIN, "nothing there")
        data = self.incoming.popleft()
        if isinstance(data, OSError):
            raise data
        return data[:size], ("eth1", 0x0800, 0, 1, OTHER)

    def fileno(self) -> int:
        return 42

    def close(self) -> None:
        self.closed = True


@pytest.fixture(name="sockets")
def sockets_(monkeypatch: pytest.MonkeyPatch) -> list[Socket]:
    """Return the sockets in the order in which they are made: packets, with IPv4 ARP, and group membership."""
    made: list[Socket] = []

    def make(*kind: int) -> Socket:
        made.append(Socket(*kind))
        return made[-1]

    monkeypatch.setattr(wire_module.socket, "socket", make)
    return made


class TestOpening:
    def test_hears_ipv4_on_its_interface_and_joins_the_group(self, sockets: list[Socket]) -> None:
        wire = Wire("eth1", 3, MAC, 4)
        packets, ear, membership = sockets
        kind = (socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0)
        assert packets.kind == ear.kind == kind
        # In this order: before the filter is there, nothing may arrive.
        assert packets.done == [("filter",), ("bind", ("eth1", 0x0800))]
        assert ear.done == [("filter",), ("bind", ("eth1", 0x0806))]
        assert packets.filter == filters.carp_filter(9)
        assert ear.filter == filters.arp_filter([])
        # By the number of the interface: its name may move on to another one, and it may have no address yet.
        joined = bytes.fromhex("e0000012") + bytes(4) + struct.pack("=i", 3)
        assert membership.done == [("setsockopt", socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, joined)]
        assert (membership.kind[0], wire.fileno()) == (socket.AF_INET, 42)

    def test_ipv6(self, sockets: list[Socket]) -> None:
        wire = Wire("eth1", 3, MAC, 6)
        packets, membership = sockets
        assert wire.ear is None
        assert packets.filter == filters.ipv6_filter([])
        assert packets.done == [("filter",), ("bind", ("eth1", 0x86DD))]
        joined = bytes.fromhex("ff020000000000000000000000000012") + struct.pack("=i", 3)
        assert membership.done == [("setsockopt", socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, joined)]
        assert membership.kind[0] == socket.AF_INET6

    @pytest.mark.parametrize(
        ("which", "what"), [(0, "bind"), (0, "filter"), (1, "bind"), (1, "filter"), (2, "setsockopt")]
    )
    def test_when_it_fails_nothing_stays_open(
        self, sockets: list[Socket], monkeypatch: pytest.MonkeyPatch, which: int, what: str
    ) -> None:
        make = wire_module.socket.socket

        def failing(*kind: int) -> Socket:
            one = make(*kind)
            if len(sockets) == which + 1:
                one.fail[what] = OSError(errno.ENODEV, "No such device")
            return one

        monkeypatch.setattr(wire_module.socket, "socket", failing)
        with pytest.raises(OSError, match="No such device"):
            Wire("eth1", 3, MAC, 4)
        assert all(one.closed for one in sockets)

    def test_close(self, sockets: list[Socket]) -> None:
        Wire("eth1", 3, MAC, 4).close()
        assert [one.closed for one in sockets] == [True, True, True]


class TestReading:
    def test_everything_that_has_arrived(self, sockets: list[Socket]) -> None:
        wire = Wire("eth1", 3, MAC, 4)
        sockets[0].incoming.extend([DATAGRAM.encode(), b"garbage", DATAGRAM.encode() + b"padding"])
        first, second, third = wire.read()
        assert first == third == HEARD
        assert isinstance(second, PacketError)
        assert second.reason == "short"
        assert list(wire.read()) == []

    @pytest.mark.parametrize("code", [errno.ENETDOWN, errno.ENODEV, errno.ENXIO])
    def test_an_interface_that_goes_is_no_failure(self, sockets: list[Socket], code: int) -> None:
        wire = Wire("eth1", 3, MAC, 4)
        sockets[0].incoming.extend([DATAGRAM.encode(), OSError(code, "gone"), DATAGRAM.encode()])
        assert list(wire.read()) == [HEARD]
        assert list(wire.read()) == [HEARD], "what comes after is heard the next time"

    def test_any_other_failure_is_the_caller_s(self, sockets: list[Socket]) -> None:
        wire = Wire("eth1", 3, MAC, 4)
        sockets[0].incoming.append(OSError(errno.EBADF, "Bad file descriptor"))
        with pytest.raises(OSError, match="Bad file descriptor"):
            list(wire.read())

    def test_a_flood_does_not_keep_the_loop_from_its_timers(self, sockets: list[Socket]) -> None:
        """Packets may come faster than they are worked off; then it must stop by itself and come back later."""

        class Flooded(Socket):
            def recvfrom(self, size: int) -> tuple[bytes, tuple[object, ...]]:
                return DATAGRAM.encode(), ("eth1", 0x0800, 0, 1, OTHER)

        wire = Wire("eth1", 3, MAC, 4)
        sockets[0].__class__ = Flooded
        limit = 1000
        assert sum(1 for _each in itertools.islice(wire.read(), limit)) < limit

    def test_ipv6_neighbours_come_between_the_advertisements(self, sockets: list[Socket]) -> None:
        wire = Wire("eth1", 3, MAC, 6)
        wire.watch([VIRTUAL_6])
        (claim,) = announcements(VIRTUAL_6, OTHER)
        (stranger,) = announcements(IPv6Address("2001:db9::74"), OTHER)  # ends alike, so that the filter lets it in
        broken = claim.payload[:-1] + b"x"
        packets = [DATAGRAM_6.encode(), claim.payload, stranger.payload, broken, DATAGRAM_6.encode()]
        sockets[0].incoming.extend(packets)
        assert list(wire.read()) == [HEARD_6, Neighbour(VIRTUAL_6, OTHER), HEARD_6]
        assert list(wire.read_ear()) == []


class TestAsking:
    def test_arp_of_watched_addresses(self, sockets: list[Socket]) -> None:
        wire = Wire("eth1", 3, MAC, 4)
        ear = sockets[1]
        wire.watch([VIRTUAL, VIRTUAL_6])
        assert ear.filter == filters.arp_filter([VIRTUAL])
        claim, stranger = announcements(VIRTUAL, OTHER)[0], announcements(PEER, OTHER)[0]
        ear.incoming.extend([claim.payload, stranger.payload, b"short"])
        assert list(wire.read_ear()) == [Neighbour(VIRTUAL, OTHER)]
        wire.watch([])
        ear.incoming.append(claim.payload)
        assert list(wire.read_ear()) == []

    def test_the_filter_is_changed_only_when_it_must_be(self, sockets: list[Socket]) -> None:
        wire = Wire("eth1", 3, MAC, 4)
        for _number in range(2):
            wire.watch([VIRTUAL])
            wire.ask(VIRTUAL, OWN)
        assert sockets[1].done.count(("filter",)) == 2

    def test_the_question_by_arp(self, sockets: list[Socket]) -> None:
        wire = Wire("eth1", 3, MAC, 4)
        wire.ask(PEER, OWN)
        frame = question(PEER, OWN, MAC)
        assert sockets[0].done[-1] == ("sendto", frame.payload, ("eth1", 0x0806, 0, 0, b"\xff" * 6))

    def test_the_question_by_solicitation(self, sockets: list[Socket]) -> None:
        wire = Wire("eth1", 3, MAC, 6)
        wire.ask(PEER_6, OWN_6)
        frame = question(PEER_6, OWN_6, MAC)
        assert sockets[0].done[-1] == ("sendto", frame.payload, ("eth1", 0x86DD, 0, 0, frame.destination))

    @pytest.mark.parametrize("what", ["filter", "sendto"])
    def test_a_failure_is_the_caller_s(self, sockets: list[Socket], what: str) -> None:
        wire = Wire("eth1", 3, MAC, 4)
        for one in sockets:
            one.fail[what] = OSError(errno.ENOBUFS, "No buffer space")
        with pytest.raises(OSError, match="No buffer space"):
            wire.watch([VIRTUAL])
            wire.ask(VIRTUAL, OWN)


class TestSending:
    @pytest.mark.parametrize("version", [4, 6])
    def test_to_the_group_by_the_name_of_the_interface(self, sockets: list[Socket], version: int) -> None:
        Wire("eth1", 3, MAC, version).send(Copy(b"packet", MULTICAST))
        assert sockets[0].done[-1] == ("sendto", b"packet", ("eth1", *TO_GROUP[version]))

    @pytest.mark.parametrize(("version", "ethertype"), [(4, 0x0800), (6, 0x86DD)])
    def test_to_everybody(self, sockets: list[Socket], version: int, ethertype: int) -> None:
        Wire("eth1", 3, MAC, version).send(Copy(b"packet", BROADCAST))
        assert sockets[0].done[-1] == ("sendto", b"packet", ("eth1", ethertype, 0, 0, b"\xff" * 6))

    def test_to_one_peer_the_kernel_finds_the_way(self, sockets: list[Socket]) -> None:
        wire = Wire("eth1", 3, MAC, 4)
        wire.open_unicast()
        packet = DATAGRAM._replace(destination=PEER).encode()
        for _number in range(2):
            wire.send(Copy(packet, UNICAST))
        assert len(sockets) == 4, "one socket for all"
        one = sockets[-1]
        assert (one.kind[0], one.kind[2]) == (socket.AF_INET, 112), "so that the kernel knows the protocol"
        assert one.filter == filters.NOTHING, "and keeps for it nothing that nobody reads"
        assert one.done == [
            ("filter",),
            ("setsockopt", socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth1\0"),
            ("setsockopt", socket.IPPROTO_IP, socket.IP_HDRINCL, 1),
            ("sendto", packet, ("172.17.0.76", 0)),
            ("sendto", packet, ("172.17.0.76", 0)),
        ]
        wire.close()
        assert one.closed

    def test_to_one_peer_by_ipv6(self, sockets: list[Socket]) -> None:
        wire = Wire("eth1", 3, MAC, 6)
        packet = DATAGRAM_6._replace(destination=PEER_6).encode()
        wire.send(Copy(packet, UNICAST))
        assert sockets[-1].kind[0] == socket.AF_INET6
        assert sockets[-1].done[2:] == [
            ("setsockopt", socket.IPPROTO_IPV6, 36, 1),
            ("sendto", packet, ("fe80::76", 0)),
        ]

    def test_a_unicast_socket_that_cannot_be_used_is_closed(
        self, sockets: list[Socket], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wire = Wire("eth1", 3, MAC, 4)
        failing = Socket()
        failing.fail["setsockopt"] = OSError(errno.EPERM, "Operation not permitted")
        monkeypatch.setattr(wire_module.socket, "socket", lambda *_kind: failing)
        with pytest.raises(OSError, match="not permitted"):
            wire.open_unicast()
        assert failing.closed

    def test_an_announcement_is_a_request_and_a_reply_to_everyone(self, sockets: list[Socket]) -> None:
        wire = Wire("eth1", 3, MAC, 4)
        wire.mac = bytes.fromhex("020000000002")  # it may change while the wire is open
        wire.announce(IPv4Address("172.17.0.74"))
        sent = sockets[0].done[2:]
        assert [(what, packet[:8].hex(), packet[8:14], to) for what, packet, to in sent] == [
            ("sendto", f"000108000604000{kind}", wire.mac, ("eth1", 0x0806, 0, 0, b"\xff" * 6)) for kind in (1, 2)
        ]

    @pytest.mark.parametrize("version", [4, 6])
    def test_where_a_process_without_a_wire_sends(self, version: int) -> None:
        packets = {4: DATAGRAM.encode(), 6: DATAGRAM_6.encode()}
        assert address_of("eth1", Copy(packets[version], MULTICAST)) == ("eth1", *TO_GROUP[version])

    def test_where_it_sends_to_one_peer(self) -> None:
        for datagram, peer in ((DATAGRAM, PEER), (DATAGRAM_6, PEER_6)):
            packet = datagram._replace(destination=peer).encode()
            assert address_of("eth1", Copy(packet, UNICAST)) == ("eth1", str(peer))

    @pytest.mark.parametrize(("forwarding", "flags"), [("1\n", 0xA0), ("2\n", 0xA0), ("0\n", 0x20), (None, 0x20)])
    def test_a_neighbour_advertisement_says_whether_this_is_a_router(
        self,
        sockets: list[Socket],
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        forwarding: str | None,
        flags: int,
    ) -> None:
        asked: list[str] = []

        def open_(path: str, **more: str) -> Any:
            asked.append(path)
            if forwarding is None:
                raise FileNotFoundError(errno.ENOENT, "No such file or directory")
            (tmp_path / "forwarding").write_text(forwarding)
            return (tmp_path / "forwarding").open(**more)

        monkeypatch.setattr(wire_module, "open", open_, raising=False)
        Wire("eth1", 3, MAC, 6).announce(IPv6Address("2001:db8::74"))
        _what, packet, to = sockets[0].done[-1]
        assert packet[44] == flags
        assert packet[-6:] == MAC
        assert to == ("eth1", 0x86DD, 0, 0, bytes.fromhex("333300000001"))
        assert asked == ["/proc/sys/net/ipv6/conf/eth1/forwarding"]

    def test_a_failure_is_the_caller_s(self, sockets: list[Socket]) -> None:
        wire = Wire("eth1", 3, MAC, 4)
        sockets[0].fail["sendto"] = OSError(errno.ENETDOWN, "Network is down")
        with pytest.raises(OSError, match="Network is down"):
            wire.send(Copy(b"packet", MULTICAST))
        with pytest.raises(OSError, match="Network is down"):
            wire.announce(IPv4Address("172.17.0.74"))
