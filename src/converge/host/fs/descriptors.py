"""Operations on open descriptors, on Linux and macOS.

Linux has descriptors that only mark a place (``O_PATH``), and reaches what they stand for through ``/proc``. On macOS
they are those of open files and directories.
"""

from __future__ import annotations

import os
import sys
from typing import Final

from converge.core.errors import ResourceError
from converge.host.mountinfo import MOUNTINFO, mount_point

MARKS_PLACES: Final = sys.platform == "linux"

# What macOS has instead: sys/fcntl.h, sys/syslimits.h, copyfile.h
_F_GETPATH: Final = 50
_LONGEST_PATH: Final = 1024
_ACL_AND_XATTR: Final = 0x1 | 0x4
_MOUNT: Final = "/sbin/mount"


def changeable(handle: int) -> str | int:
    """By what chown(2) and chmod(2) reach what the descriptor stands for."""
    return f"/proc/self/fd/{handle}" if MARKS_PLACES else handle


def real_path(handle: int) -> str:
    """Where a directory is, without a slash at the end."""
    if MARKS_PLACES:
        return os.readlink(f"/proc/self/fd/{handle}").rstrip("/")
    import fcntl

    return os.fsdecode(fcntl.fcntl(handle, _F_GETPATH, bytes(_LONGEST_PATH)).partition(b"\0")[0]).rstrip("/")


def mount_points() -> frozenset[str]:
    """Where file systems are mounted."""
    if not MARKS_PLACES:
        return mounted_on(_mounts_of_macos())
    with open(MOUNTINFO, "rb") as file:
        return frozenset(map(mount_point, file))


def mounted_on(listing: str) -> frozenset[str]:
    """The mount points in what mount(8) prints on macOS."""
    return frozenset(
        f"/{where}"
        for line in listing.split("\n")
        for _, on, where in [line.rpartition(" (")[0].partition(" on /")]
        if on and line.endswith(")")
    )


def copy_attributes_of_macos(folder: int, name: str, handle: int) -> None:
    """Extended attributes and the access list of a file, as copyfile(3) copies them. Raises OSError."""
    old = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        _copyfile(old, handle)
    finally:
        os.close(old)


def _copyfile(old: int, new: int) -> None:
    import ctypes

    if ctypes.CDLL(None, use_errno=True).fcopyfile(old, new, None, _ACL_AND_XATTR) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _mounts_of_macos() -> str:
    from converge.host import process

    done = process.run([_MOUNT], timeout=10.0)
    if done.returncode != 0:
        raise ResourceError(f"{_MOUNT} ended with {done.ending()}, so it is not known what is mounted where")
    return done.output
