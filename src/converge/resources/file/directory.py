"""Directories."""

from __future__ import annotations

import copy
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import ClassVar

from converge.core.change import IN_SYNC, Change, Changes
from converge.core.errors import Permanent, ResourceError
from converge.core.ownership import NOTHING, Ownership
from converge.core.resource import Need, Owned, OwnsPath
from converge.core.trigger import PathChanged, Trigger
from converge.host.fs import acl
from converge.host.fs.batch import Batch
from converge.host.fs.descriptors import mount_points, real_path
from converge.host.fs.dirfd import is_empty, sync_directory
from converge.host.fs.errors import shown
from converge.host.fs.flags import open_flags
from converge.host.fs.metadata import Metadata, settle, show_mode
from converge.host.fs.place import find_folder, is_link, look, need_folder, refuse
from converge.host.fs.trust import Place, trusted
from converge.resources.file.entry import Entry, list_needs, mode_mistakes
from converge.resources.file.foreign import refuse_foreign
from converge.resources.file.kept import Kept, held_below, kept_below
from converge.resources.file.ownership import (
    declared_lists,
    foretold_lists,
    foretold_ownership,
    metadata_changes,
    owner_ids,
    wanted_metadata,
)
from converge.resources.file.purge import NoTransaction, count_below, show_count, unowned
from converge.resources.file.tree import Tree, holds_mount, remove_tree

_PLACE = open_flags("O_PATH", "O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC")

_MOST_NAMED = 1_000


