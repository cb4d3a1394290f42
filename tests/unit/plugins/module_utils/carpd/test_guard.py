# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard: it gives up what is held when the daemon dies or hangs, and nothing else, and never otherwise.

Real processes, killed and stopped for real; but in place of the kernel's addresses and of the wire, the guard writes
into a named pipe. That is inherited by its name: a guard closes every descriptor that it has from the daemon.
"""

from __future__ import annotations

import errno
import math
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from ipaddress import ip_interface
from pathlib import Path

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd import guard as guard_module
from ansible_collections.failover.carp.plugins.module_utils.carpd import sentry as sentry_module
from ansible_collections.failover.carp.plugins.module_utils.carpd.config import Vip
from ansible_collections.failover.carp.plugins.module_utils.carpd.guard import Guard, Turns
from ansible_collections.failover.carp.plugins.module_utils.carpd.netlink import Link
from ansible_collections.failover.carp.plugins.module_utils.carpd.paths import Copy
from ansible_collections.failover.carp.plugins.module_utils.carpd.sentry import Sentry
from ansible_collections.failover.carp.plugins.module_utils.carpd.succession import dismiss, is_standing_in

PATIENCE = 15.0  # of a test, for what should happen at once
GOODBYE = [Copy(b"\xab\xcd", "multicast")]
LONG = 3600.0  # of a guard, where the daemon is not meant to hang
ETH1, ETH2 = Link(3, "eth1", bytes(6), True), Link(4, "eth2", bytes(6), True)


def vip(name: str, *addresses: str) -> Vip:
    interfaces = tuple(ip_interface(address) for address in addresses)
    return Vip(name, "eth1", 1, interfaces, b"sesame", 1, 0, True, 3, None)


SMTP, IMAP = vip("smtp", "172.17.0.74/20", "2001:db8::74/64"), vip("imap", "10.0.0.1/8")


def read_some(descriptor: int) -> bytes:
    assert select.select([descriptor], [], [], PATIENCE)[0]
    return os.read(descriptor, 65536)


class Record:
    """What guards do, as lines in a named pipe."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        os.mkfifo(self.path)
        self._reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        # With a writer of our own the pipe never ends.
        self._writer = os.open(self.path, os.O_WRONLY)
        self._text = ""

    def write(self, line: str) -> None:
        # Without waiting for a reader: after a failed test there is none any more.
        descriptor = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
        os.write(descriptor, f"{line}\n".encode())
        os.close(descriptor)

    def lines(self, count: int) -> list[str]:
        """Wait for so many lines and return them."""
        deadline = time.monotonic() + PATIENCE
        while self._text.count("\n") < count:
            ready = select.select([self._reader], [], [], max(0.0, deadline - time.monotonic()))[0]
            assert ready, f"only this came: {self._text!r}"
            self._text += os.read(self._reader, 65536).decode()
        found, self._text = self._text.splitlines(), ""
        return found

    def nothing(self) -> bool:
        """Tell whether nothing was written so far."""
        return not self._text and not select.select([self._reader], [], [], 0.0)[0]

    def close(self) -> None:
        os.close(self._reader)
        os.close(self._writer)


@pytest.fixture(name="record")
def record_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Record]:
    record = Record(tmp_path / "record")

    def remove(requests: list[bytes]) -> None:
        indices, addresses = zip(*(request.decode().split() for request in requests))
        if indices[0] == str(ETH2.ifindex):
            record.write("eth2 is gone")
            raise OSError(19, "No such device")
        record.write(f"release {indices[0]} {' '.join(addresses)}")

    def say(goodbyes: list[tuple[tuple[str, str], bytes]]) -> None:
        for (name, path), packet in goodbyes:
            record.write(f"send {name} {packet.hex()} by {path}")

    monkeypatch.setattr(guard_module, "removal", lambda index, address: f"{index} {address}".encode())
    monkeypatch.setattr(guard_module, "address_of", lambda name, copy: (name, copy.path))
    monkeypatch.setattr(sentry_module, "_remove", remove)
    monkeypatch.setattr(sentry_module, "_say", say)
    Daemon.alive = set()
    yield record
    # Those of a test that failed, guards first.
    for pid in list(Daemon.alive):
        for child in children(pid):
            os.kill(child, signal.SIGKILL)
        end(pid)
    record.close()


def new_guard() -> Guard:
    return Guard(Sentry())


