"""inotify system calls without releasing the interpreter lock, which would take longer than the calls.

Python lets another thread run during each of its own system calls. Where worker threads are busy, a call of a
microsecond then comes back to a queue; during a burst of changes that queue was most of what watching cost. Two of
them keep the interpreter to themselves, on paths of local file systems only, where they read or note something in
memory.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from inotify_simple import INotify, parse_events  # type: ignore[import-untyped]  # it has no type hints

from converge.sources.base import Report

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


_LIMIT: Final = "/proc/sys/fs/inotify/max_user_watches"


class Inotify:
    """One inotify descriptor. Where no more of them are to be had it says so and raises OSError."""

    tells_names = True

    def __init__(self, report: Report) -> None:
        try:
            self._inotify = INotify(nonblocking=True)
        except OSError as error:
            if error.errno == errno.EMFILE:
                report(
                    "warning",
                    "no more inotify instances are to be had; raise the limit with "
                    "'sysctl fs.inotify.max_user_instances=1024'",
                )
            raise
        self._descriptor = int(self._inotify.fileno())

    def fileno(self) -> int:
        """What can be read when there are events."""
        return self._descriptor

    def read(self, size: int) -> Sequence[tuple[int, int, int, str]]:
        """Events that have come, with watch, mask, cookie and name. Raises BlockingIOError where there are none."""
        events: Sequence[tuple[int, int, int, str]] = parse_events(os.read(self._descriptor, size))
        return events

    def add(self, path: str, mask: int) -> int:
        """Watch what is at a path. Raises OSError."""
        return add_watch(self._descriptor, path, mask)

    def remove(self, watch: int) -> None:
        """End a watch. Raises OSError."""
        self._inotify.rm_watch(watch)

    def type_of(self, path: str) -> int:
        """The file type bits of what is at a path, itself and not where it may lead. Raises OSError."""
        return type_of(path)

    def entries(self, path: str, wanted: Iterable[str]) -> Mapping[str, bool]:
        """The names in a directory, and whether each is one itself. Raises OSError."""
        del wanted  # all that comes and goes is told
        with os.scandir(path) as found:
            return {entry.name: entry.is_dir(follow_symlinks=False) for entry in found}

    def limit(self) -> str:
        """Why there are no more watches, for a person."""
        number = _number(_LIMIT)
        return (
            f"no more inotify watches are to be had (fs.inotify.max_user_watches is {number}); raise it with "
            f"'sysctl fs.inotify.max_user_watches={max(524288, 2 * number)}'"
        )

    def close(self) -> None:
        """Give all watches back."""
        self._inotify.close()


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


def _number(path: str) -> int:
    try:
        with open(path) as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0  # only a figure in a sentence
