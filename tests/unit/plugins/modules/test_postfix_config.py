# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A configuration goes live whole and checked, or not at all; Postfix is told what it needs to know and no more."""

from __future__ import annotations

import os
import pwd
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils import basic
from ansible_collections.failover.carp.plugins.modules import postfix_config

PACKAGED = "smtp inet n - y - - smtpd\npickup unix n - y 60 1 pickup\n"
MAIN: dict[str, Any] = {"biff": False, "default_process_limit": 1000}
TABLE: dict[str, Any] = {"name": "transport", "entries": {"a.test": "smtp:[a]"}}


class Host:
    """A host with a packaged, running Postfix that the module has not seen yet."""

    def __init__(self, folder: Path, run: Any, fake: Any) -> None:
        self.folder = folder / "etc" / "postfix"
        self.folder.mkdir(parents=True)
        self.aliases = folder / "etc" / "aliases"
        self.packaged = folder / "master.cf.dist"
        self.packaged.write_text(PACKAGED, encoding="utf-8")
        for name, text in (("main.cf", "biff = yes\ndefault_process_limit = 1000\n"), ("master.cf", PACKAGED)):
            (self.folder / name).write_text(text, encoding="utf-8")
            (self.folder / name).chmod(0o644)
        self._run = run
        self.fake = fake
        self.warnings: list[str] = []

    def configure(self, **arguments: Any) -> dict[str, Any]:
        own: dict[str, Any] = {
            "settings": MAIN,
            "unit": "postfix.service",
            "vip_addresses": ["172.17.0.74"],
            "config_dir": str(self.folder),
            "aliases_path": str(self.aliases),
            "packaged_master": str(self.packaged),
        }
        self.fake.commands.clear()
        result = self._run(postfix_config.main, **{**own, **arguments})
        assert list((self.folder.parents[1] / "run").iterdir()) == []
        return result

    def files(self) -> dict[str, str]:
        return {path.name: path.read_text(encoding="utf-8") for path in self.folder.parent.rglob("*") if path.is_file()}

    def told(self) -> list[list[str]]:
        return [command[1:] for command in self.fake.ran("systemctl") if command[1] != "is-active"]