class Daemon:
    """A process that has a guard, does some work, says so, and then waits to be killed."""

    alive: set[int]

    def __init__(self, work: Callable[[Guard], None]) -> None:
        reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                one = new_guard()
                work(one)
                os.write(writer, str(one.sentry.pid).encode())
                os.close(writer)
                signal.pause()
            except BaseException:
                os.write(writer, traceback.format_exc().encode())
            finally:
                os._exit(1)
        self.alive.add(self.pid)
        os.close(writer)
        # This ends when the guard, too, has closed the pipe that it inherited: from then on it is on duty.
        said = b""
        while piece := read_some(reader):
            said += piece
        os.close(reader)
        assert said.isdigit(), said.decode()
        self.guard = int(said)

    def kill(self) -> None:
        end(self.pid)


def end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    Daemon.alive.discard(pid)


def children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:  # not every kernel has it
        return []


def is_gone(pid: int) -> bool:
    """Wait until a process that is not our child has ended; end it if it does not."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        if select.select([descriptor], [], [], PATIENCE)[0]:
            return True
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        return False
    finally:
        os.close(descriptor)


def hold(name: Vip = SMTP, link: Link = ETH1, patience: float = LONG) -> Callable[[Guard], None]:
    return lambda one: one.hold(name, link, GOODBYE, patience)


RELEASED = ["release 3 172.17.0.74/20 2001:db8::74/64", "send eth1 abcd by multicast"]


class TestDaemonDies:
    def test_the_addresses_go_first_and_then_the_goodbye(
        self, record: Record, capfd: pytest.CaptureFixture[str]
    ) -> None:
        daemon = Daemon(hold())
        assert record.nothing()
        daemon.kill()
        assert record.lines(2) == RELEASED
        assert is_gone(daemon.guard)
        assert capfd.readouterr().err == "guard: the daemon died: gave up smtp\n"

    def test_for_the_journal(
        self, record: Record, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("JOURNAL_STREAM", "8:1")
        daemon = Daemon(hold())
        daemon.kill()
        record.lines(2)
        assert is_gone(daemon.guard)
        assert capfd.readouterr().err == "<3>guard: the daemon died: gave up smtp\n"

    def test_everything_that_is_held(self, record: Record) -> None:
        def work(one: Guard) -> None:
            one.hold(SMTP, ETH1, GOODBYE, LONG)
            one.hold(IMAP, ETH1, [Copy(b"\xef", "unicast")], LONG)

        Daemon(work).kill()
        assert record.lines(4) == [*RELEASED, "release 3 10.0.0.1/8", "send eth1 ef by unicast"]

    def test_not_what_was_released(self, record: Record) -> None:
        def work(one: Guard) -> None:
            one.hold(IMAP, ETH1, [Copy(b"\xef", "unicast")], LONG)
            one.hold(SMTP, ETH1, GOODBYE, LONG)
            one.release("imap")

        daemon = Daemon(work)
        daemon.kill()
        assert record.lines(2) == RELEASED
        assert is_gone(daemon.guard)
        assert record.nothing()

    def test_the_latest_goodbye_counts(self, record: Record) -> None:
        def work(one: Guard) -> None:
            one.hold(SMTP, ETH1, [Copy(b"\x01", "unicast")], LONG)
            one.hold(SMTP, ETH1, [Copy(b"\x02", "unicast")], LONG)

        Daemon(work).kill()
        assert record.lines(2)[1] == "send eth1 02 by unicast"

    def test_one_that_fails_does_not_stop_the_next(self, record: Record) -> None:
        def work(one: Guard) -> None:
            one.hold(IMAP, ETH2, [Copy(b"\xef", "unicast")], LONG)
            one.hold(SMTP, ETH1, GOODBYE, LONG)

        Daemon(work).kill()
        assert record.lines(3) == ["eth2 is gone", *RELEASED]

    @pytest.mark.parametrize("released", [False, True])
    def test_nothing_is_held(self, record: Record, capfd: pytest.CaptureFixture[str], released: bool) -> None:
        def work(one: Guard) -> None:
            if released:
                one.hold(SMTP, ETH1, GOODBYE, LONG)
            one.release("smtp")

        daemon = Daemon(work)
        daemon.kill()
        assert is_gone(daemon.guard)
        assert record.nothing()
        assert capfd.readouterr().err == ""

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2])
    def test_signals_for_the_daemon_do_not_end_its_guard(self, record: Record, number: int) -> None:
        daemon = Daemon(hold())
        os.kill(daemon.guard, number)
        assert os.getsid(daemon.guard) == daemon.guard, "and those for its session do not reach it"
        daemon.kill()
        assert record.lines(2) == RELEASED


class TestDaemonHangs:
    def test_stopped(self, record: Record, capfd: pytest.CaptureFixture[str]) -> None:
        daemon = Daemon(hold(patience=0.1))
        os.kill(daemon.pid, signal.SIGSTOP)
        assert record.lines(2) == RELEASED
        assert is_gone(daemon.guard)
        text = capfd.readouterr().err
        assert text.startswith("guard: the daemon did not work for 0.")
        assert text.endswith(" s: gave up smtp\n")
        daemon.kill()

    def test_the_shortest_patience_counts(self, record: Record) -> None:
        def work(one: Guard) -> None:
            one.hold(IMAP, ETH1, [Copy(b"\xef", "unicast")], LONG)
            one.hold(SMTP, ETH1, GOODBYE, 0.1)
            assert one.patience == 0.1

        daemon = Daemon(work)
        assert record.lines(4) == ["release 3 10.0.0.1/8", "send eth1 ef by unicast", *RELEASED]
        daemon.kill()

    def test_without_anything_held_there_is_no_hurry(self, record: Record) -> None:
        def work(one: Guard) -> None:
            one.hold(SMTP, ETH1, GOODBYE, 0.05)
            one.release("smtp")
            # A beat is missing, but nothing is held any more: wait for what must not come.
            assert not select.select([one], [], [], 0.3)[0]
            assert not one.acted

        daemon = Daemon(work)
        daemon.kill()
        assert is_gone(daemon.guard)
        assert record.nothing()


@pytest.fixture(name="guard")
def guard_(record: Record) -> Iterator[Guard]:
    """A guard of this very process."""
    one = new_guard()
    yield one
    one.close()


class TestMadeInterface:
    def test_it_is_switched_off_after_the_addresses_are_gone(
        self, record: Record, guard: Guard, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(guard_module, "switching_off", lambda index: f"{index} off".encode())
        guard.hold(IMAP, ETH1, GOODBYE, 0.05, Link(9, "carp3-1", bytes(6), False))
        assert record.lines(2) == ["release 9 10.0.0.1/8 off", "send eth1 abcd by multicast"]


class TestStandingIn:
    """While the daemon's program is replaced, its guard advertises."""

    @staticmethod
    def stand_in(seconds: float, *turns: Turns) -> Callable[[Guard], None]:
        def work(one: Guard) -> None:
            hold()(one)
            one.stand_in(seconds, turns)

        return work

    def test_it_sends_turn_by_turn_until_it_is_dismissed(self, record: Record, guard: Guard) -> None:
        hold()(guard)
        first, second, third, fourth = (Copy(bytes([number]), "multicast") for number in range(1, 5))
        turns = [Turns("eth1", 0.01, [[first, second], [third]]), Turns("eth2", 0.015, [[fourth]])]
        descriptor = guard.stand_in(LONG, turns)
        assert is_standing_in(descriptor)
        sent = ["send eth1 01", "send eth1 02", "send eth1 03", "send eth2 04"]
        assert sorted(record.lines(4)) == [f"{line} by multicast" for line in sent]
        dismiss(os.dup(descriptor))
        assert os.waitpid(guard.pid, 0)[1] == 0
        assert record.nothing()
        assert not is_standing_in(descriptor)

    def test_nobody_comes_back(self, record: Record, capfd: pytest.CaptureFixture[str]) -> None:
        daemon = Daemon(self.stand_in(0.05))
        assert record.lines(2) == RELEASED
        assert is_gone(daemon.guard)
        assert "did not come back after its program was replaced: gave up smtp" in capfd.readouterr().err

    def test_the_new_program_dies(self, record: Record, capfd: pytest.CaptureFixture[str]) -> None:
        daemon = Daemon(self.stand_in(LONG))
        daemon.kill()
        assert record.lines(2) == RELEASED
        assert is_gone(daemon.guard)
        assert "died while its program was replaced: gave up smtp" in capfd.readouterr().err

    def test_it_does_not_wait_for_beats(self, record: Record, guard: Guard) -> None:
        hold(patience=0.05)(guard)
        guard.stand_in(LONG, [Turns("eth1", 0.1, [GOODBYE] * 3)])
        assert record.lines(3) == ["send eth1 abcd by multicast"] * 3
        assert not guard.acted


