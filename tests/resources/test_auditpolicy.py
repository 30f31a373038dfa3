"""The audit policy, against what Microsoft documents of AuditQuerySystemPolicy and AuditSetSystemPolicy (ntsecapi.h).

The contract that the stand-in keeps, call by call:

* OpenProcessToken, LookupPrivilegeValueW and AdjustTokenPrivileges return a BOOL. AdjustTokenPrivileges is true also
  where the account lacks the privilege; GetLastError is 1300 then, otherwise 0.
* AuditQuerySystemPolicy(guids, count, &buffer) allocates rows of AUDIT_POLICY_INFORMATION, to be freed by AuditFree.
  Without the privilege it is false and GetLastError 1314; with a subcategory that it does not know, 87.
* AuditSetSystemPolicy(rows, count): in a row 0 leaves all as it is, 1 logs successes alone, 2 failures alone, 3 both
  and 4 nothing.
"""

from __future__ import annotations

import ctypes
import struct
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from converge.core.change import IN_SYNC, Change
from converge.core.errors import ResourceError
from converge.core.trigger import Every
from converge.resources.auditpolicy import AuditPolicy, calls
from converge.resources.auditpolicy.subcategories import SUBCATEGORIES, guid_of
from converge.testing import declare

LUID = (0x1234, 0x5678)
LOGON, LOGOFF = UUID("0CCE9215-69AE-11D9-BED3-505054503030"), UUID("0CCE9216-69AE-11D9-BED3-505054503030")


WORD, PLACE = ctypes.c_uint32, ctypes.c_void_p
HEADERS: dict[str, tuple[Any, ...]] = {  # Any: types of ctypes; what is returned, and what is passed
    "GetCurrentProcess": (PLACE,),
    "CloseHandle": (ctypes.c_int32, PLACE),
    "OpenProcessToken": (ctypes.c_int32, PLACE, WORD, PLACE),
    "LookupPrivilegeValueW": (ctypes.c_int32, ctypes.c_wchar_p, ctypes.c_wchar_p, PLACE),
    "AdjustTokenPrivileges": (ctypes.c_int32, PLACE, ctypes.c_int32, PLACE, WORD, PLACE, PLACE),
    "AuditQuerySystemPolicy": (ctypes.c_ubyte, PLACE, WORD, PLACE),
    "AuditSetSystemPolicy": (ctypes.c_ubyte, PLACE, WORD),
    "AuditFree": (None, PLACE),
}
TOKEN = 0x7FFF_0000_0077
"""Larger than 32 bits, so that one that is cut short is none."""


class Windows:
    """advapi32 and kernel32 as the contract has them, called through ctypes with the types of the headers."""

    def __init__(self, *, may: bool = True, lacks: UUID | None = None) -> None:
        self.may = may
        self.lacks = lacks
        self.on = False
        self.error = 0
        self.handles = 0
        self.policy: dict[bytes, int] = {}
        self.lent: dict[int, Any] = {}
        functions = {name: ctypes.CFUNCTYPE(*types)(getattr(self, name)) for name, types in HEADERS.items()}
        self.library = SimpleNamespace(**functions)

    def no(self, code: int) -> int:
        self.error = code
        return 0

    def GetCurrentProcess(self) -> int:
        return 0xFFFF_FFFF_FFFF_FFFF

    def OpenProcessToken(self, process: int, access: int, place: int) -> int:
        assert process == 0xFFFF_FFFF_FFFF_FFFF
        assert access == 0x28, "TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY"
        self.handles += 1
        PLACE.from_address(place).value = TOKEN
        return 1

    def CloseHandle(self, handle: int) -> int:
        assert handle == TOKEN
        self.handles -= 1
        return 1

    def LookupPrivilegeValueW(self, system: None, name: str, place: int) -> int:
        assert name == "SeSecurityPrivilege"
        ctypes.memmove(place, struct.pack("<Ii", *LUID), 8)
        return 1

    def AdjustTokenPrivileges(self, token: int, disable: int, place: int, *rest: Any) -> int:
        assert (token, disable) == (TOKEN, 0)
        assert struct.unpack("<IIiI", ctypes.string_at(place, 16)) == (1, *LUID, 2), "one, to be enabled"
        self.on, self.error = self.may, 0 if self.may else 1300
        return 1

    def AuditQuerySystemPolicy(self, place: int, count: int, answer: int) -> int:
        guids = [ctypes.string_at(place + 16 * number, 16) for number in range(count)]
        if not self.on or (self.lacks and self.lacks.bytes_le in guids):
            return self.no(87 if self.on else 1314)
        rows = [guid + struct.pack("<I", self.policy.get(guid, 4)) + bytes(16) for guid in reversed(guids)]
        buffer = ctypes.create_string_buffer(b"".join(rows))  # their order is not promised
        self.lent[ctypes.addressof(buffer)] = buffer
        PLACE.from_address(answer).value = ctypes.addressof(buffer)
        return 1

    def AuditSetSystemPolicy(self, place: int, count: int) -> int:
        for number in range(count):
            guid, auditing = struct.unpack("<16sI", ctypes.string_at(place + 36 * number, 20))
            assert 1 <= auditing <= 4
            self.policy[guid] = auditing
        return 1

    def AuditFree(self, place: int) -> None:
        del self.lent[place]


