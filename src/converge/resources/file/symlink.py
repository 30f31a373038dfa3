"""Symbolic links."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, ClassVar

from converge.core.change import IN_SYNC, Change, Changes
from converge.core.errors import ResourceError
from converge.host.fs.atomic import temporary_name
from converge.host.fs.batch import Batch
from converge.host.fs.dirfd import sync_directory
from converge.host.fs.errors import shown
from converge.host.fs.flags import open_flags
from converge.host.fs.metadata import set_metadata
from converge.host.fs.paths import PathLike, as_text
from converge.host.fs.place import find_folder, is_link, look, need_folder, refuse, remove, type_name
from converge.resources.file.entry import Entry
from converge.resources.file.ownership import foretold_ownership, owner_ids, ownership_changes

if TYPE_CHECKING:
    from typing import Self

_PLACE = open_flags("O_PATH", "O_NOFOLLOW", "O_CLOEXEC")


@dataclass(frozen=True, slots=True)
class Symlink(Entry):
    """A symbolic link. It may lead to what does not exist."""

    adoption = "by name"
    adopter: ClassVar[str] = "converge.resources.file.adopt:adopt_symlink"

    target: PathLike
    """Where it leads, taken as it is written."""
    _: KW_ONLY
    force: bool = False
    """Let it take the place of a file."""

    def __post_init__(self) -> None:
        Entry.__post_init__(self)
        object.__setattr__(self, "target", as_text(self.target))

    def mistakes(self) -> Iterator[str]:
        yield from Entry.mistakes(self)
        if self._target() == "":
            yield "the target of a symbolic link cannot be empty"
        if "\0" in self._target():
            yield "the target of a symbolic link cannot hold a zero byte"

    def compare(self, batch: Batch) -> Changes:
        folder = find_folder(self, batch)
        status = None if folder is None else look(folder, self.name())
        if self.state == "absent":
            return self._removal(status)
        changes: list[Change] = []
        if folder is None or status is None:
            changes.append(Change("target", None, shown(self._target()), "create"))
            status = None
        elif not is_link(status):
            self._refuse_others(status)
            changes.append(Change("type", type_name(status.st_mode), f"symbolic link to {shown(self._target())}"))
        elif (now := os.readlink(self.name(), dir_fd=folder)) != self._target():
            changes.append(Change("target", shown(now), shown(self._target())))
        return (*changes, *ownership_changes(self, status, batch))

    def creation(self) -> Changes:
        return (Change("target", None, shown(self._target()), "create"), *foretold_ownership(self))

    def converge(self, state: Changes, batch: Batch) -> None:
        if self.state == "absent":
            self._remove(batch)
            return
        folder = need_folder(self, batch)
        status = look(folder, self.name())
        if status is not None and all(change.property in ("owner", "group") for change in state):
            _own(folder, self.name(), *owner_ids(self, batch))
            return
        if status is not None and not is_link(status):
            self._refuse_others(status)
        self._replace(folder, status, batch)

    @classmethod
    def tidy_many(cls, resources: Sequence[Self]) -> None:
        from converge.resources.file.apply import tidy

        tidy([resource.at for resource in resources])

    def _target(self) -> str:
        return as_text(self.target)

    def _refuse_others(self, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            refuse(self, status, "it is not replaced by a symbolic link; remove it or choose another path")
        if not self.force:
            refuse(self, status, "set force=True to replace it by a symbolic link")

    def _removal(self, status: os.stat_result | None) -> Changes:
        if status is None:
            return IN_SYNC
        if not is_link(status):
            refuse(self, status, "not a symbolic link, so it is not removed")
        return (Change("state", "present", "absent", "remove"),)

    def _remove(self, batch: Batch) -> None:
        folder = find_folder(self, batch)
        if folder is not None and self._removal(look(folder, self.name())):
            remove(folder, self.name())

    def _replace(self, folder: int, old: os.stat_result | None, batch: Batch) -> None:
        """Make the link under a temporary name, so that the name never leads nowhere."""
        temporary = temporary_name(self.name())
        os.symlink(self._target(), temporary, dir_fd=folder)
        try:
            kept = old if old is not None and is_link(old) else None
            uid, gid = owner_ids(self, batch)
            if kept is not None:
                uid, gid = kept.st_uid if uid is None else uid, kept.st_gid if gid is None else gid
            _own(folder, temporary, uid, gid)
            os.rename(temporary, self.name(), src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            os.unlink(temporary, dir_fd=folder)
            raise
        sync_directory(folder)


def _own(folder: int, name: str, uid: int | None, gid: int | None) -> None:
    """Own a link, and nothing that was moved onto its name in the meantime."""
    if not hasattr(os, "O_PATH"):  # macOS opens no links
        os.chown(name, -1 if uid is None else uid, -1 if gid is None else gid, dir_fd=folder, follow_symlinks=False)
        return
    handle = os.open(name, _PLACE, dir_fd=folder)
    try:
        status = os.fstat(handle)
        if not is_link(status):
            raise ResourceError(f"{shown(name)} was replaced by a {type_name(status.st_mode)} in the meantime")
        set_metadata(handle, status, uid, gid, None)
    finally:
        os.close(handle)
