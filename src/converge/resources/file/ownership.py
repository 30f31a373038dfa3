"""Owner, group, mode and access lists: what an entry is to have, what differs, and how it gets that.

A change of owner or group carries no right over: set-user-id and set-group-id bits, write bits of group and others
and access lists go, unless they are declared. The former owner may have chosen them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING

from converge.core.change import Action, Change
from converge.host.fs import acl
from converge.host.fs.batch import Batch
from converge.host.fs.metadata import CARRIED, Metadata, show_mode
from converge.host.fs.owners import group_name, owner_name
from converge.host.fs.trust import Place, trusted

if TYPE_CHECKING:
    from converge.resources.file.directory import Directory
    from converge.resources.file.entry import Entry
    from converge.resources.file.file import File


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
