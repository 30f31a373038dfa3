"""Reaching a directory without being led astray.

Each component is opened relative to the one before it, and a symbolic link is followed only where root or we
ourselves made it: whoever else owns a directory on the way could otherwise point us at any file of the system.
"""

from __future__ import annotations

import errno
import os
import stat
from types import TracebackType

from converge.openflags import open_flags
from converge.resources.base import ResourceError
from converge.resources.file.errors import shown
from converge.resources.file.handles import changeable
from converge.resources.file.names import owner_name

_OPEN = open_flags("O_PATH", "O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC")
_MOST_LINKS = 40
_MOST_OPEN = 128


class Directories:
    """Directory descriptors of one batch of checks or applies. All are closed when the batch ends."""

    def __init__(self) -> None:
        self._open: dict[str, int] = {}

    def __enter__(self) -> Directories:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for handle in self._open.values():
            os.close(handle)
        self._open.clear()

    def open(self, folder: str) -> int:
        """A descriptor of the directory. It stays ours, and good until another directory is asked for.

        Raises FileNotFoundError where it does not exist, ResourceError where the way there cannot be trusted.
        """
        folder = folder or "/"
        handle = self._open.pop(folder, None)
        if handle is None:
            handle = self._walk(folder)
        self._open[folder] = handle
        self._trim()
        return handle

    def make(self, folder: str) -> int:
        """As :meth:`open`, but a directory that is missing is made, with mode 0755."""
        missing: list[str] = []
        while True:
            try:
                handle = self.open(folder)
                break
            except FileNotFoundError:
                folder, _, name = folder.rpartition("/")
                missing.append(name)
        while missing:
            name = missing.pop()
            _make_one(handle, name)
            folder = f"{folder}/{name}"
            handle = self.open(folder)
        return handle

    def forget(self, folder: str) -> None:
        """Close what is open at or below a directory that is about to be removed."""
        for path in [path for path in self._open if path == folder or path.startswith(folder + "/")]:
            os.close(self._open.pop(path))

    def _walk(self, folder: str) -> int:
        """Open from the nearest ancestor that is open already, keeping what is opened on the way."""
        known, rest = folder, []
        while known not in self._open and known != "/":
            known, _, name = known.rpartition("/")
            known = known or "/"
            rest.append(name)
        if known not in self._open:
            self._open["/"] = os.open("/", _OPEN)
        while True:
            handle = self._open[known]
            if not rest:
                return self._open.pop(known)
            name = rest.pop()
            known = f"{known}/{name}" if known != "/" else f"/{name}"
            self._open[known] = _step(handle, name, known)

    def _trim(self) -> None:
        while len(self._open) > _MOST_OPEN:
            os.close(self._open.pop(next(iter(self._open))))


def _make_one(handle: int, name: str) -> None:
    try:
        os.mkdir(name, 0o755, dir_fd=handle)
    except FileExistsError:
        return  # another resource made it at the same moment
    made = os.open(name, _OPEN, dir_fd=handle)
    try:
        mode = stat.S_IMODE(os.fstat(made).st_mode)
        if mode & 0o777 != 0o755:
            os.chmod(changeable(made), mode & ~0o777 | 0o755)  # noqa: S103 - what directories have
    finally:
        os.close(made)
    sync_directory(handle)


def sync_directory(handle: int) -> None:
    """Make the names in a directory durable; the descriptor may be one that only marks a place."""
    readable = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=handle)
    try:
        os.fsync(readable)
    finally:
        os.close(readable)


def _step(handle: int, name: str, path: str) -> int:
    try:
        return os.open(name, _OPEN, dir_fd=handle)
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
    return _Links(path).follow(handle, name)


class _Links:
    """Follows the symbolic links met at one component, as far as they can be trusted."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.left = _MOST_LINKS

    def follow(self, handle: int, name: str) -> int:
        """A new descriptor of the directory that ``name`` leads to."""
        at = os.dup(handle)
        names = [name]
        try:
            while names:
                at = self._next(at, names)
        except BaseException:
            os.close(at)
            raise
        return at

    def _next(self, at: int, names: list[str]) -> int:
        """One step. Closes ``at`` where it hands back another one."""
        name = names.pop()
        try:
            there = os.open(name, _OPEN, dir_fd=at)
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            target = self._target(at, name)
            names.extend(part for part in reversed(target.split("/")) if part not in ("", "."))
            if not target.startswith("/"):
                return at
            there = os.open("/", _OPEN)
        os.close(at)
        return there

    def _target(self, at: int, name: str) -> str:
        status = os.stat(name, dir_fd=at, follow_symlinks=False)
        if not stat.S_ISLNK(status.st_mode):
            raise ResourceError(f"{shown(self.path)} is not a directory")
        if status.st_uid not in (0, os.geteuid()):
            raise ResourceError(
                f"the path passes through the symbolic link {shown(self.path)} owned by "
                f"{owner_name(status.st_uid)}, who could point it elsewhere"
            )
        self.left -= 1
        if self.left < 0:
            raise ResourceError(f"{shown(self.path)} passes through too many symbolic links")
        return os.readlink(name, dir_fd=at)
