"""Opens directories relative to descriptors, without following symbolic links of others.

Each component is opened relative to the one before it, and a symbolic link is followed only where root or we
ourselves made it: whoever else owns a directory on the way could otherwise point us at any file of the system.
"""

from __future__ import annotations

import errno
import os
import stat
from types import TracebackType

from converge.core.errors import Permanent
from converge.host.fs.descriptors import changeable
from converge.host.fs.errors import shown
from converge.host.fs.flags import open_flags
from converge.host.fs.owners import owner_name
from converge.host.fs.trust import TOP, Place, discloses, place_of, trusted

_OPEN = open_flags("O_PATH", "O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC")
_READ = open_flags("O_RDONLY", "O_NOFOLLOW", "O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC")
_MOST_LINKS = 40
_MOST_OPEN = 128


class Directories:
    """Directory descriptors of one batch of checks or applies. All are closed when the batch ends."""

    def __init__(self) -> None:
        self._open: dict[str, int] = {}
        self._places: dict[str, Place] = {"/": TOP}

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

    def place(self, folder: str) -> Place:
        """Who else could change what is in the directory. Raises as :meth:`open`."""
        folder = folder or "/"
        if folder not in self._places:
            self.open(folder)
        return self._places[folder]

    def read(self, path: str) -> int:
        """A new descriptor of a regular file, for reading: links are followed by the same rule as on the way.

        Raises ResourceError too where the file may be a third party's, put there by whom the directory belongs to.
        """
        folder, _, name = path.rpartition("/")
        handle, place = self.open(folder), self.place(folder)
        found = look_closer(handle, name)
        if stat.S_ISLNK(found.st_mode):
            return _Links(path).read(handle, place, name)
        return _open_regular(handle, place, name, path)

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
            above = self._places[known.rpartition("/")[0] or "/"]
            self._open[known], self._places[known] = _step(handle, above, name, known)

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
        status = os.fstat(made)
        # An empty one of ours is the one just made; another directory may have been moved onto the name since.
        if status.st_mode & 0o777 != 0o755 and trusted(status.st_uid) and is_empty(made):
            os.chmod(changeable(made), stat.S_IMODE(status.st_mode) & ~0o777 | 0o755)  # noqa: S103 - what directories have
    finally:
        os.close(made)
    sync_directory(handle)


def is_empty(handle: int) -> bool:
    """Whether nothing is in a directory; the descriptor may be one that only marks a place."""
    readable = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=handle)
    try:
        with os.scandir(readable) as entries:
            return next(entries, None) is None
    finally:
        os.close(readable)


def look_closer(handle: int, name: str) -> os.stat_result:
    """The status of a name itself, whatever it may lead to."""
    return os.stat(name, dir_fd=handle, follow_symlinks=False)


def read_safely(path: str) -> int:
    """A new descriptor of one regular file, as :meth:`Directories.read`."""
    with Directories() as directories:
        return directories.read(path)


def _open_regular(handle: int, place: Place, name: str, path: str) -> int:
    # Looked at first, since opening a device may have effects.
    if not stat.S_ISREG(look_closer(handle, name).st_mode):
        raise Permanent(f"{shown(path)} is not a regular file")
    file = os.open(name, _READ, dir_fd=handle)
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise Permanent(f"{shown(path)} is not a regular file")
        if discloses(place, status):
            whose = owner_name(status.st_uid)
            raise Permanent(
                f"{shown(path)} belongs to {whose} and is not readable by everybody, in a directory where others may "
                "have put it, so it is not copied from there; keep it where only root can write"
            )
    except BaseException:
        os.close(file)
        raise
    return file


def sync_directory(handle: int) -> None:
    """Make the names in a directory durable; the descriptor may be one that only marks a place."""
    readable = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=handle)
    try:
        os.fsync(readable)
    finally:
        os.close(readable)


def _step(handle: int, above: Place, name: str, path: str) -> tuple[int, Place]:
    try:
        there = os.open(name, _OPEN, dir_fd=handle)
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
        return _Links(path).follow(handle, above, name)
    return there, place_of(above, os.fstat(there))


class _Links:
    """Follows the symbolic links met at one component, as far as they can be trusted."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.left = _MOST_LINKS
        self.at = -1
        self.place = TOP
        self.names: list[str] = []

    def follow(self, handle: int, place: Place, name: str) -> tuple[int, Place]:
        """A new descriptor of the directory that ``name`` leads to."""
        self.at, self.place, self.names = os.dup(handle), place, [name]
        try:
            while self.names:
                self._next()
        except BaseException:
            os.close(self.at)
            raise
        return self.at, self.place

    def read(self, handle: int, place: Place, name: str) -> int:
        """A new descriptor of the regular file that ``name`` leads to."""
        self.at, self.place, self.names = os.dup(handle), place, [name]
        try:
            while len(self.names) > 1 or self._is_link(self.names[0]):
                self._next()
                if not self.names:
                    raise Permanent(f"{shown(self.path)} is not a regular file")
            return _open_regular(self.at, self.place, self.names[0], self.path)
        finally:
            os.close(self.at)

    def _is_link(self, name: str) -> bool:
        return stat.S_ISLNK(look_closer(self.at, name).st_mode)

    def _next(self) -> None:
        """One step."""
        name = self.names.pop()
        try:
            there = os.open(name, _OPEN, dir_fd=self.at)
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            target = self._target(name)
            self.names.extend(part for part in reversed(target.split("/")) if part not in ("", "."))
            if not target.startswith("/"):
                return
            there, self.place = os.open("/", _OPEN), TOP
        else:
            self.place = place_of(self.place, os.fstat(there))
        os.close(self.at)
        self.at = there

    def _target(self, name: str) -> str:
        status = look_closer(self.at, name)
        if not stat.S_ISLNK(status.st_mode):
            raise Permanent(f"{shown(self.path)} is not a directory")
        if not trusted(status.st_uid):
            raise Permanent(
                f"the path passes through the symbolic link {shown(self.path)} owned by "
                f"{owner_name(status.st_uid)}, who could point it elsewhere"
            )
        self.left -= 1
        if self.left < 0:
            raise Permanent(f"{shown(self.path)} passes through too many symbolic links")
        return os.readlink(name, dir_fd=self.at)
