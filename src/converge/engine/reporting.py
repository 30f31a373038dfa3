"""Sends events to observers, and keeps the summary of last outcomes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from converge.core.errors import Severity
from converge.engine.events import Event, Notice, Observer, Outcome, Running, Status, Summary, Working
from converge.engine.observer_thread import ObserverThread
from converge.host.fs.os_errors import telling

_PATIENCE: Final = 1.0
"""Seconds that a reader of our output has for the last of it when we are told to stop."""
_LOOK: Final = 0.005
"""Seconds between looks at whether all is told."""


class Reporting:
    """Tells observers from a thread of their own, so that a blocked reader delays neither a repair nor a shutdown.

    A plan tells them directly: what it says is all there is to it, so it waits for its reader. ``failed`` is called on
    the thread that writes, where the output cannot be written.
    """

    def __init__(self, observers: Sequence[Observer], failed: Callable[[OSError], None], *, planning: bool) -> None:
        self._thread = None if planning else ObserverThread(observers, failed)
        self._observers = observers if self._thread is None else (self._thread,)
        self._latest: dict[str, Status] = {}
        self._changed: set[str] = set()

    def tell(self, *events: Event) -> None:
        for observer in self._observers:
            for event in events:
                observer.see(event)

    def flush(self) -> None:
        for observer in self._observers:
            observer.flush()

    def notice(self, severity: Severity, text: str) -> None:
        self.tell(Notice(severity, text))
        self.flush()

    def works(self, calls: Sequence[Running]) -> None:
        """Calls that take long are still running."""
        self.tell(Working(tuple(calls)))
        self.flush()

    def outcomes(self, events: Sequence[Event]) -> None:
        """Raises OSError where a plan's reader has gone."""
        if not events:
            return
        for event in events:
            if isinstance(event, Outcome):
                self._latest[event.id] = event.status
                if event.status == "changed":
                    self._changed.add(event.id)
        with telling():
            self.tell(*events)
            self.flush()

    def summary(self, ids: Iterable[str], seconds: float) -> Summary:
        """By the last outcome of each; what was changed at some time and is right counts as changed."""
        counts: Counter[Status] = Counter()
        for id in ids:
            status = self._latest.get(id)
            if status is not None:
                counts["changed" if status == "ok" and id in self._changed else status] += 1
        return Summary(counts, seconds)

    async def finish(self, *, hurried: bool) -> bool:
        """Wait until all is told, if ``hurried`` not for long; returns whether it was."""
        if self._thread is None:
            return True
        now = asyncio.get_running_loop().time
        began = now()
        while not self._thread.close(0.0):
            if hurried and now() - began > _PATIENCE:
                return False
            await asyncio.sleep(_LOOK)
        return True
