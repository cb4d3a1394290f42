# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual IPs are written as the daemon wants them, or not at all; passwords are written and never shown."""

from __future__ import annotations

import grp
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd.config import load
from ansible_collections.failover.carp.plugins.module_utils.carpd.options import VIP_OPTIONS
from ansible_collections.failover.carp.plugins.modules import vip

SECRET = "Tr0ub4dor-and-3"
SMTP: dict[str, Any] = {
    "name": "smtp",
    "interface": "eth1",
    "vhid": 1,
    "addresses": ["172.17.0.74/20"],
    "password": SECRET,
    "advskew": 20,
}
HTTP: dict[str, Any] = {**SMTP, "name": "http", "vhid": 2, "addresses": ["172.17.0.73/20"]}
SMTP_TEXT = """\
[vip smtp]
interface = eth1
vhid = 1
addresses = 172.17.0.74/20
password_file = {folder}/secrets/smtp
advskew = 20
"""


class Place:
    """Where a test configures, and how."""

    def __init__(self, folder: Path, run: Any) -> None:
        self.folder = folder
        self._run = run

    def vip(self, *vips: dict[str, Any], **arguments: Any) -> dict[str, Any]:
        own: dict[str, Any] = {"config_dir": str(self.folder), "group": grp.getgrgid(os.getegid()).gr_name}
        return self._run(vip.main, vips=list(vips), **{**own, **arguments})

    def files(self) -> dict[str, tuple[int, str]]:
        found = [path for path in self.folder.rglob("*") if path.is_file()]
        return {
            str(path.relative_to(self.folder)): (stat.S_IMODE(path.stat().st_mode), path.read_text()) for path in found
        }

    def loads(self) -> list[str]:
        main = self.folder / "carpd.conf"
        main.write_text("[carpd]\ninclude = vips.d/*.conf\n")
        names = [found.name for found in load(str(main)).vips]
        main.unlink()
        return names


@pytest.fixture
def place(tmp_path: Path, run: Any) -> Place:
    return Place(tmp_path / "etc" / "carpd", run)


def test_the_options_are_those_of_the_daemon(place: Place) -> None:
    known = place.vip({"name": "smtp", "nonsense": 1})["msg"].partition("Supported parameters include: ")[2]
    assert {name.strip(" .") for name in known.split(",")} == {"name", *VIP_OPTIONS}


def test_a_virtual_ip_is_written(place: Place) -> None:
    result = place.vip(SMTP)
    assert result["changed"]
    assert result["written"] == ["smtp"]
    assert result["removed"] == []
    assert place.files() == {
        "vips.d/smtp.conf": (0o640, SMTP_TEXT.format(folder=place.folder)),
        "secrets/smtp": (0o640, SECRET + "\n"),
    }
    for folder in (place.folder, place.folder / "vips.d", place.folder / "secrets"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o750


def test_the_daemon_reads_it_back(place: Place) -> None:
    options = {"advbase": 2, "preempt": False, "dead_ratio": 4, "source": "172.17.0.75"}
    place.vip({**SMTP, **options, "addresses": ["172.17.0.74/20", "172.17.0.73/32"]})
    found = load(str(place.folder / "vips.d" / "smtp.conf")).vips[0]
    assert (found.name, found.interface, found.vhid, found.advskew) == ("smtp", "eth1", 1, 20)
    assert [str(address) for address in found.addresses] == ["172.17.0.74/20", "172.17.0.73/32"]
    assert (found.advbase, found.preempt, found.dead_ratio, str(found.source)) == (2, False, 4, "172.17.0.75")
    assert found.password == SECRET.encode()


def test_every_other_option_is_read_back(place: Place) -> None:
    options = {"profile": "vm", "failback": "after_stable_for 300", "group": "mail"}
    lists = {"known_peers": ["172.17.0.76 carpd 20"], "accept_addresses": ["172.17.0.74/20", "172.17.0.73/20"]}
    assert not place.vip({**SMTP, **options, **lists}).get("failed")
    (found,) = load(str(place.folder / "vips.d" / "smtp.conf")).vips
    assert (found.dead_ratio, found.stable_for, found.group) == (6, 300, "mail")
    assert [str(peer.address) for peer in found.known_peers] == ["172.17.0.76"]
    assert len(found.accept_addresses) == 2


def test_another_password_is_accepted_and_forgotten(place: Place) -> None:
    other = "another secret"
    result = place.vip({**SMTP, "accept_password": other})
    assert place.files()["secrets/smtp~accept"] == (0o640, other + "\n")
    (found,) = load(str(place.folder / "vips.d" / "smtp.conf")).vips
    assert (found.password, found.accept_password) == (SECRET.encode(), other.encode())
    assert other not in str(result)
    assert not place.vip({**SMTP, "accept_password": other})["changed"]
    assert place.vip(SMTP)["changed"]
    assert set(place.files()) == {"vips.d/smtp.conf", "secrets/smtp"}
    place.vip({**SMTP, "accept_password": other})
    assert place.vip({"name": "smtp"}, state="absent")["removed"] == ["smtp"]
    assert place.files() == {}


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"accept_password": "x" * 20}, "accept_password must be 1 to 19 bytes"),
        (
            {"accept_password": "x", "accept_password_file": "/x"},
            "give accept_password or accept_password_file, not both",
        ),
    ],
)
def test_another_password_must_be_right_too(place: Place, options: dict[str, str], part: str) -> None:
    assert part in place.vip({**SMTP, **options})["msg"]
    assert not place.folder.exists()


