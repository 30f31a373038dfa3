"""Mounts and unmounts, through mountinfo; inotify does not report them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
from collections.abc import Callable, Iterable

from converge.core.trigger import MountsChanged
from converge.host.mountinfo import MOUNTINFO, mount_point, parse_mountinfo
from converge.sources.base import Mark


class MountSource:
    """Calls ``changed`` with the mount points that appeared, vanished or became something else."""

    def __init__(
        self,
        changed: Callable[[list[str]], None],
        failed: Callable[[BaseException], None],
        path: str = MOUNTINFO,
    ) -> None:
        self._changed = changed
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        # The list can always be read, so only "urgent" means news; the loop cannot be asked to wait for that,
        # but it can wait for an epoll that does.
        self._epoll = select.epoll()
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._epoll.close()
            raise
        # An ordinary file (a test's, or a chroot's copy) never has news, and epoll refuses it.
        with contextlib.suppress(PermissionError):
            self._epoll.register(self._fd, select.EPOLLPRI | select.EPOLLERR)
        self._lines = self._read()
        self.mounts = parse_mountinfo(self._lines)
        self._loop.add_reader(self._epoll.fileno(), self._news)

    def look(self) -> None:
        """Compare with what was mounted when we last looked."""
        lines = self._read()
        differing = set(lines) ^ set(self._lines)
        if differing:
            self._lines = lines
            self.mounts = parse_mountinfo(lines)
            self._changed(sorted({mount_point(line) for line in differing}))

    def close(self) -> None:
        """Stop. May be called more than once."""
        if not self._epoll.closed:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
            os.close(self._fd)

    def _read(self) -> list[bytes]:
        os.lseek(self._fd, 0, os.SEEK_SET)
        pieces = []
        while piece := os.read(self._fd, 1 << 16):
            pieces.append(piece)
        return b"".join(pieces).splitlines()

    def _news(self) -> None:
        self._epoll.poll(0)  # the loop's own look has mostly taken the news already: that it woke us is enough
        try:
            self.look()
        except OSError as error:
            self.close()
            self._failed(error)


class MountNews:
    """Serves :class:`MountsChanged`: the kernel tells when its list of mounts changes, and two lists tell what did."""

    def __init__(self, mark: Mark, failed: Callable[[BaseException], None]) -> None:
        self._mark = mark
        self._watched: dict[str, frozenset[str]] = {}
        self._mounts = MountSource(self._changed, failed)

    def watch(self, key: str, triggers: Iterable[object]) -> None:
        """Mark the key on changes at these paths, and no others."""
        paths = frozenset(os.path.normpath(each.path) for each in triggers if isinstance(each, MountsChanged))
        if paths:
            self._watched[key] = paths
        else:
            self._watched.pop(key, None)

    def close(self) -> None:
        """Stop. May be called more than once."""
        self._mounts.close()

    def _changed(self, points: list[str]) -> None:
        changed = set(points)
        for key, paths in list(self._watched.items()):
            if any(not changed.isdisjoint(_with_ancestors(path)) for path in paths):
                self._mark(key)


def _with_ancestors(path: str) -> Iterable[str]:
    """The path, and all that it is below: what is mounted there hides it."""
    while path != "/":
        yield path
        path = os.path.dirname(path)
    yield "/"
