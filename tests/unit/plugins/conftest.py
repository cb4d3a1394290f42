# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for Postfix and systemd: answers the commands that are run, from the files that they name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

DEFAULTS = """\
alias_maps =
compatibility_level = 0
default_process_limit = 100
inet_interfaces = all
inet_protocols = all
local_recipient_maps = proxy:unix:passwd.byname $alias_maps
maximal_queue_lifetime = 5d
message_size_limit = 10240000
relayhost =
smtpd_banner = $myhostname ESMTP $mail_name
smtpd_helo_required = no
smtpd_relay_restrictions = permit_mynetworks, defer_unauth_destination
smtpd_tls_security_level =
"""
ENDINGS = {"lmdb": ".lmdb", "hash": ".db"}
GREETING = "220 mail.example.com ESMTP\r\n250-mail.example.com\r\n250 SIZE\r\n221 Bye\r\n"
SILENCE = (0, "", "")


class FakePostfix:
    """What each program says can be set; all of them are content at first."""

    def __init__(self, programs: Path) -> None:
        programs.mkdir()
        for name in ("pickup", "smtpd"):
            (programs / name).touch()
        self.defaults = f"{DEFAULTS}daemon_directory = {programs}\n"
        self.commands: list[list[str]] = []
        self.answers: dict[str, tuple[int, str, str]] = {"sendmail": (0, GREETING, ""), "systemctl": SILENCE}
        self.missing: set[str] = set()
        self.types = "cidr hash lmdb regexp"
        self.addresses = ["127.0.0.1"]

    def __call__(self, command: Sequence[str], text: str = "") -> tuple[int, str, str]:
        """Answer a command as Ansible's run_command does."""
        self.commands.append(list(command))
        program, *arguments = command[2:] if command[0] == "timeout" else command
        if program in self.missing:
            raise FileNotFoundError(2, "No such file or directory", program)
        for name in (" ".join([program, *arguments[-1:]]), " ".join([program, *arguments[:1]]), program):
            if name in self.answers:
                return self.answers[name]
        return getattr(self, f"_{program}", lambda _arguments: SILENCE)(arguments)

    def ran(self, program: str) -> list[list[str]]:
        """Return the commands that were run with a program."""
        return [command for command in self.commands if program in (command[0], *command[2:3])]

    def _postconf(self, arguments: list[str]) -> tuple[int, str, str]:
        _c, directory, option, *names = arguments
        settings = (Path(directory) / "main.cf").read_text(encoding="utf-8", errors="replace")
        if any("=" not in line for line in settings.splitlines() if not line.startswith("#")):
            return 1, "", "postconf: fatal: missing '=' after attribute name\n"
        if option == "-d":
            return 0, self.defaults, ""
        if option == "-m":
            return 0, self.types, ""
        if option == "-nx":
            return 0, settings, ""
        if option == "-x":
            known = dict(line.split(" =", 1) for line in (self.defaults + settings).splitlines() if " =" in line)
            return 0, "".join(f"{name} ={known[name]}\n" for name in names or known), ""
        return SILENCE

    def _postmap(self, arguments: list[str]) -> tuple[int, str, str]:
        if "-q" in arguments:
            return 1, "", ""
        kind, path = arguments[-1].split(":", 1)
        source = Path(path)
        Path(path + ENDINGS[kind]).write_text("index of " + source.read_text(encoding="utf-8"), encoding="utf-8")
        return SILENCE

    _postalias = _postmap

    def _ip(self, _arguments: list[str]) -> tuple[int, str, str]:
        return 0, json.dumps([{"addr_info": [{"local": address} for address in self.addresses]}]), ""


@pytest.fixture
def fake(tmp_path: Path) -> FakePostfix:
    """Return a Postfix that is content with everything."""
    return FakePostfix(tmp_path / "sbin")
