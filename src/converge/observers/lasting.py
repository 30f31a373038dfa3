"""Keeps a daemon running when its output is no longer read."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from typing import Final, TextIO

from converge.engine.events import Event, Notice, Observer
from converge.host.streams import silence

_NO_SPACE: Final = frozenset((errno.ENOSPC, errno.EDQUOT))
"""A full disk may have room again; this is for whoever writes to it to say."""


class Lasting:
    """Passes events on to ``shown``, which writes to ``stream``, until that fails; then tells ``others``, once."""

    def __init__(self, shown: Observer, stream: TextIO, others: Sequence[Observer]) -> None:
        self._shown: Observer | None = shown
        self._stream = stream
        self._others = others

    def see(self, event: Event) -> None:
        self._try(lambda shown: shown.see(event))

    def flush(self) -> None:
        self._try(lambda shown: shown.flush())

    def close(self) -> None:
        self._try(lambda shown: shown.close())

    def _try(self, what: Callable[[Observer], None]) -> None:
        if self._shown is None:
            return
        try:
            what(self._shown)
        except OSError as error:
            if error.errno in _NO_SPACE:
                raise
            self._shown = None
            silence(self._stream)
            for other in self._others:
                other.see(Notice("warning", f"nobody reads the output any more ({error.strerror or error}); going on"))
