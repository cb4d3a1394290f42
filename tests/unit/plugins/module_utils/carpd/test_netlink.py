# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Netlink: what is asked of the kernel byte for byte, what its answers mean, and that none of them does harm.

netlink.json holds messages of a Linux 6.18 kernel, caught in a network namespace while ``ip`` did what their names say.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import struct
import sys
from collections import deque
from collections.abc import Callable, Iterator
from ipaddress import IPv4Interface, IPv6Interface, ip_interface
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd import netlink
from ansible_collections.failover.carp.plugins.module_utils.carpd.filters import echo_filter
from ansible_collections.failover.carp.plugins.module_utils.carpd.netlink import (
    AddressGone,
    AddressThere,
    Link,
    LinkGone,
    Missed,
    Requests,
    Watch,
    removal,
    switching_off,
)
from ansible_collections.failover.carp.plugins.module_utils.carpd.options import Interface
from hypothesis import given
from hypothesis import strategies as st

CAUGHT = {
    what: bytes.fromhex(text)
    for what, text in json.loads(Path(__file__).with_name("netlink.json").read_text(encoding="utf-8")).items()
}
little_endian = pytest.mark.skipif(sys.byteorder != "little", reason="the messages were caught on such a host")

ERROR, DONE, OVERRUN = 2, 3, 4
NEWLINK, DELLINK, NEWADDR, DELADDR = 16, 17, 20, 21
ADDRESS, LOCAL, LABEL, CACHEINFO = 1, 2, 3, 6
MAC, IFNAME = 1, 3
FOREVER = 0xFFFFFFFF
VIP, VIP_6 = IPv4Interface("172.17.0.74/20"), IPv6Interface("2001:db8::74/64")


def message(kind: int, body: bytes, sequence: int = 0) -> bytes:
    data = struct.pack("=IHHII", 16 + len(body), kind, 0, sequence, 0) + body
    return data + bytes(-len(data) % 4)


def attribute(kind: int, value: bytes) -> bytes:
    data = struct.pack("=HH", 4 + len(value), kind) + value
    return data + bytes(-len(data) % 4)


def link(index: int = 3, name: bytes = b"eth1\0", flags: int = 0x41, family: int = 0, more: bytes = b"") -> bytes:
    names = attribute(IFNAME, name) + attribute(MAC, bytes.fromhex("020000000001"))
    return struct.pack("=BxHiII", family, 1, index, flags, 0) + names + more


def address(*attributes: bytes, index: int = 3, prefix: int = 20, family: int = 2) -> bytes:
    return struct.pack("=BBBBI", family, prefix, 0, 0, index) + b"".join(attributes)