def test_any_number_is_written_at_once(place: Place) -> None:
    many = [{**SMTP, "name": f"v{n}", "vhid": n, "addresses": [f"172.17.1.{n}/20"]} for n in range(1, 256)]
    result = place.vip(*many)
    assert len(result["written"]) == 255
    assert len(place.loads()) == 255
    assert not place.vip(*many)["changed"]


def test_the_second_run_changes_nothing(place: Place) -> None:
    place.vip(SMTP, HTTP)
    before = place.files()
    result = place.vip(SMTP, HTTP)
    assert not result["changed"]
    assert result["written"] == []
    assert result["diff"] == []
    assert place.files() == before


@pytest.mark.parametrize("state", ["present", "only", "absent"])
def test_check_mode_tells_the_same_and_writes_nothing(place: Place, state: str) -> None:
    place.vip(SMTP)
    before = place.files()
    change = {**SMTP, "vhid": 3}
    checked = place.vip(change, state=state, check=True)
    assert place.files() == before
    done = place.vip(change, state=state)
    assert checked["changed"]
    for key in ("changed", "written", "removed", "diff"):
        assert checked[key] == done[key]


def test_check_mode_works_before_there_is_a_group_or_a_folder(place: Place) -> None:
    result = place.vip(SMTP, group="no-such-group", check=True)
    assert result["changed"]
    assert result["written"] == ["smtp"]
    assert not place.folder.exists()


def test_a_group_that_does_not_exist_is_named(place: Place) -> None:
    result = place.vip(SMTP, group="no-such-group")
    assert result["failed"]
    assert "no-such-group" in result["msg"]
    assert not place.folder.exists()


def test_present_leaves_the_others_alone(place: Place) -> None:
    place.vip(HTTP)
    result = place.vip(SMTP)
    assert result["written"] == ["smtp"]
    assert place.loads() == ["http", "smtp"]


def test_only_removes_the_others(place: Place) -> None:
    place.vip(SMTP, HTTP)
    result = place.vip(SMTP, state="only")
    assert (result["written"], result["removed"]) == ([], ["http"])
    assert set(place.files()) == {"vips.d/smtp.conf", "secrets/smtp"}


def test_only_with_an_empty_list_removes_all(place: Place) -> None:
    place.vip(SMTP, HTTP)
    result = place.vip(state="only")
    assert result["removed"] == ["http", "smtp"]
    assert place.files() == {}


