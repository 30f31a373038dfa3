"""A new directory on its way to a place: complete and durable before anybody sees it there."""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterable
from types import TracebackType

from converge.core.errors import Busy, NotYet, ResourceError
from converge.host.fs.atomic import leftovers, temporary_name
from converge.host.fs.descriptors import mount_points
from converge.host.fs.dirfd import Directories, sync_directory
from converge.host.fs.errors import explain
from converge.host.fs.flags import open_flags
from converge.host.fs.metadata import CARRIED, set_metadata
from converge.host.fs.place import look, type_name
from converge.host.fs.trust import Place, trusted
from converge.resources.file.tree import Tree, remove_tree

_LIST = open_flags("O_RDONLY", "O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC")
_EXCHANGE = 2
"""RENAME_EXCHANGE of renameat2(2)."""


def look_at(path: str) -> os.stat_result | None:
    """The directory that is at a path now; None where there is nothing. Raises NotYet without a directory above it."""
    folder, _, name = path.rpartition("/")
    with Directories() as directories:
        try:
            status = look(directories.open(folder), name)
        except FileNotFoundError:
            raise NotYet(
                f'{path}: the directory {folder} does not exist; declare it with r.directory("{folder}")',
                f"file:{folder}",
            ) from None
    if status is not None and not stat.S_ISDIR(status.st_mode):
        raise ResourceError(f"{path} is a {type_name(status.st_mode)}, which is not replaced by a directory")
    return status


class Staging:
    """One temporary directory beside the place that it is to take. Either published, or removed at the end."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._parent, _, self._name = path.rpartition("/")
        self._directories = Directories()
        self._folder = self._directories.open(self._parent)
        self._temporary = temporary_name(self._name)
        self._before = look(self._folder, self._name)
        self._published = False
        self._exchanged = False
        os.mkdir(self._temporary, 0o700, dir_fd=self._folder)
        self.handle = os.open(self._temporary, _LIST, dir_fd=self._folder)
        made = os.fstat(self.handle)
        if made.st_uid != os.geteuid() or made.st_mode & 0o077 or os.listdir(self.handle):
            os.close(self.handle)
            self._directories.__exit__(None, None, None)
            raise ResourceError(f"{self.path} was replaced by another directory while it was made")

    def __enter__(self) -> Staging:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if not self._published and (self._exchanged or self._is_ours()):
                remove_tree(self._folder, self._temporary, self.path)
        finally:
            os.close(self.handle)
            self._directories.__exit__(kind, error, trace)

    def _is_ours(self) -> bool:
        """Whether the temporary name still stands for what was made: others may have moved theirs onto it."""
        now = look(self._folder, self._temporary)
        return now is not None and os.path.samestat(now, os.fstat(self.handle))

    @property
    def path(self) -> str:
        """Where it is, for programs that are run."""
        return f"{self._parent}/{self._temporary}"

    @property
    def inside(self) -> str:
        """The same for ourselves; nobody can put a link in the place of this one."""
        return f"/proc/self/fd/{self.handle}"

    def own(self, uid: int | None, gid: int | None) -> None:
        """Give it to somebody, with all that is in it."""
        if uid is not None or gid is not None:
            Tree(self.handle, ".", self.path).own(uid, gid)
            set_metadata(self.handle, os.fstat(self.handle), uid, gid, None)

    def publish(self) -> None:
        """Let it take its place, in one step; what was there is removed. Owner and mode are those of what was there."""
        old = look(self._folder, self._name)
        if not _is_same(self._before, old):
            raise Busy(f"{self._path} was replaced by something else meanwhile", again=0.5)
        os.fchmod(self.handle, 0o755 if old is None else self._kept_mode(old))
        sync_file_system(self.handle)
        if not self._is_ours():
            raise ResourceError(f"{self.path} was replaced by something else while it was filled")
        if old is None:
            os.rename(self._temporary, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
            self._published = True
        else:
            self._exchange()
            if not _is_same(old, look(self._folder, self._temporary)):
                self._exchange()  # somebody moved theirs there just before; it gets its name back
                raise Busy(f"{self._path} was replaced by something else meanwhile", again=0.5)
            self._exchanged = True
        sync_directory(self._folder)

    def _kept_mode(self, old: os.stat_result) -> int:
        """The mode of what was there, without what a former owner may have chosen."""
        mode, mine = stat.S_IMODE(old.st_mode), os.fstat(self.handle)
        return mode if (old.st_uid, old.st_gid) == (mine.st_uid, mine.st_gid) else mode & ~CARRIED

    def _exchange(self) -> None:
        """What was there has the temporary name afterwards, and is removed as what is not published is."""
        if any(point.startswith(f"{self._path}/") for point in mount_points()):
            raise ResourceError(f"{self._path} has a file system mounted in it; unmount that first")
        folder, here, there = self._folder, os.fsencode(self._temporary), os.fsencode(self._name)
        try:
            rename = ctypes.CDLL(None, use_errno=True).renameat2
        except AttributeError as error:  # a C library that is older than 2018
            raise ResourceError(f"{self._path} cannot be replaced in one step on this system") from error
        if rename(folder, here, folder, there, _EXCHANGE) != 0:
            number = ctypes.get_errno()
            raise explain(OSError(number, os.strerror(number)), self._path)


def _is_same(one: os.stat_result | None, other: os.stat_result | None) -> bool:
    return one is other if one is None or other is None else os.path.samestat(one, other)


def place_at(path: str) -> Place:
    """Who else could change what is at a path. Raises FileNotFoundError without a directory above it."""
    with Directories() as directories:
        return directories.place(path.rpartition("/")[0])


def sync_file_system(handle: int) -> None:
    """Wait until all that was written to the file system of this descriptor is on its disk."""
    if ctypes.CDLL(None, use_errno=True).syncfs(handle) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def own_tree(path: str, uid: int | None, gid: int | None) -> None:
    """Give a directory to somebody, with all that is in it."""
    folder, _, name = path.rpartition("/")
    with Directories() as directories:
        handle = directories.open(folder)
        top = os.open(name, _LIST, dir_fd=handle)
        try:
            Tree(top, ".", path).own(uid, gid)
            set_metadata(top, os.fstat(top), uid, gid, None)
        finally:
            os.close(top)


def tidy_staged(paths: Iterable[str]) -> None:
    """Remove our temporary directories that were to take one of these places."""
    for path in paths:
        folder, _, name = path.rpartition("/")
        with Directories() as directories:
            try:
                _tidy(directories.open(folder), directories.place(folder), folder, name)
            except (OSError, ResourceError):
                continue  # nothing of ours can be there; where it matters, the check reports it


def _tidy(folder: int, place: Place, path: str, name: str) -> None:
    handle = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        for leftover in leftovers(os.listdir(handle), [name]):
            status = os.stat(leftover, dir_fd=handle, follow_symlinks=False)
            theirs = status.st_uid == os.fstat(handle).st_uid and not trusted(status.st_uid)
            if place.exposed and not place.safe and not theirs:
                continue  # others could have given that name to a directory that they may not remove themselves
            if os.geteuid() in (0, status.st_uid) and stat.S_ISDIR(status.st_mode):
                remove_tree(handle, leftover, f"{path}/{leftover}")
    finally:
        os.close(handle)
