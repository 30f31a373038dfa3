"""Plain-text output: ASCII, no escape sequences."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import TextIO

from converge.engine.events import Began, Ended, Event, Notice, Outcome, Recommended, Running, Watching, Working
from converge.observers.changes_only import ChangesOnly
from converge.observers.format import ASCII, Formatter, stamp, utc_now

_LONG = 9.9
"""Seconds after which a call is worth a line."""


class Serial:
    """Writes to ``stream``, which may be a file, a pipe or a serial console."""

    def __init__(
        self,
        stream: TextIO,
        *,
        verbose: bool = False,
        counted: Collection[str] = (),
        now: Callable[[], datetime] = utc_now,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._now = now
        self._words = Formatter(ASCII, verbose=verbose)
        self._news = ChangesOnly(all_ok=verbose, counted=counted)
        self._later = False
        self._clock = clock
        self._told_long: set[float] = set()
        self._lines: list[str] = []

    def see(self, event: Event) -> None:
        match event:
            case Outcome():
                if self._news.tells(event):
                    self._lines.append(self._words.outcome(event, event.id, self._lead()))
            case Notice():
                self._lines.append(self._lead() + self._words.notice(event))
            case Began():
                self._lines.append(self._words.began(event))
            case Watching():
                self._news.only_news()
                self._later = True
                self._lines.append(self._words.watching(event))
            case Working():
                self._tell_long(event.calls)
            case Recommended():
                self._lines.append(self._words.recommended(event))
            case Ended():
                self._lines.append(self._words.summary(event.summary, interrupted=event.interrupted))

    def _tell_long(self, calls: Sequence[Running]) -> None:
        """One line about each call that lasts for so long that somebody may wonder."""
        now = self._clock()
        long = [call for call in calls if now - call.since >= _LONG]
        for call in long:
            if call.since not in self._told_long:
                self._lines.append(f"{self._lead()}running: {self._words.working(call, now)}\n")
        self._told_long = {call.since for call in long}

    def _lead(self) -> str:
        return stamp(self._now()) if self._later else ""

    def flush(self) -> None:
        lines, self._lines = self._lines, []
        if lines:
            self._stream.write("".join(lines))
            self._stream.flush()

    def close(self) -> None:
        self.flush()