def test_absent_needs_nothing_but_the_name(place: Place) -> None:
    place.vip(SMTP, HTTP)
    result = place.vip({"name": "smtp"}, state="absent")
    assert (result["written"], result["removed"]) == ([], ["smtp"])
    assert set(place.files()) == {"vips.d/http.conf", "secrets/http"}
    assert not place.vip({"name": "smtp"}, state="absent")["changed"]


def test_absent_on_a_host_that_has_nothing_changes_nothing(place: Place) -> None:
    assert not place.vip({"name": "smtp"}, state="absent")["changed"]
    assert not place.folder.exists()


@pytest.mark.parametrize("state", ["present", "only"])
def test_a_password_that_is_kept_elsewhere_leaves_none_behind(place: Place, state: str) -> None:
    place.vip(SMTP)
    elsewhere = {key: value for key, value in SMTP.items() if key != "password"}
    result = place.vip({**elsewhere, "password_file": "/run/credentials/smtp"}, state=state)
    assert result["changed"]
    assert set(place.files()) == {"vips.d/smtp.conf"}
    assert "password_file = /run/credentials/smtp" in place.files()["vips.d/smtp.conf"][1]


@pytest.mark.parametrize("state", ["present", "only"])
def test_a_password_file_of_the_users_own_stays(place: Place, state: str) -> None:
    mine = place.folder / "secrets" / "smtp"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine\n")
    given = {key: value for key, value in SMTP.items() if key != "password"}
    place.vip({**given, "password_file": str(mine)}, state=state)
    assert mine.read_text() == "mine\n"


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"vhid": 300}, "vips: [vip smtp] vhid = 300: must be a whole number from 1 to 255"),
        ({"vhid": 0}, "from 1 to 255"),
        ({"vhid": None}, "vhid is missing"),
        ({"interface": "eth 1"}, "interface = eth 1"),
        ({"addresses": ["172.17.0.74"]}, "with prefix lengths"),
        ({"addresses": []}, "addresses"),
        ({"advskew": 255}, "from 0 to 254"),
        ({"advbase": 256}, "from 0 to 255"),
        ({"name": "../smtp"}, "name must be"),
        ({"name": ""}, "name must be"),
        ({"password": ""}, "and this one has 0"),
        ({"password": SECRET * 2}, "and this one has 30"),
        ({"password": None}, "password is missing"),
        ({"password_file": "/etc/hostname"}, "not both"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_written(place: Place, change: dict[str, Any], part: str) -> None:
    result = place.vip({**SMTP, **change}, HTTP)
    assert result["failed"]
    assert part in result["msg"]
    assert SECRET not in json.dumps(result)
    assert not place.folder.exists()


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"vhid": 1}, "[vip http] vhid = 1: must be another number"),
        ({"addresses": ["172.17.0.74/20"]}, "172.17.0.74"),
        ({"name": "smtp"}, "this name is given twice"),
    ],
)
def test_two_that_do_not_go_together_are_refused(place: Place, change: dict[str, Any], part: str) -> None:
    result = place.vip(SMTP, {**HTTP, **change})
    assert result["failed"]
    assert part in result["msg"]
    assert not place.folder.exists()


def test_all_mistakes_are_named_at_once(place: Place) -> None:
    result = place.vip({**SMTP, "vhid": 300, "advskew": 999}, {**HTTP, "password": ""})
    assert len(result["msg"].splitlines()) == 3


def test_one_that_does_not_go_with_what_is_there_is_refused(place: Place) -> None:
    place.vip(HTTP)
    before = place.files()
    clash = {**SMTP, "vhid": HTTP["vhid"]}
    result = place.vip(clash)
    assert result["failed"]
    assert "[vip http]" in result["msg"]
    assert place.files() == before
    assert place.vip(clash, state="only")["changed"]


def test_the_same_section_in_another_file_is_found(place: Place) -> None:
    place.vip(SMTP)
    (place.folder / "vips.d" / "smtp.conf").rename(place.folder / "vips.d" / "mine.conf")
    result = place.vip(SMTP)
    assert result["failed"]
    assert "mine.conf already" in result["msg"]


