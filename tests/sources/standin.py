"""A stand-in for kqueue(2)'s EVFILT_VNODE, made of inotify and driven by real files, and for its EVFILT_PROC.

Its contract, as macOS has it: an event belongs to an open file, and says what happened to it since the last time, in
flags that add up (EV_CLEAR). Of a directory it is told that an entry came or went, not which one; and nothing of what
is written into the files in it. A file that was closed is forgotten. The end of a process is told once; of one that is
gone, nothing can be asked.
"""

from __future__ import annotations

import contextlib
import os
import select
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from inotify_simple import INotify, flags

_MASK = (
    flags.CREATE | flags.DELETE | flags.MOVED_FROM | flags.MOVED_TO | flags.MODIFY | flags.ATTRIB | flags.MOVE_SELF
    | flags.DELETE_SELF
)  # fmt: skip
_ENTRIES = flags.CREATE | flags.DELETE | flags.MOVED_FROM | flags.MOVED_TO
_DELETE, _WRITE, _EXTEND, _ATTRIB, _LINK, _RENAME, _REVOKE = 1, 2, 4, 8, 16, 32, 64

_PROC, _EXIT = -5, 0x80000000
_PIDFD = os.pidfd_open  # which macOS has not


@dataclass
class Kevent:
    """struct kevent."""

    ident: int
    filter: int = -1
    flags: int = 1
    fflags: int = 0


@dataclass
class _Knote:
    descriptor: int
    wd: int
    identity: tuple[int, int]
    wanted: int
    links: int
    told_gone: bool = False
    pending: int = field(default=0)


class Os:
    """The module os, which tells a kqueue what is closed."""

    kqueue: Kqueue | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def close(self, descriptor: int) -> None:
        if self.kqueue is not None:
            self.kqueue.is_closed(descriptor)
        os.close(descriptor)


class Kqueue:
    """select.kqueue, as far as it is used."""

    def __init__(self) -> None:
        self._inotify: Any = INotify(nonblocking=True)
        self._knotes: dict[int, _Knote] = {}
        self._processes: dict[int, int] = {}
        """By process, a descriptor that can be read when it has ended."""
        self.closed = False
        # Readable when there is something to tell: events of inotify, or what was heard of them already.
        self._heard = os.eventfd(0, os.EFD_NONBLOCK)
        self._epoll = select.epoll()
        self._epoll.register(self._inotify.fileno(), select.EPOLLIN)
        self._epoll.register(self._heard, select.EPOLLIN)

    def fileno(self) -> int:
        return self._epoll.fileno()

    def close(self) -> None:
        self.closed = True
        self._epoll.close()
        for process in self._processes.values():
            os.close(process)
        os.close(self._heard)
        self._inotify.close()

    def tells(self) -> bool:
        """Whether there is something to tell."""
        return bool(self._epoll.poll(0))

    def control(self, changes: Sequence[Kevent] | None, at_most: int, timeout: float | None = None) -> list[Kevent]:
        for change in changes or ():
            if change.filter == _PROC:
                self._change_process(change)
            else:
                self._add(change)
        if not at_most:
            return []
        assert timeout == 0
        self._gather()
        told = [note for note in self._knotes.values() if note.pending]
        assert len(told) <= at_most  # more are never made here
        events = [Kevent(note.descriptor, -4, 0x20, note.pending) for note in told]
        events += [Kevent(pid, _PROC, 0x10, _EXIT) for pid in list(self._processes) if self._has_ended(pid)]
        for note in told:
            note.pending = 0
        if told:
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self._heard)
        return events

    def knotes(self) -> int:
        return len(self._knotes)

    def _change_process(self, change: Kevent) -> None:
        assert change.fflags == _EXIT
        if change.flags == 0x2:
            os.close(self._processes.pop(change.ident))
            return
        assert change.flags == 0x11
        self._processes[change.ident] = _PIDFD(change.ident)  # ESRCH where there is none
        self._epoll.register(self._processes[change.ident], select.EPOLLIN)

    def _has_ended(self, pid: int) -> bool:
        """Told once."""
        ended = bool(select.select([self._processes[pid]], [], [], 0)[0])
        if ended:
            os.close(self._processes.pop(pid))
        return ended

    def _add(self, change: Kevent) -> None:
        assert (change.filter, change.flags) == (-4, 0x21)
        found = os.fstat(change.ident)
        identity = (found.st_dev, found.st_ino)
        if any(each.identity == identity for each in self._knotes.values()):
            # What happened to those who hold it open already is nothing to this one.
            self._gather()
            if any(each.pending for each in self._knotes.values()):
                os.eventfd_write(self._heard, 1)
        wd = self._inotify.add_watch(f"/proc/self/fd/{change.ident}", _MASK)
        self._knotes[change.ident] = _Knote(change.ident, wd, identity, change.fflags, found.st_nlink)

    def is_closed(self, descriptor: int) -> None:
        """A file is about to be closed, and with it its event."""
        note = self._knotes.pop(descriptor, None)
        if note is not None and all(each.wd != note.wd for each in self._knotes.values()):
            with contextlib.suppress(OSError):  # inotify may have ended it by itself
                self._inotify.rm_watch(note.wd)

    def _gather(self) -> None:
        for event in self._inotify.read(timeout=0):
            for note in self._knotes.values():
                if note.wd == event.wd:
                    note.pending |= self._flags(note, event.mask, event.name) & note.wanted
        for note in self._knotes.values():
            found = os.fstat(note.descriptor)
            where = os.readlink(f"/proc/self/fd/{note.descriptor}")
            # inotify tells of it when nobody holds it open any more; kqueue does at once.
            gone = where.endswith(" (deleted)") if stat.S_ISDIR(found.st_mode) else found.st_nlink == 0
            if gone and not note.told_gone:
                note.told_gone = True
                note.pending |= _DELETE & note.wanted

    def _flags(self, note: _Knote, mask: int, name: str) -> int:
        if name:
            subdirectory = mask & flags.ISDIR and mask & _ENTRIES
            return (_WRITE | (_LINK if subdirectory else 0)) if mask & _ENTRIES else 0
        told = _RENAME if mask & flags.MOVE_SELF else 0
        told |= _WRITE | _EXTEND if mask & flags.MODIFY else 0
        if mask & flags.ATTRIB:
            links = os.fstat(note.descriptor).st_nlink
            told |= _ATTRIB | (_LINK if links != note.links else 0)
            note.links = links
        return told | (_REVOKE if mask & flags.UNMOUNT else 0)
