"""Progress lines at the bottom of a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TextIO

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live as RichLive
from rich.segment import Segment
from rich.spinner import Spinner
from rich.text import Text

_REDRAWS_PER_SECOND = 12.5
_SPINNER_COLUMNS = 3


class Live(RichLive):
    """Shows the end of ``lines`` (given from the last to the first) and, below it, ``progress`` for so many columns.

    Finished text is put above at each redraw, not one by one.
    """

    def __init__(self, stream: TextIO, lines: Callable[[], Iterator[str]], progress: Callable[[int], str]) -> None:
        self._lines = lines
        self._progress = progress
        self._above: list[str] = []
        self._spinner = Spinner("dots")
        super().__init__(
            console=Console(file=stream, force_terminal=True, highlight=False),
            get_renderable=self._picture,
            refresh_per_second=_REDRAWS_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def show(self, above: str) -> None:
        """Begin, or go on, with this text above."""
        with self._lock:
            if above:
                self._above.append(above)
        self.start()

    def refresh(self) -> None:
        with self._lock:
            if self._above:
                self.console.print(_Raw("".join(self._above)), end="", crop=False)
                self._above.clear()
            super().refresh()

    def _picture(self) -> RenderableType:
        columns, rows = self.console.size
        last = [*islice(self._lines(), max(0, rows - 2))]
        self._spinner.update(text=Text(self._progress(columns - _SPINNER_COLUMNS), no_wrap=True, overflow="crop"))
        return Group(*map(_on_one_row, reversed(last)), self._spinner)


def _on_one_row(line: str) -> Text:
    text = Text.from_ansi(line, no_wrap=True, overflow="ellipsis")
    text.expand_tabs(8)
    return text


class _Raw:
    """Text that is finished already."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Segment(self._text)
