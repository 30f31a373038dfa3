"""What is below a directory. Walked by descriptors, so that no link planted meanwhile leads elsewhere."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING

from converge.openflags import open_flags
from converge.resources.base import ResourceError
from converge.resources.file.comparison import is_exposed
from converge.resources.file.errors import shown
from converge.resources.file.handles import mount_points, real_path
from converge.resources.file.names import owner_name
from converge.resources.file.replacement import looks_temporary
from converge.resources.file.traverse import sync_directory

if TYPE_CHECKING:
    from collections.abc import Set

_LIST = open_flags("O_RDONLY", "O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC")


class Tree:
    """Everything below the directory ``name``, itself in ``folder``. Names are relative to it."""

    def __init__(self, folder: int, name: str, path: str) -> None:
        self.folder = folder
        self.name = name
        self.path = path.rstrip("/")

    def owned_otherwise(self, uid: int | None, gid: int | None) -> Iterator[str]:
        """What has another owner or group."""
        for where, handle, names in self._walk():
            for name in names:
                status = os.stat(name, dir_fd=handle, follow_symlinks=False)
                if _differs(status, uid, gid):
                    yield where + name

    def own(self, uid: int | None, gid: int | None) -> None:
        """Give all of it to this owner and group."""
        for where, handle, names in self._walk():
            for name in names:
                status = os.stat(name, dir_fd=handle, follow_symlinks=False)
                if _differs(status, uid, gid):
                    self._refuse_foreign(where + name, handle, status)
                    owner, group = -1 if uid is None else uid, -1 if gid is None else gid
                    os.chown(name, owner, group, dir_fd=handle, follow_symlinks=False)

    def unmanaged(self, managed: Set[str]) -> Iterator[str]:
        """What no resource manages and does not hold anything managed; directories as a whole."""
        kept = _with_ancestors(managed, self.path)
        mounts = mount_points()
        for where, handle, names in self._walk(kept):
            for name in names:
                path = f"{self.path}/{where}{name}"
                real = f"{real_path(handle)}/{name}"
                if path in kept or _belongs(name, f"{self.path}/{where}", managed) or _holds_mount(real, mounts):
                    continue
                yield where + name

    def remove(self, name: str) -> None:
        """Remove one entry with all that is below it."""
        handle = os.open(self.name, _LIST, dir_fd=self.folder)
        try:
            *parts, last = name.split("/")
            for part in parts:
                deeper = os.open(part, _LIST, dir_fd=handle)
                os.close(handle)
                handle = deeper
            remove_tree(handle, last, f"{self.path}/{name}")
            sync_directory(handle)
        finally:
            os.close(handle)

    def _walk(self, only: Set[str] | None = None) -> Iterator[tuple[str, int, list[str]]]:
        """Each directory, as its prefix, descriptor and names. With ``only``: just into those directories."""
        handle = os.open(self.name, _LIST, dir_fd=self.folder)
        try:
            yield from self._walk_below("", handle, only)
        finally:
            os.close(handle)

    def _walk_below(self, where: str, handle: int, only: Set[str] | None) -> Iterator[tuple[str, int, list[str]]]:
        with os.scandir(handle) as entries:
            found = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
        yield where, handle, [name for name, _ in found]
        for name, is_directory in found:
            if is_directory and (only is None or f"{self.path}/{where}{name}" in only):
                deeper = os.open(name, _LIST, dir_fd=handle)
                try:
                    yield from self._walk_below(f"{where}{name}/", deeper, only)
                finally:
                    os.close(deeper)

    def _refuse_foreign(self, name: str, folder: int, status: os.stat_result) -> None:
        """A file of several links may be one of the system's, planted to be given away."""
        linked = status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode)
        if linked and is_exposed(folder) and status.st_uid != os.fstat(folder).st_uid:
            raise ResourceError(
                f"{shown(f'{self.path}/{name}')} has {status.st_nlink} hard links and belongs to "
                f"{owner_name(status.st_uid)}, in a directory where others may have linked it; remove it"
            )


def remove_tree(folder: int, name: str, path: str) -> None:
    """Remove an entry with all that is below it, but never what is mounted there."""
    real = f"{real_path(folder)}/{name}"
    if _holds_mount(real, mount_points()):
        raise ResourceError(f"{shown(path)} has a file system mounted in it; unmount that first")
    if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        shutil.rmtree(name, dir_fd=folder)
    else:
        os.unlink(name, dir_fd=folder)


def _holds_mount(real: str, mounts: frozenset[str]) -> bool:
    return real in mounts or any(mount.startswith(real + "/") for mount in mounts)


def _differs(status: os.stat_result, uid: int | None, gid: int | None) -> bool:
    return (uid is not None and status.st_uid != uid) or (gid is not None and status.st_gid != gid)


def _with_ancestors(managed: Set[str], top: str) -> set[str]:
    kept: set[str] = set()
    for path in managed:
        at = path
        while len(at) > len(top) and at not in kept:
            kept.add(at)
            at = at.rpartition("/")[0]
    return kept


def _belongs(name: str, folder: str, managed: Set[str]) -> bool:
    """Whether it is a new file of ours that is just about to take its name."""
    return looks_temporary(name) and any(path.startswith(folder) for path in managed)
