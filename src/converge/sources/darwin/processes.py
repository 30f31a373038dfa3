"""Process exits on macOS, through one kqueue."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import select
from collections.abc import Callable, Iterable
from typing import Any, Final

from converge.core.trigger import ProcessEnded
from converge.sources.base import Mark

# sys/event.h of macOS
_FILTER_PROC: Final = -5
_ADD_ONCE: Final = 0x1 | 0x10
_DELETE: Final = 0x2
_NOTE_EXIT: Final = 0x80000000
_AT_ONCE: Final = 256


class ProcessSource:
    """Serves :class:`ProcessEnded`. Raises OSError where no kqueue can be had."""

    def __init__(self, mark: Mark, failed: Callable[[BaseException], None]) -> None:
        self._mark = mark
        self._failed = failed
        self._select: Any = select  # Any: the types of Linux have no kqueue
        self._queue = self._select.kqueue()
        self._keys: dict[int, set[str]] = {}
        """By process: who wants to know."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._queue.fileno(), self._news)

    def watch(self, key: str, triggers: Iterable[object]) -> None:
        """Mark this key when one of these processes ends; at once for one that has."""
        wanted = {each.pid for each in triggers if isinstance(each, ProcessEnded)}
        for pid in [pid for pid, keys in self._keys.items() if key in keys and pid not in wanted]:
            self._keys[pid].discard(key)
            if not self._keys[pid]:
                del self._keys[pid]
                with contextlib.suppress(OSError):  # it has ended, and the news is on its way
                    self._tell(pid, _DELETE)
        for pid in wanted:
            if pid not in self._keys:
                self._begin(pid)
            self._keys.setdefault(pid, set()).add(key)

    def close(self) -> None:
        """Stop. May be called more than once."""
        if not self._queue.closed:
            self._loop.remove_reader(self._queue.fileno())
            self._queue.close()

    def _begin(self, pid: int) -> None:
        try:
            self._tell(pid, _ADD_ONCE)
        except OSError as error:
            if error.errno == errno.ESRCH:
                self._loop.call_soon(self._ended, pid)
            # Who may not ask after the processes of others looks at them from time to time, as all do.

    def _tell(self, pid: int, flags: int) -> None:
        self._queue.control([self._select.kevent(pid, filter=_FILTER_PROC, flags=flags, fflags=_NOTE_EXIT)], 0, 0)

    def _news(self) -> None:
        try:
            told = self._queue.control(None, _AT_ONCE, 0)
        except OSError as error:
            self.close()
            self._failed(error)
            return
        for event in told:
            self._ended(event.ident)

    def _ended(self, pid: int) -> None:
        for key in self._keys.pop(pid, ()):
            self._mark(key)
