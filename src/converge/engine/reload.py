"""Reloads the blueprint, off the loop, when its files change or on SIGHUP."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from converge.blueprints.load import Loaded, load
from converge.core.errors import ConvergeError
from converge.core.trigger import PathChanged, Trigger
from converge.engine.rehearsal import Order, Rehearsal
from converge.engine.threads import start_thread
from converge.graph.graph import Graph
from converge.host.fs.os_errors import describe_os_error
from converge.host.streams import silence_if_lost

_STILL = 0.2
"""Seconds without further news of the files before they are read; an editor writes in several steps."""
_AGAIN: Final = 5.0
"""Seconds until the next try where there was no thread, process or descriptor to evaluate it with."""

Done: TypeAlias = Callable[[Graph | ConvergeError], None]


class NotNow(ConvergeError):
    """The system has no means to evaluate the blueprint with at present."""


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
        self._limit: asyncio.TimerHandle | None = None
        self._seen = {file: _looks(file) for file in self._files}
        self._number = 0
        """Of the newest evaluation; what becomes of the others is of no interest."""
        self._rehearsal: Rehearsal | None = None
        self._looking = False
        self._alone = threading.Lock()
        """One evaluation at a time in this process, since they share its modules."""

    def triggers(self) -> Sequence[Trigger]:
        return [PathChanged(file) for file in sorted(self._files)]

    def changed(self) -> bool:
        """Whether the files look another way than when they were last looked at. Blocks as long as they are hung."""
        before, self._seen = self._seen, {file: _looks(file) for file in self._files}
        return self._seen != before

    def look(self, loop: asyncio.AbstractEventLoop, then: Callable[[], None]) -> None:
        """Call ``then`` where the files were changed, for where nobody tells of that."""

        def looks() -> None:
            found = self.changed()
            self._looking = False
            if found:
                _call(loop, then)

        if not self._looking:
            self._looking = True
            if start_thread(looks, "converge-blueprint") is None:
                self._looking = False  # the next poll tries again

    def soon(self, loop: asyncio.AbstractEventLoop, then: Callable[[], None], delay: float | None = None) -> None:
        """Call ``then`` once no further call has come for a moment."""
        if self._handle is not None:
            self._handle.cancel()
        self._handle = loop.call_later(_STILL if delay is None else delay, then)

    def again_later(self, loop: asyncio.AbstractEventLoop, then: Callable[[], None]) -> None:
        """The same after :class:`NotNow`."""
        self.soon(loop, then, _AGAIN)

    def evaluate(self, loop: asyncio.AbstractEventLoop, done: Done) -> None:
        """Evaluate the files as they are now, and call ``done`` on the loop. One that still lasts is given up."""
        self.give_up()
        number = self._number
        rehearsal = self._rehearsal = Rehearsal(Order(self._wanted, self._resource_timeout, self._given))

        def arrived(found: Graph | ConvergeError) -> None:
            if number == self._number:
                self.give_up()
                done(found)

        def work() -> None:
            found = self._evaluated(rehearsal, lambda: number == self._number)
            if found is not None:
                _call(loop, lambda: arrived(found))

        seconds = self._resource_timeout
        late = ConvergeError(f"its evaluation did not end within {seconds:g} s")
        self._limit = loop.call_later(seconds, arrived, late)
        if start_thread(work, "converge-reload") is None:
            loop.call_soon(arrived, NotNow("no thread can be started"))

    def give_up(self) -> None:
        """Whatever is being evaluated is not wanted any more."""
        self._number += 1
        if self._limit is not None:
            self._limit.cancel()
        if self._rehearsal is not None:
            self._rehearsal.cancel()
            self._rehearsal = None

    def _evaluated(self, rehearsal: Rehearsal, wanted: Callable[[], bool]) -> Graph | ConvergeError | None:
        """Runs on a thread of its own."""
        try:
            rehearsal.run()
            with self._alone:
                return self.load() if wanted() else None
        except ConvergeError as error:
            # What is in force was made of these; the broken one may be mended in others.
            if wanted():
                self._now_made_of(self._files | error.files)
            return error
        except (OSError, MemoryError) as error:
            why = describe_os_error(error) if isinstance(error, OSError) else "there is no memory left"
            return NotNow(f"no process can be started: {why}")
        except BaseException as error:  # noqa: BLE001 - whatever a blueprint raises
            return ConvergeError(f"{type(error).__name__}: {error}")

    def load(self) -> Graph:
        """Evaluate it in this process. Raises ConvergeError where the blueprint is broken now."""
        self._seen = {file: _looks(file) for file in self._files}  # before they are read, so that nothing is missed
        silence_if_lost(sys.stderr)
        recursion = sys.getrecursionlimit()
        try:
            loaded = load(self._wanted, resource_timeout=self._resource_timeout, given=self._given, afresh=True)
        finally:
            sys.setrecursionlimit(recursion)
        self._now_made_of(loaded.files)
        # The former blueprint is a web of cycles; without this, memory would wait for the collector's mood.
        gc.collect()
        return loaded.graph

    def _now_made_of(self, files: frozenset[str]) -> None:
        self._files = files
        self._seen = {file: self._seen.get(file) or _looks(file) for file in files}


def _call(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended
        loop.call_soon_threadsafe(what)


def _looks(file: str) -> tuple[int, ...] | None:
    """What changes with a file's content; None where there is no file."""
    try:
        found = os.stat(file)
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)
