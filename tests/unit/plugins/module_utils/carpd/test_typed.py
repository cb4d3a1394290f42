# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our named tuples behave as those of the standard library do, in all that the daemon relies on."""

from __future__ import annotations

import typing
from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.module_utils.carpd import typed


def tuple_of(module: Any) -> Any:
    class Point(module.NamedTuple):
        """Somewhere."""

        x: int
        y: int = 0

        @property
        def far(self) -> bool:
            return self.x > 9

        @classmethod
        def origin(cls) -> Any:
            return cls(0)

        def moved(self, by: int) -> Any:
            return self._replace(x=self.x + by)

    return Point


@pytest.mark.parametrize("module", [typed, typing])
def test_named_tuples(module: Any) -> None:
    point_class = tuple_of(module)
    point = point_class(1)
    assert point == (1, 0) == point_class(x=1, y=0)
    assert repr(point) == "Point(x=1, y=0)"
    assert (point.moved(9), point.moved(9).far, point.far) == (point_class(10), True, False)
    assert point._asdict() == {"x": 1, "y": 0}
    assert (point_class._fields, point_class._field_defaults) == (("x", "y"), {"y": 0})
    assert point_class.origin() == (0, 0)
    assert isinstance(point, tuple)
    assert isinstance(point, point_class)
    assert (point_class.__doc__, point_class.__name__, point_class.__module__) == ("Somewhere.", "Point", __name__)
    assert point_class.__qualname__ == "tuple_of.<locals>.Point"
    for wrong in ({}, {"x": 1, "z": 2}):
        with pytest.raises(TypeError):
            point_class(**wrong)
    with pytest.raises(AttributeError):
        point.x = 2


def test_names_of_types_can_be_written_down() -> None:
    assert typed.Union[int, typed.Any] is not None
    assert dict[str, typed.Any] is not None
