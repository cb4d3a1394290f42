# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command carpd: how it ends, what it prints, and the daemon as a process from its start to its end.

The process has a virtual host on an interface that does not exist. So it needs no privilege and changes nothing.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd import cli, daemon, netlink
from ansible_collections.failover.carp.plugins.module_utils.carpd.control import ControlError, request
from ansible_collections.failover.carp.plugins.module_utils.carpd.netlink import AddressThere, Link
from ansible_collections.failover.carp.plugins.module_utils.carpd.version import VERSION

PATIENCE = 20.0
ABSENT = "carpd-absent0"
DAEMON = "[carpd]\npriority = 0\n"
SECTION = f"[vip smtp]\ninterface = {ABSENT}\nvhid = 1\naddresses = 192.0.2.74/24\npassword = sesame\n"


@pytest.fixture(name="config")
def config_(tmp_path: Path) -> Path:
    path = tmp_path / "carpd.conf"
    path.write_text(DAEMON + SECTION)
    return path


def fail(error: Exception) -> None:
    raise error


class TestUsage:
    def test_version(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as caught:
            cli.main(["--version"])
        assert caught.value.code == 0
        assert capsys.readouterr() == (f"{VERSION}\n", "")

    @pytest.mark.parametrize(
        "arguments", [[], ["start"], ["check", "x"], ["check", "--config"], ["check", "--runtime-dir", "/tmp"], ["-x"]]
    )
    def test_wrong(self, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
        with pytest.raises(SystemExit) as caught:
            cli.main(arguments)
        assert caught.value.code == 2
        assert capsys.readouterr().err.startswith("usage: carpd")

    @pytest.mark.parametrize(
        ("arguments", "texts"),
        [
            (["--help"], ["run", "check", "release"]),
            (["run", "--help"], ["/etc/carpd/carpd.conf", "/run/carpd"]),
            (["check", "--help"], ["/etc/carpd/carpd.conf"]),
        ],
    )
    def test_help(self, capsys: pytest.CaptureFixture[str], arguments: list[str], texts: list[str]) -> None:
        with pytest.raises(SystemExit) as caught:
            cli.main(arguments)
        assert caught.value.code == 0
        shown = capsys.readouterr().out
        assert all(text in shown for text in texts)


class TestCheck:
    def test_says_nothing_when_all_is_right(self, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["check", "--config", str(config)]) == 0
        assert capsys.readouterr() == ("", "")

    def test_says_every_mistake_one_a_line(self, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
        config.write_text(SECTION.replace("vhid = 1", "vhid = 300").replace("interface", "iface"))
        assert cli.main(["check", "--config", str(config)]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err == (
            f"{config}: [vip smtp] there is no option iface; did you mean interface?\n"
            f"{config}: [vip smtp] interface is missing: the name of a network interface, "
            "at most 15 characters without blank, '/' or ':'\n"
            f"{config}: [vip smtp] vhid = 300: must be a whole number from 1 to 255\n"
        )

    def test_no_file(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["check", "--config", f"{tmp_path}/none"]) == 2
        assert capsys.readouterr() == ("", f"{tmp_path}/none: cannot be read: No such file or directory\n")

    @pytest.mark.parametrize("verb", ["run", "release"])
    def test_the_others_check_too(self, verb: str, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
        config.write_text("[vip smtp]\n")
        assert cli.main([verb, "--config", str(config)]) == 2
        assert "vhid is missing" in capsys.readouterr().err


class Kernel:
    """Stands in for the netlink socket of ``release``."""

    def __init__(self) -> None:
        self.removed: list[tuple[int, list[IPv4Interface]]] = []
        self.failure: OSError | None = None
        self.closed = 0

    def __call__(self) -> Kernel:
        return self

    def links(self) -> list[Link]:
        return [Link(index, name, bytes(6), True) for index, name in ((1, "lo"), (2, "eth0"), (3, ABSENT))]

    def addresses(self) -> list[AddressThere]:
        return [
            AddressThere(3, IPv4Interface("192.0.2.1/24"), False),
            AddressThere(3, IPv4Interface("192.0.2.2/24"), True),  # leased, but not ours
            AddressThere(2, IPv4Interface("192.0.2.74/24"), True),  # ours, but elsewhere
            AddressThere(3, IPv4Interface("192.0.2.74/24"), True),
            AddressThere(3, IPv4Interface("192.0.2.73/32"), True),  # ours, with another prefix length
            AddressThere(3, IPv4Interface("192.0.2.72/24"), False),  # permanent: not the daemon's
        ]

    def release(self, index: int, addresses: list[IPv4Interface]) -> list[IPv4Interface]:
        if isinstance(self.failure, OSError):
            fail(self.failure)
        self.removed.append((index, addresses))
        return addresses

    def close(self) -> None:
        self.closed += 1


class TestRelease:
    @pytest.fixture(name="kernel")
    def kernel_(self, config: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
        config.write_text(SECTION.replace("192.0.2.74/24", "192.0.2.74/24, 192.0.2.73/24, 192.0.2.72/24"))
        kernel = Kernel()
        monkeypatch.setattr(netlink, "Requests", kernel)
        return kernel

    def test_removes_what_a_daemon_left(self, kernel: Kernel, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["release", "--config", str(config)]) == 0
        assert kernel.removed == [(3, [IPv4Interface("192.0.2.74/24")]), (3, [IPv4Interface("192.0.2.73/32")])]
        assert kernel.closed == 1
        assert capsys.readouterr() == ("", "")

    def test_tells_why_it_cannot(self, kernel: Kernel, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
        kernel.failure = PermissionError(1, "Operation not permitted")
        assert cli.main(["release", "--config", str(config)]) == 1
        expected = "the addresses could not be removed: [Errno 1] Operation not permitted\n"
        assert capsys.readouterr() == ("", expected)
        assert kernel.closed == 1

    def test_without_netlink(
        self, config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def refused() -> None:
            raise OSError(97, "Address family not supported by protocol")

        monkeypatch.setattr(netlink, "Requests", refused)
        assert cli.main(["release", "--config", str(config)]) == 1
        assert "Address family not supported" in capsys.readouterr().err


class Process:
    """The daemon as a process, and the service manager that it talks to."""

    def __init__(self, config: Path, folder: Path, **environment: str) -> None:
        self.socket = str(folder / "run" / "control.sock")
        self.log = ""
        self._manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._manager.bind(str(folder / "notify"))
        self._manager.settimeout(PATIENCE)
        package = Path(cli.__file__).parent
        self._process = subprocess.Popen(
            [sys.executable, "-m", "carpd.cli", "run", "--config", str(config), "--runtime-dir", str(folder / "run")],
            env={
                **{key: value for key, value in os.environ.items() if key != "JOURNAL_STREAM"},
                "PYTHONPATH": str(package.parent),
                "PYTHONDONTWRITEBYTECODE": "1",
                "NOTIFY_SOCKET": str(folder / "notify"),
                **environment,
            },
            stderr=subprocess.PIPE,
            bufsize=0,
        )

    def notice(self) -> list[str]:
        """Return the assignments of the daemon's next notice to the service manager."""
        return self._manager.recv(4096).decode().split("\n")

    def wait_log(self, text: str) -> None:
        """Wait until the daemon has logged this since the last call."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.log:
            ready = select.select([self._process.stderr], [], [], max(0.0, deadline - time.monotonic()))[0]
            assert ready, f"{text!r} is not in the log:\n{self.log}"
            piece = os.read(self._process.stderr.fileno(), 65536).decode()
            assert piece, f"the daemon has ended without {text!r} in its log:\n{self.log}"
            self.log += piece
        self.log = self.log.partition(text)[2]

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self) -> int:
        _out, rest = self._process.communicate(timeout=PATIENCE)
        self.log += rest.decode()
        return self._process.returncode

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(PATIENCE)
        self._process.stderr.close()
        self._manager.close()


@pytest.fixture(name="process")
def process_(config: Path, socket_dir: Path) -> Iterator[Process]:
    process = Process(config, socket_dir)
    yield process
    process.kill()


def carpctl(process: Process, *arguments: str) -> subprocess.CompletedProcess[str]:
    package = Path(cli.__file__).parent
    return subprocess.run(
        [sys.executable, "-m", "carpd.ctl", "--socket", process.socket, *arguments],
        env={**os.environ, "PYTHONPATH": str(package.parent), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


class TestRun:
    def test_from_start_to_end(self, process: Process) -> None:
        assert process.notice() == ["READY=1", "STATUS=1 virtual host"]
        process.wait_log(f"smtp: there is no interface {ABSENT}")
        assert stat.S_IMODE(os.stat(os.path.dirname(process.socket)).st_mode) & 0o022 == 0

        (one,) = request(process.socket, "status")
        assert one.pop("since") >= 0
        assert one["election"].pop("sound_for") >= 0
        assert one == {
            "name": "smtp",
            "interface": ABSENT,
            "vhid": 1,
            "state": "INIT",
            "leaving": False,
            "draining": None,
            "addresses": ["192.0.2.74/24"],
            "advbase": 1,
            "advskew": 0,
            "demotion": 0,
            "preempt": True,
            "operator": "",
            "transitions": 0,
            "master": None,
            "reason": f"there is no interface {ABSENT}",
            "refused": {},
            "sent": 0,
            "heard": 0,
            "fault": "",
            "alarm": "",
            "rivals": [],
            "checks": [],
            "election": {
                "state": "INIT",
                "yielding": False,
                "claiming": False,
                "preempt": True,
                "stable_for": 0.0,
                "patience": 3.0,
                "silence_left": None,
                "obstacle": f"there is no interface {ABSENT}",
                "causes": [],
            },
        }
        with pytest.raises(ControlError, match="there is no verb dance; known are "):
            request(process.socket, "dance")

        process.send(signal.SIGTERM)
        assert process.notice() == ["STOPPING=1"]
        assert process.wait() == 0
        assert not os.path.exists(process.socket)
        assert "Traceback" not in process.log
        assert "sesame" not in process.log

    def test_sigint_ends_it_too(self, process: Process) -> None:
        process.notice()
        process.send(signal.SIGINT)
        assert process.wait() == 0
        assert "Traceback" not in process.log

    def test_carpctl(self, process: Process) -> None:
        process.notice()
        status = carpctl(process, "status")
        assert (status.returncode, status.stderr) == (0, "")
        assert re.fullmatch(
            rf"smtp: INIT for \d+\.\d s: there is no interface {ABSENT}\n"
            rf"    192\.0\.2\.74/24 on {ABSENT}, vhid 1, advertising every 1 \+ 0/256 s\n",
            status.stdout,
        )
        assert [one["state"] for one in json.loads(carpctl(process, "status", "--json").stdout)] == ["INIT"]

    def test_reload(self, process: Process, config: Path) -> None:
        process.notice()
        imap = SECTION.replace("smtp", "imap").replace("vhid = 1", "vhid = 2").replace(".74", ".73")
        config.write_text(f"{DAEMON}{SECTION}advskew = 7\n{imap}")
        process.send(signal.SIGHUP)
        assert process.notice() == ["STATUS=2 virtual hosts"]
        process.wait_log("reloaded")
        assert [(one["name"], one["advskew"]) for one in request(process.socket, "status")] == [
            ("smtp", 7),
            ("imap", 0),
        ]

        config.write_text("")
        assert carpctl(process, "reload").returncode == 0
        assert process.notice() == ["STATUS=0 virtual hosts"]
        assert request(process.socket, "status") == []

    def test_a_broken_file_changes_nothing(self, process: Process, config: Path) -> None:
        process.notice()
        before = request(process.socket, "status")
        config.write_text(SECTION.replace("vhid = 1", "vhid = 0").replace("sesame", "topsecret"))
        process.send(signal.SIGHUP)
        mistake = f"{config}: [vip smtp] vhid = 0: must be a whole number from 1 to 255"
        process.wait_log(mistake)
        process.wait_log("the configuration was not reloaded; the old one stays in force")

        reload = carpctl(process, "reload")
        assert reload.returncode == 1
        assert reload.stdout == ""
        assert reload.stderr.splitlines() == [
            mistake,
            "the configuration was not reloaded; the old one stays in force",
        ]
        after = request(process.socket, "status")
        passing = {"since": 0, "election": {}}
        assert [{**one, **passing} for one in after] == [{**one, **passing} for one in before]
        process.send(signal.SIGTERM)
        assert process.wait() == 0
        assert "topsecret" not in process.log

    def test_signals_to_look_and_to_step_down(self, process: Process) -> None:
        process.notice()
        process.send(signal.SIGUSR1)
        process.wait_log(f"smtp: INIT: there is no interface {ABSENT}")
        process.send(signal.SIGUSR2)
        process.send(signal.SIGUSR1)
        process.wait_log("smtp: INIT: ")
        assert [one["preempt"] for one in request(process.socket, "status")] == [False]

    def test_metrics(self, config: Path, socket_dir: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        config.write_text(f"{DAEMON}metrics_listen = 127.0.0.1:{port}\n{SECTION}")
        process = Process(config, socket_dir)
        process.notice()
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
            client.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
            page = b"".join(iter(lambda: client.recv(65536), b"")).decode()
        assert f'carpd_state{{name="smtp",interface="{ABSENT}",vhid="1",state="INIT"}} 1\n' in page
        printed = carpctl(process, "metrics").stdout
        assert [line for line in printed.splitlines() if "#" in line] == [
            line for line in page.partition("\r\n\r\n")[2].splitlines() if "#" in line
        ]
        process.send(signal.SIGTERM)
        assert process.wait() == 0
        process.kill()

    def test_a_second_daemon_has_no_place(self, process: Process, config: Path, socket_dir: Path) -> None:
        process.notice()
        other = socket_dir / "other"
        other.mkdir()
        (other / "run").symlink_to(socket_dir / "run")
        second = Process(config, other)
        assert second.wait() == 1
        assert f"carpd cannot go on: another daemon listens on {second.socket}" in second.log
        second.kill()
        assert request(process.socket, "status")

    def test_after_a_crash_it_starts_again(self, process: Process, config: Path, socket_dir: Path) -> None:
        process.notice()
        process.kill()
        assert os.path.exists(process.socket)
        other = socket_dir / "other"
        other.mkdir()
        (other / "run").symlink_to(socket_dir / "run")
        second = Process(config, other)
        assert second.notice()[0] == "READY=1"
        assert request(second.socket, "status")
        second.send(signal.SIGTERM)
        assert second.wait() == 0
        second.kill()

    def test_the_watchdog_is_fed(self, config: Path, socket_dir: Path) -> None:
        process = Process(config, socket_dir, WATCHDOG_USEC="150000")
        assert process.notice()[0] == "READY=1"
        assert [process.notice() for _number in range(3)] == [["WATCHDOG=1"]] * 3
        process.kill()

    def test_no_place_for_the_socket(self, config: Path, socket_dir: Path) -> None:
        (socket_dir / "run").write_text("a file")
        process = Process(config, socket_dir)
        assert process.wait() == 1
        assert "carpd cannot go on: " in process.log
        assert "Traceback" not in process.log
        process.kill()

    def test_a_wrong_configuration(self, config: Path, socket_dir: Path) -> None:
        config.write_text(SECTION.replace("vhid = 1", "vhid = 0"))
        process = Process(config, socket_dir)
        assert process.wait() == 2
        assert process.log == f"{config}: [vip smtp] vhid = 0: must be a whole number from 1 to 255\n"
        assert not (socket_dir / "run").exists()
        process.kill()


def test_run_hands_over_what_it_was_given(config: Path, socket_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    class Daemon:
        def __init__(self, *arguments: Any) -> None:
            made.append(arguments)

        def run(self) -> None:
            made.append("run")

    monkeypatch.setattr(daemon, "Daemon", Daemon)
    runtime = socket_dir / "some" / "where"
    assert cli.main(["run", "--config", str(config), "--runtime-dir", str(runtime)]) == 0
    (path, loaded, control, state, _guard, group, inheritance), ran = made
    assert (path, control, group, inheritance, ran) == (str(config), f"{runtime}/control.sock", None, None, "run")
    assert state == str(runtime), "two daemons with their own runtime directories do not share what they remember"
    assert [vip.name for vip in loaded.vips] == ["smtp"]
    assert runtime.is_dir()
    assert cli.main(["run", "--config", str(config), "--runtime-dir", str(runtime), "--state-dir", "/some/state"]) == 0
    assert made[-2][3] == "/some/state"


def test_who_checks_by_hand_needs_no_credentials(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    config.write_text(SECTION.replace("password = sesame", "password_credential = smtp"))
    assert cli.main(["check", "--config", str(config)]) == 0
    assert capsys.readouterr() == ("", "")
    assert cli.main(["run", "--config", str(config)]) == 2
    assert "password_credential = smtp: must be a credential that systemd passes" in capsys.readouterr().err
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(config.parent))
    assert cli.main(["check", "--config", str(config)]) == 2


class TestControlGroup:
    """A mistake for who checks; for a daemon that has addresses to hold, no reason not to."""

    def test_one_that_there_is(self, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
        config.write_text(DAEMON + "control_group = root\n" + SECTION)
        assert cli.main(["check", "--config", str(config)]) == 0
        assert capsys.readouterr() == ("", "")

    def test_one_that_there_is_not(self, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
        config.write_text(DAEMON + "control_group = carpd-nobody-here\n" + SECTION)
        assert cli.main(["check", "--config", str(config)]) == 2
        place = f"{config}: [carpd] control_group = carpd-nobody-here"
        assert capsys.readouterr() == ("", f"{place}: must be the name of a group that exists on this host\n")

    def test_a_hook_user_that_there_is_not(self, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
        config.write_text(f"{DAEMON}{SECTION}hook_user = carpd-nobody-here\n")
        assert cli.main(["check", "--config", str(config)]) == 2
        place = f"{config}: [vip smtp] hook_user = carpd-nobody-here"
        assert capsys.readouterr() == ("", f"{place}: must be the name of a user that exists on this host\n")
        config.write_text(f"{DAEMON}{SECTION}hook_user = root\n")
        assert cli.main(["check", "--config", str(config)]) == 0

    @pytest.mark.parametrize("name", ["a b", "a:b", "x" * 33])
    def test_what_is_no_name(self, config: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
        config.write_text(f"{DAEMON}control_group = {name}\n{SECTION}")
        assert cli.main(["check", "--config", str(config)]) == 2
        assert "control_group" in capsys.readouterr().err

    @pytest.mark.parametrize("name", ["root", "carpd-nobody-here"])
    def test_it_runs_with_either(self, config: Path, socket_dir: Path, name: str) -> None:
        config.write_text(f"{DAEMON}control_group = {name}\n{SECTION}")
        process = Process(config, socket_dir)
        assert process.notice()[0] == "READY=1"
        if name != "root":
            process.wait_log("control_group = carpd-nobody-here: there is no such group, so only root may ask")
        assert stat.S_IMODE(os.stat(process.socket).st_mode) == 0o660
        assert request(process.socket, "status")
        process.send(signal.SIGTERM)
        assert process.wait() == 0
        process.kill()


@pytest.mark.parametrize("failure", [OSError(1, "Operation not permitted"), ControlError("taken")])
def test_run_fails(
    failure: Exception,
    config: Path,
    socket_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(*_arguments: Any) -> None:
        raise failure

    monkeypatch.setattr(daemon, "Daemon", refuse)
    assert cli.main(["run", "--config", str(config), "--runtime-dir", str(socket_dir)]) == 1
    assert caplog.messages == [f"carpd cannot go on: {failure}"]