class Kernel:
    """Stands in for a netlink socket: keeps what is sent, and hands out what it was told to answer."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.bound: list[tuple[int, int]] = []
        self.incoming: deque[bytes | OSError] = deque()
        self.answer: Callable[[int, int], list[bytes]] = lambda _kind, _sequence: []
        self.closed = False

    def bind(self, where: tuple[int, int]) -> None:
        self.bound.append(where)

    def send(self, data: bytes) -> int:
        self.sent.append(data)
        _length, kind, _flags, sequence, _port = struct.unpack_from("=IHHII", data)
        self.incoming.extend(self.answer(kind, sequence))
        return len(data)

    def recv(self, size: int) -> bytes:
        if not self.incoming:
            raise BlockingIOError(errno.EAGAIN, "nothing there; a socket that waits would wait for ever")
        data = self.incoming.popleft()
        if isinstance(data, OSError):
            raise data
        return data[:size]

    def fileno(self) -> int:
        return 42

    def getsockname(self) -> tuple[int, int]:
        return 4711, 0

    def close(self) -> None:
        self.closed = True


@pytest.fixture(name="kernel")
def kernel_(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    kernel = Kernel()
    monkeypatch.setattr(netlink.socket, "socket", lambda *_arguments: kernel)
    return kernel


def acknowledge(code: int = 0) -> Callable[[int, int], list[bytes]]:
    return lambda _kind, sequence: [message(ERROR, struct.pack("=i", -code) + bytes(16), sequence)]


def notices(kernel: Kernel, *datagrams: bytes | OSError) -> list[Any]:
    kernel.incoming.extend(datagrams)
    return list(Watch().read())


class TestWatch:
    def test_listens_to_links_and_addresses(self, kernel: Kernel) -> None:
        watch = Watch()
        # RTMGRP_LINK, RTMGRP_IPV4_IFADDR and RTMGRP_IPV6_IFADDR of linux/rtnetlink.h.
        assert kernel.bound == [(0, 0x1 | 0x10 | 0x100)]
        assert watch.fileno() == 42
        watch.close()
        assert kernel.closed

    def test_the_filter_is_there_before_anything_is_heard(
        self, kernel: Kernel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        attached: list[tuple[Any, int]] = []
        monkeypatch.setattr(netlink, "attach", lambda _socket, program: attached.append((program, len(kernel.bound))))
        requests = Requests()
        Watch(ours=requests)
        assert attached == [(echo_filter(4711, NEWADDR), 1)]
        assert len(kernel.bound) == 2

    def test_nothing_happened(self, kernel: Kernel) -> None:
        assert notices(kernel) == []

    @little_endian
    @pytest.mark.parametrize(
        ("what", "expected"),
        [
            ("set up, without carrier", [Link(3, "v0", bytes.fromhex("020000000001"), False)]),
            ("set up, with carrier", [Link(3, "v0", bytes.fromhex("020000000001"), True)]),
            ("set down", [Link(3, "v0", bytes.fromhex("020000000001"), False)]),
            ("removed", [LinkGone(3)]),
            ("became the port of a bridge", []),
            ("left a bridge", []),
            ("address added", [AddressThere(3, IPv4Interface("192.0.2.1/24"), False)]),
            ("address added for two seconds", [AddressThere(3, IPv4Interface("192.0.2.9/24"), True, True)]),
            ("address removed", [AddressGone(3, IPv4Interface("192.0.2.9/24"))]),
            ("address with a peer added", [AddressThere(1, IPv4Interface("192.0.2.5/32"), False)]),
            ("IPv6 address added", [AddressThere(3, IPv6Interface("fe80::ff:fe00:1/64"), False)]),
        ],
    )
    def test_what_a_kernel_really_says(self, kernel: Kernel, what: str, expected: list[Any]) -> None:
        assert notices(kernel, CAUGHT[what]) == expected

    @pytest.mark.parametrize(
        ("flags", "running"), [(0x41, True), (0x1, False), (0x40, False), (0, False), (0x11043, True)]
    )
    def test_running_means_up_and_with_carrier(self, kernel: Kernel, flags: int, running: bool) -> None:
        assert [each.running for each in notices(kernel, message(NEWLINK, link(flags=flags)))] == [running]

    def test_a_link_without_mac(self, kernel: Kernel) -> None:
        body = struct.pack("=BxHiII", 0, 65534, 7, 0x41, 0) + attribute(IFNAME, b"tun0\0")
        assert notices(kernel, message(NEWLINK, body)) == [Link(7, "tun0", b"", True)]

    def test_a_link_with_a_name_that_is_no_text(self, kernel: Kernel) -> None:
        (found,) = notices(kernel, message(NEWLINK, link(name=b"\xff\xfe\0")))
        assert os.fsencode(found.name) == b"\xff\xfe"

    def test_a_nested_attribute_is_known_by_its_number_alone(self, kernel: Kernel) -> None:
        body = struct.pack("=BxHiII", 0, 1, 3, 0x41, 0) + attribute(0x8000 | IFNAME, b"eth1\0")
        assert [each.name for each in notices(kernel, message(NEWLINK, body))] == ["eth1"]

    def test_what_is_no_ethernet_bridge_s_business_is_left_out(self, kernel: Kernel) -> None:
        assert notices(kernel, message(NEWLINK, link(family=7)), message(DELLINK, link(family=7))) == []

    def test_several_messages_in_a_datagram_come_in_order(self, kernel: Kernel) -> None:
        there = address(attribute(LOCAL, VIP.ip.packed))
        data = message(NEWLINK, link()) + message(NEWADDR, there) + message(DELADDR, there) + message(DELLINK, link())
        kinds = [type(each) for each in notices(kernel, data)]
        assert kinds == [Link, AddressThere, AddressGone, LinkGone]

    def test_an_odd_length_is_filled_up(self, kernel: Kernel) -> None:
        odd = message(NEWLINK, link(name=b"e\0", more=attribute(99, b"x")))
        assert [each.name for each in notices(kernel, odd + message(NEWLINK, link()))] == ["e", "eth1"]

    @pytest.mark.parametrize(("valid", "leased"), [(FOREVER, False), (1, True), (0, True), (FOREVER - 1, True)])
    def test_a_lease(self, kernel: Kernel, valid: int, leased: bool) -> None:
        info = attribute(CACHEINFO, struct.pack("=IIII", FOREVER, valid, 5, 5))
        body = address(attribute(LOCAL, VIP.ip.packed), info)
        assert notices(kernel, message(NEWADDR, body)) == [AddressThere(3, VIP, leased)]

    @pytest.mark.parametrize(
        ("family", "packed", "secondary"), [(2, VIP.ip.packed, True), (10, VIP_6.ip.packed, False)]
    )
    def test_one_that_came_behind_another(self, kernel: Kernel, family: int, packed: bytes, secondary: bool) -> None:
        """By linux/if_addr.h; with IPv6 the flag means a temporary address."""
        body = bytearray(address(attribute(2, packed), family=family))
        body[2] = 0x01
        (there,) = notices(kernel, message(NEWADDR, bytes(body)))
        assert there.secondary is secondary

    def test_without_a_word_about_it_there_is_no_lease(self, kernel: Kernel) -> None:
        body = address(attribute(LOCAL, VIP.ip.packed))
        assert notices(kernel, message(NEWADDR, body)) == [AddressThere(3, VIP, False)]

    def test_the_own_end_of_a_link_counts_not_the_peer(self, kernel: Kernel) -> None:
        body = address(attribute(ADDRESS, b"\x0a\0\0\x02"), attribute(LOCAL, b"\x0a\0\0\x01"), prefix=32)
        assert notices(kernel, message(NEWADDR, body)) == [AddressThere(3, IPv4Interface("10.0.0.1/32"), False)]

    def test_an_address_with_one_attribute_only(self, kernel: Kernel) -> None:
        body = address(attribute(ADDRESS, VIP.ip.packed))
        assert notices(kernel, message(NEWADDR, body)) == [AddressThere(3, VIP, False)]

    def test_an_ipv6_address(self, kernel: Kernel) -> None:
        body = address(attribute(ADDRESS, VIP_6.ip.packed), prefix=64, family=10)
        found = notices(kernel, message(NEWADDR, body), message(DELADDR, body))
        assert found == [AddressThere(3, VIP_6, False), AddressGone(3, VIP_6)]

    @pytest.mark.parametrize("family", [1, 7, 17])
    def test_addresses_of_other_families_are_left_out(self, kernel: Kernel, family: int) -> None:
        assert notices(kernel, message(NEWADDR, address(attribute(LOCAL, VIP.ip.packed), family=family))) == []

    def test_other_messages_are_left_out(self, kernel: Kernel) -> None:
        assert notices(kernel, message(24, bytes(60)), message(DONE, bytes(4)), message(NEWADDR, address())) == []

    def test_dropped_notices(self, kernel: Kernel) -> None:
        after = message(NEWLINK, link())
        dropped = OSError(errno.ENOBUFS, "No buffer space available")
        assert [type(each) for each in notices(kernel, dropped, after)] == [Missed, Link]
        assert notices(kernel, message(OVERRUN, b"")) == [Missed()]

    def test_very_many_do_not_keep_the_loop_from_its_timers(self, kernel: Kernel) -> None:
        """They may come faster than they are worked off; the rest waits for the next turn, and is not lost."""
        watch = Watch()
        kernel.incoming.extend([message(NEWLINK, link())] * 10_000)
        first = list(watch.read())
        assert 0 < len(first) < 1000
        assert len(list(watch.read())) == len(first)

    def test_any_other_failure_is_the_caller_s(self, kernel: Kernel) -> None:
        with pytest.raises(OSError) as caught:
            notices(kernel, OSError(errno.EBADF, "Bad file descriptor"))
        assert caught.value.errno == errno.EBADF


class TestAdd:
    """Adding waits until a new IPv6 address answers, for which its notice is the sign, but not for ever."""

    @pytest.fixture(name="made")
    def made_(self, monkeypatch: pytest.MonkeyPatch) -> list[Kernel]:
        """Sockets of their own for requests and for notices, and a clock that waiting moves on."""
        made: list[Kernel] = []
        now = [100.0]

        def make(*_arguments: int) -> Kernel:
            made.append(Kernel())
            made[-1].answer = acknowledge()
            if len(made) == 2:
                made[-1].incoming.extend(self.notices)
            return made[-1]

        def select(readers: list[Watch], _writers: list[Any], _errors: list[Any], timeout: float) -> tuple[Any, ...]:
            assert len(readers) == 1
            if made[-1].incoming:
                return readers, [], []
            now[0] += timeout
            self.waited += timeout
            return [], [], []

        self.waited = 0.0
        self.notices: list[bytes] = []
        monkeypatch.setattr(netlink.socket, "socket", make)
        monkeypatch.setattr(netlink, "select", SimpleNamespace(select=select))
        monkeypatch.setattr(netlink, "time", SimpleNamespace(monotonic=lambda: now[0]))
        return made

    def there(self, which: IPv6Interface, index: int = 3) -> bytes:
        return message(NEWADDR, address(attribute(ADDRESS, which.ip.packed), index=index, prefix=64, family=10))

    def test_ipv4_does_not_wait(self, made: list[Kernel]) -> None:
        Requests().add(3, [VIP], 2)
        assert len(made) == 1
        assert len(made[0].sent) == 1
        assert self.waited == 0.0

    def test_ipv6_waits_for_its_notice(self, made: list[Kernel]) -> None:
        self.notices = [self.there(VIP_6)]
        Requests().add(3, [VIP, VIP_6], 2)
        assert self.waited == 0.0
        watch = made[1]
        assert watch.bound == [(0, 0x100)]
        assert watch.closed
        assert len(made[0].sent) == 2

    def test_the_notice_of_another_is_none(self, made: list[Kernel]) -> None:
        self.notices = [self.there(VIP_6, index=4), self.there(IPv6Interface("2001:db8::75/64"))]
        Requests().add(3, [VIP_6], 2)
        assert self.waited == pytest.approx(0.05)
        assert made[1].closed

    def test_a_refusal_is_told_at_once(self, made: list[Kernel]) -> None:
        requests = Requests()
        made[0].answer = acknowledge(errno.EACCES)
        with pytest.raises(PermissionError):
            requests.add(3, [VIP_6], 2)
        assert made[1].closed
        assert self.waited == 0.0


class TestRequests:
    def test_hold(self, kernel: Kernel) -> None:
        kernel.answer = acknowledge()
        Requests().hold(3, [VIP], 2)
        # By linux/netlink.h, if_addr.h: the header (a request that wants an answer, creates and replaces),
        # ifaddrmsg, then IFA_LOCAL, IFA_ADDRESS, and IFA_CACHEINFO with preferred and valid lifetime.
        body = struct.pack("=BBBBI", socket.AF_INET, 20, 0, 0, 3)
        body += struct.pack("=HH4s", 8, 2, VIP.ip.packed) + struct.pack("=HH4s", 8, 1, VIP.ip.packed)
        body += struct.pack("=HHIIII", 20, 6, 2, 2, 0, 0)
        (sent,) = kernel.sent
        assert sent[8:12] != bytes(4), "a sequence number by which the answer is known"
        assert sent == struct.pack("=IHH", 16 + len(body), 20, 0x1 | 0x4 | 0x100 | 0x400) + sent[8:12] + bytes(4) + body

    def test_release(self, kernel: Kernel) -> None:
        kernel.answer = acknowledge()
        assert Requests().release(3, [VIP]) == [VIP]
        body = struct.pack("=BBBBI", socket.AF_INET, 20, 0, 0, 3)
        body += struct.pack("=HH4s", 8, 2, VIP.ip.packed) + struct.pack("=HH4s", 8, 1, VIP.ip.packed)
        (sent,) = kernel.sent
        assert sent == struct.pack("=IHH", 16 + len(body), 21, 0x1 | 0x4) + sent[8:12] + bytes(4) + body

    def test_hold_and_release_ipv6(self, kernel: Kernel) -> None:
        kernel.answer = acknowledge()
        requests = Requests()
        requests.hold(3, [VIP_6], 2)
        assert requests.release(3, [VIP_6]) == [VIP_6]
        # As above, but: without duplicate address detection (IFA_F_NODAD), for it takes a second or two, and with a
        # preferred lifetime of zero, so that no connection of this host comes from the address.
        body = struct.pack("=BBBBI", socket.AF_INET6, 64, 0x02, 0, 3)
        body += struct.pack("=HH16s", 20, 2, VIP_6.ip.packed) + struct.pack("=HH16s", 20, 1, VIP_6.ip.packed)
        held, released = kernel.sent
        assert held[16:] == body + struct.pack("=HHIIII", 20, 6, 0, 2, 0, 0)
        assert released[16:] == body

    @pytest.mark.parametrize("address", [VIP, VIP_6])
    def test_the_request_of_a_process_that_has_only_a_socket(self, kernel: Kernel, address: Interface) -> None:
        kernel.answer = acknowledge()
        Requests().release(3, [address])
        assert removal(3, address) == kernel.sent[0]

    def test_each_address_is_a_request_of_its_own(self, kernel: Kernel) -> None:
        kernel.answer = acknowledge()
        requests = Requests()
        both = [VIP, VIP_6]
        requests.hold(3, both, 2)
        assert requests.release(3, both) == both
        assert [struct.unpack_from("=H", sent, 4)[0] for sent in kernel.sent] == [20, 20, 21, 21]
        assert len({sent[8:12] for sent in kernel.sent}) == 4
        assert kernel.bound == [(0, 0)]

    @pytest.mark.parametrize("code", [errno.EPERM, errno.ENODEV, errno.EINVAL])
    def test_the_kernel_s_reason(self, kernel: Kernel, code: int) -> None:
        kernel.answer = acknowledge(code)
        with pytest.raises(OSError) as caught:
            Requests().hold(3, [VIP], 2)
        assert caught.value.errno == code
        assert caught.value.strerror == os.strerror(code)

    @pytest.mark.parametrize("code", [errno.EADDRNOTAVAIL, errno.ENODEV])
    def test_what_is_gone_already_need_not_be_removed(self, kernel: Kernel, code: int) -> None:
        kernel.answer = acknowledge(code)
        assert Requests().release(3, [VIP]) == []

    def test_that_removing_is_not_allowed_is_told(self, kernel: Kernel) -> None:
        kernel.answer = acknowledge(errno.EPERM)
        with pytest.raises(PermissionError):
            Requests().release(3, [VIP])

    def test_answers_to_somebody_else_are_skipped(self, kernel: Kernel) -> None:
        refused = struct.pack("=i", -errno.EPERM) + bytes(16)
        kernel.answer = lambda _kind, sequence: [
            message(ERROR, refused, sequence - 1) + message(ERROR, refused, sequence + 1),
            message(NEWLINK, link(), 0),
            message(ERROR, bytes(20), sequence),
        ]
        Requests().hold(3, [VIP], 2)
        assert not kernel.incoming

    def test_lists(self, kernel: Kernel) -> None:
        there = address(attribute(LOCAL, VIP.ip.packed))

        def answer(kind: int, sequence: int) -> list[bytes]:
            one, other = (link(), link(index=4, name=b"eth2\0")) if kind == 18 else (there, address(index=9))
            first = message(NEWLINK if kind == 18 else NEWADDR, one, sequence)
            second = message(NEWLINK if kind == 18 else NEWADDR, other, sequence)
            strange = message(24, bytes(12), sequence)
            return [first + strange, second, message(DONE, bytes(4), sequence)]

        kernel.answer = answer
        requests = Requests()
        assert [each.name for each in requests.links()] == ["eth1", "eth2"]
        assert requests.addresses() == [AddressThere(3, VIP, False)]
        # RTM_GETLINK and RTM_GETADDR, each for the whole list (NLM_F_REQUEST and NLM_F_DUMP).
        assert [struct.unpack_from("=HH", sent, 4) for sent in kernel.sent] == [(18, 0x301), (22, 0x301)]
        assert kernel.sent[1][16:] == bytes(8), "of every family and interface"

    @little_endian
    def test_lists_of_a_real_kernel(self, kernel: Kernel) -> None:
        def answer(kind: int, sequence: int) -> list[bytes]:
            which = "list of interfaces" if kind == 18 else "list of addresses"
            return [renumbered(CAUGHT[which], sequence), renumbered(CAUGHT["its end"], sequence)]

        kernel.answer = answer
        requests = Requests()
        assert [(each.ifindex, each.name, each.running) for each in requests.links()] == [
            (1, "lo", True),
            (4, "b0", False),
        ]
        assert requests.addresses() == [
            AddressThere(1, IPv4Interface("127.0.0.1/8"), False),
            AddressThere(1, IPv4Interface("192.0.2.5/32"), False),
        ]

    def test_a_refused_list(self, kernel: Kernel) -> None:
        kernel.answer = acknowledge(errno.EPERM)
        with pytest.raises(PermissionError):
            Requests().links()

    def test_close(self, kernel: Kernel) -> None:
        Requests().close()
        assert kernel.closed

    def test_the_links_of_this_host(self) -> None:
        """Reading needs no privilege, so the kernel that runs this test is asked, and the C library is the witness."""
        requests = Requests()
        assert sorted((each.ifindex, each.name) for each in requests.links()) == sorted(socket.if_nameindex())
        indexes = {index for index, _name in socket.if_nameindex()}
        assert {each.ifindex for each in requests.addresses()} <= indexes
        requests.close()


def renumbered(data: bytes, sequence: int) -> bytes:
    """Give the messages in a datagram another sequence number."""
    result = b""
    while data:
        (length,) = struct.unpack_from("=I", data)
        end = length + -length % 4
        result += data[:8] + struct.pack("=I", sequence) + data[12:end]
        data = data[end:]
    return result


KINDS = st.sampled_from([NEWLINK, DELLINK, NEWADDR, DELADDR, ERROR, DONE, OVERRUN, 24])
RIGHT = st.sampled_from(
    [
        link(),
        link(family=7),
        address(attribute(LOCAL, VIP.ip.packed), attribute(CACHEINFO, bytes(16))),
        address(attribute(ADDRESS, VIP.ip.packed), attribute(LABEL, b"eth1:x\0")),
        address(attribute(ADDRESS, VIP_6.ip.packed), attribute(CACHEINFO, bytes(16)), prefix=64, family=10),
        b"",
    ]
)


@st.composite
def attributes(draw: st.DrawFn) -> bytes:
    """Attributes of any kind with values of any length, some of which lie about it."""
    data = b""
    for _number in range(draw(st.integers(0, 4))):
        value = draw(st.binary(max_size=20))
        length = draw(st.just(4 + len(value)) | st.integers(0, 40))
        data += struct.pack("=HH", length, draw(st.integers(0, 8))) + value + bytes(-len(value) % 4)
    return data


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A message whose body is cut, changed, extended or made up, and whose length may lie."""
    made_up = st.binary(max_size=40) | attributes().map(address) | attributes().map(lambda more: link(more=more))
    body = draw(RIGHT | made_up)
    body = body[: draw(st.just(len(body)) | st.integers(0, len(body)))] + draw(st.just(b"") | st.binary(max_size=8))
    if body and draw(st.booleans()):
        changed = bytearray(body)
        changed[draw(st.integers(0, len(body) - 1))] = draw(st.integers(0, 255))
        body = bytes(changed)
    length = draw(st.just(16 + len(body)) | st.integers(0, 80))
    return struct.pack("=IHHII", length, draw(KINDS), 0, draw(st.integers(0, 3)), 0) + body


