# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the agents make of the kernel's messages, of answers to pings and of mailboxes."""

from __future__ import annotations

import json
import smtplib
import socket
import struct
import subprocess
from collections.abc import Callable
from typing import Any

import arrivals
import mail
import probe
import pytest
import service
import watch

from plugins.module_utils.rehearsal import echo

Events = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def events(capsys: pytest.CaptureFixture[str]) -> Events:
    """Return a function that gives the events reported since its last call."""
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def netlink(kind: int, body: bytes) -> bytes:
    """One message as the kernel sends it."""
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body


def address(kind: int, index: int, local: str, length: int = 20) -> bytes:
    """RTM_NEWADDR or RTM_DELADDR: an unrelated attribute (IFA_LABEL) stands before IFA_LOCAL."""
    label = struct.pack("=HH", 9, 3) + b"eth0\0" + bytes(3)
    return netlink(
        kind, struct.pack("=BBBBI", 2, length, 0, 0, index) + label + struct.pack("=HH", 8, 2) + socket.inet_aton(local)
    )


def address6(kind: int, index: int, local: str) -> bytes:
    """The same of an IPv6 address, which the kernel gives as IFA_ADDRESS alone."""
    return netlink(
        kind,
        struct.pack("=BBBBI", 10, 64, 0, 0, index)
        + struct.pack("=HH", 20, 1)
        + socket.inet_pton(socket.AF_INET6, local),
    )


def link(index: int, flags: int) -> bytes:
    """RTM_NEWLINK."""
    return netlink(watch.RTM_NEWLINK, struct.pack("=BBHiII", 0, 0, 1, index, flags, 0))


def feed(to: watch.Watch, data: bytes, at: float) -> None:
    """Give the watch what one read returned."""
    for kind, body in watch.messages(data):
        to.message(kind, body, at)


def test_watch_reports_gain_and_loss_once(events: Events) -> None:
    seen = watch.Watch(2, "192.0.2.74")
    renewed = address(watch.RTM_NEWADDR, 2, "192.0.2.74")
    feed(seen, renewed, 1.0)
    feed(seen, renewed + renewed, 2.0)
    feed(seen, address(watch.RTM_DELADDR, 2, "192.0.2.74"), 3.0)
    assert events() == [{"kind": "address", "at": 1.0, "held": True}, {"kind": "address", "at": 3.0, "held": False}]


def test_watch_takes_an_address_with_two_prefix_lengths_for_one(events: Events) -> None:
    """So carpd has it stand behind the host's own, and answer meanwhile."""
    seen = watch.Watch(2, "192.0.2.74", [20])
    seen.see(0.0, held=True)
    feed(seen, address(watch.RTM_NEWADDR, 2, "192.0.2.74", 32) + address(watch.RTM_DELADDR, 2, "192.0.2.74"), 1.0)
    feed(seen, address(watch.RTM_NEWADDR, 2, "192.0.2.74") + address(watch.RTM_DELADDR, 2, "192.0.2.74", 32), 1.0)
    feed(seen, address(watch.RTM_DELADDR, 2, "192.0.2.74"), 2.0)
    assert [(event["at"], event["held"]) for event in events()] == [(0.0, True), (2.0, False)]


def test_watch_sees_ipv6(events: Events) -> None:
    seen = watch.Watch(2, "2001:db8::74")
    feed(seen, address6(watch.RTM_NEWADDR, 2, "2001:db8::75") + address6(watch.RTM_NEWADDR, 2, "2001:db8::74"), 1.0)
    feed(seen, address6(watch.RTM_DELADDR, 2, "2001:db8::74"), 2.0)
    assert [(event["at"], event["held"]) for event in events()] == [(1.0, True), (2.0, False)]


def test_watch_ignores_other_addresses_and_interfaces(events: Events) -> None:
    seen = watch.Watch(2, "192.0.2.74")
    feed(seen, address(watch.RTM_NEWADDR, 3, "192.0.2.74") + address(watch.RTM_NEWADDR, 2, "192.0.2.75"), 1.0)
    feed(seen, link(3, 0), 1.0)
    assert events() == []


def test_watch_reports_the_carrier(events: Events) -> None:
    up, running = 0x1, 0x40
    seen = watch.Watch(2, "192.0.2.74")
    feed(seen, link(2, up | running) + link(2, up), 1.0)
    assert [event["up"] for event in events()] == [True, False]


def test_probe_reports_gaps_and_counts_answers(events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing is sent, so that no right to ping is needed.
    monkeypatch.setattr(echo, "EchoSocket", lambda family: None)
    pings = probe.Pings("192.0.2.74", 100, bytes(8), {})
    for at in (1.0, 1.01, 1.02, 1.03, 4.02, 4.03):
        pings.sent.append(at)
        pings.answered.append(0)
    for number, at in ((0, 1.0), (1, 1.01), (2, 1.02), (4, 4.02), (4, 4.02), (5, 4.03)):
        pings.reply(echo.PROBE, number, at)
    assert events() == [{"kind": "answer", "at": 1.0}, {"kind": "gap", "at": 4.02, "start": 1.02, "end": 4.02}]
    assert sum(pings.answered) == 5


def test_arrivals_are_those_of_the_run() -> None:
    text = "X-Drill: abc 1\nX-Drill: abd 2\n\nX-Drill: abc 12\nX-Drill: abc 1\n> X-Drill: abc 3\n"
    assert arrivals.numbers(text, "abc") == [1, 12, 1]


def test_a_mail_is_repeated_until_it_is_accepted(events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([ConnectionRefusedError("no"), smtplib.SMTPServerDisconnected("cut"), None])
    texts = []

    def deliver(server: str, recipient: str, text: str) -> None:
        texts.append(text)
        answer = next(answers)
        if answer is not None:
            raise answer

    monkeypatch.setattr(mail, "deliver", deliver)
    monkeypatch.setattr(mail, "PAUSE", 0)
    mail.Stream("192.0.2.74", "user@example.com", "abc", 20).insist(7)
    assert [event["kind"] for event in events()] == ["refused", "refused", "accepted"]
    assert len(set(texts)) == 1
    assert arrivals.numbers(texts[0], "abc") == [7]


def test_requests_are_counted_and_a_time_without_service_is_told(
    events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([None, ConnectionRefusedError("no"), None])
    # When each request began, and what was noted of it.
    clock = iter([0.9, 1.0, 1.0, 2.0, 2.0, 3.0, 4.0, 4.0])

    def ask(asked: str) -> None:
        assert asked == "http://192.0.2.74/"
        answer = next(answers)
        if answer is not None:
            raise answer

    monkeypatch.setattr(service, "ask", ask)
    monkeypatch.setattr(service.time, "monotonic", lambda: next(clock, 9.0))
    stream = service.Stream("http://192.0.2.74/", 50)
    for _request in range(3):
        stream.one()
    assert [(event["kind"], event.get("start"), event.get("why")) for event in events()] == [
        ("served", None, None),
        ("failed", None, "ConnectionRefusedError: no"),
        ("unserved", 1.0, None),
    ]
    assert (stream.requests, stream.failed, stream.serving) == (3, 1, True)


@pytest.mark.parametrize(("command", "good"), [("true", True), ("false", False)])
def test_a_service_may_be_asked_by_a_command(command: str, good: bool) -> None:
    if good:
        service.ask(command)
    else:
        with pytest.raises(subprocess.CalledProcessError):
            service.ask(command)
