# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of ``typing``, as far as the daemon uses them.

To load the standard module takes 0.7 MB, for what readers and type checkers need and a running program hardly does. A
type checker sees the standard words, so that nothing is lost there.
"""

from __future__ import annotations

from collections import namedtuple

__all__ = ["TYPE_CHECKING", "Any", "NamedTuple", "Union"]

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any, NamedTuple, Union

else:

    class _Anything:
        """Stands for types that are never looked at."""

        def __getitem__(self, _types):
            return self

    Any = Union = _Anything()

    class _TupleMaker(type):
        """Makes of a class body with annotations a class of tuples."""

        def __new__(cls, name, bases, body):
            if not bases:
                return super().__new__(cls, name, bases, body)
            fields = body.get("__annotations__", {})
            made = namedtuple(name, fields, defaults=[body[field] for field in fields if field in body])
            for key, value in body.items():
                if key not in fields:
                    setattr(made, key, value)
            return made

    class NamedTuple(metaclass=_TupleMaker):
        """The base of tuples whose fields have names, and maybe defaults and methods."""
