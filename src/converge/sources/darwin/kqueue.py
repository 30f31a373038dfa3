"""kqueue with the interface of inotify, so that one watch tree serves both.

kqueue(2) tells that something happened to an open file, not to which entry of a directory, and nothing of what is in
the files of a directory. So a directory is listed when it changes and compared with the last listing, and where what is
in its files is wanted as well, each of them is held open too. As long as a file is held open, its inode number is given
to no other, so a number that is the same is the same file. What was looked for and not there may come and go between
two listings, so any change of its directory is news of it.
"""

from __future__ import annotations

import errno
import os
import select
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from converge.sources.base import Report
from converge.sources.watch_tree import (
    ATTRIB,
    CREATE,
    DELETE,
    DELETE_SELF,
    ENTRIES,
    IGNORED,
    ISDIR,
    MODIFY,
    MOVE_SELF,
    ONLYDIR,
)

# sys/event.h of macOS
_FILTER_VNODE: Final = -4
_ADD_CLEAR: Final = 0x1 | 0x20
_NOTE_DELETE: Final = 0x1
_NOTE_WRITE: Final = 0x2
_NOTE_EXTEND: Final = 0x4
_NOTE_ATTRIB: Final = 0x8
_NOTE_LINK: Final = 0x10
_NOTE_RENAME: Final = 0x20
_NOTE_REVOKE: Final = 0x40
_GONE: Final = _NOTE_DELETE | _NOTE_RENAME | _NOTE_REVOKE
_ALL: Final = _NOTE_WRITE | _NOTE_EXTEND | _NOTE_ATTRIB | _NOTE_LINK | _GONE

EVENT_ONLY: Final = 0x8000 | 0x200000 | 0x4
"""O_EVTONLY, which keeps no disk from being ejected, O_SYMLINK, for a link itself, and O_NONBLOCK, of sys/fcntl.h."""

_AT_ONCE: Final = 1024
"""Events in one look; the others are told by the next."""
_SPARED: Final = 192
"""Descriptors left to the rest of the program: commands that run, files that are written, connections."""
_ENOUGH: Final = (65536, 24576, 10240)
"""Descriptors that are asked for, as many of them as the system lets us have; 10,240 is OPEN_MAX of sys/syslimits.h."""
_FULL: Final = frozenset((errno.EMFILE, errno.ENFILE))

_Event = tuple[int, int, int, str]


class _Entry(NamedTuple):
    """One entry of a directory, as it was listed."""

    inode: int
    is_dir: bool
    leads: str = ""
    """Where a link leads: it is not always held open, so that another one may have its number."""


class _Vnode:
    """What is watched for itself."""

    __slots__ = ("contents", "descriptor", "entries", "identity", "is_dir", "mask", "missed", "path", "watch")

    def __init__(self, watch: int, descriptor: int, found: os.stat_result) -> None:
        self.watch = watch
        self.descriptor = descriptor
        self.identity = found.st_dev, found.st_ino
        self.is_dir = stat.S_ISDIR(found.st_mode)
        self.path = ""
        """Where it was found last."""
        self.mask = 0
        self.entries: dict[str, _Entry] | None = None
        """Of a directory whose entries are wanted."""
        self.missed: set[str] = set()
        """Names that were looked for in the directory, and not there."""
        self.contents: dict[str, tuple[int, int]] = {}
        """The open files in a directory, where what is in them is wanted: descriptor and inode number as listed."""