@dataclass(frozen=True, slots=True)
class Directory(Entry):
    """A directory."""

    adoption = "by name"
    adopter: ClassVar[str] = "converge.resources.file.adopt:adopt_directory"
    left_as_is = Entry.left_as_is | {"mode", "acl", "default_acl"}
    new_mode: ClassVar[int] = 0o755

    _: KW_ONLY
    mode: int | None = None
    """Permissions, as ``0o755``. Unset: 0755 for a new directory, otherwise left as they are.

    When owner or group change, an unset mode loses set-user-id, set-group-id and the write bits of group and others; in
    a directory that others may write it becomes 0755.
    """
    acl: Sequence[str] = field(default=(), hash=False)
    """Entries of its access list, as ``"user:www-data:rx"`` or ``"group:adm:r"``; needs ``mode``.

    With ``mode``, entries that are not declared are removed.
    """
    default_acl: Sequence[str] = field(default=(), hash=False)
    """Entries of its default access list, which files made in it inherit; needs ``mode``.

    With ``mode``, entries that are not declared are removed.
    """
    recurse: bool = False
    """Owner and group hold for everything below too, except where another resource declares them."""
    purge: bool = False
    """Remove everything below that no resource owns. Homes, checkouts, unpacked archives, mounted file systems and
    unfinished files of package managers are left alone, and nothing is purged while packages are being changed."""
    force: bool = False
    """With ``state="absent"``: remove it even where it is not empty, unless it holds what another resource owns."""

    ownership: Ownership | None = field(init=False, repr=False, default=None)
    """What all resources own; None until :meth:`with_ownership` told."""

    def owns(self) -> Iterable[Owned]:
        return (OwnsPath(self.at, self.owner is not None, self.group is not None, self.recurse),)

    def with_ownership(self, ownership: Ownership) -> Directory:
        """The same directory, knowing what others own below it, where it could take that away."""
        if not (self.purge or self.recurse or self.state == "absent"):
            return self
        known = copy.copy(self)
        object.__setattr__(known, "ownership", ownership)
        return known

    def mistakes(self) -> Iterator[str]:
        yield from Entry.mistakes(self)
        yield from mode_mistakes(self.mode)
        yield from acl.mistakes("acl", self.acl, self.mode)
        yield from acl.mistakes("default_acl", self.default_acl, self.mode)
        if self.recurse and self.owner is None and self.group is None:
            yield "recurse=True is about owner and group; give one of them"
        if self.force and self.state != "absent":
            yield 'force=True only has a meaning with state="absent"'
        if self.state == "absent" and (
            self.mode is not None or self.acl or self.default_acl or self.recurse or self.purge
        ):
            yield 'with state="absent" the directory goes away; leave out mode, recurse and purge'
        if self.at == "/" and (self.state == "absent" or self.purge):
            yield "the root directory is neither removed nor purged"

    def default_entries(self) -> Sequence[str]:
        """What its default access list names."""
        return self.default_acl

    def needs(self) -> Sequence[Need]:
        return [*Entry.needs(self), *list_needs(self.acl, self.default_acl)]

    def triggers(self) -> Sequence[Trigger]:
        return (PathChanged(self.at, deep=self.recurse or self.purge),)

    def compare(self, batch: Batch) -> Changes:
        folder = find_folder(self, batch)
        status = None if folder is None else look(folder, self.name())
        if self.state == "absent":
            return self._removal(folder, status)
        if folder is None or status is None:
            owner_ids(self, batch), declared_lists(self, batch)  # who they name must exist by the time it is made
            return self.creation()
        self._refuse_others(status)
        place = batch.directories.place(self.folder())
        wanted = wanted_metadata(self, status, place, batch)
        changes = tuple(metadata_changes(self, folder, status, wanted, batch))
        if changes:
            self._refuse_foreign(folder, place, wanted)
        return (*changes, *self._entry_changes(folder, batch))

    def creation(self) -> Changes:
        mode = self.new_mode if self.mode is None else self.mode
        return (
            Change("state", None, "present", "create"),
            Change("mode", None, show_mode(mode), "create"),
            *foretold_lists(self),
            *foretold_ownership(self),
        )

    def converge(self, state: Changes, batch: Batch) -> None:
        if self.state == "absent":
            self._remove(batch)
            return
        folder = need_folder(self, batch)
        name = self.name() or "."
        status = look(folder, name)
        if status is None:
            self._make(folder, name, batch)
            return
        self._refuse_others(status)
        handle = os.open(name, _PLACE, dir_fd=folder)
        try:
            place = batch.directories.place(self.folder())
            wanted = wanted_metadata(self, os.fstat(handle), place, batch)
            self._refuse_others_directory(handle, place, wanted)
            # What is below comes first: whom the directory is given to could put links to files of others into it.
            self._converge_entries(state, handle, batch)
            settle(handle, os.fstat(handle), wanted)
        finally:
            os.close(handle)

    # --- itself -------------------------------------------------------------------------------------------

    def _refuse_foreign(self, folder: int, place: Place, wanted: Metadata) -> None:
        handle = os.open(self.name() or ".", _PLACE, dir_fd=folder)
        try:
            self._refuse_others_directory(handle, place, wanted)
        finally:
            os.close(handle)

    def _refuse_others_directory(self, handle: int, place: Place, wanted: Metadata) -> None:
        """One of root with nothing in it gives nothing away."""
        status = os.fstat(handle)
        if place.exposed and not (trusted(status.st_uid) and is_empty(handle)):
            refuse_foreign(self, status, place, wanted)

    def _refuse_others(self, status: os.stat_result) -> None:
        if is_link(status):
            refuse(self, status, "declare the directory that it leads to, or remove the link")
        if not stat.S_ISDIR(status.st_mode):
            refuse(self, status, "it is not replaced by a directory; remove it or choose another path")

    def _make(self, folder: int, name: str, batch: Batch) -> None:
        uid, gid = owner_ids(self, batch)
        declared_lists(self, batch)
        os.mkdir(name, 0o700, dir_fd=folder)
        handle = os.open(name, _PLACE, dir_fd=folder)
        try:
            made = os.fstat(handle)
            if not trusted(made.st_uid) or not is_empty(handle):
                raise ResourceError(f"{shown(self.at)} was replaced by another directory while it was made")
            settle(handle, made, self._new_metadata(made, uid, gid, batch))
        finally:
            os.close(handle)
        sync_directory(folder)

    def _new_metadata(self, made: os.stat_result, uid: int | None, gid: int | None, batch: Batch) -> Metadata:
        uid, gid = made.st_uid if uid is None else uid, made.st_gid if gid is None else gid
        if self.mode is not None:
            return Metadata(uid, gid, self.mode, *declared_lists(self, batch))
        if batch.directories.place(self.folder()).exposed:
            return Metadata(uid, gid, self.new_mode, (), ())
        # The set-group-id bit and the lists may come from the directory it is in; only a declared mode drops them.
        return Metadata(uid, gid, self.new_mode | (made.st_mode & stat.S_ISGID))

    def _removal(self, folder: int | None, status: os.stat_result | None) -> Changes:
        if folder is None or status is None:
            return IN_SYNC
        if not stat.S_ISDIR(status.st_mode):
            refuse(self, status, "not a directory, so it is not removed")
        removal = Change("state", "present", "absent", "remove")
        if not self.force:
            return (removal,)
        if holds_mount(f"{real_path(folder)}/{self.name()}", mount_points()):  # before anything on it is touched
            raise Permanent(f"{shown(self.at)} has a file system mounted in it; unmount that first")
        self._refuse_held(folder)
        try:
            count = count_below(folder, self.name())
        except PermissionError:
            return (removal,)
        return (removal, Change("purge", show_count(count), None, "remove")) if count else (removal,)

    def _refuse_held(self, folder: int) -> None:
        real = f"{real_path(folder)}/{self.name()}"
        if claim := held_below(self.at, real, self.ownership or NOTHING, self.id):
            place = f" ({claim.where})" if claim.where.file else ""
            raise Permanent(f"{shown(self.at)} holds what {claim.id}{place} owns, so it is not removed")

    def _remove(self, batch: Batch) -> None:
        folder = find_folder(self, batch)
        if folder is None or not self._removal(folder, look(folder, self.name())):
            return
        batch.directories.forget(self.at)
        if self.force:
            remove_tree(folder, self.name(), self.at)
        else:
            os.rmdir(self.name(), dir_fd=folder)
        sync_directory(folder)

    # --- what is below ------------------------------------------------------------------------------------

    def _kept(self, handle: int) -> Kept:
        if self.ownership is None and self.purge:
            raise ResourceError(f"{shown(self.at)}: purge does not know yet what is managed there")
        return kept_below(self.at, real_path(handle), self.ownership or NOTHING, self.id)

    def _entry_changes(self, folder: int, batch: Batch) -> Iterator[Change]:
        if not (self.purge or self.recurse):
            return
        handle = os.open(self.name() or ".", _PLACE, dir_fd=folder)
        try:
            kept = self._kept(handle)
            if self.purge and (found := unowned(handle, ".", kept)).names:
                NoTransaction(self.at).require()
                yield from (Change("entry", shown(name), None, "remove") for name in found.names)
                if found.count > 1:
                    yield Change("purge", found.counted(), None, "remove")
            if self.recurse:
                yield from self._owner_changes(Tree(handle, ".", self.at, kept), batch)
        finally:
            os.close(handle)

    def _owner_changes(self, tree: Tree, batch: Batch) -> Iterator[Change]:
        names, count = [], 0
        for count, name in enumerate(tree.owned_otherwise(*owner_ids(self, batch)), 1):
            if count <= _MOST_NAMED:
                names.append(name)
        if count:
            owner = ":".join(str(part) for part in (self.owner, self.group) if part is not None)
            yield Change("entry", f"{_listed(sorted(names), count)} owned otherwise", f"owned by {owner}")

    def _converge_entries(self, state: Changes, handle: int, batch: Batch) -> None:
        entries = [change for change in state if change.property == "entry"]
        if not entries:
            return
        kept = self._kept(handle)
        tree = Tree(handle, ".", self.at, kept)
        if doomed := {change.from_ for change in entries if change.action == "remove"}:
            quiet = NoTransaction(self.at)
            quiet.require()
            for name in unowned(handle, ".", kept).names:
                if shown(name) in doomed:
                    tree.remove(name, quiet.require)
        if any(change.action == "update" for change in entries):
            tree.own(*owner_ids(self, batch))


def _listed(names: Sequence[str], count: int, most: int = 5) -> str:
    first = ", ".join(shown(name) for name in names[:most])
    rest = count - most
    return f"{first} and {rest} more" if rest > 0 else first
