"""Walks a directory tree of any depth by descriptors, without following links."""

from __future__ import annotations

import errno
import os
from types import TracebackType

from converge.core.errors import ResourceError
from converge.host.fs.flags import open_flags

_LIST = open_flags("O_RDONLY", "O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC")
_MOST_OPEN = 32
"""Directories that are kept open; those further up are reached by ``..`` again, and compared with what they were."""
_SHOWN_NAMES = 20


class _Level:
    __slots__ = ("device", "entries", "handle", "inode", "name")

    def __init__(self, handle: int, name: str) -> None:
        self.handle = handle
        self.name = name
        status = os.fstat(handle)
        self.device, self.inode = status.st_dev, status.st_ino
        with os.scandir(handle) as entries:
            found = sorted(((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries), reverse=True)
        self.entries = found


class Walk:
    """Depth first, step by step: :meth:`next`, and :meth:`enter` or :meth:`leave` as the caller decides."""

    def __init__(self, folder: int, name: str) -> None:
        self._levels: list[_Level] = []
        self._open(os.open(name, _LIST, dir_fd=folder), "")

    def __enter__(self) -> Walk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for level in self._levels:
            if level.handle >= 0:
                os.close(level.handle)
        self._levels.clear()

    @property
    def handle(self) -> int:
        """The directory that the walk is in."""
        return self._levels[-1].handle

    @property
    def depth(self) -> int:
        """How far below the top it is; 0 at the top."""
        return len(self._levels) - 1

    def next(self) -> tuple[str, bool] | None:
        """The next name in this directory, and whether it was a directory; None where all were seen."""
        entries = self._levels[-1].entries
        return entries.pop() if entries else None

    def enter(self, name: str) -> bool:
        """Go into a directory; False where it is none any more."""
        try:
            handle = os.open(name, _LIST, dir_fd=self.handle)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                raise
            return False
        self._open(handle, name)
        if len(self._levels) > _MOST_OPEN:
            far = self._levels[-_MOST_OPEN - 1]
            handle, far.handle = far.handle, -1
            os.close(handle)
        return True

    def leave(self) -> str:
        """Go back up, and return the name of the directory that was left."""
        above = self._levels[-2]
        if above.handle < 0:
            above.handle = self._reopen(above)
        level = self._levels.pop()
        os.close(level.handle)
        return level.name

    def relative(self, name: str = "") -> str:
        """The path of a name from the top, for a message; the middle of a very long one is left out."""
        levels = self._levels
        first, last = levels[1 : _SHOWN_NAMES + 1], levels[max(_SHOWN_NAMES + 1, len(levels) - _SHOWN_NAMES) :]
        left_out = ["…"] if len(levels) > 2 * _SHOWN_NAMES + 1 else []
        names = [*(level.name for level in first), *left_out, *(level.name for level in last), name]
        return "/".join(filter(None, names))

    def _open(self, handle: int, name: str) -> None:
        try:
            self._levels.append(_Level(handle, name))
        except BaseException:
            os.close(handle)
            raise

    def _reopen(self, above: _Level) -> int:
        handle = os.open("..", _LIST, dir_fd=self.handle)
        status = os.fstat(handle)
        if (status.st_dev, status.st_ino) != (above.device, above.inode):
            os.close(handle)
            raise ResourceError(f"{self.relative()} was moved elsewhere while it was walked through")
        return handle
