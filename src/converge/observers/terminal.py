"""A terminal: colour, marks, a heading for each kind, and while it lasts a line that says how far it is."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.live import Live
from rich.segment import Segment
from rich.spinner import Spinner

from converge.engine.events import Began, Ended, Event, Notice, Outcome, Watching
from converge.observers.news import News
from converge.observers.text import COLOURED, UNICODE, Words, stamp, utc_now, watching

_REDRAWS_PER_SECOND = 12.5


class Terminal:
    """Writes to ``stream``, a terminal that knows Unicode."""

    def __init__(self, stream: TextIO, *, verbose: bool = False, now: Callable[[], datetime] = utc_now) -> None:
        self._stream = stream
        self._now = now
        self._words = Words(UNICODE if os.environ.get("NO_COLOR") else COLOURED, verbose=verbose)
        self._news = News()
        self._progress = _Progress(stream)
        self._kind: str | None = None
        self._later = False
        self._lines: list[str] = []
        self._total = 0
        self._done: set[str] = set()

    def see(self, event: Event) -> None:
        match event:
            case Outcome():
                self._done.add(event.id)
                if self._news.tells(event):
                    self._outcome(event)
            case Notice():
                self._kind = None
                self._lines.append((stamp(self._now()) if self._later else "") + self._words.notice(event))
            case Began():
                self._total = event.total
                self._lines.append(self._words.began(event))
            case Watching():
                self._news.only_news()
                self._later = True
                self._total = 0
                self._lines.append(watching(event.total))
            case Ended():
                self._total = 0
                self._lines.append(self._words.summary(event.summary, interrupted=event.interrupted))

    def _outcome(self, event: Outcome) -> None:
        if self._later:
            self._lines.append(self._words.outcome(event, event.id, stamp(self._now())))
            return
        if event.kind != self._kind:
            self._kind = event.kind
            self._lines.append(self._words.heading(event.kind))
        self._lines.append(self._words.outcome(event, event.id.removeprefix(f"{event.kind}:"), "  "))

    def flush(self) -> None:
        lines, self._lines = self._lines, []
        text = "".join(lines)
        if len(self._done) < self._total:
            self._progress.show(text, f"[{len(self._done)}/{self._total}]")
            return
        self._progress.stop()
        if text:
            self._stream.write(text)
            self._stream.flush()

    def close(self) -> None:
        self._total = 0
        self.flush()


class _Progress(Live):
    """The last line while resources are outstanding. Finished lines are put above it at each redraw, not one by one."""

    def __init__(self, stream: TextIO) -> None:
        self._above: list[str] = []
        self._spinner = Spinner("dots")
        super().__init__(
            console=Console(file=stream, force_terminal=True, highlight=False),
            get_renderable=self._line,
            refresh_per_second=_REDRAWS_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def show(self, above: str, progress: str) -> None:
        with self._lock:
            if above:
                self._above.append(above)
            self._spinner.update(text=progress)
        self.start()

    def refresh(self) -> None:
        with self._lock:
            if self._above:
                self.console.print(_Raw("".join(self._above)), end="", crop=False)
                self._above.clear()
            super().refresh()

    def _line(self) -> RenderableType:
        return self._spinner


class _Raw:
    """Text that is finished already."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Segment(self._text)
