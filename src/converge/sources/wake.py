"""Detects that the machine was suspended."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from typing import Final

_JUMP: Final = 1.0  # seconds of sleep that count


def _boottime() -> float:
    """Where no clock goes on while the machine sleeps, sleep cannot be told: the monotonic one, so nothing is."""
    if sys.platform != "linux":
        return time.monotonic()
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class WakeSource:
    """Calls ``woke`` with the seconds slept, at most ``every`` seconds after the machine woke.

    One clock goes on while the machine sleeps and the other does not, so their difference grows by that time.
    """

    def __init__(
        self,
        woke: Callable[[float], None],
        *,
        boottime: Callable[[], float] = _boottime,
        monotonic: Callable[[], float] = time.monotonic,
        every: float = 30.0,
    ) -> None:
        self._woke = woke
        self._boottime = boottime
        self._monotonic = monotonic
        self._every = every
        self._loop = asyncio.get_running_loop()
        self._slept = self._difference()
        self._timer = self._loop.call_later(every, self._look)

    def close(self) -> None:
        """Stop."""
        self._timer.cancel()

    def _difference(self) -> float:
        return self._boottime() - self._monotonic()

    def _look(self) -> None:
        self._timer = self._loop.call_later(self._every, self._look)
        former, self._slept = self._slept, self._difference()
        if self._slept - former > _JUMP:
            self._woke(self._slept - former)
