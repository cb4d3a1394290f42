# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stage: a copy, tried out by Postfix's programs, which change and see nothing that is live."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.module_utils.postfix import files, staging

MASTER = "smtp inet n - y - - smtpd\n"


class Trial:
    """A live configuration and what is to replace it."""

    def __init__(self, folder: Path, fake: Any) -> None:
        self.live = folder / "etc" / "postfix"
        self.live.mkdir(parents=True)
        self.aliases = folder / "etc" / "aliases"
        self.root = folder / "stage"
        self.root.mkdir()
        self.fake = fake
        (self.live / "main.cf").write_text("old = 1\n", encoding="utf-8")
        self.stage = staging.Stage(str(self.root), str(self.live), str(self.aliases), fake)

    def wanted(self, **changed: Any) -> files.Wanted:
        arguments: dict[str, Any] = {
            "config_dir": str(self.live),
            "settings": {},
            "packaged": MASTER,
            "services": [],
            "process_limit": None,
            "maps": [],
            "aliases": None,
            "aliases_path": str(self.aliases),
            "map_type": "lmdb",
        }
        made, problems = files.wanted(**{**arguments, **changed})
        assert problems == []
        return made

    def problems(self, **changed: Any) -> list[str]:
        made = self.wanted(**changed)
        assert self.stage.fill(made, []) == []
        return self.stage.problems(made)

    def staged(self, name: str) -> str:
        return (self.root / "postfix" / name).read_text(encoding="utf-8")

    def live_files(self) -> dict[str, str]:
        return {path.name: path.read_text(encoding="utf-8") for path in self.live.parent.rglob("*") if path.is_file()}


@pytest.fixture
def trial(tmp_path: Path, fake: Any) -> Trial:
    return Trial(tmp_path, fake)


def test_all_is_well_and_nothing_live_was_touched(trial: Trial) -> None:
    before = trial.live_files()
    assert trial.problems(settings={"biff": False}, maps=[{"name": "t", "entries": {"a": "b"}}], aliases={}) == []
    assert trial.live_files() == before
    live = [command for command in trial.fake.commands if any(str(trial.live) in word for word in command)]
    assert live == []


def test_paths_lead_into_the_stage(trial: Trial) -> None:
    main = {
        "transport_maps": f"lmdb:{trial.live}/transport, cidr:{trial.live}-2/x",
        "alias_maps": f"lmdb:{trial.aliases}",
        "other": f"/srv{trial.live}/x {trial.aliases}.d",
    }
    made = trial.wanted(
        settings=main, services=[{"name": "smtp", "type": "inet", "options": {"a": f"lmdb:{trial.live}/b"}}]
    )
    assert trial.stage.fill(made, []) == []
    text = trial.staged("main.cf")
    assert f"transport_maps = lmdb:{trial.root}/postfix/transport, cidr:{trial.live}-2/x\n" in text
    assert f"alias_maps = lmdb:{trial.root}/aliases\n" in text
    assert f"other = /srv{trial.live}/x {trial.aliases}.d\n" in text
    assert f"-o a=lmdb:{trial.root}/postfix/b\n" in trial.staged("master.cf")
    assert trial.stage.path(f"{trial.aliases}.lmdb") == f"{trial.root}/aliases.lmdb"
    with pytest.raises(ValueError, match="not part of the configuration"):
        trial.stage.path("/etc/passwd")


def test_nothing_needs_a_postfix_that_runs(trial: Trial) -> None:
    trial.stage.fill(trial.wanted(settings={"virtual_mailbox_maps": "proxy:lmdb:/x"}), [])
    assert "local_recipient_maps = unix:passwd.byname $alias_maps\n" in trial.staged("main.cf")
    assert "virtual_mailbox_maps = lmdb:/x\n" in trial.staged("main.cf")


def test_indexes_are_built_where_they_are_needed(trial: Trial) -> None:
    table = [{"name": "t", "entries": {"a": "b"}}]
    text = trial.wanted(maps=table).files[0].text
    (trial.live / "t").write_text(text, encoding="utf-8")
    index = trial.live / "t.lmdb"
    index.write_text("current", encoding="utf-8")
    for path in (trial.live / "t", index):
        path.chmod(0o666)
    trial.stage.fill(trial.wanted(maps=table), [])
    assert trial.fake.ran("postmap") == []
    assert trial.staged("t.lmdb") == "current"
    assert {path.stat().st_mode & 0o777 for path in (trial.root / "postfix").iterdir()} == {0o644}