GARBAGE = st.lists(st.binary(max_size=60) | damaged() | damaged().map(lambda one: one + one), max_size=5)


@pytest.fixture(name="faked", scope="module")
def faked_() -> Iterator[Kernel]:
    """One stand-in for the many examples of a property."""
    kernel = Kernel()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(netlink.socket, "socket", lambda *_arguments: kernel)
        yield kernel


@given(GARBAGE)
def test_no_notice_does_harm(faked: Kernel, datagrams: list[bytes]) -> None:
    faked.incoming.clear()
    for each in notices(faked, *datagrams):
        assert isinstance(each, (Link, LinkGone, AddressThere, AddressGone, Missed))
    assert not faked.incoming


@given(GARBAGE)
def test_no_answer_does_harm(faked: Kernel, datagrams: list[bytes]) -> None:
    """An answer may be a refusal, and that is an OSError; the list ends in any case with what was understood."""
    faked.incoming.clear()
    faked.answer = lambda _kind, sequence: [*datagrams, message(DONE, bytes(4), sequence)]
    requests = Requests()
    for ask, kind in ((requests.links, Link), (requests.addresses, AddressThere)):
        try:
            assert all(isinstance(each, kind) for each in ask())
        except OSError as error:
            assert not isinstance(error, BlockingIOError)
        faked.incoming.clear()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\2", id="one byte"),
        pytest.param(address()[:7], id="cut"),
        pytest.param(address(attribute(LOCAL, b"\x0a\0\0")), id="address of 3 bytes"),
        pytest.param(address(attribute(LOCAL, b"\x0a\0\0\1\1")), id="address of 5 bytes"),
        pytest.param(address(attribute(LOCAL, VIP.ip.packed), prefix=33), id="prefix 33"),
        pytest.param(address(attribute(LOCAL, VIP_6.ip.packed), prefix=129, family=10), id="prefix 129"),
        pytest.param(address(attribute(LOCAL, VIP.ip.packed), family=10), id="IPv6 address of 4 bytes"),
        pytest.param(address(attribute(LOCAL, VIP.ip.packed), attribute(CACHEINFO, bytes(12))), id="life of 12 bytes"),
        pytest.param(address(attribute(LOCAL, VIP.ip.packed), attribute(CACHEINFO, b"")), id="life of 0 bytes"),
    ],
)
@pytest.mark.parametrize("kind", [NEWLINK, DELLINK, NEWADDR, DELADDR])
def test_a_broken_message_is_left_out_and_the_next_is_read(kernel: Kernel, kind: int, body: bytes) -> None:
    found = notices(kernel, message(kind, body) + message(NEWLINK, link(index=5)))
    assert found[-1] == Link(5, "eth1", bytes.fromhex("020000000001"), True)


