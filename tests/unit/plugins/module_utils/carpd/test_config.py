# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration: what is right is read, every mistake is told in one line, and no secret is ever shown."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Interface, IPv6Interface
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd.config import (
    Config,
    ConfigError,
    Problem,
    Vip,
    as_text,
    check_vips,
    load,
    parse_vip,
    read_secret,
    render_vip,
)
from ansible_collections.failover.carp.plugins.module_utils.carpd.options import (
    CARPD_OPTIONS,
    NAME_RULE,
    PASSWORD_RULE,
    VIP_OPTIONS,
)
from hypothesis import given, settings
from hypothesis import strategies as st

SMTP: dict[str, object] = {
    "interface": "eth1",
    "vhid": "1",
    "addresses": "172.17.0.74/20",
    "password": "sesame",
}
ADDRESSES = (
    "one or more different addresses of hosts with prefix lengths, such as 172.17.0.74/20 or 2001:db8::74/64, "
    "separated by commas"
)


def section(name: str = "smtp", **changed: object) -> str:
    """Return a right [vip] section but for what the arguments change; None leaves an option out."""
    options = {key: value for key, value in {**SMTP, **changed}.items() if value is not None}
    return "".join([f"[vip {name}]\n", *(f"{key} = {value}\n" for key, value in options.items())])


def vip(**changed: Any) -> Vip:
    address = IPv4Interface("172.17.0.74/20")
    fields = {"name": "smtp", "interface": "eth1", "vhid": 1, "addresses": (address,), "password": b"sesame"}
    timing = {"advbase": 1, "advskew": 0, "preempt": True, "dead_ratio": 3, "source": None}
    return Vip(**{**fields, **timing, **changed})


@pytest.fixture(name="file")
def file_(tmp_path: Path) -> Path:
    return tmp_path / "carpd.conf"


def mistakes(file: Path, text: str | bytes) -> list[str]:
    """Return the lines that the mistakes in a file make, without the file's name."""
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return told(file)


def told(file: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(str(file))
    lines = str(caught.value).split("\n")
    assert lines == [str(problem) for problem in caught.value.problems]
    assert all(line.startswith(f"{file}: ") for line in lines)
    return [line[len(f"{file}: ") :] for line in lines]


class TestLoad:
    def test_what_is_left_out_has_its_default(self, file: Path) -> None:
        file.write_text(section())
        assert load(str(file)) == Config((vip(),), "info", 50)

    def test_every_option(self, file: Path) -> None:
        file.write_text(
            "[carpd]\nlog_level = debug\npriority = 7\n"
            + section(
                addresses="172.17.0.74/20, 10.0.0.1/8",
                vhid="255",
                advbase="0",
                advskew="254",
                preempt="no",
                dead_ratio="255",
                source="172.17.0.75",
            )
        )
        addresses = (IPv4Interface("172.17.0.74/20"), IPv4Interface("10.0.0.1/8"))
        changed = vip(
            addresses=addresses,
            vhid=255,
            advbase=0,
            advskew=254,
            preempt=False,
            dead_ratio=255,
            source=IPv4Address("172.17.0.75"),
        )
        assert load(str(file)) == Config((changed,), "debug", 7)

    def test_both_families(self, file: Path) -> None:
        file.write_text(section(addresses="2001:db8::74/64, 172.17.0.74/20"))
        (one,) = load(str(file)).vips
        assert one.addresses == (IPv6Interface("2001:db8::74/64"), IPv4Interface("172.17.0.74/20"))
        assert one.versions == [4, 6]
        assert vip().versions == [4]
        assert vip(addresses=(IPv6Interface("2001:db8::74/64"), IPv6Interface("fe80::74/64"))).versions == [6]

    @pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "[carpd]\n"])
    def test_nothing_to_do_is_no_mistake(self, file: Path, text: str) -> None:
        file.write_text(text)
        assert load(str(file)) == Config((), "info", 50)

    def test_several_virtual_hosts_come_in_their_order(self, file: Path) -> None:
        file.write_text(section("b", vhid="2", addresses="10.0.0.2/8") + section("a"))
        assert [each.name for each in load(str(file)).vips] == ["b", "a"]

    def test_forms_of_ini(self, file: Path) -> None:
        text = section().replace(" = ", ":").replace("vhid", "VHID").replace("\n", "\r\n")
        file.write_bytes(text.replace("172.17.0.74/20", "172.17.0.74/20,\r\n    10.0.0.1/8").encode())
        assert [str(address) for address in load(str(file)).vips[0].addresses] == ["172.17.0.74/20", "10.0.0.1/8"]

    def test_comments(self, file: Path) -> None:
        file.write_text(
            "# one\n; two\n[vip smtp]  \n  # indented\ninterface = eth1 ; behind a value\nvhid = 1\t;\n"
            "addresses = 172.17.0.74/20 ; the first,\n  ; nothing but this\n  10.0.0.1/8 ; the second\n"
            "password = sesame\nsource = ; none\n"
        )
        addresses = (IPv4Interface("172.17.0.74/20"), IPv4Interface("10.0.0.1/8"))
        assert load(str(file)).vips == (vip(addresses=addresses),)

    @pytest.mark.parametrize("password", ["ses;ame", "#sesame", "ses # ame", "%(vhid)s", "100%", "[x]", "a = b", "ä€"])
    def test_a_password_is_taken_as_it_stands(self, file: Path, password: str) -> None:
        file.write_text(section(password=password), encoding="utf-8")
        assert load(str(file)).vips == (vip(password=password.encode()),)

    @pytest.mark.parametrize("password", ["x", "x" * 19, "ä" * 9])
    def test_length_of_a_password_counts_bytes(self, file: Path, password: str) -> None:
        file.write_text(section(password=password), encoding="utf-8")
        assert load(str(file)).vips[0].password == password.encode()


