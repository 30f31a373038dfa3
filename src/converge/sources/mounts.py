"""News of mounts, which come and go without a word from inotify."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
from collections.abc import Callable

from converge.mountinfo import MOUNTINFO, mount_point, parse_mountinfo


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