def test_more_about_an_address_s_life_than_is_known_today(kernel: Kernel) -> None:
    """The kernel extends such structures at their end; what stands in front stays."""
    info = attribute(CACHEINFO, struct.pack("=IIII", 2, 2, 0, 0) + bytes(8))
    assert notices(kernel, message(NEWADDR, address(attribute(LOCAL, VIP.ip.packed), info))) == [
        AddressThere(3, VIP, True)
    ]


class TestMadeInterfaces:
    """Against messages written by hand after linux/if_link.h."""

    @staticmethod
    def numbered(index: int, flags: int = 0, change: int = 0) -> bytes:
        return struct.pack("=BxHiII", 0, 0, index, flags, change)

    def test_a_macvlan(self, kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
        kernel.answer = acknowledge()
        monkeypatch.setattr(netlink.socket, "if_nametoindex", {"carp3-1": 9}.__getitem__)
        mac = bytes.fromhex("00005e000101")
        assert Requests().make_macvlan("carp3-1", 3, mac) == 9
        made, quieted = kernel.sent
        private = attribute(1, b"macvlan") + attribute(2, attribute(1, struct.pack("=I", 1)))
        about = attribute(3, b"carp3-1\0") + attribute(1, mac) + attribute(5, struct.pack("=i", 3))
        assert made[16:] == self.numbered(0) + about + attribute(18, private)
        assert struct.unpack_from("=HH", made, 4) == (16, 0x1 | 0x4 | 0x200 | 0x400)
        # No link-local address of its own: IFLA_AF_SPEC, AF_INET6, IFLA_INET6_ADDR_GEN_MODE, none.
        assert quieted[16:] == self.numbered(9) + attribute(26, attribute(10, attribute(8, b"\x01")))

    @pytest.mark.parametrize(("code", "fails"), [(errno.EAFNOSUPPORT, False), (errno.EPERM, True)])
    def test_on_a_host_without_ipv6(
        self, kernel: Kernel, monkeypatch: pytest.MonkeyPatch, code: int, fails: bool
    ) -> None:
        kernel.answer = lambda kind, sequence: acknowledge(code if kind == 19 else 0)(kind, sequence)
        monkeypatch.setattr(netlink.socket, "if_nametoindex", lambda _name: 9)
        if fails:
            with pytest.raises(PermissionError):
                Requests().make_macvlan("carp3-1", 3, bytes(6))
        else:
            assert Requests().make_macvlan("carp3-1", 3, bytes(6)) == 9

    def test_what_else_is_set(self, kernel: Kernel) -> None:
        kernel.answer = acknowledge()
        Requests().configure(9, {19: 1, 18: 2})
        values = attribute(19, struct.pack("=I", 1)) + attribute(18, struct.pack("=I", 2))
        assert kernel.sent[0][16:] == self.numbered(9) + attribute(26, attribute(2, attribute(1, values)))

    def test_on_and_off(self, kernel: Kernel) -> None:
        kernel.answer = acknowledge()
        requests = Requests()
        requests.switch(9, True)
        requests.switch(9, False)
        assert [sent[16:] for sent in kernel.sent] == [self.numbered(9, 1, 1), self.numbered(9, 0, 1)]
        assert switching_off(9)[16:] == kernel.sent[1][16:]

    def test_stepping_behind_leaves_no_moment_without_the_address(self, kernel: Kernel) -> None:
        kernel.answer = acknowledge()
        Requests().step_behind(3, [VIP], 2)
        steps = [(struct.unpack_from("=H", sent, 4)[0], sent[17]) for sent in kernel.sent[1:]]
        assert steps == [(20, 32), (21, 20), (20, 20), (21, 32)], "added as /32, and so on"
        # promote_secondaries, by linux/ip.h: else those that stand behind it would go with the address.
        promoting = attribute(20, struct.pack("=I", 1))
        assert kernel.sent[0][16:] == self.numbered(3) + attribute(26, attribute(2, attribute(1, promoting)))

    def test_stepping_behind_does_nothing_where_others_could_go_with_it(self, kernel: Kernel) -> None:
        kernel.answer = acknowledge(errno.EPERM)
        with pytest.raises(PermissionError):
            Requests().step_behind(3, [VIP], 2)
        assert len(kernel.sent) == 1

    def test_stepping_behind_leaves_no_twin(self, kernel: Kernel) -> None:
        def answer(kind: int, sequence: int) -> list[bytes]:
            refused = kind == 20 and kernel.sent[-1][17] == 20
            return acknowledge(errno.EPERM if refused else 0)(kind, sequence)

        kernel.answer = answer
        with pytest.raises(PermissionError):
            Requests().step_behind(3, [VIP], 2)
        assert struct.unpack_from("=H", kernel.sent[-1], 4)[0] == 21
        assert kernel.sent[-1][17] == 32

    def test_what_is_gone_need_neither_be_switched_off_nor_removed(self, kernel: Kernel) -> None:
        kernel.answer = acknowledge(errno.ENODEV)
        requests = Requests()
        requests.switch(9, False)
        requests.remove_link(9)
        assert [struct.unpack_from("=H", sent, 4)[0] for sent in kernel.sent] == [19, 17]
        with pytest.raises(OSError, match="No such device"):
            requests.switch(9, True)

    @pytest.mark.parametrize(("text", "flags"), [("172.17.0.74/20", 0x200), ("2001:db8::74/64", 0x202)])
    def test_no_way_leads_by_it(self, kernel: Kernel, text: str, flags: int) -> None:
        kernel.answer = acknowledge()
        Requests().hold(9, [ip_interface(text)], 2, routed=False)
        assert attribute(8, struct.pack("=I", flags)) in kernel.sent[0]


def test_a_short_refusal_is_no_assent(kernel: Kernel) -> None:
    kernel.answer = lambda _kind, sequence: [message(ERROR, b"\xff", sequence)]
    with pytest.raises(OSError):
        Requests().hold(3, [VIP], 2)