class TestMistakes:
    """Each mistake alone makes exactly one line."""

    @pytest.mark.parametrize(
        ("option", "text"),
        [
            ("interface", "eth 0"),
            ("interface", ""),
            ("interface", "abcdefghijklmnop"),
            ("vhid", "0"),
            ("vhid", "256"),
            ("vhid", "300"),
            ("vhid", "-1"),
            ("vhid", "one"),
            ("vhid", ""),
            ("vhid", "1 # no comment"),
            ("addresses", "172.17.0.74"),
            ("addresses", "172.17.0.0/20"),
            ("addresses", "172.17.0.74/33"),
            ("addresses", "172.17.0.74/20, 172.17.0.74/20"),
            ("addresses", "172.17.0.74/255.255.240.0"),
            ("addresses", "fe80::1"),
            ("addresses", "2001:db8::/64"),
            ("addresses", ""),
            ("advbase", "256"),
            ("advskew", "255"),
            ("preempt", "perhaps"),
            ("dead_ratio", "1"),
            ("source", "eth1"),
            ("password_file", ""),
        ],
    )
    def test_value(self, file: Path, option: str, text: str) -> None:
        changed = {option: text}
        if option == "password_file":
            changed["password"] = None
        shown, allowed = text or "(nothing)", VIP_OPTIONS[option].allowed
        assert mistakes(file, section(**changed)) == [f"[vip smtp] {option} = {shown}: must be {allowed}"]

    def test_value_in_full(self, file: Path) -> None:
        assert mistakes(file, section(vhid="300", addresses="172.17.0.74")) == [
            "[vip smtp] vhid = 300: must be a whole number from 1 to 255",
            f"[vip smtp] addresses = 172.17.0.74: must be {ADDRESSES}",
        ]

    @pytest.mark.parametrize("text", ["", "trace", "Info"])
    def test_log_level(self, file: Path, text: str) -> None:
        assert mistakes(file, f"[carpd]\nlog_level = {text}\n") == [
            f"[carpd] log_level = {text or '(nothing)'}: must be debug, info, warning or error"
        ]

    @pytest.mark.parametrize("text", ["", "100", "-1", "high"])
    def test_priority(self, file: Path, text: str) -> None:
        assert mistakes(file, f"[carpd]\npriority = {text}\n") == [
            f"[carpd] priority = {text or '(nothing)'}: must be {CARPD_OPTIONS['priority'].allowed}"
        ]

    @pytest.mark.parametrize("option", ["interface", "vhid", "addresses"])
    def test_missing(self, file: Path, option: str) -> None:
        assert mistakes(file, section(**{option: None})) == [
            f"[vip smtp] {option} is missing: {VIP_OPTIONS[option].allowed}"
        ]

    @pytest.mark.parametrize(
        ("wrong", "near"),
        [
            ("adress", "addresses"),
            ("vip", "vhid"),
            ("advskw", "advskew"),
            ("dead-ratio", "dead_ratio"),
            ("passwordfile", "password_file"),
            ("pasword", "password"),
            ("preemptive", "preempt"),
            ("iface", "interface"),
        ],
    )
    def test_unknown_option_with_a_near_one(self, file: Path, wrong: str, near: str) -> None:
        assert mistakes(file, section(**{wrong: "1"})) == [
            f"[vip smtp] there is no option {wrong}; did you mean {near}?"
        ]

    def test_unknown_option_without_a_near_one(self, file: Path) -> None:
        known = ", ".join(VIP_OPTIONS)
        assert mistakes(file, section(zzz="1")) == [f"[vip smtp] there is no option zzz; known are: {known}"]

    def test_unknown_option_of_the_daemon(self, file: Path) -> None:
        assert mistakes(file, "[carpd]\nloglevel = info\n") == [
            "[carpd] there is no option loglevel; did you mean log_level?"
        ]

    @pytest.mark.parametrize(
        ("name", "near"), [("carp", "carpd"), ("vip", "vip NAME"), ("vipname", "vip NAME"), ("Carpd", "carpd")]
    )
    def test_unknown_section(self, file: Path, name: str, near: str) -> None:
        assert mistakes(file, f"[{name}]\n") == [f"[{name}] there is no section {name}; did you mean {near}?"]

    def test_there_is_no_section_of_defaults(self, file: Path) -> None:
        text = "[DEFAULT]\nvhid = 7\n" + section(vhid=None)
        assert mistakes(file, text) == [
            "[DEFAULT] there is no section DEFAULT; known are: carpd, vip NAME, check NAME",
            "[vip smtp] vhid is missing: a whole number from 1 to 255",
        ]

    @pytest.mark.parametrize("name", ["-smtp", "mail server", "x" * 33, "ä", "a/b"])
    def test_name(self, file: Path, name: str) -> None:
        assert mistakes(file, section(name)) == [f"[vip {name}] a virtual host's name must be {NAME_RULE}"]

    def test_no_interval(self, file: Path) -> None:
        assert mistakes(file, section(advbase="0")) == [
            "[vip smtp] advskew = 0: must be 1 or more where advbase is 0: "
            "together they are the interval between advertisements"
        ]

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("vhid = 1\n", "line 1 stands before any [section]"),
            ("[vip smtp\n", "line 1 stands before any [section]"),
            ("[carpd]\nlog_level\n", "line 2 is neither a [section] nor 'option = value'"),
            ("[carpd]\n\nlog_level\n= 5\n", "line 3, 4 is neither a [section] nor 'option = value'"),
            ("[carpd]\n[]\n", "line 2 is neither a [section] nor 'option = value'"),
            (b"[carpd]\n# \xff\n", "must be UTF-8 text, and byte 10 is not"),
        ],
    )
    def test_no_ini(self, file: Path, text: str | bytes, expected: str) -> None:
        assert mistakes(file, text) == [expected]

    def test_the_place_of_a_bad_byte_counts_from_the_beginning_of_the_file(self, file: Path) -> None:
        assert mistakes(file, b"#" * 99_999 + b"\xff\n") == ["must be UTF-8 text, and byte 99999 is not"]

    def test_section_twice(self, file: Path) -> None:
        assert mistakes(file, section() + section()) == ["[vip smtp] this section stands twice, again in line 6"]

    def test_option_twice(self, file: Path) -> None:
        assert mistakes(file, section() + "vhid = 2\n") == ["[vip smtp] vhid is given twice, again in line 6"]

    def test_no_file(self, file: Path) -> None:
        assert told(file) == ["cannot be read: No such file or directory"]

    def test_no_file_but_a_folder(self, file: Path) -> None:
        file.mkdir()
        assert told(file) == ["cannot be read: Is a directory"]

    def test_all_of_them_are_told_at_once(self, file: Path) -> None:
        text = "[carpd]\nlog_level = loud\n" + section(vhid="0", advskew="x") + section("b", interface=None) + "[x]\n"
        starts = [line.split(" = ")[0].split(" is ")[0] for line in mistakes(file, text)]
        assert starts == [
            "[carpd] log_level",
            "[vip smtp] vhid",
            "[vip smtp] advskew",
            "[vip b] interface",
            "[x] there",
        ]

    @pytest.mark.parametrize(
        ("option", "text"),
        [
            ("addresses", "172.17.0.74/20,\n  172.17.0.300/20"),
            ("vhid", "1\n  advbase = 1"),
            ("interface", "eth1\n  x"),
            ("interface", "eth1\v\f\x1c\x85\u2028x"),
            ("vhid", "\x1b[2J1"),
        ],
    )
    def test_a_value_of_several_lines_makes_one_line(self, file: Path, option: str, text: str) -> None:
        lines = mistakes(file, section(**{option: text}))
        assert len(lines) == 1
        assert lines[0].isprintable(), "it goes to a terminal"
        assert lines[0].startswith(f"[vip smtp] {option} = ")

    def test_a_name_of_several_lines_makes_one_line(self) -> None:
        problem = Problem("here", "vip a\nb", "vhid", "1\r\n2", "a whole\nnumber")
        assert len(str(problem).splitlines()) == 1


