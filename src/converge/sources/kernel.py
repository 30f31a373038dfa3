"""System calls that are over sooner than letting other threads in would take.

Python lets another thread run during each of its own system calls. Where worker threads are busy, a call of a
microsecond then comes back to a queue; during a burst of changes that queue was most of what watching cost. These two
keep the interpreter to themselves, on paths of local file systems only, where they read or note something in memory.
"""

from __future__ import annotations

import ctypes
import os
import stat
import sys
from typing import Final

_libc: Final = ctypes.PyDLL(None, use_errno=True)
_add_watch: Final = _libc.inotify_add_watch
_statx: Final = getattr(_libc, "statx", None)

# statx(2), linux/stat.h: the structure is the same on all architectures, unlike that of stat(2).
_AT_FDCWD: Final = -100
_AT_SYMLINK_NOFOLLOW: Final = 0x100
_STATX_TYPE: Final = 1
_SIZE: Final = 256
_MODE: Final = slice(28, 30)
_found: Final = ctypes.create_string_buffer(_SIZE)  # one will do: nobody else runs until it has been read


def add_watch(inotify: int, path: str, mask: int) -> int:
    """inotify_add_watch(2). Raises OSError."""
    watch = _add_watch(inotify, os.fsencode(path), ctypes.c_uint32(mask))
    if watch < 0:
        _fail(path)
    return int(watch)


def type_of(path: str) -> int:
    """The file type bits of what is at a path, itself and not where it may lead. Raises OSError."""
    if _statx is None:
        return stat.S_IFMT(os.lstat(path).st_mode)
    if _statx(_AT_FDCWD, os.fsencode(path), _AT_SYMLINK_NOFOLLOW, _STATX_TYPE, _found) < 0:
        _fail(path)
    return stat.S_IFMT(int.from_bytes(_found.raw[_MODE], sys.byteorder))


def _fail(path: str) -> None:
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number), path)