class Kqueue:
    """One kqueue. Raises OSError where it cannot be had."""

    tells_names = False

    def __init__(self, report: Report | None = None, *, open_flags: int = EVENT_ONLY) -> None:
        del report  # all that it could say is said by limit()
        self._select: Any = select  # Any: the types of Linux have no kqueue
        self._queue = self._select.kqueue()
        self._open_flags = open_flags
        self._may_open = _raised_limit()
        self._most = self._may_open - _SPARED
        self._last = 0
        self._vnodes: dict[int, _Vnode] = {}
        self._known: dict[tuple[int, int], _Vnode] = {}
        self._held: dict[int, tuple[_Vnode, str]] = {}
        """By descriptor: a vnode itself, with no name, or a directory and the name of a file in it."""
        self._folders: dict[str, _Vnode] = {}
        """Directories by their paths."""

    def fileno(self) -> int:
        """What can be read when there are events."""
        return int(self._queue.fileno())

    def type_of(self, path: str) -> int:
        """The file type bits of what is at a path, itself and not where it may lead. Raises OSError."""
        return stat.S_IFMT(self._look(path).st_mode)

    def entries(self, path: str, wanted: Iterable[str]) -> Mapping[str, bool]:
        """The names in a directory, and whether each is one itself. Raises OSError."""
        with os.scandir(path) as entries:
            found = {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries}
        folder = self._folders.get(path)
        if folder is not None and folder.entries is not None:
            for name in folder.entries.keys() - found.keys():
                del folder.entries[name]
            folder.missed.update(name for name in wanted if name not in found)
        return found

    def _look(self, path: str) -> os.stat_result:
        """lstat(2); what is not there is noted, as it may come, and go again, before its directory is listed."""
        above, _, name = path.rpartition("/")
        folder = self._folders.get(above or "/")
        try:
            found = os.lstat(path)
        except OSError:
            if folder is not None and folder.entries is not None:
                folder.entries.pop(name, None)
                folder.missed.add(name)
            raise
        if folder is not None:
            folder.missed.discard(name)
        return found

    def limit(self) -> str:
        """Why there are no more watches, for a person."""
        return (
            f"no more files can be held open to watch them ({self._may_open} may be open in all); raise the limit with "
            "'launchctl limit maxfiles', or declare smaller trees"
        )

    def close(self) -> None:
        """Give all watches back."""
        for descriptor in self._held:
            os.close(descriptor)
        self._held.clear()
        self._vnodes.clear()
        self._known.clear()
        self._folders.clear()
        self._queue.close()

    # --- watches ------------------------------------------------------------------------------------------

    def add(self, path: str, mask: int) -> int:
        """Watch what is at a path. Raises OSError."""
        found = self._look(path)
        vnode = self._known.get((found.st_dev, found.st_ino))
        is_new = vnode is None
        if vnode is None:
            vnode = self._made(path, found.st_mode)
        if mask & ONLYDIR and not vnode.is_dir:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        if vnode.is_dir:
            self._place(vnode, path)
        before = vnode.mask
        try:
            self._widen(vnode, before | mask)
        except OSError:
            vnode.mask = before
            for name in () if before & MODIFY else list(vnode.contents):
                self._let_go(vnode, name)
            if is_new:
                self._drop(vnode)
            raise
        return vnode.watch

    def remove(self, watch: int) -> None:
        """End a watch. Raises OSError where it has ended already."""
        vnode = self._vnodes.get(watch)
        if vnode is None:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._drop(vnode)

    def _place(self, vnode: _Vnode, path: str | None) -> None:
        """A directory is found at this path now."""
        if self._folders.get(vnode.path) is vnode:
            del self._folders[vnode.path]
        if path is not None:
            vnode.path = path
            self._folders[path] = vnode

    def _made(self, path: str, mode: int) -> _Vnode:
        descriptor = self._open(path, mode, self._most)
        found = os.fstat(descriptor)
        if (vnode := self._known.get((found.st_dev, found.st_ino))) is not None:  # it came here just now
            os.close(descriptor)
            return vnode
        self._last += 1
        vnode = _Vnode(self._last, descriptor, found)
        self._listen(descriptor)
        self._held[descriptor] = (vnode, "")
        self._vnodes[vnode.watch] = self._known[vnode.identity] = vnode
        return vnode

    def _widen(self, vnode: _Vnode, mask: int) -> None:
        """Have a directory watched for all this."""
        wants_contents = mask & MODIFY and not vnode.mask & MODIFY
        vnode.mask = mask
        if vnode.is_dir and mask & ENTRIES and (vnode.entries is None or wants_contents):
            listed = self._listed(vnode)
            if vnode.entries is None:  # what is another now than it was is news, and an event of that waits
                vnode.entries = listed

    def _drop(self, vnode: _Vnode) -> None:
        for name in list(vnode.contents):
            self._let_go(vnode, name)
        self._place(vnode, None)
        del self._vnodes[vnode.watch]
        del self._known[vnode.identity]
        del self._held[vnode.descriptor]
        os.close(vnode.descriptor)  # with it the kernel forgets what it was to tell

    def _open(self, path: str, mode: int, most: int) -> int:
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
            # To open a device is to do something to it.
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP), path)
        try:
            if len(self._held) >= most:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), path)
            return os.open(path, self._open_flags)
        except OSError as error:
            if error.errno in _FULL:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path) from error
            self._look(path)  # it may be gone since
            raise

    def _listen(self, descriptor: int) -> None:
        wanted = self._select.kevent(descriptor, filter=_FILTER_VNODE, flags=_ADD_CLEAR, fflags=_ALL)
        try:
            self._queue.control([wanted], 0, 0)
        except OSError:
            os.close(descriptor)
            raise

    # --- what is in a directory -----------------------------------------------------------------------------

    def _listed(self, vnode: _Vnode) -> dict[str, _Entry]:
        """The entries of a directory, its files held open where that is wanted. Raises OSError."""
        entries: dict[str, _Entry] = {}
        handle = os.open(vnode.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            there = os.fstat(handle)
            if (there.st_dev, there.st_ino) != vnode.identity:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), vnode.path)  # it has moved away
            with os.scandir(handle) as found:
                for entry in found:
                    entries[entry.name] = _entry(entry, handle)
        finally:
            os.close(handle)
        if vnode.mask & MODIFY:
            self._hold_contents(vnode, entries)
        return entries

    def _hold_contents(self, vnode: _Vnode, entries: dict[str, _Entry]) -> None:
        """Hold the files of a directory open, and no others. Raises OSError where there are too many."""
        for name, (_, inode) in list(vnode.contents.items()):
            entry = entries.get(name)
            if entry is None or entry.is_dir or entry.inode != inode:
                self._let_go(vnode, name)
        base = vnode.path.rstrip("/")
        for name, entry in entries.items():
            if not (entry.is_dir or entry.leads or name in vnode.contents):
                self._hold(vnode, name, f"{base}/{name}", entry.inode)

    def _hold(self, vnode: _Vnode, name: str, path: str, inode: int) -> None:
        try:
            mode = os.lstat(path).st_mode
            # Trees are not to take what single files need.
            descriptor = self._open(path, mode, self._most * 3 // 4) if stat.S_ISREG(mode) else -1
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise
            return  # gone again, which is news to come, or nothing that we may open
        if descriptor >= 0:
            self._listen(descriptor)
            vnode.contents[name] = (descriptor, inode)
            self._held[descriptor] = (vnode, name)

    def _let_go(self, vnode: _Vnode, name: str) -> None:
        descriptor, _ = vnode.contents.pop(name)
        del self._held[descriptor]
        os.close(descriptor)

    # --- events -------------------------------------------------------------------------------------------

    def read(self, size: int) -> Sequence[_Event]:
        """Events that have come, with watch, mask, cookie and name. Raises BlockingIOError where there are none."""
        del size
        told = self._queue.control(None, _AT_ONCE, 0)
        if not told:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        events: list[_Event] = []
        stirred: dict[_Vnode, None] = {}
        for event in told:
            vnode, name = self._held.get(event.ident, (None, ""))
            if vnode is None:
                continue  # it was in a directory that is gone
            if name:
                events.append((vnode.watch, _of_contents(event.fflags), 0, name))
                if event.fflags & _GONE:
                    self._let_go(vnode, name)
                    stirred[vnode] = None
                continue
            events += self._of_itself(vnode, event.fflags)
            if vnode.is_dir and event.fflags & _NOTE_WRITE:
                stirred[vnode] = None
        for vnode in stirred:
            if vnode.entries is not None and vnode.watch in self._vnodes:
                events += self._compared(vnode)
        return events

    def _of_itself(self, vnode: _Vnode, flags: int) -> Iterator[_Event]:
        watch = vnode.watch
        if flags & (_NOTE_DELETE | _NOTE_REVOKE):
            yield from self._ended(vnode)
            return
        if flags & _NOTE_RENAME:
            yield watch, MOVE_SELF, 0, ""
        if flags & (_NOTE_WRITE | _NOTE_EXTEND) and not vnode.is_dir:
            yield watch, MODIFY, 0, ""
        if flags & (_NOTE_ATTRIB if vnode.is_dir else _NOTE_ATTRIB | _NOTE_LINK):
            yield watch, ATTRIB, 0, ""
            if vnode.mask & MODIFY:  # inotify tells it of the directory above; here that is told of its entries alone
                yield watch, ATTRIB, 0, "."

    def _ended(self, vnode: _Vnode) -> Iterable[_Event]:
        self._drop(vnode)
        return (vnode.watch, DELETE_SELF, 0, ""), (vnode.watch, IGNORED, 0, "")

    def _compared(self, vnode: _Vnode) -> Iterable[_Event]:
        """What is another entry now than it was when the directory was listed last."""
        former = vnode.entries or {}
        try:
            now = vnode.entries = self._listed(vnode)
        except OSError:  # it is not where it was, or may not be read any more, or is too large: it is armed anew
            return self._ended(vnode)
        events: list[_Event] = [(vnode.watch, ATTRIB, 0, ".")] if vnode.mask & MODIFY else []
        missed, vnode.missed = vnode.missed, set()  # who still wants them looks for them again
        events += ((vnode.watch, CREATE, 0, name) for name in missed)
        for name in former.keys() | now.keys():
            old, new = former.get(name), now.get(name)
            if old != new:
                if old is not None:
                    events.append((vnode.watch, DELETE | (ISDIR if old.is_dir else 0), 0, name))
                if new is not None:
                    events.append((vnode.watch, CREATE | (ISDIR if new.is_dir else 0), 0, name))
        return events


def _of_contents(flags: int) -> int:
    return MODIFY if flags & (_NOTE_WRITE | _NOTE_EXTEND) else ATTRIB


def _entry(entry: os.DirEntry[str], folder: int) -> _Entry:
    if entry.is_symlink():
        try:
            return _Entry(entry.inode(), False, os.readlink(entry.name, dir_fd=folder) or ".")
        except OSError:
            return _Entry(0, False, ".")  # gone again, or another thing now: news of that is to come
    return _Entry(entry.inode(), entry.is_dir(follow_symlinks=False))


def _raised_limit() -> int:
    """Descriptors that this program may have open, after asking for more: macOS gives 256 to who does not."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for number in _ENOUGH:
        if soft == resource.RLIM_INFINITY or soft >= number:
            break
        if hard != resource.RLIM_INFINITY and number > hard:
            continue
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))
        except (OSError, ValueError):
            continue
        return number
    return _ENOUGH[0] if soft == resource.RLIM_INFINITY else soft
