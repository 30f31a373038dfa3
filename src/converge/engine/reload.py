"""Loads a blueprint again when its own files change, or on SIGHUP."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Callable, Sequence

from converge.errors import ConvergeError
from converge.graph.graph import Graph
from converge.loading import Loaded, load
from converge.resources.base import PathChanged, Trigger

_STILL = 0.2
"""Seconds without further news of the files before they are read; an editor writes in several steps."""


class Reloader:
    """Knows how the blueprint was asked for, and which files it was made of."""

    key = "blueprint"
    """Under which its files are watched; no resource id looks like it."""

    def __init__(self, loaded: Loaded, resource_timeout: float) -> None:
        self._wanted = loaded.wanted
        self._files = loaded.files
        self._given = loaded.given
        self._resource_timeout = resource_timeout
        self._handle: asyncio.TimerHandle | None = None
        self._seen = {file: _looks(file) for file in self._files}

    def triggers(self) -> Sequence[Trigger]:
        return [PathChanged(file) for file in sorted(self._files)]

    def changed(self) -> bool:
        """Whether the files look another way than when they were last looked at, for where nobody tells of changes."""
        before, self._seen = self._seen, {file: _looks(file) for file in self._files}
        return self._seen != before

    def soon(self, loop: asyncio.AbstractEventLoop, then: Callable[[], None]) -> None:
        """Call ``then`` once no further call has come for a moment."""
        if self._handle is not None:
            self._handle.cancel()
        self._handle = loop.call_later(_STILL, then)

    def load(self) -> Graph:
        """Raises ConvergeError where the blueprint is broken now."""
        self._seen = {file: _looks(file) for file in self._files}  # before they are read, so that nothing is missed
        try:
            loaded = load(self._wanted, resource_timeout=self._resource_timeout, given=self._given, afresh=True)
        except ConvergeError as error:
            # What is in force was made of these; the broken one may be mended in others.
            self._now_made_of(self._files | error.files)
            raise
        self._now_made_of(loaded.files)
        # The former blueprint is a web of cycles; without this, memory would wait for the collector's mood.
        gc.collect()
        return loaded.graph

    def _now_made_of(self, files: frozenset[str]) -> None:
        self._files = files
        self._seen = {file: self._seen.get(file) or _looks(file) for file in files}


def _looks(file: str) -> tuple[int, ...] | None:
    """What changes with a file's content; None where there is no file."""
    try:
        found = os.stat(file)
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)
