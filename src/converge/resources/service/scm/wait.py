"""Waits until a service is in a wanted state, by the news that Windows sends of it."""

from __future__ import annotations

import ctypes
import threading
import time
from typing import Final

from converge.host.windows import service_api
from converge.host.windows.service_manager import Found, Service

STOPPED: Final = 0x1
STARTED: Final = 0x1 | 0x8 | 0x40
"""SERVICE_NOTIFY_STOPPED, _RUNNING and _PAUSED: what a start ends in."""

_LONGEST: Final = 0xFFFFFFFE
"""Milliseconds; one more would be for ever."""

_heard: Final = threading.local()


def _note(place: int) -> None:
    _heard.last = place


_on_news: Final = service_api.Callback(_note)


def until(service: Service, states: int, seconds: float) -> Found:
    """How it is once it is in one of these states, or when the time is over, or where Windows sends no news of it."""
    ends = time.monotonic() + seconds
    news = service_api.Notification(service_api.NOTIFY_VERSION, ctypes.cast(_on_news, ctypes.c_void_p).value)
    _heard.last = None
    if service_api.advapi().NotifyServiceStatusChangeW(service.handle, states, ctypes.byref(news)) == 0:
        _keep(news)
        while _heard.last != ctypes.addressof(news) and (left := ends - time.monotonic()) > 0:
            service_api.kernel().SleepEx(min(int(left * 1000) + 1, _LONGEST), True)
    return service.status()


def _keep(news: service_api.Notification) -> None:
    """Windows may write into it until the service is closed; the last few of a thread outlive that."""
    kept = _heard.__dict__.setdefault("kept", [])
    kept.append(news)
    del kept[:-8]
