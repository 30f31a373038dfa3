"""Giving one entry below a directory to another owner or group, without a right of the former one."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable

from converge.openflags import open_flags
from converge.resources.file.handles import MARKS_PLACES, changeable

_PLACE = open_flags("O_PATH", "O_NOFOLLOW", "O_CLOEXEC")
_ACLS = ("system.posix_acl_access", "system.posix_acl_default")


def give(folder: int, name: str, uid: int | None, gid: int | None, refuse: Callable[[os.stat_result], None]) -> None:
    """Change owner and group of what has this name, itself and not where it may lead.

    ``refuse`` is asked about what was opened, which is what is changed, whatever is renamed meanwhile. Set-user-id and
    set-group-id bits never outlive the change, nor do write bits and access lists that an untrusted owner chose.
    """
    if not MARKS_PLACES:
        refuse(os.stat(name, dir_fd=folder, follow_symlinks=False))
        os.chown(name, _id(uid), _id(gid), dir_fd=folder, follow_symlinks=False)
        return
    handle = os.open(name, _PLACE, dir_fd=folder)
    try:
        status = os.fstat(handle)
        refuse(status)
        place = changeable(handle)
        if stat.S_ISLNK(status.st_mode):
            os.chown(place, _id(uid), _id(gid))  # this is the link itself: the descriptor marks it
            return
        mode = _safe_mode(status, uid)
        if _distrusted(status):
            _drop_access_lists(place)
        _set_mode(handle, mode)
        os.chown(place, _id(uid), _id(gid))
        _set_mode(handle, mode)  # the former owner may have changed it back in between, and cannot any more
    finally:
        os.close(handle)


def _safe_mode(status: os.stat_result, uid: int | None) -> int:
    mode = stat.S_IMODE(status.st_mode)
    keeps_owner = uid is None or uid == status.st_uid
    if stat.S_ISDIR(status.st_mode) and keeps_owner and not _distrusted(status):
        return mode  # root's own directory, whose set-group-id bit hands the new group on
    mode &= ~0o6000
    return mode & ~0o022 if _distrusted(status) and not keeps_owner else mode


def _distrusted(status: os.stat_result) -> bool:
    return status.st_uid not in (0, os.geteuid())


def _set_mode(handle: int, mode: int) -> None:
    if stat.S_IMODE(os.fstat(handle).st_mode) != mode:
        os.chmod(changeable(handle), mode)


def _drop_access_lists(place: str | int) -> None:
    for name in _ACLS:
        try:
            os.removexattr(place, name)
        except OSError as error:
            if error.errno not in (errno.ENODATA, errno.ENOTSUP, errno.EACCES, errno.EPERM):
                raise


def _id(number: int | None) -> int:
    return -1 if number is None else number
