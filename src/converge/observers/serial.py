"""Plain text: ASCII only, no escape sequences, a line for each outcome and its details below."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TextIO

from converge.engine.events import Began, Ended, Event, Notice, Outcome, Watching
from converge.observers.news import News
from converge.observers.text import ASCII, Words, stamp, utc_now, watching


class Serial:
    """Writes to ``stream``, which may be a file, a pipe or a serial console."""

    def __init__(self, stream: TextIO, *, verbose: bool = False, now: Callable[[], datetime] = utc_now) -> None:
        self._stream = stream
        self._now = now
        self._words = Words(ASCII, verbose=verbose)
        self._news = News()
        self._later = False
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
                self._lines.append(watching(event.total))
            case Ended():
                self._lines.append(self._words.summary(event.summary, interrupted=event.interrupted))

    def _lead(self) -> str:
        return stamp(self._now()) if self._later else ""

    def flush(self) -> None:
        lines, self._lines = self._lines, []
        if lines:
            self._stream.write("".join(lines))
            self._stream.flush()

    def close(self) -> None:
        self.flush()
