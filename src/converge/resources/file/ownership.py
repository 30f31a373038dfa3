"""Owner, group, mode and access lists: what an entry is to have, what differs, and how it gets that.

A change of owner or group carries no right over: set-user-id and set-group-id bits, write bits of group and others
and access lists go, unless they are declared. The former owner may have chosen them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from converge.resources.base import Action, Change
from converge.resources.file import acl
from converge.resources.file.batch import Batch
from converge.resources.file.handles import changeable
from converge.resources.file.names import group_name, owner_name
from converge.resources.file.show import show_mode
from converge.resources.file.trust import Place, trusted

if TYPE_CHECKING:
    from converge.resources.file.directory import Directory
    from converge.resources.file.entry import Entry
    from converge.resources.file.regular import File

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


def owner_ids(entry: Entry, batch: Batch) -> tuple[int | None, int | None]:
    """The numbers of its owner and group, where they are declared."""
    uid = None if entry.owner is None else batch.names.uid(entry.owner, entry.at)
    gid = None if entry.group is None else batch.names.gid(entry.group, entry.at)
    return uid, gid


def wanted_metadata(
    entry: File | Directory, status: os.stat_result, place: Place, batch: Batch, *, anew: bool = False
) -> Metadata:
    """What an entry that is there is to have. ``anew``: its content is replaced, so a new file takes its place."""
    uid, gid = owner_ids(entry, batch)
    uid, gid = status.st_uid if uid is None else uid, status.st_gid if gid is None else gid
    moved = (uid, gid) != (status.st_uid, status.st_gid)
    old = stat.S_IMODE(status.st_mode)
    if entry.mode is not None:
        return Metadata(uid, gid, entry.mode, *declared_lists(entry, batch))
    if moved:
        stays_ours = (
            trusted(uid) and uid == status.st_uid
        )  # who has chosen the mode, and keeps what it lets no one read
        default = place.exposed and not stays_ours
        return Metadata(uid, gid, entry.new_mode if default else old & ~CARRIED, (), ())
    if anew and place.exposed and not trusted(status.st_uid):
        old &= ~CARRIED
    return Metadata(uid, gid, old)


def declared_lists(
    entry: File | Directory, batch: Batch
) -> tuple[tuple[acl.Entry, ...] | None, tuple[acl.Entry, ...] | None]:
    """Its access list and the one of what is made in it; None where no mode is declared, which leaves them alone."""
    if entry.mode is None:
        return None, None
    names, path = batch.names, entry.at
    return acl.built(entry.mode, entry.acl, names, path), acl.built(entry.mode, entry.default_entries(), names, path)


def metadata_changes(
    entry: File | Directory, folder: int, status: os.stat_result, wanted: Metadata, batch: Batch
) -> Iterator[Change]:
    """What differs in mode, access lists, owner and group."""
    mode = stat.S_IMODE(status.st_mode)
    if mode != wanted.bits():
        yield Change("mode", show_mode(mode), show_mode(wanted.bits()))
    yield from _list_changes(entry, folder, status, wanted, batch)
    yield from ownership_changes(entry, status, batch)


def _list_changes(
    entry: File | Directory, folder: int, status: os.stat_result, wanted: Metadata, batch: Batch
) -> Iterator[Change]:
    lists = [("acl", acl.ACCESS, wanted.access)]
    if stat.S_ISDIR(status.st_mode):
        lists.append(("default acl", acl.DEFAULT, wanted.default))
    for what, kind, entries in lists:
        if entries is None or (not entries and status.st_dev in batch.without_lists):
            continue
        now = acl.read(f"/proc/self/fd/{folder}/{entry.name() or '.'}", kind)
        if now is None:
            batch.without_lists.add(status.st_dev)
            now = ()
        if now != entries:
            yield Change(what, acl.shown(now), acl.shown(entries), "update" if entries else "remove")


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


def foretold_lists(entry: File | Directory) -> Iterator[Change]:
    """The declared access lists, whose users may not exist yet."""
    for what, entries in (("acl", entry.acl), ("default acl", entry.default_entries())):
        if entries:
            yield Change(what, None, ", ".join(entries), "create")


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