class TestSeveralVips:
    def test_right_together(self, file: Path) -> None:
        file.write_text(
            section("a")
            + section("b", vhid="2", addresses="172.17.0.73/20")
            + section("c", interface="eth2")  # another segment: all may be as in the first
        )
        assert [each.name for each in load(str(file)).vips] == ["a", "b", "c"]

    def test_vhid_twice_on_an_interface(self, file: Path) -> None:
        assert mistakes(file, section("a") + section("b", addresses="172.17.0.73/20")) == [
            "[vip b] vhid = 1: must be another number than that of [vip a], since both are on eth1"
        ]

    def test_an_ipv6_address_twice_however_it_is_written(self, file: Path) -> None:
        text = section("a", addresses="2001:db8::74/64") + section("b", vhid="2", addresses="2001:DB8:0::0074/48")
        assert mistakes(file, text) == [
            "[vip b] addresses = 2001:db8::74/48: must be addresses that no other virtual host has: "
            "2001:db8::74 is in [vip a] too"
        ]

    def test_address_twice_on_an_interface(self, file: Path) -> None:
        text = section("a") + section("b", vhid="2", addresses="172.17.0.73/20, 172.17.0.74/24")
        assert mistakes(file, text) == [
            "[vip b] addresses = 172.17.0.74/24: must be addresses that no other virtual host has: "
            "172.17.0.74 is in [vip a] too"
        ]

    def test_name_twice(self) -> None:
        lines = [str(problem) for problem in check_vips([vip(), vip(vhid=2, addresses=())], "here")]
        assert len(lines) == 1
        assert lines[0].startswith("here: [vip smtp] ")

    def test_the_same_twice(self) -> None:
        assert check_vips([vip(), vip()], "here") != []

    def test_name_twice_with_another_number_of_blanks(self, file: Path) -> None:
        text = section() + section(" smtp", vhid="2", addresses="172.17.0.73/20")
        assert len(mistakes(file, text)) == 1