@pytest.mark.parametrize("state", ["older", "missing", "source differs"])
def test_indexes_are_built_anew(trial: Trial, state: str) -> None:
    table = [{"name": "t", "entries": {"a": "b"}}]
    text = trial.wanted(maps=table).files[0].text
    (trial.live / "t").write_text("x  y\n" if state == "source differs" else text, encoding="utf-8")
    if state != "missing":
        (trial.live / "t.lmdb").write_text("stale", encoding="utf-8")
    if state == "older":
        os.utime(trial.live / "t.lmdb", (1, 1))
    trial.stage.fill(trial.wanted(maps=table), [])
    assert trial.staged("t.lmdb") == "index of " + text


def test_a_table_that_cannot_be_indexed(trial: Trial) -> None:
    path = f"{trial.root}/postfix/t"
    trial.fake.answers["postmap"] = (
        0,
        "",
        f"postmap: warning: {path}, line 2: expected format: key whitespace value\n",
    )
    problems = trial.stage.fill(trial.wanted(maps=[{"name": "t", "content": "key"}]), [])
    assert problems == [f"{trial.live}/t: {trial.live}/t, line 2: expected format: key whitespace value"]


def test_a_parameter_that_does_not_exist(trial: Trial) -> None:
    line = f"/usr/sbin/postconf: warning: {trial.root}/postfix/main.cf: unused parameter: smtpd_banne=x y\n"
    trial.fake.answers["postconf -n"] = (0, "", line * 3)
    assert trial.problems() == [
        "main.cf: smtpd_banne = x y: Postfix has no such parameter, and no other setting uses it; "
        "the nearest is smtpd_banner"
    ]


def test_an_option_that_does_not_exist(trial: Trial) -> None:
    line = f"postconf: warning: {trial.root}/postfix/master.cf: unused parameter: zzz=1\n"
    trial.fake.answers["postconf -n"] = (0, "", line)
    assert trial.problems() == ["master.cf: zzz = 1: Postfix has no such parameter, and no other setting uses it"]


def test_a_program_that_does_not_exist(trial: Trial) -> None:
    services = [{"name": "2525", "type": "inet", "command": "smptd"}]
    assert trial.problems(services=services) == [
        f"master.cf: 2525/inet: smptd: no such program in {trial.root.parent}/sbin; the nearest is smtpd"
    ]


def test_a_parameter_that_will_go_is_no_mistake(trial: Trial) -> None:
    line = f'postconf: warning: {trial.root}/postfix/main.cf: support for parameter "a" will be removed; use "b"\n'
    trial.fake.answers["postconf -n"] = (0, "", line)
    assert trial.problems() == []
    assert trial.stage.warnings == [f'{trial.live}/main.cf: support for parameter "a" will be removed; use "b"']


def test_a_master_cf_that_is_none(trial: Trial) -> None:
    line = f"postconf: fatal: file {trial.root}/postfix/master.cf: line 3: bad field count\n"
    trial.fake.answers["postconf -M"] = (1, "", line)
    assert trial.problems() == [f"file {trial.live}/master.cf: line 3: bad field count"]


def test_values_are_checked_in_both_files(trial: Trial) -> None:
    services = [{"name": "smtp", "type": "inet", "options": {"smtpd_helo_required": "maybe"}}]
    assert trial.problems(settings={"message_size_limit": "5x"}, services=services) == [
        "main.cf: message_size_limit = 5x: must be a whole number",
        "master.cf: smtp/inet: smtpd_helo_required = maybe: must be yes or no",
    ]


@pytest.mark.parametrize(
    ("status", "output", "problems"),
    [
        (1, "postfix: fatal: bad boolean configuration: x = y\r\n", ["bad boolean configuration: x = y"]),
        (1, "", ["postfix check ended with status 1"]),
        (0, "postfix/postfix-script: warning: /var/spool/postfix/etc/hosts and /etc/hosts differ\r\n", []),
        (0, "postfix/postfix-script: warning: not owned by root: {stage}/./x\r\n", ["not owned by root: {live}/./x"]),
    ],
)
def test_postfix_check(trial: Trial, status: int, output: str, problems: list[str]) -> None:
    names = {"stage": f"{trial.root}/postfix", "live": str(trial.live)}
    trial.fake.answers["script"] = (status, output.format(**names), "")
    assert trial.problems() == [problem.format(**names) for problem in problems]


