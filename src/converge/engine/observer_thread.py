"""Runs observers on their own thread, so that a blocked reader never delays a repair or shutdown."""

from __future__ import annotations

import errno
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from converge.engine.events import Event, Notice, Observer
from converge.engine.threads import start_thread

_MOST: Final = 10_000
"""Events that are kept for a reader who does not read; in a burst that is being read, more may wait."""
_DEAF: Final = 10.0
"""Seconds without progress after which a reader counts as one who does not read."""
_NO_SPACE: Final = frozenset((errno.ENOSPC, errno.EDQUOT))


class ObserverThread:
    """Passes on what it sees to ``observers``, in order, from one thread.

    ``failed`` is called on that thread, once, with the first error that is no full disk: a full disk under its output
    is no reason for a daemon to stop guarding the machine.
    """

    def __init__(
        self,
        observers: Sequence[Observer],
        failed: Callable[[OSError], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._observers = observers
        self._failed = failed
        self._clock = clock
        self._burst: list[Event] = []
        self._bursts: deque[list[Event]] = deque()
        self._waiting = 0
        self._lost = 0
        self._progress_at = 0.0
        self._closing = False
        self._deaf = False
        self._changed = threading.Condition()
        self._thread = start_thread(self._tell, "converge-observers")

    def see(self, event: Event) -> None:
        self._burst.append(event)

    def flush(self) -> None:
        """Hand over what was seen since the last time. Never waits for a reader."""
        burst, self._burst = self._burst, []
        if self._thread is None:
            self._thread = start_thread(self._tell, "converge-observers")
        if self._thread is None:  # the system has none left now: they are told from here
            if burst:
                self._pass_on(burst)
            return
        if not burst:
            return
        with self._changed:
            if not self._waiting:
                self._progress_at = self._clock()
            elif self._waiting >= _MOST and self._clock() - self._progress_at > _DEAF:
                self._lost += len(burst)
                return
            self._waiting += len(burst)
            self._bursts.append(burst)
            self._changed.notify()

    def close(self, patience: float) -> bool:
        """Tell what is left, for at most ``patience`` seconds; returns whether all was told."""
        self.flush()
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is None:
            return True
        self._thread.join(patience)
        return not self._thread.is_alive()

    def _tell(self) -> None:
        while (burst := self._next()) is not None:
            if not self._pass_on(burst):
                return
            with self._changed:
                self._waiting -= len(burst)
                self._progress_at = self._clock()

    def _pass_on(self, burst: Sequence[Event]) -> bool:
        """Whether anybody can still be told."""
        if self._deaf:
            return False
        try:
            for event in burst:
                for observer in self._observers:
                    observer.see(event)
            for observer in self._observers:
                observer.flush()
        except OSError as error:
            if error.errno not in _NO_SPACE:
                self._deaf = True
                self._failed(error)
        return not self._deaf

    def _next(self) -> list[Event] | None:
        with self._changed:
            while not self._bursts:
                if self._lost:
                    lost, self._lost = self._lost, 0
                    self._waiting += 1
                    return [Notice("warning", f"nobody read this for a while; {lost} events were not kept for it")]
                if self._closing:
                    return None
                self._changed.wait()
            return self._bursts.popleft()
