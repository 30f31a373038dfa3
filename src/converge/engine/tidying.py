"""Removes leftovers of an interrupted run before the first check, within a time limit."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from converge.core.resource import Resource
from converge.engine.messages import describe
from converge.engine.threads import start_thread

_CHUNK: Final = 4096
"""Members of a kind in one call, each of which lists the folders that they are in."""
_THREADS: Final = 4
_PATIENCE: Final = 5.0
"""Seconds without progress after which the first check waits no longer; a dead mount may hold a thread for ever."""


class Tidying:
    """Calls ``tidy_many`` of each kind, on threads. ``complain`` is told on the loop what could not be done."""

    def __init__(self, resources: Sequence[Resource], complain: Callable[[str], None]) -> None:
        kinds: dict[type[Resource], list[Resource]] = {}
        for resource in resources:
            kinds.setdefault(type(resource), []).append(resource)
        self._chunks = deque(
            (kind, members[first : first + _CHUNK])
            for kind, members in kinds.items()
            if kind.tidy_many.__func__ is not Resource.tidy_many.__func__  # type: ignore[attr-defined]
            for first in range(0, len(members), _CHUNK)
        )
        self._left = len(self._chunks)
        self._complain = complain
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._given_up = False

    async def run(self) -> None:
        """Until all is done, or nothing is any more. What hangs then goes on alone, and nothing further is begun."""
        started = [start_thread(self._work, "converge-tidy") for _ in range(min(_THREADS, self._left))]
        if not any(started):
            return  # no threads: leftovers do no harm, and are taken away at the next start
        while self._left and not self._given_up:
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), _PATIENCE)
            except TimeoutError:
                self._complain(
                    "looking for what an interrupted run left behind takes too long (a mount that does not answer?); "
                    "it is not waited for"
                )
                break
        self.give_up()

    def give_up(self) -> None:
        """Begin nothing further."""
        self._given_up = True
        self._chunks.clear()
        self._news.set()

    def _work(self) -> None:
        while True:
            try:
                kind, members = self._chunks.popleft()
            except IndexError:
                return
            error: Exception | None = None
            try:
                kind.tidy_many(members)
            except Exception as raised:  # noqa: BLE001 - told, and no reason not to begin
                error = raised
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._done, error)

    def _done(self, error: Exception | None) -> None:
        self._left -= 1
        self._news.set()
        if error is not None:
            self._complain(f"what an interrupted run left behind could not be removed: {describe(error)}")
