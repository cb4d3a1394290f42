# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How carpd begins and ends: in every state it ends cleanly, and a wrong configuration never starts it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator

import pytest
from lab import INTERFACE, Carpd, Lab, Vip, with_prefix

PASSWORD_20 = "twenty bytes of text"


@pytest.fixture
def daemon(lab: Lab, vip: str) -> Iterator[Carpd]:
    """A daemon alone on its segment, not started."""
    yield Carpd(lab, "a", [Vip("smtp", (vip,))])
    lab.clear()


def without_interface(daemon: Carpd) -> None:
    daemon.write([Vip("smtp", (daemon.lab.address(0),), interface="eth9")])
    daemon.start()
    assert "eth9" in daemon.wait_state("INIT")["reason"]


def as_backup(daemon: Carpd) -> None:
    """With so much patience that it does not become master meanwhile."""
    daemon.write([Vip("smtp", (daemon.lab.address(0),), options={"dead_ratio": 255})])
    daemon.start()
    daemon.wait_state("BACKUP")


def as_master(daemon: Carpd) -> None:
    daemon.start()
    daemon.lab.wait_owner(daemon.lab.address(0), "a")
    daemon.wait_state("MASTER")


def unplugged_as_master(daemon: Carpd) -> None:
    as_master(daemon)
    daemon.lab.cut("a")
    daemon.wait_state("INIT")


def stepped_down(daemon: Carpd) -> None:
    """In the midst of a handover to nobody."""
    as_master(daemon)
    sent = daemon.send(signal.SIGUSR2)
    daemon.lab.wait(lambda: any(advert.is_goodbye for advert in daemon.lab.capture.after(sent, "a")), "it says goodbye")


@pytest.mark.parametrize(
    ("reach", "number"),
    [
        (without_interface, signal.SIGTERM),
        (as_backup, signal.SIGTERM),
        (as_backup, signal.SIGINT),
        (as_master, signal.SIGTERM),
        (as_master, signal.SIGINT),
        (unplugged_as_master, signal.SIGTERM),
        (stepped_down, signal.SIGTERM),
    ],
)
def test_clean_end_in_every_state(
    lab: Lab, vip: str, daemon: Carpd, reach: Callable[[Carpd], None], number: signal.Signals
) -> None:
    reach(daemon)
    sent = daemon.send(number)
    assert daemon.process.wait() == 0
    assert with_prefix(vip) not in lab.hosts["a"].addresses(INTERFACE)
    assert lab.hosts["a"].pids() == []
    assert not daemon.socket.exists()
    assert "Traceback" not in daemon.process.output
    goodbyes = [advert for advert in lab.capture.after(sent, "a") if advert.is_goodbye]
    assert bool(goodbyes) == (reach in (as_master, stepped_down)), "who has something to hand over says so"


def test_second_term_does_not_wait_for_a_successor(lab: Lab, vip: str, daemon: Carpd) -> None:
    as_master(daemon)
    sent = daemon.send(signal.SIGTERM)
    lab.wait(lambda: lab.capture.after(sent, "a"), "the goodbye")
    daemon.send(signal.SIGTERM)
    assert daemon.process.wait() == 0
    assert daemon.process.ended is not None and daemon.process.ended - sent < 1
    assert with_prefix(vip) not in lab.hosts["a"].addresses(INTERFACE)


GOOD = {"interface": INTERFACE, "vhid": "1", "addresses": "10.77.0.100/24", "password": "secret"}
OTHER = {**GOOD, "vhid": "2", "addresses": "10.77.0.101/24"}


def config(**sections: dict[str, str]) -> str:
    """A config file of VIPs."""
    lines = []
    for name, options in sections.items():
        lines += [f"[vip {name}]", *(f"{key} = {value}" for key, value in options.items())]
    return "\n".join(lines) + "\n"


def lacking(key: str) -> dict[str, str]:
    return {name: value for name, value in GOOD.items() if name != key}


BROKEN = {
    "vhid too large": (config(smtp={**GOOD, "vhid": "300"}), ["[vip smtp] vhid = 300: must be a whole number from 1"]),
    "vhid 0": (config(smtp={**GOOD, "vhid": "0"}), ["[vip smtp] vhid = 0: must be a whole number from 1 to 255"]),
    "no password": (config(smtp=lacking("password")), ["[vip smtp]", "password", "missing"]),
    "empty password": (config(smtp={**GOOD, "password": ""}), ["[vip smtp] password"]),
    "long password": (config(smtp={**GOOD, "password": PASSWORD_20}), ["[vip smtp] password", "19 bytes"]),
    "no password file": (
        config(smtp={**lacking("password"), "password_file": "nowhere"}),
        ["[vip smtp] password_file = ", "nowhere"],
    ),
    "no addresses": (config(smtp=lacking("addresses")), ["[vip smtp]", "addresses"]),
    "no prefix length": (config(smtp={**GOOD, "addresses": "10.77.0.100"}), ["[vip smtp] addresses = 10.77.0.100"]),
    "unknown key": (config(smtp={**GOOD, "advskw": "1"}), ["[vip smtp]", "advskw", "advskew"]),
    "unknown section": (config(smtp=GOOD) + "[vpi web]\n", ["vpi web"]),
    "same vhid twice": (config(smtp=GOOD, web={**OTHER, "vhid": "1"}), ["vhid", "smtp", "web"]),
    "same address twice": (config(smtp=GOOD, web={**GOOD, "vhid": "2"}), ["10.77.0.100", "smtp", "web"]),
    "no INI": ("interface eth0\n", [""]),
    "no file": (None, [""]),
}


@pytest.mark.parametrize("verb", ["check", "run"])
@pytest.mark.parametrize("case", BROKEN)
def test_broken_config_is_refused(lab: Lab, daemon: Carpd, verb: str, case: str) -> None:
    text, words = BROKEN[case]
    if text is None:
        daemon.config.unlink()
    else:
        daemon.write_text(text)
    done = daemon.cli(verb)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1, "one error, one line"
    assert done.stderr.startswith(f"{daemon.config}: ")
    for word in words:
        assert word in done.stderr
    assert PASSWORD_20 not in done.stderr
    assert not daemon.socket.exists()


def test_every_mistake_is_told(daemon: Carpd) -> None:
    daemon.write_text(config(smtp={**GOOD, "vhid": "x", "advskew": "255"}, web={**OTHER, "advbase": "-1"}))
    done = daemon.cli("check")
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert len(lines) == 3
    for line, words in zip(lines, (("smtp", "vhid = x"), ("smtp", "advskew = 255"), ("web", "advbase = -1"))):
        assert all(word in line for word in words)


def test_good_config_is_silent(daemon: Carpd) -> None:
    done = daemon.cli("check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
