"""Rules for passwords, against what Microsoft documents of NetUserModalsGet and NetUserModalsSet (lmaccess.h).

The contract that the stand-in keeps, call by call:

* NetUserModalsGet(server, level, &buffer) fills a buffer of its own with USER_MODALS_INFO_level and returns 0; it has
  to be freed by NetApiBufferFree. 5 is access denied, 2140 an internal error. Ages are seconds, 0xFFFFFFFF
  never ends.
* NetUserModalsSet(server, level, buffer, &wrong) writes all of a level. It returns 87 where the values do not go
  together: a least age that is not below the most, a window of counting that is longer than the locking.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence
from typing import Any

import pytest

from converge.core.change import IN_SYNC, Change
from converge.core.errors import ResourceError
from converge.core.trigger import Every
from converge.resources.securitypolicy import SecurityPolicy, modals
from converge.resources.securitypolicy.keys import FOREVER, KEYS
from converge.testing import declare

DAY = 86400


class Function:
    """Looks like a function of a library to ctypes' users."""

    argtypes: Sequence[Any] = ()
    restype: Any = None

    def __init__(self, does: Any) -> None:
        self.does = does

    def __call__(self, *given: Any) -> int:
        assert len(given) == len(self.argtypes), "what it takes has been told"
        for each, taken in zip(given, self.argtypes, strict=True):
            taken.from_param(each)  # raises where ctypes would not pass it
        return int(self.does(*given))


class NetApi:
    """netapi32 as the contract has it, with the values of a fresh Windows Server 2022."""

    def __init__(self) -> None:
        self.levels = {0: struct.pack("<5I", 0, 42 * DAY, 0, FOREVER, 0), 3: struct.pack("<3I", 600, 600, 10)}
        self.lent: dict[int, ctypes.Array[ctypes.c_char]] = {}
        self.code = 0
        self.sets = 0
        self.NetUserModalsGet = Function(self.get)
        self.NetUserModalsSet = Function(self.set)
        self.NetApiBufferFree = Function(self.free)

    def get(self, server: None, level: int, place: Any) -> int:
        assert server is None
        if not self.code:
            buffer = ctypes.create_string_buffer(self.levels[level], len(self.levels[level]))
            self.lent[ctypes.addressof(buffer)] = buffer
            place._obj.value = ctypes.addressof(buffer)
        return self.code

    def set(self, server: None, level: int, place: Any, wrong: Any) -> int:
        self.sets += 1
        text = bytes(place._obj)
        if level == 0:
            _, most, least, _, _ = struct.unpack("<5I", text)
            fits = least < most
        else:
            duration, window, _ = struct.unpack("<3I", text)
            fits = window <= duration
        if not fits:
            return 87
        self.levels[level] = text
        return 0

    def free(self, place: Any) -> int:
        del self.lent[place.value]
        return 0


@pytest.fixture
def netapi(monkeypatch: pytest.MonkeyPatch) -> NetApi:
    api = NetApi()
    monkeypatch.setattr(modals, "netapi", lambda: modals.declared(api))
    return api


def repair(*policies: SecurityPolicy) -> list[Exception | None]:
    """As the engine does it: one call for each group."""
    groups: dict[object, list[Any]] = {}
    for policy, state in zip(policies, SecurityPolicy.check_many(policies), strict=True):
        assert not isinstance(state, Exception)
        if state:
            groups.setdefault(policy.group_key("apply"), []).append((policy, state))
    return [error for work in groups.values() for error in SecurityPolicy.apply_many(work)]


def test_the_structures_are_those_of_the_header() -> None:
    assert ctypes.sizeof(modals.Passwords) == 20
    assert ctypes.sizeof(modals.Lockout) == 12
    assert modals.Passwords.password_hist_len.offset == 16
    assert modals.Lockout.lockout_threshold.offset == 8
    fields = {name for structure in (modals.Passwords, modals.Lockout) for name, _ in structure._fields_}
    assert {key.field for key in KEYS.values()} == fields - {"force_logoff"}


def test_all_come_right_together_and_stay(netapi: NetApi) -> None:
    policies = (
        SecurityPolicy("MinimumPasswordLength", value=14), SecurityPolicy("MaximumPasswordAge", value=365),
        SecurityPolicy("MinimumPasswordAge", value=1), SecurityPolicy("PasswordHistorySize", value=24),
        SecurityPolicy("window", key="ResetLockoutCount", value=15), SecurityPolicy("LockoutDuration", value=15),
        SecurityPolicy("LockoutBadCount", category="lockout", value=5),
    )  # fmt: skip
    first = list(SecurityPolicy.check_many(policies))
    assert first[0] == (Change("MinimumPasswordLength", "0 characters", "14 characters"),)
    assert first[1] == (Change("MaximumPasswordAge", "42 days", "365 days"),)
    assert repair(*policies) == [None] * 7
    assert netapi.sets == 2, "one for each category, as Windows refuses a window that is longer than the locking"
    assert list(SecurityPolicy.check_many(policies)) == [IN_SYNC] * 7
    assert struct.unpack("<5I", netapi.levels[0]) == (14, 365 * DAY, DAY, FOREVER, 24), "the rest is as it was"
    assert struct.unpack("<3I", netapi.levels[3]) == (900, 900, 5)
    assert not netapi.lent, "all buffers were given back"


def test_zero_is_never(netapi: NetApi) -> None:
    policies = SecurityPolicy("MaximumPasswordAge", value=0), SecurityPolicy("LockoutDuration", value=0)
    (change,), _ = (state for state in SecurityPolicy.check_many(policies) if not isinstance(state, Exception))
    assert change == Change("MaximumPasswordAge", "42 days", "0 (never)")
    assert repair(*policies) == [None, None]
    assert struct.unpack("<5I", netapi.levels[0])[1] == FOREVER
    assert struct.unpack("<3I", netapi.levels[3])[0] == FOREVER
    assert list(SecurityPolicy.check_many(policies)) == [IN_SYNC] * 2


