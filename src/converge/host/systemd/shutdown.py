"""Detects a pending shutdown."""

from __future__ import annotations

from typing import Final

from converge.core.errors import ResourceError
from converge.host.systemd.bus import Bus
from converge.host.systemd.calls import MANAGER, MANAGER_PATH, PROPERTIES, Call, get

_LOGIND: Final = "org.freedesktop.login1"
_ANSWER_WITHIN: Final = 5.0
_NO_LOGINS: Final = "/run/nologin"
"""Written early in a shutdown, by systemd-user-sessions.service, and beginning with these words (it is there at boot
too, with others):"""
_WORDS: Final = "System is going down"


def going_down(bus: Bus) -> bool:
    """Whether systemd is stopping everything, or logind has announced that it will.

    The bus is one of the first to be stopped. Raises ResourceError where nothing tells.
    """
    announced = Call(
        "Get", "ss", (f"{_LOGIND}.Manager", "PreparingForShutdown"), "/org/freedesktop/login1", PROPERTIES, _LOGIND
    )
    try:
        state, preparing = bus.ask([get(MANAGER_PATH, MANAGER, "SystemState"), announced], _ANSWER_WITHIN)
    except ResourceError:
        if _logins_ended():
            return True
        raise
    return state == "stopping" or preparing is True


def _logins_ended() -> bool:
    try:
        with open(_NO_LOGINS, encoding="utf-8", errors="replace") as file:
            return file.read(len(_WORDS)) == _WORDS
    except OSError:
        return False
