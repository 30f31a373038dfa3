"""Giving one entry below a directory to another owner or group, without a right of the former one."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from converge.host.fs.descriptors import MARKS_PLACES
from converge.host.fs.flags import open_flags
from converge.host.fs.metadata import Metadata, settle

_PLACE = open_flags("O_PATH", "O_NOFOLLOW", "O_CLOEXEC")


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
        lists = () if _distrusted(status) else None
        owner, group = status.st_uid if uid is None else uid, status.st_gid if gid is None else gid
        settle(handle, status, Metadata(owner, group, _safe_mode(status, uid), lists, lists))
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


def _id(number: int | None) -> int:
    return -1 if number is None else number
