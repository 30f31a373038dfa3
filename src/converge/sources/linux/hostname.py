"""Changes of the host name, by polling /proc/sys/kernel/hostname for events."""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Callable, Iterable

from converge.core.trigger import HostnameChanged
from converge.sources.base import Mark

PATH = "/proc/sys/kernel/hostname"


class HostnameSource:
    """Serves :class:`HostnameChanged`. The kernel tells of a change in any container, too; that does no harm."""

    def __init__(self, mark: Mark, failed: Callable[[BaseException], None], path: str = PATH) -> None:
        self._mark = mark
        self._failed = failed
        self._keys: dict[str, None] = {}
        self._loop = asyncio.get_running_loop()
        # The name can always be read, so only "urgent" means news; the loop cannot be asked to wait for that,
        # but it can wait for an epoll that does.
        self._epoll = select.epoll()
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._epoll.close()
            raise
        try:
            self._epoll.register(self._fd, select.EPOLLPRI | select.EPOLLERR)
        except OSError:  # an ordinary file, as some sandboxes put in its place
            os.close(self._fd)
            self._epoll.close()
            raise
        self._loop.add_reader(self._epoll.fileno(), self._news)

    def watch(self, key: str, triggers: Iterable[object]) -> None:
        """Mark this key on a change of the name."""
        if any(isinstance(trigger, HostnameChanged) for trigger in triggers):
            self._keys[key] = None
        else:
            self._keys.pop(key, None)

    def close(self) -> None:
        """Stop. May be called more than once."""
        if not self._epoll.closed:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
            os.close(self._fd)

    def _news(self) -> None:
        try:
            self._epoll.poll(0)  # taking the news; the loop's own look has mostly done so already
        except OSError as error:
            self.close()
            self._failed(error)
            return
        for key in list(self._keys):
            self._mark(key)