def test_times_that_are_no_whole_ones_are_a_difference(netapi: NetApi) -> None:
    netapi.levels[3] = struct.pack("<3I", 930, 600, 10)
    (change,) = SecurityPolicy("LockoutDuration", value=15).check()
    assert change.from_ == "15.5 minutes"


@pytest.mark.parametrize(("code", "said"), [(2140, "NERR_InternalError"), (7, "answers 7")])
def test_what_windows_refuses_is_one_sentence(netapi: NetApi, code: int, said: str) -> None:
    netapi.code = code
    with pytest.raises(ResourceError, match=f"the password policy cannot be read: .*{said}"):
        SecurityPolicy("MinimumPasswordLength", value=14).check()


def test_it_is_adopted_as_it_is(netapi: NetApi) -> None:
    for name in KEYS:
        assert SecurityPolicy.adopt(name).resource.check() == IN_SYNC
    assert SecurityPolicy.adopt("MaximumPasswordAge").resource == SecurityPolicy("MaximumPasswordAge", value=42)
    netapi.levels[3] = struct.pack("<3I", FOREVER, 630, 10)
    assert SecurityPolicy.adopt("LockoutDuration").resource == SecurityPolicy("LockoutDuration", value=0)
    with pytest.raises(ResourceError, match=r"ResetLockoutCount is 10.5 minutes, .* cannot be declared"):
        SecurityPolicy.adopt("ResetLockoutCount")
    with pytest.raises(ResourceError, match="did you mean LockoutDuration"):
        SecurityPolicy.adopt("LockoutDuratio")


def test_what_only_an_administrator_sees_is_unknown(netapi: NetApi) -> None:
    netapi.code = 5
    policy = SecurityPolicy("MinimumPasswordLength", value=14)
    unknown = Change("MinimumPasswordLength", "unknown (only an administrator can see it)", "14 characters", "unknown")
    assert policy.check() == (unknown,)
    with pytest.raises(ResourceError, match="cannot be read: access is denied; it needs an administrator"):
        policy.apply((unknown,))


def test_values_that_do_not_go_together_are_one_sentence(netapi: NetApi) -> None:
    policy = SecurityPolicy("MinimumPasswordAge", value=90)
    with pytest.raises(ResourceError, match="cannot be written: it takes no such combination"):
        policy.apply(policy.check())
    assert struct.unpack("<5I", netapi.levels[0])[2] == 0


def test_elsewhere_there_is_none() -> None:
    with pytest.raises(ResourceError, match="only Windows"):
        SecurityPolicy("MinimumPasswordLength", value=14).check()
    assert list(SecurityPolicy("a", key="LockoutBadCount", value=5).triggers()) == [Every(60.0)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": "MinimumPasswordLenght", "value": 14}, "did you mean MinimumPasswordLength"),
        ({"name": "PasswordComplexity", "value": 1}, "there is no setting 'PasswordComplexity'"),
        ({"name": "LockoutBadCount", "category": "password", "value": 5}, "belongs to the category 'lockout'"),
        ({"name": "PasswordHistorySize", "value": 25}, "from 0 to 24 passwords, not 25"),
        ({"name": "LockoutObservationWindow", "value": 900}, "it is ResetLockoutCount here, in minutes rather than"),
        ({"name": "max_passwd_age", "value": 900}, "it is MaximumPasswordAge here, in days rather than seconds"),
        ({"name": "MaximumPasswordAge", "value": 5184000}, "from 0 to 999 days"),
        ({"name": "ForceLogoff", "value": 0}, "it is not supported; use r.exec with net accounts"),
        ({"name": "ResetLockoutCount", "value": 0}, "from 1 to 99999 minutes, not 0"),
    ],
)
def test_mistakes(options: Any, said: str) -> None:
    (mistake,) = declare(lambda r: r.securitypolicy(**options), platform="windows").mistakes
    assert said in str(mistake)


def test_one_setting_under_two_names_is_two_truths() -> None:
    def site(r: Any) -> None:
        r.securitypolicy("LockoutBadCount", value=5)
        r.securitypolicy("locked", key="LockoutBadCount", value=10)

    (mistake,) = declare(site, platform="windows").mistakes
    assert "the security policy LockoutBadCount" in str(mistake)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("LockoutThreshold", "LockoutBadCount"),
        ("lockout_threshold", "LockoutBadCount"),
        ("min_passwd_len", "MinimumPasswordLength"),
        ("password_hist_len", "PasswordHistorySize"),
        ("minimumpasswordlength", "MinimumPasswordLength"),
    ],
)
def test_other_names_that_mean_the_same(name: str, known: str) -> None:
    it = SecurityPolicy(name, value=5)
    assert list(it.mistakes()) == []
    assert it.setting() == known
    assert list(it.claims()) == [f"the security policy {known}"]


@pytest.mark.parametrize(
    ("needed", "here"),
    [("auditpol:Logon", "auditpolicy:Logon"), ("secpol:lockout:LockoutThreshold", "securitypolicy:LockoutThreshold")],
)
def test_ids_of_the_go_tool_are_told(needed: str, here: str) -> None:
    (mistake,) = declare(
        lambda r: r.securitypolicy("LockoutBadCount", value=5, depends_on=needed), platform="windows"
    ).mistakes
    assert f"names {needed}, which is not declared; here it is {here}" in str(mistake)
