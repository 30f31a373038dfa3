"""Collects the triggers of resources and conditions on worker threads."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias

from converge.core.trigger import Trigger
from converge.engine.messages import describe
from converge.engine.threads import start_thread

Triggers: TypeAlias = "dict[str, Sequence[Trigger]]"
Ask: TypeAlias = Callable[[], Sequence[Trigger]]

_PATIENCE: Final = 5.0
"""Seconds without progress after which the rest is polled, until it is known."""


class Gathering:
    """Asks each by its key. What is not known in time, or cannot be, has ``instead``; ``late`` has it later."""

    def __init__(
        self,
        asks: Iterable[tuple[str, Ask]],
        instead: Sequence[Trigger],
        complain: Callable[[str], None],
        late: Callable[[Triggers], None],
    ) -> None:
        self._asks = list(asks)
        self._instead = instead
        self._complain = complain
        self._late = late
        self._found: Triggers = {}
        self._wrong: list[str] = []
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._handed_over = False

    async def run(self) -> Triggers:
        """What was found in time."""
        if start_thread(self._work, "converge-triggers") is None:
            self._ask_all()
            self._ended.set()
        known = -1
        while not self._ended.is_set() and known != len(self._found):
            known = len(self._found)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), _PATIENCE)
        found = self._found
        if not self._ended.is_set():
            self._found = {}  # of the thread alone, from now on
            self._complain("finding out what would tell of some resources takes too long; until then they are polled")
        self._handed_over = True
        for text in self._wrong:
            self._complain(text)
        return {key: found.get(key, self._instead) for key, _ in self._asks}

    def _work(self) -> None:
        self._ask_all()
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._end)

    def _ask_all(self) -> None:
        for key, ask in self._asks:
            try:
                self._found[key] = tuple(ask())
            except Exception as error:  # noqa: BLE001 - of one kind; it is polled
                self._wrong.append(f"{key}: what would tell of it cannot be found out: {describe(error)}; it is polled")

    def _end(self) -> None:
        self._ended.set()
        if self._handed_over:
            self._late(self._found)
