# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Functions of the C library that Python does not offer.

They are called by the part of ctypes that is written in C. The rest of it takes a quarter of a megabyte, for all the
types of C, where nothing but numbers is passed here; and needs memory that can be made executable, which a service may
be refused.
"""

from __future__ import annotations

import os


def call(name: str, *numbers: int) -> None:
    """Call a function that returns -1 when it fails. Raises OSError with its reason, or if it cannot be called."""
    try:
        import _ctypes  # here, since it may be missing, which costs no more than this function

        class Function(_ctypes.CFuncPtr):
            _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO

        library = _ctypes.dlopen(None, os.RTLD_NOW)  # type: ignore[arg-type]  # None: what is loaded already
        result = Function(_ctypes.dlsym(library, name))(*numbers)
    except (ImportError, MemoryError) as error:
        raise OSError(str(error)) from error
    if result == -1:
        code = _ctypes.get_errno()
        raise OSError(code, os.strerror(code))