def use(windows: Windows, monkeypatch: pytest.MonkeyPatch) -> Windows:
    monkeypatch.setattr(calls, "system", lambda: calls.System(windows.library, windows.library, lambda: windows.error))
    return windows


def test_the_structure_is_that_of_the_header() -> None:
    assert ctypes.sizeof(calls.Information) == 36
    assert calls.Information.auditing.offset == 16
    assert ctypes.sizeof(calls._Privilege) == 16
    assert calls._Privilege.low.offset == 4


def test_there_are_59_subcategories_each_with_its_guid() -> None:
    assert len(SUBCATEGORIES) == len(set(SUBCATEGORIES.values())) == 59
    assert guid_of("logon") == LOGON == guid_of("{0cce9215-69ae-11d9-bed3-505054503030}") == guid_of(str(LOGON))
    assert guid_of("Plug and Play Events") == UUID("0CCE9248-69AE-11D9-BED3-505054503030")
    assert guid_of("none") is None


def test_it_comes_right_and_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    windows = use(Windows(), monkeypatch)
    windows.policy[LOGOFF.bytes_le] = 3
    policies = AuditPolicy("Logon", success=True, failure=True), AuditPolicy("off", subcategory="Logoff", success=False)
    states = list(AuditPolicy.check_many(policies))
    assert states == [
        (Change("audited", "nothing", "success and failure"),),
        (Change("audited", "success and failure", "failure"),),
    ]
    assert list(AuditPolicy.apply_many([(each, ()) for each in policies])) == [None, None]
    assert windows.policy == {LOGON.bytes_le: 3, LOGOFF.bytes_le: 2}
    assert list(AuditPolicy.check_many(policies)) == [IN_SYNC, IN_SYNC]
    nothing = AuditPolicy("Logon", success=False, failure=False)
    nothing.apply(nothing.check())
    assert windows.policy[LOGON.bytes_le] == 4, "nothing is logged by 4; 0 would leave it"
    assert nothing.check() == IN_SYNC
    assert not windows.lent
    assert not windows.handles


def test_without_the_right_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    windows = use(Windows(may=False), monkeypatch)
    it = AuditPolicy("Logon", success=True, failure=False)
    unknown = (Change("audited", "unknown (only an administrator can see it)", "success, no failure", "unknown"),)
    assert it.check() == unknown
    with pytest.raises(ResourceError, match="cannot be asked for: the right to manage the security log is missing"):
        it.apply(unknown)
    assert not windows.handles


def test_it_is_adopted_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    windows = use(Windows(), monkeypatch)
    windows.policy[LOGON.bytes_le] = 2
    adopted = AuditPolicy.adopt("Logon").resource
    assert adopted == AuditPolicy("Logon", success=False, failure=True)
    assert adopted.check() == IN_SYNC
    with pytest.raises(ResourceError, match="did you mean 'Logon'"):
        AuditPolicy.adopt("Logn")


def test_one_that_this_windows_does_not_know_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    windows = use(Windows(lacks=LOGON), monkeypatch)
    policies = AuditPolicy("Logon", success=True), AuditPolicy("Logoff", success=True)
    unknown, right = AuditPolicy.check_many(policies)
    assert "this version of Windows does not know the subcategory" in str(unknown)
    assert right == (Change("audited", "nothing", "success"),)
    unknown, done = AuditPolicy.apply_many([(each, ()) for each in policies])
    assert isinstance(unknown, ResourceError)
    assert done is None
    assert windows.policy == {LOGOFF.bytes_le: 1}
    assert not windows.lent
    assert not windows.handles


def test_elsewhere_there_is_none() -> None:
    with pytest.raises(ResourceError, match="only Windows"):
        AuditPolicy("Logon", success=True).check()
    assert list(AuditPolicy("Logon", success=True).triggers()) == [Every(60.0)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": "Logn", "success": True}, "there is no subcategory 'Logn' (did you mean 'Logon'"),
        ({"name": "credential validaton", "success": True}, "did you mean 'Credential Validation'"),
        ({"name": "my", "subcategory": "qqq", "success": True}, "auditpol /list"),
        ({"name": "Logon"}, "nothing is wanted of it; give success or failure"),
    ],
)
def test_mistakes(options: Any, said: str) -> None:
    (mistake,) = declare(lambda r: r.auditpolicy(**options), platform="windows").mistakes
    assert said in str(mistake)


def test_one_subcategory_under_two_names_is_two_truths() -> None:
    def site(r: Any) -> None:
        r.auditpolicy("Logon", success=True)
        r.auditpolicy("who came", subcategory=str(LOGON), success=False)

    (mistake,) = declare(site, platform="windows").mistakes
    assert "the audit policy of" in str(mistake)