@pytest.fixture
def host(tmp_path: Path, run: Any, fake: Any, monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setattr(
        basic.AnsibleModule, "run_command", lambda _self, command, data="", **_rest: fake(command, data)
    )
    (tmp_path / "run").mkdir()
    monkeypatch.setattr(postfix_config, "STAGES", str(tmp_path / "run"))
    host = Host(tmp_path, run, fake)
    monkeypatch.setattr(basic.AnsibleModule, "warn", lambda _self, text: host.warnings.append(text))
    return host


def test_the_first_run(host: Host) -> None:
    result = host.configure(maps=[TABLE], aliases={"root": "admin"})
    assert result["changed"]
    assert result["checked"]
    assert result["action"] == "reload"
    assert [Path(path).name for path in result["files"]] == [
        "transport",
        "transport.lmdb",
        "aliases",
        "aliases.lmdb",
        "master.cf",
        "main.cf",
    ]
    assert host.files()["main.cf"].endswith("biff = no\ndefault_process_limit = 1000\n")
    assert host.files()["transport.lmdb"].startswith("index of")
    assert host.told() == [["reload", "postfix.service"]]
    assert "-biff = yes" not in str(result["diff"])
    assert result["diff"][-1]["before"] == "biff = yes\ndefault_process_limit = 1000\n"


def test_the_second_run(host: Host) -> None:
    wanted: dict[str, Any] = {"maps": [TABLE], "aliases": {}, "services": [{"name": "smtp", "maxproc": 5}]}
    host.configure(**wanted)
    before = host.files()
    result = host.configure(**wanted)
    assert not result["changed"]
    assert (result["action"], result["files"], result["diff"]) == ("none", [], [])
    assert host.told() == []
    assert host.files() == before


def test_check_mode_tells_the_truth_and_changes_nothing(host: Host) -> None:
    before = host.files()
    result = host.configure(check=True, maps=[TABLE])
    assert result["changed"]
    assert result["checked"]
    assert host.files() == before
    assert host.told() == []
    done = host.configure(maps=[TABLE])
    assert (result["action"], result["files"], result["diff"]) == (done["action"], done["files"], done["diff"])


def test_an_entry_alone_is_no_reason_for_a_reload(host: Host) -> None:
    host.configure(maps=[TABLE])
    result = host.configure(maps=[{**TABLE, "entries": {"b.test": "smtp:[b]"}}])
    assert result["action"] == "postmap"
    assert host.told() == []
    assert host.files()["transport.lmdb"].endswith("b.test  smtp:[b]\n")


def test_aliases_that_are_somebody_elses(host: Host) -> None:
    host.aliases.write_text("root: admin\n", encoding="utf-8")
    Path(f"{host.aliases}.db").write_text("index", encoding="utf-8")
    result = host.configure(settings={**MAIN, "alias_maps": f"hash:{host.aliases}"})
    assert "failed" not in result
    assert host.files()["aliases"] == "root: admin\n"
    assert host.fake.ran("postalias") == []


def test_a_table_that_goes(host: Host) -> None:
    host.configure(maps=[TABLE])
    result = host.configure()
    assert result["changed"]
    assert set(host.files()) == {"main.cf", "master.cf"}


@pytest.mark.parametrize("check", [False, True])
def test_mistakes_in_the_arguments(host: Host, check: bool) -> None:
    before = host.files()
    result = host.configure(check=check, settings={"a": 1.5}, maps=[{"name": "a.b", "content": ""}])
    assert result["failed"]
    assert result["msg"].splitlines() == [
        "Postfix would not work with this configuration, and nothing was changed:",
        "  main.cf: a = 1.5: must be text, a whole number, true, false, or a list of these "
        "(quote a number that has a point)",
        "  map a.b: the name has letters, digits, _ and - only, and is not one of post-install, postfix-files, "
        "postfix-script, postfix-tls-script, postfix-wrapper, sasl, tls_chain",
    ]
    assert host.files() == before


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("program", ["postconf -n", "postconf -M", "postmap", "script", "sendmail"])
def test_what_postfix_refuses_does_not_go_live(host: Host, program: str, check: bool) -> None:
    before = host.files()
    host.fake.answers[program] = (1, "", f"{program.split()[0]}: fatal: no good\n")
    result = host.configure(check=check, maps=[TABLE])
    assert result["failed"]
    assert "nothing was changed" in result["msg"]
    assert host.files() == before
    assert host.told() == []


def test_what_postfix_announces_is_passed_on(host: Host) -> None:
    line = 'postconf: warning: main.cf: support for parameter "biff" will be removed\n'
    host.fake.answers["postconf -n"] = (0, "", line)
    assert host.configure()["changed"]
    assert host.warnings == ['main.cf: support for parameter "biff" will be removed']


def test_without_the_check(host: Host) -> None:
    host.fake.answers["sendmail"] = (1, "", "")
    result = host.configure(validate=False)
    assert result["changed"]
    assert not result["checked"]
    assert host.fake.ran("sendmail") == []


def test_a_restart(host: Host) -> None:
    result = host.configure(settings={**MAIN, "default_process_limit": 500})
    assert (result["action"], result["restart_for"]) == ("restart", ["default_process_limit"])
    assert host.told() == [["restart", "postfix.service"]]


@pytest.mark.parametrize("check", [False, True])
def test_no_restart_while_the_host_holds_the_address(host: Host, check: bool) -> None:
    host.fake.addresses = ["172.17.0.75", "172.17.0.74"]
    before = host.files()
    result = host.configure(check=check, settings={**MAIN, "default_process_limit": 500})
    assert result["failed"]
    assert "this host holds 172.17.0.74. Nothing was changed." in result["msg"]
    assert host.files() == before
    assert host.told() == []


def test_what_does_not_run_needs_no_restart(host: Host) -> None:
    host.fake.addresses = ["172.17.0.74"]
    host.fake.answers["systemctl is-active"] = (3, "", "")
    result = host.configure(settings={**MAIN, "default_process_limit": 500}, maps=[TABLE])
    assert (result["changed"], result["action"]) == (True, "postmap")
    assert host.told() == []


def test_without_a_unit_nobody_is_told(host: Host) -> None:
    result = host.configure(unit=None)
    assert (result["changed"], result["action"]) == (True, "none")
    assert host.fake.ran("systemctl") == []


def test_a_postfix_that_does_not_follow_gets_its_old_files_back(host: Host) -> None:
    before = host.files()
    host.fake.answers["systemctl reload"] = (1, "", "Job failed.")
    result = host.configure(maps=[TABLE])
    assert result["failed"]
    assert result["msg"] == "postfix.service did not reload, and the old configuration was put back: Job failed."
    assert host.files() == before


def test_live_files_that_are_broken_do_not_matter(host: Host) -> None:
    for name in ("main.cf", "master.cf"):
        (host.folder / name).write_bytes(b"\xff garbage")
    result = host.configure()
    assert (result["changed"], result["action"]) == (True, "reload")
    assert host.files()["main.cf"].endswith("biff = no\ndefault_process_limit = 1000\n")


def test_a_host_without_postfix(host: Host) -> None:
    host.packaged.unlink()
    for path in host.folder.iterdir():
        path.unlink()
    result = host.configure(check=True, maps=[TABLE], services=[{"name": "smtp"}])
    assert (result["changed"], result["checked"]) == (True, False)
    assert host.warnings == [
        f"The configuration could not be checked. Postfix is not installed: there is no {host.packaged}"
    ]
    assert [Path(path).name for path in result["files"]] == ["transport", "transport.lmdb", "main.cf"]
    assert host.fake.commands == []
    assert host.configure()["msg"].startswith("Postfix is not installed")


def test_a_host_without_a_type_of_table(host: Host) -> None:
    host.fake.types = "hash"
    result = host.configure(check=True, maps=[TABLE])
    assert (result["changed"], result["checked"]) == (True, False)
    result = host.configure(maps=[TABLE])
    assert result["msg"] == "Postfix has no tables of type lmdb: install postfix-lmdb"


def test_a_program_that_is_missing_is_named(host: Host) -> None:
    host.fake.missing = {"ip"}
    result = host.configure(settings={**MAIN, "default_process_limit": 500})
    assert result["msg"] == "cannot tell which addresses this host has: there is no program ip"
    host.fake.answers["sendmail"] = (1, "", "")
    host.fake.missing = {"journalctl"}
    assert host.configure()["msg"].endswith("smtpd does not start: the mail log has the reason")


def test_a_package_that_is_broken(host: Host) -> None:
    host.fake.answers["postconf -d"] = (127, "", "postconf: cannot load library")
    assert host.configure()["msg"] == "Postfix does not tell its defaults: postconf: cannot load library"
    host.packaged.write_text("foo bar\n", encoding="utf-8")
    assert host.configure()["msg"] == "master.cf: foo bar: a service has eight columns"


def test_the_role_takes_what_the_module_takes() -> None:
    path = Path(__file__).parents[4] / "roles" / "postfix" / "meta" / "argument_specs.yml"
    role = yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
    module = yaml.safe_load(postfix_config.DOCUMENTATION)["options"]
    for variable, option in (
        ("postfix_master_services", "services"),
        ("postfix_restart_policy", "restart_policy"),
    ):
        assert shape(role[variable]) == shape(module[option]), variable
    assert shape(role["postfix_maps"]) == {**shape(module["maps"]), "secret": role_only("secret", role)}
    assert role["postfix_map_type"]["choices"] == module["map_type"]["choices"]


def role_only(part: str, role: dict[str, Any]) -> dict[str, Any]:
    return shape(role["postfix_maps"]["options"][part])


def shape(option: dict[str, Any]) -> dict[str, Any]:
    parts = option.get("suboptions", option.get("options", {}))
    what = {key: option.get(key) for key in ("type", "elements", "choices", "default", "required")}
    return {**what, **{name: shape(part) for name, part in parts.items()}}


def test_a_secret_is_nowhere_to_be_seen(host: Host) -> None:
    secret: dict[str, Any] = {"name": "passwords", "entries": {"[a.test]:587": "me:s3cret-word"}}
    key = "-----BEGIN PRIVATE KEY-----\nS3CRETKEY\n-----END PRIVATE KEY-----"
    first = host.configure(secret_maps=[secret], tls_content=key)
    assert first["changed"], first
    for name in ("passwords", "passwords.lmdb", "tls_chain"):
        assert (host.folder / name).stat().st_mode & 0o777 == 0o600, name
    assert host.files()["tls_chain"].endswith(f"{key}\n")
    changed = host.configure(
        secret_maps=[{**secret, "entries": {"[a.test]:587": "me:0ther-word"}}], tls_content=key.replace("S3", "T4")
    )
    gone = host.configure()
    assert set(host.files()) == {"main.cf", "master.cf"}
    for result in (first, changed, gone):
        assert not {"s3cret-word", "0ther-word", "S3CRETKEY", "T4CRETKEY"} & set(re.split(r"[\s:'\\n]+", str(result)))
        assert "the content, which is a secret" in str(result["diff"])
    assert not any("s3cret" in word for command in host.fake.commands for word in command)


def test_modes_and_owners(host: Host) -> None:
    own = pwd.getpwuid(os.geteuid()).pw_name
    table: dict[str, Any] = {**TABLE, "mode": "0640", "owner": own}
    assert host.configure(maps=[table])["changed"]
    assert (host.folder / "transport").stat().st_mode & 0o777 == 0o640
    assert not host.configure(maps=[table])["changed"]
    assert host.configure(maps=[{**table, "owner": "nobody we know"}])["msg"] == "there is no user nobody we know"
    assert "three octal digits" in host.configure(maps=[{**table, "mode": "rw"}])["msg"]


def test_a_certificate_that_clients_would_refuse(host: Host) -> None:
    before = host.files()
    arguments: dict[str, Any] = {"tls_content": "-----BEGIN", "tls_names": ["mail.a.test"]}
    assert "there is no certificate or no key" in host.configure(**arguments)["msg"]
    assert "none: No such file" in host.configure(tls_files=["/none"], tls_names=["mail.a.test"])["msg"]
    assert host.files() == before


def test_a_misspelt_restriction(host: Host) -> None:
    before = host.files()
    settings = {**MAIN, "smtpd_client_restrictions": ["permit_mynetwoks", "reject"]}
    assert host.configure(settings=settings)["msg"].splitlines()[1] == (
        "  main.cf: smtpd_client_restrictions: permit_mynetwoks: there is no such restriction; the nearest is "
        "permit_mynetworks"
    )
    assert host.files() == before
