"""Observers: output for terminals, plain text, JSON and the system log."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from typing import Literal, TextIO, TypeAlias

from converge.engine.events import Observer

Out: TypeAlias = Literal["terminal", "serial", "json"]


def observer_for(out: Out, stream: TextIO, *, daemon: bool, verbose: bool, counted: Collection[str] = ()) -> Observer:
    """The observer that writes ``out`` to ``stream``; a terminal's only where the stream is one that can show it.

    Text does not list what is ``counted``, by id, but for failures.
    """
    if out == "json":
        from converge.observers.jsonout import JsonLines, JsonObject

        return JsonLines(stream) if daemon else JsonObject(stream)
    if out == "terminal" and _shows_marks(stream):
        from converge.observers.terminal import Terminal

        return Terminal(stream, verbose=verbose, counted=counted)
    from converge.observers.serial import Serial

    return Serial(stream, verbose=verbose, counted=counted)


def _shows_marks(stream: TextIO) -> bool:
    utf8 = (stream.encoding or "").lower().replace("-", "") == "utf8"
    # Consoles of Windows have no TERM, and all show colour since Windows 10.
    without = "xterm" if sys.platform == "win32" else "dumb"
    return utf8 and stream.isatty() and os.environ.get("TERM", without) not in ("dumb", "unknown")
