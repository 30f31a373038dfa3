"""AuditQuerySystemPolicy and AuditSetSystemPolicy of advapi32.

Described in Microsoft's documentation of ntsecapi.h. Both need the privilege SeSecurityPrivilege, which administrators
have and have to turn on.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from converge.core.errors import ResourceError

SUCCESS: Final = 1
FAILURE: Final = 2
_NOTHING: Final = 4
_ADJUST_AND_QUERY: Final = 0x20 | 0x8
_ENABLED: Final = 2
_NOT_ALL_ASSIGNED: Final = 1300
_WORDS: Final = {
    5: "access is denied; it needs an administrator",
    87: "this version of Windows does not know the subcategory",
    120: "this system does not offer it",
    1300: "the right to manage the security log is missing; it needs an administrator",
    1314: "the right to manage the security log is missing; it needs an administrator",
}
_DENIED: Final = frozenset((5, 1300, 1314))


class Denied(ResourceError):
    """Only an administrator may."""


class Information(ctypes.Structure):
    """AUDIT_POLICY_INFORMATION; its GUIDs as the 16 bytes that they are in memory."""

    _fields_ = [
        ("subcategory", ctypes.c_ubyte * 16),
        ("auditing", ctypes.c_uint32),
        ("category", ctypes.c_ubyte * 16),
    ]


class _Privilege(ctypes.Structure):
    """TOKEN_PRIVILEGES with one of them."""

    _fields_ = [
        ("count", ctypes.c_uint32),
        ("low", ctypes.c_uint32),
        ("high", ctypes.c_int32),
        ("attributes", ctypes.c_uint32),
    ]


class System:
    """The functions that are called."""

    def __init__(self, advapi: Any, kernel: Any, last_error: Any) -> None:  # Any: libraries of Windows
        self.advapi, self.kernel, self.last_error = advapi, kernel, last_error
        pointer, number = ctypes.c_void_p, ctypes.c_uint32
        for function, takes in (
            (advapi.AuditQuerySystemPolicy, (pointer, number, ctypes.POINTER(pointer))),
            (advapi.AuditSetSystemPolicy, (pointer, number)),
            (advapi.AuditFree, (pointer,)),
        ):
            function.argtypes, function.restype = takes, ctypes.c_ubyte
        advapi.OpenProcessToken.argtypes = (pointer, number, ctypes.POINTER(pointer))
        advapi.LookupPrivilegeValueW.argtypes = (ctypes.c_wchar_p, ctypes.c_wchar_p, pointer)
        advapi.AdjustTokenPrivileges.argtypes = (pointer, ctypes.c_int32, pointer, number, pointer, pointer)
        kernel.GetCurrentProcess.restype = pointer
        kernel.CloseHandle.argtypes = (pointer,)


def system() -> System:
    """Those of this Windows."""
    if sys.platform != "win32":
        raise ResourceError("only Windows has an audit policy")
    advapi, kernel = (ctypes.WinDLL(name, use_last_error=True) for name in ("advapi32", "kernel32"))
    try:
        return System(advapi, kernel, ctypes.get_last_error)
    except AttributeError as error:
        raise ResourceError("this system has no audit policy: its advapi32 lacks the functions for it") from error


def query(it: System, guids: Sequence[UUID]) -> list[int]:
    """What is logged of each: SUCCESS, FAILURE, both or nothing. Raises ResourceError."""
    _allow(it)
    wanted = b"".join(guid.bytes_le for guid in guids)
    place = ctypes.c_void_p()
    _must(it, it.advapi.AuditQuerySystemPolicy(wanted, len(guids), ctypes.byref(place)), "cannot be read")
    try:
        found = (Information * len(guids)).from_address(place.value or 0)
        by_guid = {bytes(each.subcategory): each.auditing & (SUCCESS | FAILURE) for each in found}
        return [by_guid[guid.bytes_le] for guid in guids]
    finally:
        it.advapi.AuditFree(place)


def put(it: System, wanted: Sequence[tuple[UUID, int]]) -> None:
    """Set what is logged of each. Raises ResourceError."""
    _allow(it)
    rows = (Information * len(wanted))()
    for row, (guid, auditing) in zip(rows, wanted, strict=True):
        row.subcategory[:] = guid.bytes_le
        row.auditing = auditing or _NOTHING
    _must(it, it.advapi.AuditSetSystemPolicy(ctypes.byref(rows), len(rows)), "cannot be changed")


def _allow(it: System) -> None:
    """Turn the privilege on. That it is missing is told by what is called next, or here."""
    token, privilege = ctypes.c_void_p(), _Privilege(1, 0, 0, _ENABLED)
    process = it.kernel.GetCurrentProcess()
    _must(it, it.advapi.OpenProcessToken(process, _ADJUST_AND_QUERY, ctypes.byref(token)), "cannot be asked for")
    try:
        place = ctypes.byref(privilege, _Privilege.low.offset)
        found = it.advapi.LookupPrivilegeValueW(None, "SeSecurityPrivilege", place)
        _must(it, found, "cannot be asked for")
        done = it.advapi.AdjustTokenPrivileges(token, 0, ctypes.byref(privilege), 0, None, None)
        _must(it, done and it.last_error() != _NOT_ALL_ASSIGNED, "cannot be asked for")
    finally:
        it.kernel.CloseHandle(token)


def _must(it: System, done: int, what: str) -> None:
    if not done:
        code = it.last_error()
        kind = Denied if code in _DENIED else ResourceError
        raise kind(f"the audit policy {what}: {_WORDS.get(code, f'Windows answers {code}')}")
