"""Functions and structures of the Windows service control manager (advapi32).

Described in Microsoft's documentation of winsvc.h; the numbers are those of that header and of winerror.h.
"""

from __future__ import annotations

import ctypes
import sys
from ctypes import POINTER, c_uint32, c_void_p, c_wchar_p
from functools import cache
from typing import Any, Final

from converge.core.errors import ResourceError

# What may be done with the manager, and with a service.
CONNECT: Final = 0x1
ENUMERATE: Final = 0x4
QUERY_CONFIG: Final = 0x1
CHANGE_CONFIG: Final = 0x2
QUERY_STATUS: Final = 0x4
ENUMERATE_DEPENDENTS: Final = 0x8
START: Final = 0x10
STOP: Final = 0x20
PAUSE_CONTINUE: Final = 0x40

# States.
STOPPED, START_PENDING, STOP_PENDING, RUNNING, CONTINUE_PENDING, PAUSE_PENDING, PAUSED = range(1, 8)

# Controls, and what a service says that it accepts.
CONTROL_STOP, _, CONTROL_CONTINUE, _, _, CONTROL_PARAMCHANGE = range(1, 7)
ACCEPTS_STOP: Final = 0x1
ACCEPTS_PARAMCHANGE: Final = 0x8

# Start types. Drivers begin with the first two.
BOOT, SYSTEM, AUTO, DEMAND, DISABLED = range(5)
NO_CHANGE: Final = 0xFFFFFFFF
DELAYED_AUTO_START: Final = 3
"""The level of QueryServiceConfig2W; its structure is one BOOL."""

ALL_TYPES: Final = 0x3B
"""SERVICE_DRIVER and SERVICE_WIN32."""
ACTIVE: Final = 0x1
ALL_STATES: Final = 0x3

ACCESS_DENIED: Final = 5
MORE_DATA: Final = 234
INSUFFICIENT_BUFFER: Final = 122
ALREADY_RUNNING: Final = 1056
NO_SUCH_SERVICE: Final = 1060
NOT_ACTIVE: Final = 1062
SPECIFIC_ERROR: Final = 1066
MARKED_FOR_DELETE: Final = 1072
NEVER_STARTED: Final = 1077
SHUTTING_DOWN: Final = 1115
LAGGING: Final = 1294


class Status(ctypes.Structure):
    """SERVICE_STATUS_PROCESS; SERVICE_STATUS is its beginning."""

    _fields_ = [
        ("type", c_uint32),
        ("state", c_uint32),
        ("accepts", c_uint32),
        ("exit_code", c_uint32),
        ("specific_exit_code", c_uint32),
        ("check_point", c_uint32),
        ("wait_hint", c_uint32),
        ("process", c_uint32),
        ("flags", c_uint32),
    ]


class PlainStatus(ctypes.Structure):
    """SERVICE_STATUS."""

    _fields_ = Status._fields_[:7]


class Entry(ctypes.Structure):
    """ENUM_SERVICE_STATUS_PROCESSW."""

    _fields_ = [("name", c_wchar_p), ("display_name", c_wchar_p), ("status", Status)]


class Dependent(ctypes.Structure):
    """ENUM_SERVICE_STATUSW."""

    _fields_ = [("name", c_wchar_p), ("display_name", c_wchar_p), ("status", PlainStatus)]


class Config(ctypes.Structure):
    """QUERY_SERVICE_CONFIGW."""

    _fields_ = [
        ("type", c_uint32),
        ("start", c_uint32),
        ("error_control", c_uint32),
        ("path", c_wchar_p),
        ("group", c_wchar_p),
        ("tag", c_uint32),
        ("dependencies", c_void_p),
        ("account", c_wchar_p),
        ("display_name", c_wchar_p),
    ]


class Notification(ctypes.Structure):
    """SERVICE_NOTIFY_2W."""

    _fields_ = [
        ("version", c_uint32),
        ("callback", c_void_p),
        ("context", c_void_p),
        ("result", c_uint32),
        ("status", Status),
        ("triggered", c_uint32),
        ("names", c_void_p),
    ]


