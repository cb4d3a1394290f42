# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""main.cf: any value that Postfix has can be given, and every other one is refused."""

from __future__ import annotations

import pytest
from ansible_collections.failover.carp.plugins.module_utils.postfix import main_cf
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        (1000, "1000"),
        ("  text ", "text"),
        ("", ""),
        ([], ""),
        (["a", 1, "b c"], "a, 1, b c"),
        ("permit_mynetworks,\n  # not a comment\n  reject\n", "permit_mynetworks, # not a comment reject"),
    ],
)
def test_values(value: object, text: str) -> None:
    assert main_cf.as_text(value) == text


@pytest.mark.parametrize("value", [None, 3.6, {"a": 1}, [["a"]], ["a", None]])
def test_what_is_no_value(value: object) -> None:
    settings, problems = main_cf.as_settings({"good": 1, "bad": value})
    assert settings == {"good": "1"}
    assert len(problems) == 1
    assert problems[0].startswith(f"main.cf: bad = {value}: must be text")


@pytest.mark.parametrize("name", ["", "a b", "a=b", "1st", "#a", "a\nb"])
def test_what_is_no_name(name: str) -> None:
    settings, problems = main_cf.as_settings({name: "x"}, "master.cf: smtp/inet")
    assert settings == {}
    assert problems[0].startswith(f"master.cf: smtp/inet: {name}: a parameter's name has")


def test_the_order_of_the_settings_does_not_matter() -> None:
    text = main_cf.render({"b": "2", "a": "", "c": "3"})
    assert text == main_cf.HEADER + "a =\nb = 2\nc = 3\n"
    assert text == main_cf.render({"c": "3", "b": "2", "a": ""})


def test_reading_what_a_person_wrote() -> None:
    text = "# comment\n\na = 1\n  # comment\n  2\nb=3\na = 4\nnonsense\n"
    assert main_cf.parse(text) == {"a": "4", "b": "3", "nonsense": ""}


@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True),
        st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=30),
    )
)
def test_what_is_written_is_read(settings: dict[str, str]) -> None:
    assert main_cf.parse(main_cf.render(settings)) == settings
