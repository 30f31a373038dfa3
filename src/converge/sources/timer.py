"""Timers: serves :class:`Every`, and polls what has no events. Uses the loop's monotonic clock."""

from __future__ import annotations

import asyncio
import math
import zlib
from collections.abc import Iterable
from typing import TypeAlias

from converge.core.trigger import Every
from converge.sources.base import Mark

_Slot: TypeAlias = tuple[str, str]


class TimerSource:
    """Marks each key once in its period.

    Keys with one period are spread over it, always in the same way, so that a thousand of them do not come at once.
    """

    def __init__(self, mark: Mark) -> None:
        self._mark = mark
        self._loop = asyncio.get_running_loop()
        self._timers: dict[_Slot, tuple[float, asyncio.TimerHandle]] = {}

    def watch(self, key: str, triggers: Iterable[object]) -> None:
        """Mark the key as often as the shortest of its periods says. A period that stays keeps its beat."""
        self._set((key, "watch"), min((each.seconds for each in triggers if isinstance(each, Every)), default=0.0))

    def poll(self, key: str, seconds: float) -> None:
        """Mark the key every so many seconds as well, whatever it is watched for; 0 ends that."""
        self._set((key, "poll"), seconds)

    def close(self) -> None:
        """Stop all of them."""
        for _, handle in self._timers.values():
            handle.cancel()
        self._timers.clear()

    def _set(self, slot: _Slot, seconds: float) -> None:
        former, handle = self._timers.get(slot, (0.0, None))
        if former == seconds:
            return
        if handle is not None:
            handle.cancel()
            del self._timers[slot]
        if seconds > 0:
            share = (zlib.crc32("\0".join(slot).encode(errors="surrogateescape")) + 1) / 2**32
            self._start(slot, seconds, self._loop.time() + seconds * share)

    def _start(self, slot: _Slot, seconds: float, when: float) -> None:
        self._timers[slot] = seconds, self._loop.call_at(when, self._fire, slot, seconds, when)

    def _fire(self, slot: _Slot, seconds: float, when: float) -> None:
        missed = math.floor((self._loop.time() - when) / seconds)  # a beat that was missed is not made up for
        self._start(slot, seconds, when + seconds * (max(missed, 0) + 1))
        self._mark(slot[0])