def test_the_next_program_gets_what_this_one_leaves(tmp_path: Path) -> None:
    """A real process replaces its program by one that says what it was left."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    package = Path(guard_module.__file__).parent.parent
    environment = {"PYTHONPATH": str(package), "PYTHONDONTWRITEBYTECODE": "1", "PATH": os.environ["PATH"]}
    command = [sys.executable, "-B", str(program), "an argument"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["['an argument']", "{'smtp': {'master': True}} {'imap': 'me'} [7]", "b'?' here"]


PROGRAM = """
import os, signal, socket, sys
from carpd.succession import Inheritance, hear_signals, leave, take

left = take()
if left is None:
    print(sys.argv[1:], flush=True)
    ours, theirs = socket.socketpair()
    theirs.send(b"?")
    os.set_inheritable(theirs.fileno(), True)
    leave(Inheritance({"smtp": {"master": True}}, {"imap": "me"}, {}, ours.fileno(), [7]), {"FROM": "here"})
print(left.hosts, left.demoted, left.children)
assert not os.get_inheritable(left.guard) and "CARPD_INHERITANCE" not in os.environ
assert signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, ())
hear_signals()
assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
print(socket.socket(fileno=left.guard).recv(1), os.environ["FROM"])
"""


class TestGuard:
    def test_dismissed_it_does_nothing(self, record: Record, capfd: pytest.CaptureFixture[str]) -> None:
        one = new_guard()
        one.hold(SMTP, ETH1, GOODBYE, LONG)
        one.close()
        with pytest.raises(ChildProcessError):
            os.waitpid(one.sentry.pid, os.WNOHANG)
        assert record.nothing()
        assert capfd.readouterr().err == ""

    def test_beats_keep_it_quiet(self, record: Record, guard: Guard) -> None:
        guard.hold(SMTP, ETH1, GOODBYE, 1.0)
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            guard.beat(time.monotonic())
            assert not select.select([guard], [], [], 0.02)[0]
        assert not guard.acted
        assert record.nothing()

    def test_without_beats_it_acts_and_says_so(self, record: Record, guard: Guard) -> None:
        guard.beat(time.monotonic())
        guard.hold(SMTP, ETH1, GOODBYE, 0.05)
        assert select.select([guard], [], [], PATIENCE)[0], "its end is noticed by the loop"
        assert guard.acted
        assert record.lines(2) == RELEASED

    def test_a_later_beat_does_not_hide_that_it_acted(self, record: Record, guard: Guard) -> None:
        guard.hold(SMTP, ETH1, GOODBYE, 0.05)
        assert select.select([guard], [], [], PATIENCE)[0]
        guard.beat(time.monotonic())
        assert guard.acted

    def test_replaced_after_it_acted(self, record: Record, guard: Guard) -> None:
        guard.hold(SMTP, ETH1, GOODBYE, 0.05)
        assert select.select([guard], [], [], PATIENCE)[0]
        record.lines(2)
        first = guard.sentry.pid
        guard.release("smtp")
        guard.replace()
        assert guard.sentry.pid != first
        assert not guard.acted
        assert not select.select([guard], [], [], 0.0)[0]

    def test_killed_and_replaced_it_knows_what_is_held(self, record: Record) -> None:
        def work(one: Guard) -> None:
            one.hold(SMTP, ETH1, GOODBYE, LONG)
            os.kill(one.sentry.pid, signal.SIGKILL)
            assert select.select([one], [], [], PATIENCE)[0]
            assert not one.acted
            one.replace()

        daemon = Daemon(work)
        assert record.nothing()
        daemon.kill()
        assert record.lines(2) == RELEASED

    def test_telling_a_guard_that_is_gone_is_no_failure(self, record: Record, guard: Guard) -> None:
        os.kill(guard.sentry.pid, signal.SIGKILL)
        assert select.select([guard], [], [], PATIENCE)[0]
        guard.hold(SMTP, ETH1, GOODBYE, LONG)
        guard.release("smtp")
        guard.beat(time.monotonic())

    def test_patience(self, record: Record, guard: Guard) -> None:
        assert guard.patience == float("inf")
        guard.hold(SMTP, ETH1, GOODBYE, 100.0)
        guard.hold(IMAP, ETH1, GOODBYE, 200.0)
        assert guard.patience == 100.0
        guard.release("smtp")
        assert guard.patience == 200.0
        guard.release("imap")
        guard.release("never held")
        assert guard.patience == float("inf")

    def test_it_keeps_no_descriptor_of_the_daemon(self, record: Record) -> None:
        """Else a socket of the daemon would live on in it, and a peer of that socket would wait for ever."""
        reader, writer = os.pipe()
        one = new_guard()
        os.close(writer)
        # Ends as soon as nobody holds the other end of the pipe any more, the guard included.
        assert select.select([reader], [], [], PATIENCE)[0]
        assert os.read(reader, 1) == b""
        os.close(reader)
        one.close()

    def test_a_goodbye_that_does_not_fit_is_no_reason_to_wait(self, record: Record, guard: Guard) -> None:
        """A guard that was stopped takes nothing in; the daemon goes on all the same."""
        os.kill(guard.sentry.pid, signal.SIGSTOP)
        for number in range(2000):
            guard.hold(vip(f"vip{number}", "10.0.0.1/8"), ETH1, [Copy(bytes(100), "multicast")], LONG)
        os.kill(guard.sentry.pid, signal.SIGCONT)


@pytest.mark.parametrize(
    ("beaten_at", "promised", "counted_from", "deadline"),
    [
        (100.0, 101.0, 0.0, 101.5),  # it may sleep as long as its patience, and be half as late
        (100.0, 100.1, 0.0, 101.0),  # but always goes for the whole of it without a beat
        (100.0, math.inf, 0.0, 101.5),  # a promise from before there was anything to guard holds nobody up
        (100.0, 101.0, 102.0, 103.0),
        (100.0, 103.0, 102.0, 103.5),
    ],
)
def test_when_a_patience_of_a_second_ends(
    beaten_at: float, promised: float, counted_from: float, deadline: float
) -> None:
    memory = struct.pack("=dd", beaten_at, promised)
    assert sentry_module._deadline(memory, 1.0, counted_from) == deadline


class Answering:
    """Stands in for the sockets of the guard's own process."""

    def __init__(self, codes: list[int]) -> None:
        self.codes = codes
        self.opened: list[tuple[int, ...]] = []
        self.sent: list[object] = []

    def socket(self, *kind: int) -> Answering:
        self.opened.append(kind)
        return self

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def sendto(self, data: bytes, to: object) -> None:
        self.sent.append((data, to))

    def setsockopt(self, _level: int, option: int, value: bytes) -> None:
        self.sent.append((option, value))

    def recv(self, _size: int) -> bytes:
        return bytes(16) + (-self.codes.pop(0)).to_bytes(4, "little", signed=True) + bytes(16)


