"""The Windows service control manager and its services as Python objects."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from converge.host.windows import service_api
from converge.host.windows.service_errors import Refused

_AT_ONCE: Final = 256 * 1024
"""Bytes of one answer with many services; more than this EnumServicesStatusExW does not give."""
_LARGEST_CONFIG: Final = 8 * 1024
_NO_SUCH_LEVEL: Final = frozenset((87, 124))
"""ERROR_INVALID_PARAMETER and ERROR_INVALID_LEVEL."""


class Found(NamedTuple):
    """A service as it is."""

    name: str
    display_name: str
    type: int
    state: int
    accepts: int
    exit_code: int
    specific_exit_code: int

    @property
    def at_rest(self) -> bool:
        """Whether it is not on the way to another state."""
        return self.state in (service_api.STOPPED, service_api.RUNNING, service_api.PAUSED)


class Service:
    """One service that is open. What is called raises Refused."""

    def __init__(self, handle: int, name: str) -> None:
        self.handle = handle
        self.name = name
        self._advapi = service_api.advapi()

    def status(self) -> Found:
        """How it is just now."""
        status, needed = service_api.Status(), ctypes.c_uint32()
        size = ctypes.sizeof(status)
        _must(self._advapi.QueryServiceStatusEx(self.handle, 0, ctypes.byref(status), size, ctypes.byref(needed)))
        return _found(self.name, self.name, status)

    def start_type(self) -> tuple[int, bool]:
        """The number of its start type, and whether its automatic start is delayed."""
        buffer, needed = ctypes.create_string_buffer(_LARGEST_CONFIG), ctypes.c_uint32()
        _must(self._advapi.QueryServiceConfigW(self.handle, buffer, len(buffer), ctypes.byref(needed)))
        start: int = service_api.Config.from_buffer(buffer).start
        return start, start == service_api.AUTO and self._delayed()

    def _delayed(self) -> bool:
        value, needed = ctypes.c_uint32(), ctypes.c_uint32()
        level = service_api.DELAYED_AUTO_START
        try:
            _must(self._advapi.QueryServiceConfig2W(self.handle, level, ctypes.byref(value), 4, ctypes.byref(needed)))
        except Refused as error:
            if error.code in _NO_SUCH_LEVEL:  # drivers have no delayed start
                return False
            raise
        return bool(value.value)

    def set_start_type(self, start: int, *, delayed: bool) -> None:
        """The delay can only be said of what begins automatically, so it comes second."""
        now, was_delayed = self.start_type()
        if now != start:
            rest = (None,) * 7
            keep = service_api.NO_CHANGE
            _must(self._advapi.ChangeServiceConfigW(self.handle, keep, start, keep, *rest))
            was_delayed = start == service_api.AUTO and self._delayed()
        if was_delayed != delayed:
            value = ctypes.c_uint32(delayed)
            _must(self._advapi.ChangeServiceConfig2W(self.handle, service_api.DELAYED_AUTO_START, ctypes.byref(value)))

    def start(self) -> None:
        """Have it started; it may be on its way when this returns."""
        _must(self._advapi.StartServiceW(self.handle, 0, None))

    def control(self, number: int) -> None:
        """Send it a control."""
        status = service_api.PlainStatus()
        _must(self._advapi.ControlService(self.handle, number, ctypes.byref(status)))

    def active_dependents(self) -> list[str]:
        """Those that run and need it, in the order in which they can be stopped."""
        needed, count = ctypes.c_uint32(), ctypes.c_uint32()
        size = 0
        while True:
            buffer = ctypes.create_string_buffer(size) if size else None
            done = self._advapi.EnumDependentServicesW(
                self.handle, service_api.ACTIVE, buffer, size, ctypes.byref(needed), ctypes.byref(count)
            )
            if done or service_api.last_error() != service_api.MORE_DATA:
                break
            size = needed.value
        _must(done)
        rows = (service_api.Dependent * count.value).from_buffer(buffer) if buffer else ()
        return [row.name for row in rows]


class Manager:
    """The manager that is open. What is called raises Refused."""

    def __init__(self, handle: int) -> None:
        self.handle = handle
        self._advapi = service_api.advapi()

    def services(self) -> Iterator[Found]:
        """All services there are."""
        buffer = ctypes.create_string_buffer(_AT_ONCE)
        needed, count, resume = ctypes.c_uint32(), ctypes.c_uint32(), ctypes.c_uint32()
        more = True
        while more:
            done = self._advapi.EnumServicesStatusExW(
                self.handle, 0, service_api.ALL_TYPES, service_api.ALL_STATES, buffer, len(buffer),
                ctypes.byref(needed), ctypes.byref(count), ctypes.byref(resume), None,
            )  # fmt: skip
            more = not done and service_api.last_error() == service_api.MORE_DATA and count.value > 0
            _must(done or more)
            for row in (service_api.Entry * count.value).from_buffer(buffer):
                yield _found(row.name, row.display_name or "", row.status)

    @contextmanager
    def open(self, name: str, access: int) -> Iterator[Service]:
        """One service."""
        handle = self._advapi.OpenServiceW(self.handle, name, access)
        _must(handle)
        try:
            yield Service(handle, name)
        finally:
            self._advapi.CloseServiceHandle(handle)


@contextmanager
def manager() -> Iterator[Manager]:
    """The manager of this machine. Raises Refused."""
    advapi = service_api.advapi()
    handle = advapi.OpenSCManagerW(None, None, service_api.CONNECT | service_api.ENUMERATE)
    _must(handle)
    try:
        yield Manager(handle)
    finally:
        advapi.CloseServiceHandle(handle)


def _found(name: str, display_name: str, status: service_api.Status) -> Found:
    return Found(
        name, display_name, status.type, status.state, status.accepts, status.exit_code, status.specific_exit_code
    )


def _must(done: object) -> None:
    if not done:
        raise Refused(service_api.last_error())
