"""Sets owner, mode and ACLs of open files, never granting too much in between."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from typing import NamedTuple

from converge.host.fs import acl
from converge.host.fs.descriptors import changeable

CARRIED = 0o6022
"""What a new owner or group does not get with it: set-user-id, set-group-id, and write bits of group and others."""


class Metadata(NamedTuple):
    """What an entry is to have. A list of None is left as it is."""

    uid: int
    gid: int
    mode: int
    access: tuple[acl.Entry, ...] | None = None
    default: tuple[acl.Entry, ...] | None = None

    def moves(self, status: os.stat_result) -> bool:
        """Whether it gets another owner or group."""
        return (self.uid, self.gid) != (status.st_uid, status.st_gid)

    def bits(self) -> int:
        """The mode as stat(2) is to show it."""
        return acl.effective_mode(self.mode, self.access or ())


def set_metadata(handle: int, status: os.stat_result, uid: int | None, gid: int | None, mode: int | None) -> None:
    """Owner, group and mode of what a descriptor stands for, which may be one that only marks a place."""
    uid, gid = status.st_uid if uid is None else uid, status.st_gid if gid is None else gid
    moved = (uid, gid) != (status.st_uid, status.st_gid)
    old = stat.S_IMODE(status.st_mode)
    wanted = mode if mode is not None else old & ~CARRIED if moved else old
    lists: Sequence[acl.Entry] | None = () if moved or mode is not None else None
    settle(handle, status, Metadata(uid, gid, wanted, *((None, None) if lists is None else ((), ()))))


def settle(handle: int, status: os.stat_result, wanted: Metadata) -> None:
    """Give what a descriptor stands for its metadata.

    Rights go before the owner does, and what is wanted comes after: the former owner can change the mode as long as
    it is theirs, and then no more.
    """
    place = changeable(handle)
    mode, moved = stat.S_IMODE(status.st_mode), wanted.moves(status)
    is_link = stat.S_ISLNK(status.st_mode)  # which has neither mode nor lists of its own
    if moved:
        safe = mode & wanted.bits() & ~CARRIED
        if safe != mode and not is_link:
            os.chmod(place, safe)
        os.chown(place, wanted.uid, wanted.gid)  # of a link itself, where the descriptor marks one
    if is_link:
        return
    if moved and wanted.access == ():
        acl.write(place, acl.ACCESS, ())
    if moved or mode != wanted.bits():
        os.chmod(place, wanted.bits())
    if wanted.access is not None:
        acl.write(place, acl.ACCESS, wanted.access)
    if wanted.default is not None and stat.S_ISDIR(status.st_mode):
        acl.write(place, acl.DEFAULT, wanted.default)


def show_mode(mode: int) -> str:
    """``0644``."""
    return f"{mode:04o}"
