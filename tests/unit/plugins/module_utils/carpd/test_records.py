# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our data classes behave as those of the standard library do, in all that the daemon relies on."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd import records


def classes(module: Any) -> tuple[Any, Any, Any]:
    @module.dataclass(frozen=True)
    class Point:
        """Somewhere."""

        x: int
        y: int = 0

        @property
        def far(self) -> bool:
            return self.x > 9

    @module.dataclass(frozen=True)
    class Pair:
        x: int
        y: int = 0

    @module.dataclass(frozen=True)
    class Secret:
        word: str

        def __repr__(self) -> str:
            return "Secret()"

    return Point, Pair, Secret


@pytest.fixture(name="made", params=[records, dataclasses], ids=["ours", "the standard's"])
def made_(request: pytest.FixtureRequest) -> tuple[Any, Any, Any]:
    return classes(request.param)


def test_made_from_values(made: tuple[Any, Any, Any]) -> None:
    point = made[0]
    assert [(one.x, one.y) for one in (point(1), point(1, 2), point(1, y=2), point(y=2, x=1))] == [
        (1, 0),
        (1, 2),
        (1, 2),
        (1, 2),
    ]
    assert point(10).far
    assert point.__doc__ == "Somewhere."


@pytest.mark.parametrize(("values", "named"), [((), {}), ((1, 2, 3), {}), ((1,), {"x": 1}), ((1,), {"z": 1})])
def test_wrong_values(made: tuple[Any, Any, Any], values: tuple[int, ...], named: dict[str, int]) -> None:
    with pytest.raises(TypeError):
        made[0](*values, **named)


def test_compared_by_kind_and_values(made: tuple[Any, Any, Any]) -> None:
    point, pair, _secret = made
    assert point(1, 2) == point(1, 2)
    assert point(1, 2) != point(1, 3)
    assert point(1, 2) != pair(1, 2)
    assert point(1, 2) != (1, 2)
    assert len({point(1, 2), point(1, 2), point(1)}) == 2


def test_shown(made: tuple[Any, Any, Any]) -> None:
    point, _pair, secret = made
    assert repr(point(1)).endswith("Point(x=1, y=0)")
    assert repr(secret("sesame")) == "Secret()"


def test_never_changed(made: tuple[Any, Any, Any]) -> None:
    one = made[0](1)
    with pytest.raises(AttributeError):
        one.x = 2
    with pytest.raises(AttributeError):
        del one.x
    with pytest.raises(AttributeError):
        one.z = 2
    assert (one.x, one.y) == (1, 0)


@pytest.mark.parametrize("module", [records, dataclasses], ids=["ours", "the standard's"])
def test_replace(module: Any) -> None:
    point = classes(module)[0]
    one = point(1, 2)
    assert module.replace(one, y=3) == point(1, 3)
    assert one == point(1, 2)
    with pytest.raises(TypeError):
        module.replace(one, z=3)


def test_others_are_not_to_be_had() -> None:
    with pytest.raises(TypeError):
        records.dataclass(frozen=False)