def test_a_broken_file_beside_is_named_since_the_daemon_would_refuse_all(place: Place) -> None:
    place.vip(HTTP)
    broken = place.folder / "vips.d" / "http.conf"
    broken.write_text("[vip http]\nvhid = 2\n")
    result = place.vip(SMTP)
    assert result["failed"]
    assert f"{broken}: [vip http] interface is missing" in result["msg"]


def test_a_name_that_would_leave_the_folder_is_refused_on_removal_too(place: Place, tmp_path: Path) -> None:
    place.vip(SMTP)
    (tmp_path / "etc" / "carpd.conf").write_text("keep")
    result = place.vip({"name": "../../carpd"}, state="absent")
    assert result["failed"]
    assert (tmp_path / "etc" / "carpd.conf").exists()


def test_the_diff_shows_sections(place: Place) -> None:
    place.vip(SMTP)
    diff = place.vip({**SMTP, "advskew": 0})["diff"]
    path = str(place.folder / "vips.d" / "smtp.conf")
    before = SMTP_TEXT.format(folder=place.folder)
    after = before.replace("advskew = 20", "advskew = 0")
    assert diff == [{"before_header": path, "after_header": path, "before": before, "after": after}]


def test_no_password_is_ever_shown(place: Place) -> None:
    other = "another-S3cret"
    results = [
        place.vip(SMTP),
        place.vip({**SMTP, "password": other}, check=True),
        place.vip({**SMTP, "password": other}),
        place.vip({**SMTP, "password": SECRET + "-too-long"}),
        place.vip({"name": "smtp"}, state="absent"),
    ]
    for result in results:
        assert SECRET not in json.dumps(result)
        assert other not in json.dumps(result)


def test_the_diff_tells_a_new_password_from_another_one(place: Place) -> None:
    def texts(result: dict[str, Any]) -> list[tuple[str, str]]:
        return [(one["before"], one["after"]) for one in result["diff"] if "/secrets/" in one["before_header"]]

    assert texts(place.vip(SMTP)) == [("", "a password\n")]
    result = place.vip({**SMTP, "password": "changed-1"})
    assert texts(result) == [("a password\n", "another password\n")]
    assert result["written"] == ["smtp"]
    (place.folder / "secrets" / "smtp").chmod(0o644)
    result = place.vip({**SMTP, "password": "changed-1"})
    assert texts(result) == [("a password\n", "a password\n")]
    assert result["changed"]
    assert texts(place.vip({"name": "smtp"}, state="absent")) == [("a password\n", "")]


@pytest.mark.parametrize("line", ["password = by-hand-1", "  Password: by-hand-1", "password=by-hand-1"])
def test_a_password_written_by_hand_is_not_shown_either(place: Place, line: str) -> None:
    place.vip(SMTP)
    path = place.folder / "vips.d" / "smtp.conf"
    path.write_text(f"[vip smtp]\n{line}\nvhid = 1\n")
    result = place.vip(SMTP)
    assert "by-hand-1" not in json.dumps(result)
    shown = result["diff"][0]["before"]
    assert "vhid = 1" in shown
    assert "(hidden)" in shown


def test_modes_are_put_right(place: Place) -> None:
    place.vip(SMTP)
    place.folder.chmod(0o755)
    (place.folder / "vips.d" / "smtp.conf").chmod(0o600)
    assert place.vip(SMTP)["changed"]
    assert stat.S_IMODE(place.folder.stat().st_mode) == 0o750
    assert place.files()["vips.d/smtp.conf"][0] == 0o640


def test_without_permission_there_is_a_clear_message(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, *_rest: Any) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(vip._files, "make_folder", refuse)
    result = place.vip(SMTP)
    assert result["failed"]
    assert result["msg"] == f"{place.folder}: Permission denied; the daemon's configuration is root's: use become"
