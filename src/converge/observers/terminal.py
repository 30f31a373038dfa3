"""Terminal output: colour, symbols, a heading per kind, and a progress line.

In the first convergence each kind is one group, although kinds go on side by side: the group of a kind that is not
complete stands in the part of the screen that is drawn anew, and is printed for good when the last of it has ended.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from typing import TextIO

from converge.engine.events import Began, Ended, Event, Notice, Outcome, Recommended, Running, Watching, Working
from converge.observers.changes_only import ChangesOnly
from converge.observers.format import COLOURED, UNICODE, Formatter, cells, cropped, stamp, utc_now
from converge.observers.live import Live

_COLUMNS = 80
"""Where the stream cannot say."""


class Terminal:
    """Writes to ``stream``, a terminal that knows Unicode."""

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
        self._clock = clock
        self._words = Formatter(
            UNICODE if os.environ.get("NO_COLOR") else COLOURED, verbose=verbose, columns=lambda: _columns(stream)
        )
        self._news = ChangesOnly(all_ok=verbose, counted=counted)
        self._live: Live | None = None
        self._later = False
        self._lines: list[str] = []
        """Printed for good at the next flush."""
        self._groups: dict[str, list[str]] = {}
        """By kind, what is printed when the kind is complete."""
        self._left: dict[str, int] = {}
        """By kind, how many have had no outcome."""
        self._printed: set[str] = set()
        """Kinds that are complete."""
        self._total = 0
        self._done: set[str] = set()
        self._calls: tuple[Running, ...] = ()

    def see(self, event: Event) -> None:
        match event:
            case Outcome():
                self._count(event)
                if self._news.tells(event):
                    self._outcome(event)
                if self._left.get(event.kind) == 0 and event.kind in self._groups:
                    self._print_group(event.kind)
            case Notice():
                self._lines.append((stamp(self._now()) if self._later else "") + self._words.notice(event))
            case Working():
                self._calls = event.calls
            case Began():
                self._total = event.total
                self._left = dict(event.kinds)
                self._lines.append(self._words.began(event))
            case Watching():
                self._news.only_news()
                self._finish()
                self._later = True
                self._lines.append(self._words.watching(event))
            case Recommended():
                self._finish()
                self._lines.append(self._words.recommended(event))
            case Ended():
                self._finish()
                self._calls = ()
                self._lines.append(self._words.summary(event.summary, interrupted=event.interrupted))

    def _count(self, event: Outcome) -> None:
        if not self._later and event.id not in self._done:
            self._done.add(event.id)
            if event.kind in self._left:
                self._left[event.kind] -= 1

    def _outcome(self, event: Outcome) -> None:
        if self._later:
            self._lines.append(self._words.outcome(event, event.id, stamp(self._now())))
        elif (
            event.kind in self._printed
        ):  # a retry, or one that was looked at again, when its group was printed already
            self._lines.append(self._words.outcome(event, event.id, ""))
        else:
            group = self._groups.setdefault(event.kind, [self._words.heading(event.kind)])
            group.append(self._words.outcome(event, event.id.removeprefix(f"{event.kind}:"), "  "))

    def _print_group(self, kind: str) -> None:
        self._lines += self._groups.pop(kind)
        self._printed.add(kind)

    def _finish(self) -> None:
        for kind in tuple(self._groups):
            self._print_group(kind)
        self._total = 0

    def flush(self) -> None:
        lines, self._lines = self._lines, []
        text = "".join(lines)
        if len(self._done) < self._total or self._calls:
            self._live = self._live or Live(self._stream, self._held_back, self._progress)
            self._live.show(text)
            return
        if self._live is not None:
            self._live.stop()
            self._live = None
        if text:
            self._stream.write(text)
            self._stream.flush()

    def close(self) -> None:
        self._finish()
        self._calls = ()
        self.flush()

    # --- the part that is drawn anew, perhaps on the thread that draws -----------------------------------------

    def _held_back(self) -> Iterator[str]:
        """The lines of groups that are not complete, from the last to the first."""
        for group in reversed(tuple(self._groups.values())):
            for text in reversed(tuple(group)):
                yield from reversed(text.splitlines())

    def _progress(self, columns: int) -> str:
        """How far it is, what takes long and for how long it has: ``[67/73] apt-get install nginx, curl  14 s``."""
        done = f"[{len(self._done)}/{self._total}] " if self._total else ""
        calls = self._calls
        if not calls:
            return done.rstrip()
        text, _, took = self._words.working(calls[0], self._clock()).rpartition("  ")
        took = f"  {took}" + (f", and {len(calls) - 1} more" if len(calls) > 1 else "")
        return done + cropped(text, max(8, columns - cells(done + took)), "…") + took


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or _COLUMNS
    except (OSError, ValueError):
        return _COLUMNS