NOTIFY_VERSION: Final = 2

_FUNCTIONS: Final[dict[str, tuple[object, tuple[object, ...]]]] = {
    "OpenSCManagerW": (c_void_p, (c_wchar_p, c_wchar_p, c_uint32)),
    "OpenServiceW": (c_void_p, (c_void_p, c_wchar_p, c_uint32)),
    "CloseServiceHandle": (c_uint32, (c_void_p,)),
    "EnumServicesStatusExW": (
        c_uint32,
        (
            c_void_p, c_uint32, c_uint32, c_uint32, c_void_p, c_uint32,
            POINTER(c_uint32), POINTER(c_uint32), POINTER(c_uint32), c_wchar_p,
        ),
    ),
    "EnumDependentServicesW": (
        c_uint32,
        (c_void_p, c_uint32, c_void_p, c_uint32, POINTER(c_uint32), POINTER(c_uint32)),
    ),
    "QueryServiceStatusEx": (c_uint32, (c_void_p, c_uint32, c_void_p, c_uint32, POINTER(c_uint32))),
    "QueryServiceConfigW": (c_uint32, (c_void_p, c_void_p, c_uint32, POINTER(c_uint32))),
    "QueryServiceConfig2W": (c_uint32, (c_void_p, c_uint32, c_void_p, c_uint32, POINTER(c_uint32))),
    "ChangeServiceConfigW": (
        c_uint32,
        (
            c_void_p, c_uint32, c_uint32, c_uint32, c_wchar_p, c_wchar_p,
            POINTER(c_uint32), c_wchar_p, c_wchar_p, c_wchar_p, c_wchar_p,
        ),
    ),
    "ChangeServiceConfig2W": (c_uint32, (c_void_p, c_uint32, c_void_p)),
    "StartServiceW": (c_uint32, (c_void_p, c_uint32, c_void_p)),
    "ControlService": (c_uint32, (c_void_p, c_uint32, POINTER(PlainStatus))),
    "NotifyServiceStatusChangeW": (c_uint32, (c_void_p, c_uint32, POINTER(Notification))),
}  # fmt: skip


_KERNEL: Final[dict[str, tuple[object, tuple[object, ...]]]] = {
    "SleepEx": (c_uint32, (c_uint32, c_uint32)),
    "CreateEventW": (c_void_p, (c_void_p, c_uint32, c_uint32, c_wchar_p)),
    "SetEvent": (c_uint32, (c_void_p,)),
    "WaitForSingleObjectEx": (c_uint32, (c_void_p, c_uint32, c_uint32)),
    "CloseHandle": (c_uint32, (c_void_p,)),
}

Callback: Final = getattr(ctypes, "WINFUNCTYPE", ctypes.CFUNCTYPE)(None, c_void_p)
"""PFN_SC_NOTIFY_CALLBACK; it is called with the address of the Notification, on the thread that asked for it, while
that waits alertably."""


def declared(library: Any, functions: dict[str, tuple[object, tuple[object, ...]]] = _FUNCTIONS) -> Any:
    """Tell ctypes what is passed and returned, so that no handle is cut short."""
    for name, (result, takes) in functions.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, takes
    return library


@cache
def advapi() -> Any:  # Any: a library of Windows, called by its documentation
    """The library of the functions that end in W. Raises ResourceError where there is none."""
    if sys.platform != "win32":
        raise ResourceError("only Windows has this manager of services")
    return declared(ctypes.WinDLL("advapi32", use_last_error=True))


@cache
def kernel() -> Any:
    """The library of what is waited with."""
    if sys.platform != "win32":
        raise ResourceError("only Windows has this manager of services")
    return declared(ctypes.WinDLL("kernel32", use_last_error=True), _KERNEL)


def last_error() -> int:
    """The number of what went wrong in the last call on this thread."""
    if sys.platform != "win32":
        return 0
    return ctypes.get_last_error()


def in_system_words(code: int) -> str:
    """What Windows says about a number, in the language of the machine; empty where it has no words."""
    if sys.platform != "win32":
        return ""
    return ctypes.FormatError(code).strip().rstrip(".")
