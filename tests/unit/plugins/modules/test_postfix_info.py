# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of a configuration is enough to compare it, and tells no secret."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import basic
from ansible_collections.failover.carp.plugins.module_utils.postfix import inspection
from ansible_collections.failover.carp.plugins.modules import postfix_info

MASTER = "smtp       inet  n - y - 100 smtpd\n    -o biff=yes\npickup unix n - y 60 1 pickup\n"


class Host:
    """A host with a Postfix that is configured."""

    def __init__(self, folder: Path, run: Any, fake: Any) -> None:
        self.folder = folder / "postfix"
        self.folder.mkdir()
        self.table = self.folder / "passwords"
        self.table.write_text("me s3cret\n", encoding="utf-8")
        (self.folder / "passwords.lmdb").write_text("index", encoding="utf-8")
        self.main = f"biff = no\nsmtp_sasl_password_maps = lmdb:{self.table}\n"
        (self.folder / "main.cf").write_text(self.main, encoding="utf-8")
        (self.folder / "master.cf").write_text(MASTER, encoding="utf-8")
        self.fake = fake
        fake.answers["postconf -n"] = (0, self.main, "")
        fake.answers["postconf -Mf"] = (0, MASTER, "")
        fake.answers["postmap -s"] = (0, "", "")
        fake.answers[f"postmap lmdb:{self.table}"] = (0, "me\ts3cret\nYP_LAST_MODIFIED\t1\n", "")
        fake.answers["dpkg-query"] = (0, "installed postfix 3.7\nnot-installed postfix-pcre \n", "")
        self._run = run

    def look(self, **arguments: Any) -> dict[str, Any]:
        result: dict[str, Any] = self._run(postfix_info.main, config_dir=str(self.folder), **arguments)
        return result


@pytest.fixture
def host(tmp_path: Path, run: Any, fake: Any, monkeypatch: pytest.MonkeyPatch) -> Host:
    def command(_self: object, words: list[str], data: str = "", **_rest: Any) -> tuple[int, str, str]:
        # Options of postconf come after the directory.
        if words[0] == "postconf" and f"postconf {words[3]}" in fake.answers and words[2] == str(tmp_path / "postfix"):
            fake.commands.append(words)
            answer: tuple[int, str, str] = fake.answers[f"postconf {words[3]}"]
            return answer
        if words[0] == "postconf":
            saved, fake.answers = fake.answers, {}
            try:
                found: tuple[int, str, str] = fake(words, data)
                return found
            finally:
                fake.answers = saved
        other: tuple[int, str, str] = fake(words, data)
        return other

    monkeypatch.setattr(basic.AnsibleModule, "run_command", command)
    (tmp_path / "run").mkdir()
    monkeypatch.setattr(postfix_info, "STAGES", str(tmp_path / "run"))
    return Host(tmp_path, run, fake)


def test_what_is_told(host: Host, tmp_path: Path) -> None:
    extra = tmp_path / "mailname"
    extra.write_text("a.test\n", encoding="utf-8")
    found = host.look(files=[str(extra), str(tmp_path / "none")])
    assert found["main"]["biff"] == "no"
    assert found["master"] == {"smtp/inet": "n - y - 100 smtpd -o biff=yes ", "pickup/unix": "n - y 60 1 pickup "}
    assert found["packages"] == {"postfix": "3.7"}
    assert found["files"] == {str(extra): inspection.digest(b"a.test\n"), str(tmp_path / "none"): "missing"}
    table = found["tables"][f"lmdb:{host.table}"]
    assert table == {"text": inspection.digest(b"me s3cret\n"), "index": inspection.digest(b"me\ts3cret")}
    assert found["certificate"] == {}
    assert found["problems"] == []
    assert "s3cret" not in str(found)
    assert not found["changed"]
    assert list((tmp_path / "run").iterdir()) == []


def test_what_would_keep_it_from_starting(host: Host) -> None:
    host.fake.answers["sendmail"] = (1, "", "sendmail: fatal: no way\n")
    assert host.look()["problems"] == ["smtpd does not start: no way"]
    (host.folder / "master.cf").write_text("foo bar\n", encoding="utf-8")
    assert host.look()["problems"] == ["master.cf: foo bar: a service has eight columns"]


def test_a_certificate_that_is_none(host: Host, tmp_path: Path) -> None:
    (tmp_path / "pem").write_text("no certificate", encoding="utf-8")
    host.fake.answers["postconf -n"] = (0, f"smtpd_tls_chain_files = {tmp_path}/pem\n", "")
    found = host.look()
    assert found["certificate"]["fault"] == "there is no certificate or no key in the text"
    assert str(tmp_path / "pem") in found["files"]


def test_a_configuration_that_cannot_be_read(host: Host) -> None:
    host.fake.answers["postconf -n"] = (1, "", "postconf: fatal: open main.cf")
    assert host.look()["msg"] == "postconf: fatal: open main.cf"


def test_what_was_not_read_yet(tmp_path: Path, fake: Any) -> None:
    proc = tmp_path / "proc"
    (proc / "7").mkdir(parents=True)
    boot = int(time.time()) - 1000
    (proc / "stat").write_text(f"cpu 1\nbtime {boot}\n", encoding="ascii")
    inspector = inspection.Inspector(str(tmp_path), fake)
    (tmp_path / "main.cf").write_text("", encoding="utf-8")
    assert inspector.unread({}, [], str(proc)) == []
    assert not inspector.is_running(str(proc))
    ticks = 500 * os.sysconf("SC_CLK_TCK")
    fields = " ".join(["S", *["0"] * 18, str(ticks), "0"])
    (proc / "7" / "stat").write_text(f"7 (qmgr) {fields}\n", encoding="ascii")
    assert inspector.is_running(str(proc))
    assert inspector.unread({}, [], str(proc)) == [str(tmp_path / "main.cf")]
    os.utime(tmp_path / "main.cf", (boot, boot))
    plain = tmp_path / "checks"
    plain.write_text("x", encoding="utf-8")
    assert inspector.unread({}, [f"regexp:{plain}", f"lmdb:{plain}", "cidr:/none"], str(proc)) == [str(plain)]
