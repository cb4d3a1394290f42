# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the agents make of the kernel's messages, of ping's answers and of mailboxes."""

from __future__ import annotations

import json
import smtplib
import socket
import struct
from collections.abc import Callable
from typing import Any

import arrivals
import mail
import probe
import pytest
import watch

Events = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def events(capsys: pytest.CaptureFixture[str]) -> Events:
    """Return a function that gives the events reported since its last call."""
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def netlink(kind: int, body: bytes) -> bytes:
    """One message as the kernel sends it."""
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body


def address(kind: int, index: int, local: str) -> bytes:
    """RTM_NEWADDR or RTM_DELADDR: an unrelated attribute (IFA_LABEL) stands before IFA_LOCAL."""
    label = struct.pack("=HH", 9, 3) + b"eth0\0" + bytes(3)
    return netlink(
        kind, struct.pack("=BBBBI", 2, 20, 0, 0, index) + label + struct.pack("=HH", 8, 2) + socket.inet_aton(local)
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


def test_probe_reports_gaps_and_counts_answers(events: Events) -> None:
    gaps = probe.Gaps(0.01)
    for at, number in ((1.0, 65533), (1.01, 65534), (1.02, 0), (4.02, 3), (4.03, 2)):
        gaps.answer(at, number)
    assert events() == [{"kind": "answer", "at": 1.0}, {"kind": "gap", "at": 4.02, "start": 1.02, "end": 4.02}]
    assert (gaps.answers, gaps.lost) == (5, 2)


@pytest.mark.parametrize(
    ("line", "at"),
    [
        ("[1763812801.123456] 64 bytes from 192.0.2.1: icmp_seq=3 ttl=64 time=0.05 ms\n", "1763812801.123456"),
        ("[1763812801.123456] From 192.0.2.9 icmp_seq=3 Destination Host Unreachable\n", None),
        ("PING 192.0.2.1 (192.0.2.1) 56(84) bytes of data.\n", None),
    ],
)
def test_probe_knows_an_answer(line: str, at: str | None) -> None:
    found = probe.ANSWER.match(line)
    assert (found["at"] if found else None) == at


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
