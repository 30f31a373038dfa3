"""Starts no work while the machine shuts down; resumes if the shutdown is cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Sequence
from typing import Final

from converge.core.errors import ResourceError
from converge.core.trigger import Trigger, UnitChanged
from converge.engine.threads import start_thread

_BOOTED: Final = ("/run/systemd/system", "/run/dbus/system_bus_socket")
"""Where these are, systemd runs the machine and tells on the bus what it is about."""
_ASK_AGAIN: Final = 0.2
_PATIENCE: Final = 30.0
"""Seconds that nothing is started while nobody answers: as long as a bus that is started anew may take."""


class ShutdownGuard:
    """Whether work may be started. News only says: ask; until the answer is there, nothing is started."""

    key = "shutdown of the machine"
    """Under which it is watched; no resource id looks like it."""

    def __init__(self, answered: Callable[[bool, bool], None]) -> None:
        self._answered = answered
        self._loop = asyncio.get_running_loop()
        self._down = False
        self._asking = False
        self._again = False
        """There was news since we asked."""
        self._patience_ends = 0.0
        self._silent = False
        """Nobody answered last time, for as long as there was patience."""

    def triggers(self) -> Sequence[Trigger]:
        """What begins every way of going down."""
        return [UnitChanged("shutdown.target")] if all(map(os.path.exists, _BOOTED)) else []

    def holds(self) -> bool:
        """Whether nothing may be started now."""
        return self._down or self._asking

    def look(self) -> None:
        """Ask systemd, and call ``answered`` with whether the machine went down until now, and whether it does."""
        self._again = True
        if not self._asking:
            self._patience_ends = self._loop.time() + (0.0 if self._silent else _PATIENCE)
            self._start()

    def _start(self) -> None:
        self._asking, self._again = True, False
        # Not one of the loop's own threads, which it waits for at its end.
        if start_thread(self._ask, "converge-shutdown") is None:
            self._told(None)

    def _ask(self) -> None:
        from converge.host.systemd.bus import system_bus
        from converge.host.systemd.shutdown import going_down

        try:
            down: bool | None = going_down(system_bus())
        except ResourceError:
            down = None
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._told, down)

    def _told(self, down: bool | None) -> None:
        if down is None and self._loop.time() < self._patience_ends:
            self._loop.call_later(_ASK_AGAIN, self._start)  # a shutdown ends the bus early; a restart brings it back
        elif self._again:
            self._start()
        else:
            self._asking, self._silent = False, down is None
            former, self._down = self._down, self._down if down is None else down
            self._answered(former, self._down)
