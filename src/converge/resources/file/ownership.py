"""Owner, group and mode."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING

from converge.resources.base import Action, Change
from converge.resources.file.batch import Batch
from converge.resources.file.handles import changeable
from converge.resources.file.names import group_name, owner_name

if TYPE_CHECKING:
    from converge.resources.file.entry import Entry


def owner_ids(entry: Entry, batch: Batch) -> tuple[int | None, int | None]:
    """The numbers of its owner and group, where they are declared."""
    uid = None if entry.owner is None else batch.names.uid(entry.owner, entry.at)
    gid = None if entry.group is None else batch.names.gid(entry.group, entry.at)
    return uid, gid


def ownership_changes(entry: Entry, status: os.stat_result | None, batch: Batch) -> Iterator[Change]:
    """What differs in owner and group."""
    uid, gid = owner_ids(entry, batch)
    action: Action = "create" if status is None else "update"
    if uid is not None and (status is None or status.st_uid != uid):
        yield Change("owner", None if status is None else owner_name(status.st_uid), str(entry.owner), action)
    if gid is not None and (status is None or status.st_gid != gid):
        yield Change("group", None if status is None else group_name(status.st_gid), str(entry.group), action)


def foretold_ownership(entry: Entry, action: Action = "create") -> Iterator[Change]:
    """The declared owner and group, which may not exist yet."""
    if entry.owner is not None:
        yield Change("owner", None, str(entry.owner), action)
    if entry.group is not None:
        yield Change("group", None, str(entry.group), action)


def set_metadata(handle: int, status: os.stat_result, uid: int | None, gid: int | None, mode: int | None) -> None:
    """Owner, group and mode of what a descriptor stands for, which may be one that only marks a place."""
    place = changeable(handle)
    moved = (uid is not None and uid != status.st_uid) or (gid is not None and gid != status.st_gid)
    if moved:
        os.chown(place, -1 if uid is None else uid, -1 if gid is None else gid)
    old = stat.S_IMODE(status.st_mode)
    wanted = old if mode is None else mode
    # A change of owner may have cleared the set-user-id bits.
    if wanted != old or (moved and wanted & 0o6000):
        os.chmod(place, wanted)
