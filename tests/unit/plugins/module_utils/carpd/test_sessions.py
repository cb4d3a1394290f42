# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the kernel is asked for connections, byte for byte and with real ones on the loopback interface."""

from __future__ import annotations

import errno
import os
import socket
import struct
import time
from ipaddress import ip_address

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd import sessions as sessions_module
from ansible_collections.failover.carp.plugins.module_utils.carpd.sessions import (
    Session,
    Sessions,
    picking,
    question,
    read,
)

LOCAL, OTHER = ip_address("127.0.0.1"), ip_address("127.0.0.2")


def flat(text: str) -> bytes:
    return bytes.fromhex(text.replace(" ", ""))


def test_one_address_byte_for_byte() -> None:
    assert picking([LOCAL]) == flat("07 10 1400 02 20 0000 ffffffff 7f000001")


def test_several_addresses_byte_for_byte() -> None:
    """The first matches: jump over the rest to the end. Else on to the second; else beyond the end."""
    first = flat("07 1c 2000 0a 80 0000 ffffffff 20010db8000000000000000000000074")
    second = flat("07 10 1400 02 20 0000 ffffffff 7f000001")
    assert picking([LOCAL, ip_address("2001:db8::74")]) == first + flat("01 04 1400") + second


def test_the_question_byte_for_byte() -> None:
    asked = question(socket.AF_INET6, [LOCAL], 0x0B1A)
    assert asked[:8] == flat("0a 06 00 00 1a0b0000")
    assert asked[8:56] == bytes(48)
    assert asked[56:] == flat("1400 0100") + picking([LOCAL])


def test_what_the_kernel_tells() -> None:
    identity = struct.pack("!HH", 25, 4711) + LOCAL.packed.ljust(16, b"\0") * 2 + bytes(12)
    assert read(struct.pack("=BBBB", 2, 1, 0, 0) + identity + bytes(20)) == Session(2, 25, identity)
    assert read(bytes(71)) is None


def pair(address: str, family: int = socket.AF_INET) -> tuple[socket.socket, socket.socket, int]:
    """Return both ends of a connection to an address of this host, the serving one first, and its port."""
    where = "" if family == socket.AF_INET else "::"
    dual = family == socket.AF_INET6
    with socket.create_server((where, 0), family=family, dualstack_ipv6=dual) as listener:
        port = listener.getsockname()[1]
        theirs = socket.create_connection((address, port), 10)
        ours, _address = listener.accept()
    return ours, theirs, port


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_connections_are_found_by_address_and_port(family: int) -> None:
    sessions = Sessions()
    ours, theirs, port = pair("127.0.0.2", family)
    with ours, theirs:
        assert [one.port for one in sessions.find([OTHER], (port,))] == [port]
        assert port in [one.port for one in sessions.find([ip_address("::1"), OTHER], ())]
        assert sessions.find([OTHER], (port + 1 if port < 65535 else 1,)) == []
        assert sessions.find([ip_address("127.0.0.99")], (port,)) == []
    sessions.close()


def test_whose_end_the_client_has_seen_is_not_waited_for() -> None:
    sessions = Sessions()
    ours, theirs, port = pair("127.0.0.2")
    with ours, theirs:
        ours.close()
        assert theirs.recv(1) == b""
        deadline = time.monotonic() + 10
        while sessions.find([OTHER], (port,)):  # until its kernel has said so
            assert time.monotonic() < deadline
            time.sleep(0.001)
        assert [one.port for one in sessions.find([OTHER], (port,), all_left=True)] == [port]
    sessions.close()


def test_a_connection_that_is_ended_is_reset() -> None:
    sessions = Sessions()
    ours, theirs, port = pair("127.0.0.2")
    with ours, theirs:
        found = sessions.find([OTHER], (port,))
        if os.geteuid() != 0:
            with pytest.raises(PermissionError):
                sessions.destroy(found)
            return
        assert sessions.destroy(found) == 1
        with pytest.raises(ConnectionResetError):
            theirs.recv(1)
        assert sessions.destroy(found) == 0
    sessions.close()


def test_what_the_kernel_cannot_do_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = Sessions()
    one = Session(2, 25, bytes(48))
    codes = [errno.EOPNOTSUPP, errno.ENOENT]

    def refuse(*_arguments: object) -> list[bytes]:
        raise OSError(codes[0], "no")

    monkeypatch.setattr(sessions, "_converse", refuse)
    with pytest.raises(OSError, match="not supported"):
        sessions.destroy([one])
    codes.reverse()
    assert sessions.destroy([one]) == 0
    codes[0] = errno.EPERM
    with pytest.raises(OSError, match="no"):
        sessions.destroy([one])
    sessions.close()


def test_a_host_without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = Sessions()

    def answer(_kind: int, _flags: int, payload: bytes) -> list[bytes]:
        if payload[0] == socket.AF_INET6:
            raise OSError(errno.ENOENT, "no handler")
        return []

    monkeypatch.setattr(sessions, "_converse", answer)
    assert sessions.find([LOCAL], ()) == []
    assert sessions_module._LATE == errno.ENOENT
    sessions.close()