def test_postfix_check_makes_no_queue_but_its_own(trial: Trial) -> None:
    assert trial.problems(settings={"biff": False}) == []
    commands = [list(command) for command in trial.fake.commands]
    check = next(index for index, command in enumerate(commands) if "script" in command)
    moved = ["postconf", "-c", f"{trial.root}/postfix", "-e", f"queue_directory={trial.root}/queue"]
    assert commands[check - 1] == moved
    # What comes after it needs the live one.
    assert "queue_directory" not in trial.staged("main.cf")


def test_tables_that_nobody_manages(trial: Trial, tmp_path: Path) -> None:
    for name in ("current", "older", "unmapped", "plain"):
        (tmp_path / name).write_text("a b\n", encoding="utf-8")
    for name in ("current", "older"):
        (tmp_path / f"{name}.lmdb").write_text("index", encoding="utf-8")
    os.utime(tmp_path / "older.lmdb", (1, 1))
    names = ("current", "older", "unmapped", "missing")
    main = {f"{name}_maps": f"lmdb:{tmp_path}/{name}" for name in names}
    main.update(
        plain_checks=f"regexp:{tmp_path}/plain", no_checks=f"regexp:{tmp_path}/none", x_maps=f"lmbd:{trial.live}/x"
    )
    assert trial.problems(settings=main) == [
        f"x_maps: lmbd:{trial.live}/x: no such table type; this Postfix has cidr, hash, lmdb, regexp",
        f"missing_maps: lmdb:{tmp_path}/missing: no such file",
        f"no_checks: regexp:{tmp_path}/none: no such file",
        f"older_maps: lmdb:{tmp_path}/older: the index is older than the file; run postmap",
        f"unmapped_maps: lmdb:{tmp_path}/unmapped: no such file (run postmap)",
    ]


def test_a_table_that_postfix_cannot_read(trial: Trial) -> None:
    (trial.live / "checks").write_text("/(/ x\n", encoding="utf-8")
    path = f"regexp:{trial.root}/postfix/checks"
    trial.fake.answers[f"postmap {path}"] = (1, "", "postmap: warning: regexp map x, line 1: Unmatched (\n")
    assert trial.problems(settings={"header_checks": f"regexp:{trial.live}/checks"}) == [
        f"header_checks: regexp:{trial.live}/checks: regexp map x, line 1: Unmatched ("
    ]


def test_a_server_that_dies_with_a_word(trial: Trial) -> None:
    trial.fake.answers["sendmail"] = (75, "", "sendmail: warning: w\nsendmail: fatal: no local interface found\n")
    assert trial.problems() == ["smtpd does not start: no local interface found"]


def test_a_server_that_leaves_its_last_words_in_the_log(trial: Trial) -> None:
    trial.fake.answers["sendmail"] = (1, "", "")
    trial.fake.answers["journalctl"] = (0, "connect from x\nwarning: w\nfatal: Invalid TLS level\n", "")
    assert trial.problems() == ["smtpd does not start: fatal: Invalid TLS level"]
    trial.fake.answers["journalctl"] = (1, "", "no journal")
    assert trial.stage.problems(trial.wanted()) == ["smtpd does not start: the mail log has the reason"]


def test_a_server_that_greets_and_then_dies(trial: Trial) -> None:
    trial.fake.answers["sendmail"] = (1, "220 mail ESMTP\r\n421 4.3.0 no\r\n", "")
    assert trial.problems() == ["smtpd does not start: the mail log has the reason"]


def test_tables_that_are_to_go_are_not_staged(trial: Trial) -> None:
    (trial.live / "old").write_text("x", encoding="utf-8")
    trial.stage.fill(trial.wanted(), [str(trial.live / "old")])
    assert not (trial.root / "postfix" / "old").exists()
    assert (trial.live / "old").exists()


def test_values_that_count_at_the_start(trial: Trial) -> None:
    trial.stage.fill(trial.wanted(settings={"inet_protocols": "ipv4"}), [])
    assert trial.stage.at_start() == {
        "inet_interfaces": "all",
        "inet_protocols": "ipv4",
        "default_process_limit": "100",
    }
    trial.fake.answers["postconf"] = (1, "", "fatal")
    assert staging.at_start(str(trial.live), trial.fake) == {}
