"""Service changes. Windows only.

NotifyServiceStatusChangeW tells the very thread that asked, while that waits alertably; so there is one thread for it.
It tells once, and is asked again before anybody looks. It holds no service open that somebody wants to delete.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import threading
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from converge.core.trigger import ServiceChanged
from converge.host.windows import service_api
from converge.sources.base import Mark
from converge.sources.unwatched import Poll

T = TypeVar("T")

_AT_REST: Final = 0x1 | 0x8 | 0x40
"""SERVICE_NOTIFY_STOPPED, _RUNNING and _PAUSED; on its way to them, nothing can be told of a service."""
_DELETE_PENDING: Final = 0x200
_AGAIN: Final = 5.0
"""Seconds between looks for services that are not there, or tell nothing."""
_FOREVER: Final = 0xFFFFFFFF


class _Watch:
    """One service that is open. Lives on the thread of the news."""

    def __init__(self, handle: int, callback: int | None) -> None:
        self.handle = handle
        self.news = service_api.Notification(service_api.NOTIFY_VERSION, callback)

    def arm(self) -> bool:
        """Ask for what comes next; False where it cannot be had of this service, or not any more."""
        answer = service_api.advapi().NotifyServiceStatusChangeW(
            self.handle, _AT_REST | _DELETE_PENDING, ctypes.byref(self.news)
        )
        return bool(answer == 0)

    def ended(self) -> bool:
        """Whether it is about to be deleted, which has to wait for us, or the news itself failed."""
        return self.news.result != 0 or bool(self.news.triggered & _DELETE_PENDING)

    def close(self) -> None:
        """What is queued for us by now is taken, before what it was written into goes."""
        service_api.advapi().CloseServiceHandle(self.handle)
        service_api.kernel().SleepEx(0, True)


class ServiceSource:
    """Serves :class:`ServiceChanged`."""

    def __init__(self, mark: Mark, failed: Callable[[BaseException], None], poll: Poll) -> None:
        self._mark = mark
        self._failed = failed
        self._poll = poll
        self._polled: set[str] = set()
        """Keys that some of their services tell nothing to. Of the loop's thread, as are"""
        self._loop = asyncio.get_running_loop()
        self._users: dict[str, set[str]] = {}
        """the keys that want news of a service, by its name in small letters."""
        self._lock = threading.Lock()
        self._wanted: dict[str, str] = {}
        """What the thread is to watch; as it is written, by the name in small letters."""
        self._closed = False
        self._fired: list[int] = []
        self._callback = service_api.Callback(self._fired.append)
        self._wake = service_api.kernel().CreateEventW(None, False, False, None)
        threading.Thread(target=self._run, name="converge-services", daemon=True).start()

    def watch(self, key: str, triggers: Iterable[object]) -> None:
        """Watch these services for a key of ours, and no others."""
        wanted = {trigger.name.lower(): trigger.name for trigger in triggers if isinstance(trigger, ServiceChanged)}
        for name, users in list(self._users.items()):
            if name not in wanted:
                users.discard(key)
            if not users:
                del self._users[name]
        for name in wanted:
            self._users.setdefault(name, set()).add(key)
        with self._lock:
            self._wanted = {name: wanted.get(name, self._wanted.get(name, name)) for name in self._users}
            self._look_up()

    def close(self) -> None:
        """Stop. May be called more than once."""
        with self._lock:
            self._closed = True
            self._look_up()

    def _look_up(self) -> None:
        """Have the thread look at what is wanted now, if it still does. Called under the lock."""
        if self._wake:
            service_api.kernel().SetEvent(self._wake)

    # --- the thread -----------------------------------------------------------------------------------------

    def _run(self) -> None:
        watches: dict[str, _Watch] = {}
        manager = service_api.advapi().OpenSCManagerW(None, None, service_api.CONNECT)
        try:
            while not self._closed:
                with self._lock:
                    wanted = dict(self._wanted)
                all_there = self._adapt(manager, watches, wanted)
                # Closing one may have taken the news of another.
                wait = 0 if self._fired else _FOREVER if all_there else int(_AGAIN * 1000)
                service_api.kernel().WaitForSingleObjectEx(self._wake, wait, True)
                self._serve(watches)
        except Exception as error:  # noqa: BLE001 - the engine reports it and makes another source
            self._on_loop(self._failed, error)
        for watch in watches.values():
            watch.close()
        service_api.advapi().CloseServiceHandle(manager)
        with self._lock:
            wake, self._wake = self._wake, None
        service_api.kernel().CloseHandle(wake)

    def _adapt(self, manager: int, watches: dict[str, _Watch], wanted: dict[str, str]) -> bool:
        """Watch what is wanted, and nothing else. Returns whether all of it tells."""
        for name in [name for name in watches if name not in wanted]:
            watches.pop(name).close()
        silent: set[str] = set()
        missing = [name for name in wanted if name not in watches]
        for name in missing:
            watch = self._open(manager, wanted[name], silent)
            if watch is not None:
                watches[name] = watch
                self._on_loop(self._told, name)  # it may have changed before
        if missing:
            self._on_loop(self._silent, silent)
        return all(name in watches for name in wanted)

    def _open(self, manager: int, name: str, silent: set[str]) -> _Watch | None:
        handle = service_api.advapi().OpenServiceW(manager, name, service_api.QUERY_STATUS)
        if not handle:
            if service_api.last_error() != service_api.NO_SUCH_SERVICE:  # that it comes is told by the registry
                silent.add(name.lower())
            return None
        watch = _Watch(handle, ctypes.cast(self._callback, ctypes.c_void_p).value)
        if watch.arm():
            return watch
        watch.close()
        silent.add(name.lower())
        return None

    def _serve(self, watches: dict[str, _Watch]) -> None:
        """Ask again of those that told something, then tell."""
        fired = [self._fired.pop(0) for _ in range(len(self._fired))]
        for name, watch in list(watches.items()):
            if ctypes.addressof(watch.news) not in fired:
                continue
            if watch.ended() or not watch.arm():
                del watches[name]
                watch.close()
            self._on_loop(self._told, name)

    def _on_loop(self, function: Callable[[T], None], argument: T) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(function, argument)

    # --- for the thread, on the loop's --------------------------------------------------------------------

    def _told(self, name: str) -> None:
        for key in sorted(self._users.get(name, ())):
            self._mark(key)

    def _silent(self, names: set[str]) -> None:
        keys = {key for name in names for key in self._users.get(name, ())}
        for key in self._polled - keys:
            self._poll(key, 0.0)
        for key in keys - self._polled:
            self._poll(key, _AGAIN)
        self._polled = keys
