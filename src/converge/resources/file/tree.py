"""What is below a directory. Walked by descriptors, so that no link planted meanwhile leads elsewhere."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from converge.core.errors import Permanent, ResourceError
from converge.host.fs.descriptors import mount_points, real_path
from converge.host.fs.dirfd import sync_directory
from converge.host.fs.errors import shown
from converge.host.fs.flags import open_flags
from converge.host.fs.owners import owner_name
from converge.host.fs.place import look
from converge.host.fs.walk import Walk
from converge.resources.file.check import is_exposed
from converge.resources.file.giving import give
from converge.resources.file.kept import Kept

_LIST = open_flags("O_RDONLY", "O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC")


class _Below(NamedTuple):
    """What is kept of a directory that is walked through, and whether owner and group of all in it are others'."""

    kept: Kept | None
    owner: bool = False
    group: bool = False

    def child(self, name: str) -> _Below:
        node = self.kept.children.get(name) if self.kept is not None else None
        if node is None:
            return _Below(None, self.owner, self.group)
        return _Below(node, self.owner or node.owner_below, self.group or node.group_below)


class Tree:
    """Everything below the directory ``name``, itself in ``folder``; ``kept`` is what other resources declare there."""

    def __init__(self, folder: int, name: str, path: str, kept: Kept | None = None) -> None:
        self.folder = folder
        self.name = name
        self.path = path.rstrip("/")
        self.kept = kept

    def owned_otherwise(self, uid: int | None, gid: int | None) -> Iterator[str]:
        """What has another owner or group, but for that whose owner and group somebody else declares."""
        for walk, name, status, owner, group in self._foreign(uid, gid):
            if _differs(status, owner, group):
                yield walk.relative(name)

    def own(self, uid: int | None, gid: int | None) -> None:
        """Give all of it to this owner and group, but for that whose owner and group somebody else declares."""
        for walk, name, status, owner, group in self._foreign(uid, gid):
            if _differs(status, owner, group):
                with contextlib.suppress(FileNotFoundError):
                    give(walk.handle, name, owner, group, partial(self._refuse, walk, name, owner))

    def remove(self, name: str, before_each: Callable[[], None] | None = None) -> None:
        """Remove one entry with all that is below it."""
        handle = os.open(self.name, _LIST, dir_fd=self.folder)
        try:
            # Asked at the top, since the system knows no path that is as long as some are.
            _refuse_mounts(f"{real_path(handle)}/{name}", f"{self.path}/{name}")
            *parts, last = name.split("/")
            for part in parts:
                deeper = os.open(part, _LIST, dir_fd=handle)
                os.close(handle)
                handle = deeper
            _remove(handle, last, before_each or _nothing)
            sync_directory(handle)
        finally:
            os.close(handle)

    def _foreign(
        self, uid: int | None, gid: int | None
    ) -> Iterator[tuple[Walk, str, os.stat_result, int | None, int | None]]:
        """Each entry with the owner and group that it should have; what is in a directory before the directory.

        Whom a directory is given to could put links to files of others into it.
        """
        with Walk(self.folder, self.name) as walk:
            levels = [_Below(self.kept)]
            while True:
                found = walk.next()
                if found is None:
                    if not walk.depth:
                        return
                    name, here = walk.leave(), levels.pop()
                else:
                    name, is_directory = found
                    here = levels[-1].child(name)
                    if is_directory and not _all_theirs(here, uid, gid) and walk.enter(name):
                        levels.append(here)
                        continue
                status = look(walk.handle, name)
                if status is None:
                    continue  # it has gone meanwhile
                node, above = here.kept, levels[-1]
                if above.kept is not None and above.kept.unfinished(name, status, stat.S_ISDIR(status.st_mode)):
                    continue
                owner = None if above.owner or (node is not None and node.owner) else uid
                group = None if above.group or (node is not None and node.group) else gid
                yield walk, name, status, owner, group

    def _refuse(self, walk: Walk, name: str, uid: int | None, status: os.stat_result) -> None:
        """Refuse to give away what may have been put there to be given away."""
        if why := _trap(walk.handle, uid, status):
            path = f"{self.path}/{walk.relative(name)}"
            raise ResourceError(f"{shown(path)} {why}")


def _trap(folder: int, uid: int | None, status: os.stat_result) -> str | None:
    owner = owner_name(status.st_uid)
    if stat.S_ISLNK(status.st_mode):
        if uid in (0, os.geteuid()) and status.st_uid not in (0, os.geteuid()):
            return f"is a symbolic link made by {owner}; converge follows links of its new owner, so remove it"
        return None
    if stat.S_ISDIR(status.st_mode) or not is_exposed(folder) or status.st_uid == os.fstat(folder).st_uid:
        return None
    if status.st_nlink > 1:
        return (
            f"has {status.st_nlink} hard links and belongs to {owner}, in a directory where others may have linked it; "
            "remove it"
        )
    if uid not in (None, 0, os.geteuid(), status.st_uid) and not status.st_mode & stat.S_IROTH:
        return (
            f"belongs to {owner} and is not readable for others, in a directory where others may have moved it; "
            "give it to its new owner by chown, or remove it"
        )
    return None


def remove_tree(folder: int, name: str, path: str) -> None:
    """Remove an entry with all that is below it, but never what is mounted there."""
    _refuse_mounts(f"{real_path(folder)}/{name}", path)
    _remove(folder, name, _nothing)


def _refuse_mounts(real: str, path: str) -> None:
    if holds_mount(real, mount_points()):
        raise Permanent(f"{shown(path)} has a file system mounted in it; unmount that first")


def _remove(folder: int, name: str, before_each: Callable[[], None]) -> None:
    """``before_each`` is called before each single entry goes; what it raises ends the removal."""
    if not stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        before_each()
        os.unlink(name, dir_fd=folder)
        return
    with Walk(folder, name) as walk:
        while (found := walk.next()) is not None or walk.depth:
            before_each()
            if found is None:
                left = walk.leave()
                os.rmdir(left, dir_fd=walk.handle)
            elif not (found[1] and walk.enter(found[0])):
                with contextlib.suppress(FileNotFoundError):  # it has gone meanwhile
                    os.unlink(found[0], dir_fd=walk.handle)
    os.rmdir(name, dir_fd=folder)


def holds_mount(real: str, mounts: frozenset[str]) -> bool:
    """Whether something is mounted at a path or below it."""
    return real in mounts or any(mount.startswith(real + "/") for mount in mounts)


def _all_theirs(below: _Below, uid: int | None, gid: int | None) -> bool:
    return (uid is None or below.owner) and (gid is None or below.group)


def _differs(status: os.stat_result, uid: int | None, gid: int | None) -> bool:
    return (uid is not None and status.st_uid != uid) or (gid is not None and status.st_gid != gid)


def _nothing() -> None:
    """Nothing is to be asked."""