class TestInclude:
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        (tmp_path / "vips.d").mkdir()

    def test_files_in_the_order_of_their_names(self, file: Path) -> None:
        file.write_text(section("m", interface="eth0") + "[carpd]\ninclude = vips.d/*.conf\n")
        for name in ("b", "a", "c"):
            (file.parent / "vips.d" / f"{name}.conf").write_text(section(name, interface=f"if-{name}"))
        (file.parent / "vips.d" / "d.conf.old").write_text("broken")
        assert [each.name for each in load(str(file)).vips] == ["m", "a", "b", "c"]

    def test_relative_to_the_file_and_not_to_where_we_are(
        self, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file.write_text("[carpd]\ninclude = vips.d/*.conf\n")
        (tmp_path / "vips.d" / "a.conf").write_text(section())
        monkeypatch.chdir("/")
        assert len(load(str(file)).vips) == 1
        monkeypatch.chdir(tmp_path / "vips.d")
        assert len(load("../carpd.conf").vips) == 1
        monkeypatch.chdir(tmp_path)
        assert len(load("carpd.conf").vips) == 1

    def test_absolute(self, file: Path, tmp_path: Path) -> None:
        (tmp_path / "vips.d" / "a.conf").write_text(section())
        file.write_text(f"[carpd]\ninclude = {tmp_path}/vips.d/a.conf\n")
        assert len(load(str(file)).vips) == 1

    def test_a_pattern_that_matches_nothing(self, file: Path) -> None:
        file.write_text("[carpd]\ninclude = vips.d/*.conf\n")
        assert load(str(file)).vips == ()

    def test_a_mistake_names_the_included_file(self, file: Path, tmp_path: Path) -> None:
        (tmp_path / "vips.d" / "a.conf").write_text(section("a", vhid="0"))
        (tmp_path / "vips.d" / "b.conf").write_text(section("b", interface="eth2", advskew="-1"))
        file.write_text("[carpd]\ninclude = vips.d/*.conf\nlog_level = x\n")
        with pytest.raises(ConfigError) as caught:
            load(str(file))
        assert [(problem.where, problem.section, problem.option) for problem in caught.value.problems] == [
            (str(file), "carpd", "log_level"),
            (str(tmp_path / "vips.d" / "a.conf"), "vip a", "vhid"),
            (str(tmp_path / "vips.d" / "b.conf"), "vip b", "advskew"),
        ]

    def test_a_mistake_between_files_names_the_later_file(self, file: Path, tmp_path: Path) -> None:
        later = tmp_path / "vips.d" / "b.conf"
        (tmp_path / "vips.d" / "a.conf").write_text(section("a"))
        later.write_text(section("b", addresses="172.17.0.73/20"))
        file.write_text("[carpd]\ninclude = vips.d/*.conf\n")
        with pytest.raises(ConfigError) as caught:
            load(str(file))
        assert str(caught.value) == (
            f"{later}: [vip b] vhid = 1: must be another number than that of [vip a], since both are on eth1"
        )

    def test_a_section_in_two_files(self, file: Path, tmp_path: Path) -> None:
        first, second = tmp_path / "vips.d" / "a.conf", tmp_path / "vips.d" / "b.conf"
        for each in (first, second):
            each.write_text(section())
        file.write_text("[carpd]\ninclude = vips.d/*.conf\n")
        with pytest.raises(ConfigError) as caught:
            load(str(file))
        assert str(caught.value) == f"{second}: [vip smtp] stands in {first} already"

    def test_an_included_file_does_not_include(self, file: Path, tmp_path: Path) -> None:
        included = tmp_path / "vips.d" / "a.conf"
        included.write_text("[carpd]\ninclude = b.conf\n")
        (tmp_path / "vips.d" / "b.conf").write_text(section())
        file.write_text("[carpd]\ninclude = vips.d/a.conf\n")
        with pytest.raises(ConfigError) as caught:
            load(str(file))
        assert [(problem.where, problem.section) for problem in caught.value.problems] == [(str(included), "carpd")]

    def test_a_folder_among_the_files(self, file: Path, tmp_path: Path) -> None:
        (tmp_path / "vips.d" / "a.conf").mkdir()
        file.write_text("[carpd]\ninclude = vips.d/*.conf\n")
        with pytest.raises(ConfigError) as caught:
            load(str(file))
        assert str(caught.value) == f"{tmp_path}/vips.d/a.conf: cannot be read: Is a directory"

    def test_a_zero_byte_in_the_pattern(self, file: Path) -> None:
        lines = mistakes(file, "[carpd]\ninclude = a\0b/*.conf\n")
        assert len(lines) == 1
        assert lines[0].startswith("[carpd] include = ")


class TestSecrets:
    def test_from_a_file(self, file: Path, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_bytes(b"sesame\n")
        file.write_text(section(password=None, password_file=secret))
        assert load(str(file)).vips == (vip(),)

    @pytest.mark.parametrize(
        ("content", "password"),
        [
            (b"sesame", b"sesame"),
            (b"sesame\n", b"sesame"),
            (b"sesame\r\n", b"sesame"),
            (b"sesame\nmore\n", b"sesame"),
            (b" lead and trail ", b" lead and trail "),
            (b"\xff\xfe\n", b"\xff\xfe"),  # bytes, of no encoding
            (b"a ;b\n", b"a ;b"),
            (b"", b""),
            (b"\nsecond", b""),
        ],
    )
    def test_first_line_without_its_end(self, tmp_path: Path, content: bytes, password: bytes) -> None:
        (tmp_path / "secret").write_bytes(content)
        assert read_secret(str(tmp_path / "secret")) == password

    def test_an_endless_line_is_not_read_to_its_end(self, file: Path) -> None:
        lines = mistakes(file, section(password=None, password_file="/dev/zero"))
        assert len(lines) == 1
        assert "this one has 4096" in lines[0]

    @pytest.mark.parametrize(
        ("content", "size"), [(b"", 0), (b"\n", 0), (b"x" * 20, 20), (b"x" * 30, 30), ("ä".encode() * 10, 20)]
    )
    def test_a_file_with_no_password_of_the_right_length(
        self, file: Path, tmp_path: Path, content: bytes, size: int
    ) -> None:
        secret = tmp_path / "secret"
        secret.write_bytes(content)
        assert mistakes(file, section(password=None, password_file=secret)) == [
            f"[vip smtp] password_file = {secret}: must be a file whose first line is the password, "
            f"{PASSWORD_RULE}, and this one has {size}"
        ]

    @pytest.mark.parametrize("password", ["abcdefghijklmnopqrst", "ä" * 10])
    def test_too_long(self, file: Path, password: str) -> None:
        assert mistakes(file, section(password=password)) == [
            f"[vip smtp] password = (hidden): must be {PASSWORD_RULE}, and this one has 20"
        ]

    def test_empty(self, file: Path) -> None:
        assert mistakes(file, section(password="")) == [
            f"[vip smtp] password = (hidden): must be {VIP_OPTIONS['password'].allowed}"
        ]

    @pytest.mark.parametrize("password", ["open ; sesame", "open\t;", "; not given yet", "\x00", "ses\x1bame"])
    def test_what_looks_like_a_comment_or_like_nothing(self, file: Path, password: str) -> None:
        assert mistakes(file, section(password=password)) == [
            f"[vip smtp] password = (hidden): must be {VIP_OPTIONS['password'].allowed}"
        ]

    def test_an_option_indented_by_mistake_is_no_part_of_the_password(self, file: Path) -> None:
        assert mistakes(file, section() + "  advbase = 2\n") == [
            f"[vip smtp] password = (hidden): must be {VIP_OPTIONS['password'].allowed}"
        ]

    def test_missing(self, file: Path) -> None:
        assert mistakes(file, section(password=None)) == [
            "[vip smtp] a password is missing: give password_file, password_credential or password"
        ]

    def test_both(self, file: Path) -> None:
        assert mistakes(file, section(password_file="/dev/null")) == [
            "[vip smtp] give password or password_file, not both"
        ]

    def test_no_such_file(self, file: Path) -> None:
        assert mistakes(file, section(password=None, password_file="/nonexistent/x")) == [
            "[vip smtp] password_file = /nonexistent/x: must be a readable file (No such file or directory)"
        ]

    def test_a_zero_byte_in_the_name_of_the_file(self, file: Path) -> None:
        lines = mistakes(file, section(password=None, password_file="/tmp/x\0y"))
        assert len(lines) == 1
        assert lines[0].startswith("[vip smtp] password_file = ")

    @pytest.mark.parametrize(
        "text",
        [
            section(password="topsecret" * 3),
            section(password="topsecret ; x"),
            section(password="topsecret", vhid="0", advskew="x", interface=None),
            section(password="topsecret", password_file="/dev/null"),
            section(password=None, passwort="topsecret"),
            section(password=None) + "password topsecret\n",
            section(password="topsecret") + "password = topsecret\n",
            section(password="topsecret") + "vhid\n",
            section(password="topsecret") + section(password="topsecret"),
            section(password="topsecret") + section("b", password="topsecret"),
            section("a b", password="topsecret"),
            section(password="topsecret").replace("[vip smtp]", "[vipp smtp]"),
            section(password="topsecret").replace("[vip smtp]", "vip smtp"),
            "password = topsecret\n",
        ],
    )
    def test_are_in_no_message(self, file: Path, text: str) -> None:
        file.write_text(text)
        with pytest.raises(ConfigError) as caught:
            load(str(file))
        assert "topsecret" not in str(caught.value)
        assert "topsecret" not in repr(caught.value.problems)

    def test_are_not_in_what_python_prints(self, file: Path) -> None:
        file.write_text(section(password="topsecret"))
        config = load(str(file))
        assert config.vips[0].password == b"topsecret"
        assert "topsecret" not in f"{config} {config!r} {config.vips[0]} {config.vips[0]!r}"


class TestParseVip:
    def test_values_as_yaml_makes_them(self) -> None:
        options = {
            "interface": "eth1",
            "vhid": 1,
            "addresses": ["172.17.0.74/20", "10.0.0.1/8"],
            "password": "sesame",
            "preempt": False,
            "advskew": 20,
        }
        addresses = (IPv4Interface("172.17.0.74/20"), IPv4Interface("10.0.0.1/8"))
        assert parse_vip("smtp", options, "here") == (vip(addresses=addresses, preempt=False, advskew=20), [])

    def test_without_a_reader_a_password_file_is_taken_unread(self) -> None:
        options = {**SMTP, "password_file": "/nonexistent"}
        del options["password"]
        assert parse_vip("smtp", options, "here") == (vip(password=b""), [])

    def test_the_reader_gets_the_name_of_the_file(self) -> None:
        options = {**SMTP, "password_file": "/etc/secret"}
        del options["password"]
        assert parse_vip("smtp", options, "here", lambda path: path.encode()) == (vip(password=b"/etc/secret"), [])

    def test_the_place_is_the_caller_s(self) -> None:
        found, problems = parse_vip("smtp", {**SMTP, "vhid": 0}, "carp_vips, item 3")
        assert found is None
        assert [str(problem) for problem in problems] == [
            "carp_vips, item 3: [vip smtp] vhid = 0: must be a whole number from 1 to 255"
        ]

    @pytest.mark.parametrize("value", [True, 1.5, None, [], {"a": 1}])
    def test_a_value_of_a_wrong_type(self, value: object) -> None:
        found, problems = parse_vip("smtp", {**SMTP, "vhid": value}, "here")
        assert found is None
        assert [problem.option for problem in problems] == ["vhid"]

    def test_as_text(self) -> None:
        values = [True, False, 5, "x", ["a", "b"], ("a", True), []]
        assert [as_text(value) for value in values] == ["yes", "no", "5", "x", "a, b", "a, yes", ""]


class TestRender:
    def test_order_and_form(self) -> None:
        options = {"preempt": False, "addresses": ["172.17.0.74/20", "10.0.0.1/8"], "vhid": 1, "interface": "eth1"}
        assert render_vip("smtp", options) == (
            "[vip smtp]\ninterface = eth1\nvhid = 1\naddresses = 172.17.0.74/20, 10.0.0.1/8\npreempt = no\n"
        )


@pytest.fixture(name="scratch", scope="module")
def scratch_(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file for the properties below, written anew by each example."""
    return tmp_path_factory.mktemp("config") / "carpd.conf"


NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}", fullmatch=True)
HOSTS = st.integers(1, 253).map(lambda last: f"192.0.2.{last}/24") | st.integers(1).map(
    lambda number: f"2001:db8::{number % 0xFFFF + 1:x}/64"
)
PRINTABLE = st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters=";")
OPTIONS = st.fixed_dictionaries(
    {
        "interface": st.from_regex(r"[a-z][a-z0-9.@-]{0,14}", fullmatch=True),
        "vhid": st.integers(1, 255),
        "addresses": st.lists(HOSTS, min_size=1, max_size=3, unique=True),
        "password": st.text(PRINTABLE, min_size=1, max_size=19),
    },
    optional={
        "advbase": st.integers(1, 255),
        "advskew": st.integers(0, 254),
        "preempt": st.booleans(),
        "dead_ratio": st.integers(2, 255),
        "source": st.ip_addresses(v=4).map(str),
        "accept_password": st.text(PRINTABLE, min_size=1, max_size=19),
        "accept_addresses": st.lists(HOSTS, min_size=1, max_size=3, unique=True),
        "known_peers": st.lists(
            st.builds(
                "{} {} {}".format,
                st.ip_addresses(v=4) | st.ip_addresses(v=6),
                st.sampled_from(["carpd", "any"]),
                st.integers(0, 254),
            ),
            max_size=3,
            unique_by=lambda peer: peer.split()[0],
        ),
        "group": NAMES,
    },
)


@given(NAMES, OPTIONS)
def test_what_was_written_is_what_is_read(scratch: Path, name: str, options: Mapping[str, object]) -> None:
    direct, problems = parse_vip(name, options, "here")
    assert problems == []
    scratch.write_text(render_vip(name, options), encoding="utf-8")
    assert load(str(scratch)).vips == (direct,)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("password", " sesame"),
        ("password", "sesame "),
        ("password", "ses\name"),
        ("password", "x\n[vip y]"),
        ("password", "ses\rame"),
        ("password", "x\nvhid = 9"),
        ("interface", ";eth0"),
    ],
)
def test_what_cannot_be_written_is_refused(scratch: Path, option: str, value: str) -> None:
    """Or else the daemon would read something else than what was checked."""
    options = {**SMTP, option: value}
    direct, problems = parse_vip("smtp", options, "here")
    if direct is None:
        assert [problem.option for problem in problems] == [option]
        return
    scratch.write_bytes(render_vip("smtp", options).encode())
    assert load(str(scratch)).vips == (direct,)


PIECES = st.sampled_from(
    [
        "[carpd]",
        "[vip a]",
        "[vip b]",
        "[vip  a]",
        "[vip ]",
        "[]",
        "[",
        "include = *.conf",
        "include = **",
        "include = vips.d",
        "include = [",
        "include = a\0b/*",
        "log_level = info",
        *section().splitlines()[1:],
        "password_file = /dev/null",
        "password_file = .",
        "password_file = a\0b",
        "advbase = 0",
        "source = 172.17.0.75",
        "  continued",
        "; comment",
        "# comment",
        "=",
        ":",
        "key",
        "key =",
        "= value",
        "%(x)s = %(x)s",
    ]
)
LINES = st.lists(PIECES | st.text(max_size=12) | st.tuples(PIECES, st.text(max_size=6)).map("".join), max_size=12)


@given(LINES.map("\n".join))
def test_any_text_is_read_or_refused(scratch: Path, text: str) -> None:
    check_any(scratch, text.encode("utf-8", "surrogatepass"))


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(scratch: Path, content: bytes) -> None:
    check_any(scratch, content)


def check_any(scratch: Path, content: bytes) -> None:
    scratch.write_bytes(content)
    try:
        assert isinstance(load(str(scratch)), Config)
    except ConfigError as error:
        assert error.problems
        lines = str(error).splitlines()
        assert len(lines) == len(error.problems)
        assert all(line.startswith("/") and ": " in line for line in lines)


# One value that is wrong for each option, and no text that is in the messages anyway.
WRONG = {
    "interface": st.text(st.sampled_from("/: q"), min_size=16, max_size=20).filter(lambda text: text.strip()),
    "vhid": st.integers().filter(lambda number: not 1 <= number <= 255).map(str),
    "addresses": st.sampled_from(["10.0.0.1", "10.0.0.1/40", "10.0.0.0/8", "host/8", "::1/64", "ff02::1/64"]),
    "password": st.text(st.sampled_from("QXZ"), min_size=20, max_size=40),
    "advbase": st.integers().filter(lambda number: not 0 <= number <= 255).map(str),
    "advskew": st.integers().filter(lambda number: not 0 <= number <= 254).map(str),
    "preempt": st.sampled_from(["maybe", "1", "yes no", "ja"]),
    "dead_ratio": st.integers().filter(lambda number: not 2 <= number <= 255).map(str),
    "source": st.sampled_from(["eth1", "10.0.0.1/8", "::1", "10.0.0"]),
    "profile": st.sampled_from(["slow", "FAST", "fast vm"]),
    "failback": st.sampled_from(["soon", "after_stable_for", "after_stable_for 0", "after_stable_for x", "never 3"]),
    "group": st.sampled_from(["a b", "-a", "a/b"]),
    "known_peers": st.sampled_from(["eth1", "10.0.0.1/8", "10.0.0.1 ucarp", "10.0.0.1 any 255", "10.0.0.1, 10.0.0.1"]),
    "accept_password": st.text(st.sampled_from("QXZ"), min_size=20, max_size=40),
    "drain": st.sampled_from(["-1", "3601", "1 s", "yes"]),
    "forward": st.sampled_from(["-1", "3601", "yes"]),
    "drain_ports": st.sampled_from(["0", "65536", "25, 25", "smtp", "25:26"]),
    "reset_sessions": st.sampled_from(["maybe", "2"]),
    "accept_addresses": st.sampled_from(["10.0.0.1", "10.0.0.1/40", "10.0.0.0/8"]),
    **dict.fromkeys(("on_master", "on_backup", "on_fault"), st.sampled_from(["'x", '"', "x \\"])),
    **dict.fromkeys(("up_script", "down_script"), st.sampled_from(["vip-up", "./x", "~/x"])),
    "hook_timeout": st.sampled_from(["0", "300.1", "1s", "-1"]),
    **dict.fromkeys(
        ("password_credential", "accept_password_credential"), st.sampled_from(["a/b", "..", "a b", "x" * 256])
    ),
    "hook_user": st.sampled_from(["a b", "root:root", "x" * 33]),
    "peers": st.sampled_from(["host", "10.0.0.1/8", "224.0.0.18", "::", "127.0.0.1", "::2 ::2", "fe80::1%eth0"]),
    "paths": st.sampled_from(["anycast", "multicast multicast", "Unicast"]),
    "routed_peers": st.sampled_from(["maybe", "2"]),
    "virtual_mac": st.sampled_from(["maybe", "00:00:5e:00:01:01"]),
}
FILES = {"password_file", "accept_password_file"}


def test_each_option_is_got_wrong() -> None:
    assert set(WRONG) == set(VIP_OPTIONS) - FILES - {"xparam"}


@pytest.mark.parametrize("option", WRONG)
@settings(max_examples=15)
@given(data=st.data())
def test_a_wrong_value_makes_one_line(scratch: Path, option: str, data: st.DataObject) -> None:
    value = data.draw(WRONG[option])
    lines = mistakes(scratch, section(**{option: value}))
    assert len(lines) == 1
    if VIP_OPTIONS[option].secret:
        assert value not in lines[0]
        value = "(hidden)"
    rule = VIP_OPTIONS[option].allowed if not VIP_OPTIONS[option].secret else PASSWORD_RULE
    assert lines[0].startswith(f"[vip smtp] {option} = {value.strip()}: must be {rule}")


@pytest.mark.parametrize(
    ("profile", "given", "expected"),
    [
        ("default", {}, (1, 0, 3)),
        ("fast", {}, (0, 1, 3)),
        ("fast", {"advskew": "2"}, (0, 2, 3)),
        ("vm", {}, (1, 0, 6)),
        ("vm", {"dead_ratio": "4", "advbase": "2"}, (2, 0, 4)),
    ],
)
def test_a_profile_is_for_what_is_not_given(profile: str, given: dict[str, str], expected: tuple[int, ...]) -> None:
    vip, wrong = parse_vip("smtp", {**SMTP, "password": "sesame", "profile": profile, **given}, "here")
    assert wrong == [] and vip is not None
    assert (vip.advbase, vip.advskew, vip.dead_ratio) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ("multicast",)),
        ({"peers": "172.17.0.76"}, ("unicast",)),
        ({"peers": "172.17.0.76", "paths": "broadcast, unicast multicast"}, ("multicast", "unicast", "broadcast")),
        ({"paths": "broadcast"}, ("broadcast",)),
    ],
)
def test_paths(given: dict[str, str], expected: tuple[str, ...]) -> None:
    vip, wrong = parse_vip("smtp", {**SMTP, **given}, "here")
    assert wrong == [] and vip is not None
    assert vip.paths == expected


@pytest.mark.parametrize(
    ("given", "told_of"),
    [
        ({"paths": "unicast"}, "paths = unicast: must be without unicast, unless peers are given"),
        ({"peers": "10.0.0.1", "paths": "multicast"}, "paths = multicast: must be with unicast, since peers are given"),
        ({"peers": "fe80::1"}, "peers = fe80::1: must be such that there is one of IPv4, too, as in addresses"),
        ({"peers": "172.17.0.74"}, "peers = 172.17.0.74: must be the hosts' own, and 172.17.0.74 is in addresses"),
    ],
)
def test_paths_that_lead_nowhere(file: Path, given: dict[str, str], told_of: str) -> None:
    (line,) = mistakes(file, section(**given))
    assert line.startswith(f"[vip smtp] {told_of}")


def test_an_ip_version_without_a_peer_has_another_path(file: Path) -> None:
    both = {"addresses": "172.17.0.74/20, 2001:db8::74/64", "peers": "10.0.0.1"}
    assert mistakes(file, section(**both))
    file.write_text(section(**both, paths="unicast, multicast"))
    assert load(str(file)).vips[0].peers == (IPv4Address("10.0.0.1"),)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, (True, 0.0)),
        ({"preempt": "no"}, (False, 0.0)),
        ({"failback": "immediate"}, (True, 0.0)),
        ({"failback": "never"}, (False, 0.0)),
        ({"failback": "after_stable_for 90"}, (True, 90.0)),
        ({"failback": "after_stable_for   0.5"}, (True, 0.5)),
    ],
)
def test_when_to_take_the_addresses_back(given: dict[str, str], expected: tuple[bool, float]) -> None:
    vip, wrong = parse_vip("smtp", {**SMTP, "password": "sesame", **given}, "here")
    assert wrong == [] and vip is not None
    assert (vip.preempt, vip.stable_for) == expected


def test_not_in_two_ways() -> None:
    _vip, wrong = parse_vip("smtp", {**SMTP, "password": "sesame", "failback": "never", "preempt": "no"}, "here")
    assert [str(problem) for problem in wrong] == ["here: [vip smtp] give preempt or failback, not both"]


@pytest.mark.parametrize("option", ["password", "accept_password"])
def test_what_looks_like_a_comment_is_not_cut_from_a_password(scratch: Path, option: str) -> None:
    """It would else be another password, without a word."""
    lines = mistakes(scratch, section(**{option: "se ;same"}))
    assert len(lines) == 1 and lines[0].startswith(f"[vip smtp] {option} = (hidden): must be ")


class TestCredentials:
    def written(self, scratch: Path, **options: str | None) -> str:
        (scratch / "carpd.conf").write_text(section(**{"password": None, "password_credential": "smtp", **options}))
        return str(scratch / "carpd.conf")

    def refused(self, path: str) -> str:
        with pytest.raises(ConfigError) as caught:
            load(path)
        (problem,) = caught.value.problems
        return str(problem).partition("[vip smtp] ")[2]

    def test_it_is_read_from_where_systemd_puts_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
        (tmp_path / "smtp").write_bytes(b"se same\r\nmore\n")
        (tmp_path / "next").write_bytes(b"other")
        (vip,) = load(self.written(tmp_path, accept_password_credential="next")).vips
        assert (vip.password, vip.accept_password) == (b"se same", b"other")

    def test_one_that_is_not_there(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
        what = "password_credential = smtp: must be a credential that systemd passes to the daemon"
        assert self.refused(self.written(tmp_path)) == f"{what} (No such file or directory)"

    def test_none_at_all(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
        path = self.written(tmp_path)
        why = "(there is no CREDENTIALS_DIRECTORY: its unit passes none)"
        assert self.refused(path).endswith(why)
        assert load(path, in_service=False).vips[0].password == b"", "nor need there be, for who looks at the file"

    def test_one_that_is_too_long(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
        (tmp_path / "smtp").write_bytes(b"x" * 20)
        refused = self.refused(self.written(tmp_path))
        assert refused.startswith("password_credential = smtp: must be a credential whose first line is the password")
        assert "xxx" not in refused

    @pytest.mark.parametrize(
        ("more", "text"),
        [
            ({"password": "x"}, "give password or password_credential, not both"),
            ({"password_file": "/x"}, "give password_file or password_credential, not both"),
            (
                {"password": "x", "password_file": "/x"},
                "give password or password_file or password_credential, not all",
            ),
        ],
    )
    def test_in_one_way_only(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: dict[str, str], text: str
    ) -> None:
        assert self.refused(self.written(tmp_path, **more)) == text


def test_hooks() -> None:
    given = {"on_master": "/bin/x 'a b' c", "up_script": "/etc/up", "xparam": "a; b", "hook_timeout": "2.5"}
    vip, wrong = parse_vip("smtp", {**SMTP, "password": "sesame", **given}, "here")
    assert wrong == [] and vip is not None
    assert (vip.on_master, vip.on_backup, vip.up_script) == (("/bin/x", "a b", "c"), (), "/etc/up")
    assert (vip.xparam, vip.hook_timeout, vip.hook_user) == ("a; b", 2.5, "")
    _vip, wrong = parse_vip("smtp", {**SMTP, "password": "sesame", "xparam": "a\ab"}, "here")
    assert [str(problem) for problem in wrong] == [
        r"here: [vip smtp] xparam = a\x07b: must be any text without control characters"
    ]


def test_known_peers() -> None:
    text = "172.17.0.75 carpd 0, 172.17.0.76 any 20,fe80::1, fe80::2 carpd"
    vip, wrong = parse_vip("smtp", {**SMTP, "password": "sesame", "known_peers": text}, "here")
    assert wrong == [] and vip is not None
    assert [(str(peer.address), peer.ours, peer.advskew) for peer in vip.known_peers] == [
        ("172.17.0.75", True, 0),
        ("172.17.0.76", False, 20),
        ("fe80::1", False, 0),
        ("fe80::2", True, None),
    ]


def test_a_second_password_need_not_be() -> None:
    vip, wrong = parse_vip("smtp", {**SMTP, "password": "sesame", "accept_password": "old"}, "here")
    assert wrong == [] and vip is not None
    assert (vip.password, vip.accept_password) == (b"sesame", b"old")
