# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Frozen data classes in the words of ``dataclasses``, as far as the daemon uses them.

The standard module loads ``inspect``, and with it a parser, a disassembler and a tokenizer, and compiles the methods of
each class anew: measured, one of the fourteen megabytes that the daemon may take. A type checker sees the standard
functions, so that nothing is lost there.
"""

from __future__ import annotations

from .typed import TYPE_CHECKING

__all__ = ["dataclass", "replace"]

if TYPE_CHECKING:
    from dataclasses import dataclass, replace

else:

    def dataclass(*, frozen):
        """Make a class one of values: made from their fields, shown and compared by them, and never changed."""
        if not frozen:
            raise TypeError("only frozen data classes are known here")
        return _furnish

    def replace(record, **changes):
        """Return a copy with other values in some fields."""
        return type(record)(**{**dict(zip(record._names, _values(record))), **changes})

    def _furnish(cls):
        cls._names = tuple(getattr(cls, "__annotations__", ()))
        cls._defaults = {name: cls.__dict__[name] for name in cls._names if name in cls.__dict__}
        for name, method in _METHODS.items():
            if name not in cls.__dict__:
                setattr(cls, name, method)
        return cls

    def _values(record):
        return tuple(getattr(record, name) for name in record._names)

    class _Record:
        def __init__(self, *values, **named):
            if len(values) == len(self._names) and not named:
                self.__dict__.update(zip(self._names, values))  # what is made very often is made this way
                return
            given = {**self._defaults, **dict(zip(self._names, values)), **named}
            twice = named.keys() & self._names[: len(values)]
            if twice or len(values) > len(self._names) or given.keys() != set(self._names):
                raise TypeError(f"{type(self).__name__} has the fields {self._names}, given once each or by default")
            self.__dict__.update(given)

        def __eq__(self, other):
            return _values(self) == _values(other) if type(other) is type(self) else NotImplemented

        def __hash__(self):
            return hash(_values(self))

        def __repr__(self):
            shown = ", ".join(f"{name}={value!r}" for name, value in zip(self._names, _values(self)))
            return f"{type(self).__qualname__}({shown})"

        def __setattr__(self, name, value):
            raise AttributeError(f"{type(self).__name__} is frozen, and with it {name}")

        def __delattr__(self, name):
            raise AttributeError(f"{type(self).__name__} is frozen, and with it {name}")

    _METHODS = {name: method for name, method in vars(_Record).items() if callable(method)}