THERE = ("eth1", 0x0800, 0, 0, bytes(6))
TO_PEERS = [(("eth1", "172.17.0.76"), b"\x45 goodbye"), (("eth1", "fe80::76"), b"\x60 goodbye")]
DUTIES = {"smtp": (1.0, [b"remove 1", b"remove 2"], [(THERE, b"goodbye")]), "imap": (1.0, [b"remove 3"], [])}


class TestGivingUp:
    """What the guard's process does with the kernel's words for it."""

    @pytest.fixture(name="kernel")
    def kernel_(self, monkeypatch: pytest.MonkeyPatch) -> Answering:
        kernel = Answering([0, 0, 0])
        monkeypatch.setattr(sentry_module.socket, "socket", kernel.socket)
        return kernel

    def test_removes_all_and_then_says_goodbye(self, kernel: Answering) -> None:
        sentry_module._give_up(DUTIES)
        assert kernel.sent == [b"remove 1", b"remove 2", (b"goodbye", THERE), b"remove 3"]
        assert {kind[0] for kind in kernel.opened} == {socket.AF_NETLINK, socket.AF_PACKET}

    @pytest.mark.parametrize("code", [errno.EADDRNOTAVAIL, errno.ENODEV])
    def test_what_is_gone_already_need_not_be_removed(self, kernel: Answering, code: int) -> None:
        kernel.codes = [code, code, 0]
        sentry_module._give_up(DUTIES)
        assert kernel.sent == [b"remove 1", b"remove 2", (b"goodbye", THERE), b"remove 3"]

    def test_to_peers_the_kernel_finds_the_way(self, kernel: Answering) -> None:
        sentry_module._give_up({"smtp": (1.0, [], TO_PEERS)})
        assert kernel.sent == [
            (socket.SO_BINDTODEVICE, b"eth1\0"),
            (b"\x45 goodbye", ("172.17.0.76", 0)),
            (socket.SO_BINDTODEVICE, b"eth1\0"),
            (b"\x60 goodbye", ("fe80::76", 0)),
        ]
        raw = [kind for kind in kernel.opened if kind[2] == socket.IPPROTO_RAW]
        assert [kind[0] for kind in raw] == [socket.AF_INET, socket.AF_INET6]

    def test_whoever_keeps_an_address_does_not_say_goodbye(self, kernel: Answering) -> None:
        kernel.codes = [errno.EPERM, 0]
        sentry_module._give_up(DUTIES)
        assert kernel.sent == [b"remove 1", b"remove 3"]
