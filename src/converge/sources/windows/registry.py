"""Registry changes. Windows only."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    import asyncio
    import contextlib
    import ctypes
    import itertools
    import winreg
    from collections.abc import Iterable
    from ctypes import wintypes
    from typing import Final

    from converge.core.trigger import RegistryChanged
    from converge.host.windows.registry_api import open_key
    from converge.sources.base import Mark
    from converge.sources.unwatched import Poll

    _NEWS: Final = 0x1 | 0x4  # REG_NOTIFY_CHANGE_NAME and _LAST_SET: keys come and go, values change
    _IN_WAIT_THREAD: Final = 0x4  # WT_EXECUTEINWAITTHREAD: the callback only passes it on
    _FOREVER: Final = 0xFFFFFFFF
    _UNTIL_DONE: Final = wintypes.HANDLE(-1)
    _SECONDS: Final = 30.0
    """Between looks at what may not be watched."""

    _advapi = ctypes.WinDLL("advapi32", use_last_error=True)
    _notify = _advapi.RegNotifyChangeKeyValue
    _notify.argtypes = (wintypes.HKEY, wintypes.BOOL, wintypes.DWORD, wintypes.HANDLE, wintypes.BOOL)
    _notify.restype = wintypes.LONG
    _kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    _Callback = ctypes.WINFUNCTYPE(None, ctypes.c_void_p, wintypes.BOOLEAN)
    _kernel.CreateEventW.argtypes = (ctypes.c_void_p, wintypes.BOOL, wintypes.BOOL, wintypes.LPCWSTR)
    _kernel.CreateEventW.restype = wintypes.HANDLE
    _kernel.RegisterWaitForSingleObject.argtypes = (
        ctypes.POINTER(wintypes.HANDLE), wintypes.HANDLE, _Callback, ctypes.c_void_p, wintypes.ULONG, wintypes.ULONG,
    )  # fmt: skip
    _kernel.UnregisterWaitEx.argtypes = (wintypes.HANDLE, wintypes.HANDLE)
    _kernel.CloseHandle.argtypes = (wintypes.HANDLE,)

    class _Watch:
        """One key that is watched. Armed from the thread of the loop, since news ends with the thread that asked."""

        def __init__(self, place: str, number: int, callback: object) -> None:
            self.number = number
            self.users: set[str] = set()
            self._key = open_key(place, winreg.KEY_NOTIFY)
            self._event = _kernel.CreateEventW(None, False, False, None)
            self._wait = wintypes.HANDLE()
            try:
                if not self._event:
                    raise ctypes.WinError(ctypes.get_last_error())
                self.arm()
                if not _kernel.RegisterWaitForSingleObject(
                    ctypes.byref(self._wait), self._event, callback, number, _FOREVER, _IN_WAIT_THREAD
                ):
                    raise ctypes.WinError(ctypes.get_last_error())
            except OSError:
                self.close()
                raise

        def arm(self) -> None:
            """Ask for the next news. Raises OSError where the key is gone."""
            if code := _notify(int(self._key), False, _NEWS, self._event, True):
                raise ctypes.WinError(code)

        def close(self) -> None:
            if self._wait:
                _kernel.UnregisterWaitEx(self._wait, _UNTIL_DONE)
            self._key.Close()
            if self._event:
                _kernel.CloseHandle(self._event)

    class RegistrySource:
        """Serves :class:`RegistryChanged`: watches a key and the one above it, or the nearest that exist."""

        def __init__(self, mark: Mark, poll: Poll) -> None:
            self._mark = mark
            self._poll = poll
            self._loop = asyncio.get_running_loop()
            self._wanted: dict[str, list[str]] = {}
            self._watches: dict[str, _Watch] = {}
            self._numbers = itertools.count(1)
            self._callback = _Callback(self._called)

        def watch(self, key: str, triggers: Iterable[object]) -> None:
            """Watch these keys of the registry for a key of ours, and no others."""
            self._wanted[key] = [trigger.key for trigger in triggers if isinstance(trigger, RegistryChanged)]
            self._place(key)
            if not self._wanted[key]:
                del self._wanted[key]

        def close(self) -> None:
            """Stop. May be called more than once."""
            for watch in self._watches.values():
                watch.close()
            self._watches.clear()

        def _place(self, key: str) -> None:
            used: set[str] = set()
            blind = False
            for wanted in self._wanted[key]:
                places, denied = self._arm(wanted)
                used |= places
                blind = blind or denied
            for place in used:
                self._watches[place].users.add(key)
            for place, watch in list(self._watches.items()):
                if place not in used:
                    watch.users.discard(key)
                if not watch.users:
                    watch.close()
                    del self._watches[place]
            self._poll(key, _SECONDS if blind else 0.0)

        def _arm(self, wanted: str) -> tuple[set[str], bool]:
            """Upwards first, so that a key that comes meanwhile is news of the one above it that is watched already."""
            parts = wanted.split("\\")
            chain = ["\\".join(parts[:length]).lower() for length in range(1, len(parts) + 1)]
            chain = [place[: len(parts[0])].upper() + place[len(parts[0]) :] for place in chain]
            there: list[str] = []
            for place in chain:
                try:
                    if place not in self._watches:
                        self._watches[place] = _Watch(place, next(self._numbers), self._callback)
                except FileNotFoundError:
                    break
                except OSError:  # what may not be watched, or was just removed
                    return set(there[-2:]), True
                there.append(place)
            return set(there[-2:]), False

        def _called(self, number: int, _timed_out: int) -> None:
            """On a thread of Windows."""
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._news, number)

        def _news(self, number: int) -> None:
            """Arm anew before anybody looks, so that nothing is missed in between."""
            place = next((place for place, watch in self._watches.items() if watch.number == number), None)
            if place is None:
                return
            watch = self._watches[place]
            try:
                watch.arm()
            except OSError:
                del self._watches[place]
                watch.close()
            for key in sorted(watch.users):
                if key in self._wanted:
                    self._place(key)
                    self._mark(key)
