# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the agents of a drill make of packets, of the kernel's messages, of refusals and of mailboxes."""

from __future__ import annotations

import array
import select
import smtplib
import socket
import struct
import types
from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.module_utils.rehearsal import (
    arrivals,
    echo,
    faults,
    probing,
    service,
    watching,
)
from ansible_collections.failover.carp.plugins.module_utils.rehearsal.leave import Leave
from ansible_collections.failover.carp.plugins.module_utils.rehearsal.probing import Prober, lost

RUN = bytes(range(8))


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_an_echo_is_known_again(family: socket.AddressFamily) -> None:
    packet = echo.request(family, echo.CLOCK, RUN, 70000)
    assert echo.checksum(packet) == 0
    assert echo.parse(family, packet, with_header=False) == echo.Echo(True, echo.CLOCK, RUN, 70000)
    reply = bytes([0 if family == socket.AF_INET else 129]) + packet[1:]
    assert echo.parse(family, reply, with_header=False) == echo.Echo(False, echo.CLOCK, RUN, 70000)
    if family == socket.AF_INET:
        assert echo.parse(family, bytes([0x45]) + bytes(19) + packet, with_header=True) is not None


@pytest.mark.parametrize("data", [b"", b"\x45", bytes(8), bytes(60), bytes([0x4F]) + bytes(70)])
def test_what_is_no_echo_of_ours_is_none(data: bytes) -> None:
    assert echo.parse(socket.AF_INET, data, with_header=True) is None
    assert echo.parse(socket.AF_INET6, data, with_header=False) is None


def test_runs_of_lost_probes() -> None:
    sent = array.array("d", [1.0, 1.1, 1.2, 1.3, 1.4, 1.5])
    assert lost(sent, bytearray([1, 0, 0, 1, 1, 0])) == [
        {"start": 1.1, "end": 1.3, "count": 2},
        {"start": 1.5, "end": 1.5, "count": 1},
    ]
    assert lost(sent, bytearray([1] * 6)) == []


class DeafSocket:
    """What an echo socket is to a prober, of which nobody hears anything."""

    def __init__(self, family: socket.AddressFamily) -> None:
        self.ends = socket.socketpair()
        self.sent = 0

    def fileno(self) -> int:
        return self.ends[0].fileno()

    def send(self, address: str, purpose: int, run: bytes, number: int) -> bool:
        self.sent += 1
        return True

    def close(self) -> None:
        for end in self.ends:
            end.close()


def test_a_prober_sleeps_between_its_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(echo, "EchoSocket", DeafSocket)
    monkeypatch.setattr(probing, "_PATIENCE", 0.0)
    waits: list[float] = []

    def wait(readers: list[Any], writers: list[Any], others: list[Any], seconds: float) -> Any:
        waits.append(seconds)
        return select.select(readers, writers, others, seconds)

    monkeypatch.setattr(probing, "select", types.SimpleNamespace(select=wait))

    class UntilHundred:
        def __bool__(self) -> bool:
            return len(prober.sent) < 100

    prober = Prober("192.0.2.74", 1000.0, RUN, {})
    try:
        prober.run(UntilHundred())
    finally:
        prober.close()
    # One wait for each, and a few that ended early or were there for the end; not thousands that do not wait.
    assert 50 < len(waits) < 300
    assert max(waits) <= 0.001


def test_leave_ends_with_its_file_and_with_its_time(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "drill"
    path.touch()
    now = [10.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    leave, short = Leave(str(path), 60), Leave(str(path), 1)
    assert leave and short
    now[0] = 11.5
    assert leave and not short
    path.unlink()
    now[0] = 11.7
    assert not leave


def netlink(kind: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body


def address(kind: int, index: int, local: str) -> bytes:
    """RTM_NEWADDR or RTM_DELADDR: an unrelated attribute (IFA_LABEL) stands before IFA_LOCAL."""
    label = struct.pack("=HH", 9, 3) + b"eth0\0" + bytes(3)
    packed = socket.inet_pton(echo.family_of(local), local)
    number = watching.IFA_ADDRESS if ":" in local else watching.IFA_LOCAL
    body = struct.pack("=BBBBI", 2, 20, 0, 0, index) + label + struct.pack("=HH", 4 + len(packed), number) + packed
    return netlink(kind, body)


def link(index: int, flags: int) -> bytes:
    return netlink(watching.RTM_NEWLINK, struct.pack("=BBHiII", 0, 0, 1, index, flags, 0))


def feed(to: watching.Watch, data: bytes, at: float) -> None:
    for kind, body in watching.messages(data):
        to.message(kind, body, at)


@pytest.mark.parametrize("shared", ["192.0.2.74", "2001:db8::74"])
def test_gain_and_loss_are_noted_once_on_whatever_interface(shared: str) -> None:
    seen = watching.Watch(2, shared)
    renewed = address(watching.RTM_NEWADDR, 7, shared)
    feed(seen, renewed, 1.0)
    feed(seen, renewed + renewed, 2.0)
    feed(seen, address(watching.RTM_NEWADDR, 7, "192.0.2.75" if "." in shared else "2001:db8::75"), 2.5)
    feed(seen, address(watching.RTM_DELADDR, 7, shared), 3.0)
    assert seen.events == [{"at": 1.0, "what": "address", "is": True}, {"at": 3.0, "what": "address", "is": False}]


def test_the_carrier_of_the_interface_is_noted() -> None:
    up = 0x1
    seen = watching.Watch(2, "192.0.2.74")
    feed(seen, link(3, 0) + link(2, up | watching.IFF_RUNNING) + link(2, up), 1.0)
    assert [event["is"] for event in seen.events] == [True, False]


def test_when_the_kernel_received_a_packet_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1000.75)
    stamp = struct.pack("@ll", 1000, 500000000)
    assert watching._age([(socket.SOL_SOCKET, watching.SO_TIMESTAMPNS, stamp)]) == pytest.approx(0.25)
    assert watching._age([]) == 0


def test_a_mail_is_tried_until_it_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([ConnectionRefusedError("no"), smtplib.SMTPServerDisconnected("cut"), None])

    def attempt(_number: int) -> None:
        answer = next(answers)
        if answer is not None:
            raise answer

    monkeypatch.setattr(service, "PAUSE", 0)
    stream = service.Stream(attempt, 10, insist=True)
    stream.see_to(7)
    result = stream.result()
    assert [(each["number"], each["tries"]) for each in result["done"]] == [(7, 3)]
    assert [each["why"] for each in result["failures"]] == ["ConnectionRefusedError: no", "SMTPServerDisconnected: cut"]


def test_a_connection_is_tried_once() -> None:
    def attempt(_number: int) -> None:
        raise TimeoutError("silence")

    stream = service.Stream(attempt, 10, insist=False)
    stream.see_to(1)
    assert (stream.result()["done"], len(stream.result()["failures"])) == ([], 1)


def test_connections_are_made_to_what_listens(tmp_path: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        service.connect("127.0.0.1", port, banner=False)(1)
    with pytest.raises(OSError):
        service.connect("127.0.0.1", port, banner=False)(2)


def test_arrivals_are_those_of_the_run(tmp_path: Any) -> None:
    text = "X-Failover-Drill: abc 1\nX-Failover-Drill: abd 2\n\nX-Failover-Drill: abc 12\n> X-Failover-Drill: abc 3\n"
    assert arrivals.numbers(text, "abc") == [1, 12]
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "1").write_text(text)
    (tmp_path / "mbox").write_text(text)
    assert arrivals.in_mailbox(str(tmp_path), "abc") == [1, 12, 1, 12]
    assert arrivals.in_mailbox(str(tmp_path / "none"), "abc") == []
    said = {"postqueue": '{"queue_id": "A"}\n{"queue_id": "B"}\n', "postcat": "X-Failover-Drill: abc 4\n"}
    assert arrivals.in_queue(lambda argv: said[argv[0]], "abc") == [4, 4]


def target(**more: Any) -> faults.Target:
    return faults.Target(**{"interface": "eth0", "vips": ["smtp"], "unit": "postfix.service", **more})


@pytest.mark.parametrize("kind", faults.FAULTS)
@pytest.mark.parametrize("by", ["nft", "tc"])
def test_each_fault_is_mended_by_commands_that_read_nothing(kind: str, by: str) -> None:
    fault = faults.FAULTS[kind](target(by=by))
    assert fault.breaks and fault.mends and fault.words.endswith(".")
    assert all(step.argv for step in fault.breaks) and all(fault.mends)


def test_a_host_is_cut_off_before_its_daemon_can_say_goodbye() -> None:
    fault = faults.power(target())
    commands = [step.argv for step in fault.breaks]
    assert commands[0][0] == "nft" and commands[1][:3] == ["systemctl", "kill", "--signal=KILL"]
    assert "ingress" in fault.breaks[0].text and "egress" in fault.breaks[0].text
    # Opened first, then started: as a host that boots.
    assert fault.mends[0] == ["nft", "delete", "table", "netdev", faults.TABLE]
    assert fault.mends[-1] == ["systemctl", "start", faults.UNIT]
    assert all(step.argv[0] == "tc" for step in faults.power(target(by="tc")).breaks[:3])
