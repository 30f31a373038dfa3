"""Services of Windows, against what Microsoft documents of its service control manager (winsvc.h).

The stand-in is called through ctypes with the types that the header has, so that what is passed in another size or
order arrives wrong. What it keeps of the contract, call by call:

* EnumServicesStatusExW fills in as many rows as have room; where there are more it is false with ERROR_MORE_DATA (234),
  and the next call goes on from where the resume handle says.
* QueryServiceConfigW, QueryServiceConfig2W and EnumDependentServicesW are false with ERROR_INSUFFICIENT_BUFFER (122) or
  ERROR_MORE_DATA (234) and say how many bytes they need, where the buffer is too small.
* ChangeServiceConfigW leaves alone what is SERVICE_NO_CHANGE (0xFFFFFFFF) or NULL. Delayed start (level 3 of
  ChangeServiceConfig2W, a BOOL) is refused with ERROR_INVALID_PARAMETER (87) for what does not start automatically.
* StartServiceW returns while the service is starting; it is false with 1056 for one that runs and 1058 for one that is
  disabled. ControlService with a stop is false with 1051 while others that run depend on the service, 1052 where it
  accepts none, 1061 while it is on its way and 1062 where it does not run.
* EnumDependentServicesW gives those that depend on it, also by way of others, the last started first.
* NotifyServiceStatusChangeW returns 0, and calls back once, on the thread that asked, while that is in SleepEx.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from ctypes import POINTER, c_int32, c_uint32, c_void_p, c_wchar_p
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from converge import Run
from converge.core.change import IN_SYNC, Change, Changes
from converge.core.errors import Busy, NotYet, ResourceError
from converge.host.windows import service_api
from converge.resources.service.scm import ScmService
from converge.testing import declare

NUMBER, PLACE = c_uint32, POINTER(c_uint32)
HEADER: dict[str, tuple[Any, ...]] = {  # Any: types of ctypes
    "OpenSCManagerW": (c_void_p, c_wchar_p, c_wchar_p, NUMBER),
    "OpenServiceW": (c_void_p, c_void_p, c_wchar_p, NUMBER),
    "CloseServiceHandle": (c_int32, c_void_p),
    "EnumServicesStatusExW": (
        c_int32, c_void_p, c_int32, NUMBER, NUMBER, c_void_p, NUMBER, PLACE, PLACE, PLACE, c_wchar_p,
    ),
    "EnumDependentServicesW": (c_int32, c_void_p, NUMBER, c_void_p, NUMBER, PLACE, PLACE),
    "QueryServiceStatusEx": (c_int32, c_void_p, c_int32, c_void_p, NUMBER, PLACE),
    "QueryServiceConfigW": (c_int32, c_void_p, c_void_p, NUMBER, PLACE),
    "QueryServiceConfig2W": (c_int32, c_void_p, NUMBER, c_void_p, NUMBER, PLACE),
    "ChangeServiceConfigW": (
        c_int32, c_void_p, NUMBER, NUMBER, NUMBER, c_wchar_p, c_wchar_p, PLACE, c_wchar_p, c_wchar_p, c_wchar_p,
        c_wchar_p,
    ),
    "ChangeServiceConfig2W": (c_int32, c_void_p, NUMBER, c_void_p),
    "StartServiceW": (c_int32, c_void_p, NUMBER, c_void_p),
    "ControlService": (c_int32, c_void_p, NUMBER, c_void_p),
    "NotifyServiceStatusChangeW": (NUMBER, c_void_p, NUMBER, c_void_p),
}  # fmt: skip
STOPPED, STARTING, STOPPING, RUNNING = 1, 2, 3, 4
AUTO, MANUAL, DISABLED = 2, 3, 4


@dataclass
class One:
    """A service of the stand-in."""

    name: str
    state: int = STOPPED
    start: int = MANUAL
    delayed: bool = False
    needs: tuple[str, ...] = ()
    accepts: int = 0x1
    fails: tuple[int, int] = (0, 0)
    """The exit code, and its own one, with which it ends instead of starting."""
    code: tuple[int, int] = (0, 0)
    refuses: int = 0
    """The error with which it cannot be started."""
    unlisted: bool = False
    hidden: bool = False
    """How it starts is shown to administrators alone."""


@dataclass
class Windows:
    """advapi32 and kernel32 as the contract has them."""

    services: dict[str, One]
    denied: bool = False
    error: int = 0
    story: list[str] = field(default_factory=list)
    handles: dict[int, tuple[str, int]] = field(default_factory=dict)
    waiting: list[tuple[str, int, int]] = field(default_factory=list)
    kept: list[Any] = field(default_factory=list)
    page: int = 2

    def library(self) -> Any:
        made = {name: ctypes.CFUNCTYPE(*types)(getattr(self, name)) for name, types in HEADER.items()}
        return SimpleNamespace(**made)

    def no(self, code: int) -> int:
        self.error = code
        return 0

    def one(self, handle: int, right: int) -> One:
        name, access = self.handles[handle]
        assert access & right, f"{name} was opened with {access:#x}, without {right:#x}"
        return self.services[name]

    def status(self, one: One, place: int, size: int) -> None:
        accepts = one.accepts if one.state == RUNNING else 0
        row = (c_uint32 * 9)(0x10, one.state, accepts, *one.code, 0, 0, 100, 0)
        ctypes.memmove(place, row, size)

    # --- the functions --------------------------------------------------------------------------------------

    def OpenSCManagerW(self, machine: None, database: None, access: int) -> int:
        return self.no(5) if self.denied else self.opened("", access)

    def OpenServiceW(self, manager: int, name: str, access: int) -> int:
        assert self.handles[manager][0] == ""
        found = next((each for each in self.services if each.lower() == name.lower()), None)
        if found is None or (self.services[found].hidden and access & 1):
            return self.no(1060 if found is None else 5)
        return self.opened(found, access)

    def opened(self, name: str, access: int) -> int:
        handle = 0x7FFF_0000_0000 + len(self.story) * 1000 + len(self.handles) * 16 + 1  # larger than 32 bits
        self.handles[handle] = name, access
        return handle

    def CloseServiceHandle(self, handle: int) -> int:
        del self.handles[handle]
        return 1

    def EnumServicesStatusExW(
        self, manager: int, level: int, types: int, states: int, place: int, size: int, *more: Any
    ) -> int:
        needed, count, resume, group = more
        assert (level, states, group) == (0, 3, None)
        assert self.handles[manager][1] & 4
        listed = [one for one in self.services.values() if not one.unlisted]
        rows = listed[resume[0] : resume[0] + min(self.page, size // 56)]
        for number, one in enumerate(rows):
            self.names(place + number * 56, one.name, f"{one.name} of ours")
            self.status(one, place + number * 56 + 16, 36)
        resume[0] += len(rows)
        count[0] = len(rows)
        needed[0] = 0
        if resume[0] < len(listed):
            return self.no(234)
        resume[0] = 0
        return 1

    def names(self, place: int, *names: str) -> None:
        for number, name in enumerate(names):
            text = ctypes.create_unicode_buffer(name)
            self.kept.append(text)
            c_void_p.from_address(place + 8 * number).value = ctypes.addressof(text)

    def EnumDependentServicesW(self, handle: int, states: int, place: int, size: int, needed: Any, count: Any) -> int:
        assert states == 1
        found = [one for one in self.dependents(self.one(handle, 0x8).name) if one.state == RUNNING]
        needed[0] = 48 * len(found)
        count[0] = 0
        if size < needed[0]:
            return self.no(234)
        for number, one in enumerate(found):
            self.names(place + number * 48, one.name, one.name)
            self.status(one, place + number * 48 + 16, 28)
        count[0] = len(found)
        return 1

    def dependents(self, name: str) -> list[One]:
        found: list[One] = []
        for one in self.services.values():
            if name in one.needs:
                found += [each for each in (*self.dependents(one.name), one) if each not in found]
        return found

    def QueryServiceStatusEx(self, handle: int, level: int, place: int, size: int, needed: Any) -> int:
        assert (level, size) == (0, 36)
        self.status(self.one(handle, 0x4), place, size)
        return 1

    def QueryServiceConfigW(self, handle: int, place: int, size: int, needed: Any) -> int:
        one = self.one(handle, 0x1)
        needed[0] = 300
        if size < needed[0]:
            return self.no(122)
        ctypes.memmove(place, (c_uint32 * 3)(0x10, one.start, 1), 12)
        return 1

    def QueryServiceConfig2W(self, handle: int, level: int, place: int, size: int, needed: Any) -> int:
        assert (level, size) == (3, 4)
        c_int32.from_address(place).value = self.one(handle, 0x1).delayed
        return 1

    def ChangeServiceConfigW(self, handle: int, type_: int, start: int, control: int, *rest: Any) -> int:
        assert type_ == control == 0xFFFFFFFF
        assert [bool(each) for each in rest] == [False] * 7
        one = self.one(handle, 0x2)
        one.start = start
        one.delayed = one.delayed and start == AUTO
        return 1

    def ChangeServiceConfig2W(self, handle: int, level: int, place: int) -> int:
        one = self.one(handle, 0x2)
        assert level == 3
        if one.start != AUTO:
            return self.no(87)
        one.delayed = bool(c_int32.from_address(place).value)
        return 1

    def StartServiceW(self, handle: int, count: int, words: None) -> int:
        one = self.one(handle, 0x10)
        if one.state != STOPPED or one.start == DISABLED or one.refuses:
            return self.no(one.refuses or (1058 if one.start == DISABLED else 1056))
        if any(self.services[name].state != RUNNING for name in one.needs):
            return self.no(1068)
        self.story.append(f"start {one.name}")
        one.state = STARTING
        return 1

    def ControlService(self, handle: int, control: int, place: int) -> int:
        one = self.one(handle, {1: 0x20, 6: 0x40}[control])
        if one.state != RUNNING:
            return self.no(1062 if one.state == STOPPED else 1061)
        if not one.accepts & {1: 1, 6: 8}[control]:
            return self.no(1052)
        if control == 1 and any(each.state != STOPPED for each in self.dependents(one.name)):
            return self.no(1051)
        self.story.append(f"{'stop' if control == 1 else 'reload'} {one.name}")
        if control == 1:
            one.state = STOPPING
        self.status(one, place, 28)
        return 1

    def NotifyServiceStatusChangeW(self, handle: int, mask: int, place: int) -> int:
        assert c_uint32.from_address(place).value == 2
        self.waiting.append((self.one(handle, 0x4).name, mask, place))
        return 0

    def SleepEx(self, milliseconds: int, alertable: bool) -> int:
        """What was under way comes to its end, and is told."""
        assert alertable
        for one in self.services.values():
            if one.state == STARTING:
                one.state, one.code = (STOPPED, one.fails) if one.fails != (0, 0) else (RUNNING, (0, 0))
            elif one.state == STOPPING:
                one.state = STOPPED
        waiting, self.waiting = self.waiting, []
        for name, mask, place in waiting:
            assert mask & 1 << (self.services[name].state - 1)
            self.status(self.services[name], place + 28, 36)
            address = c_void_p.from_address(place + 8).value
            assert address is not None
            ctypes.CFUNCTYPE(None, c_void_p)(address)(place)
        return 192


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Windows]]:
    installed: list[Windows] = []

    def put(*services: One, denied: bool = False) -> Windows:
        windows = Windows({one.name: one for one in services}, denied)
        library = service_api.declared(windows.library())
        monkeypatch.setattr(service_api, "advapi", lambda: library)
        monkeypatch.setattr(service_api, "kernel", lambda: windows)
        monkeypatch.setattr(service_api, "last_error", lambda: windows.error)
        installed.append(windows)
        return windows

    yield put
    for windows in installed:
        assert not windows.handles, "every handle is closed"


def state_of(*changes: tuple[str, str | None, str]) -> Changes:
    return tuple(Change(*each) for each in changes)


def test_the_structures_are_those_of_a_64_bit_windows() -> None:
    sizes = {
        each: ctypes.sizeof(each)
        for each in (
            service_api.Status,
            service_api.PlainStatus,
            service_api.Entry,
            service_api.Dependent,
            service_api.Config,
            service_api.Notification,
        )
    }
    assert list(sizes.values()) == [36, 28, 56, 48, 64, 80]
    assert (service_api.Entry.status.offset, service_api.Dependent.status.offset) == (16, 16)
    assert [getattr(service_api.Config, name).offset for name, _ in service_api.Config._fields_] == [
        0,
        4,
        8,
        16,
        24,
        32,
        40,
        48,
        56,
    ]
    offsets = [getattr(service_api.Notification, name).offset for name, _ in service_api.Notification._fields_]
    assert offsets == [0, 8, 16, 24, 28, 64, 72]


def test_all_are_asked_for_in_one_list_of_several_pages(install: Callable[..., Windows]) -> None:
    windows = install(*(One(f"s{number}", state=RUNNING if number % 2 else STOPPED) for number in range(5)))
    found = list(ScmService.check_many([ScmService(f"S{number}", state="running") for number in range(5)]))
    assert found == [IN_SYNC if number % 2 else state_of(("state", "stopped", "running")) for number in range(5)]
    assert windows.story == []


@pytest.mark.parametrize(
    ("start", "delayed", "wanted", "change"),
    [
        (MANUAL, False, {"enable": True}, ("startup_type", "manual", "auto")),
        (AUTO, False, {"enable": True}, None),
        (AUTO, True, {"enable": True}, None),
        (0, False, {"enable": True}, None),
        (AUTO, True, {"enable": False}, ("startup_type", "delayed-auto", "manual")),
        (DISABLED, False, {"enable": False}, None),
        (MANUAL, False, {"enable": False}, None),
        (AUTO, True, {"startup_type": "auto"}, ("startup_type", "delayed-auto", "auto")),
        (AUTO, False, {"startup_type": "delayed-auto"}, ("startup_type", "auto", "delayed-auto")),
        (DISABLED, False, {"startup_type": "delayed-auto"}, ("startup_type", "disabled", "delayed-auto")),
        (MANUAL, False, {"startup_type": "disabled"}, ("startup_type", "manual", "disabled")),
    ],
)
def test_how_it_starts(
    install: Callable[..., Windows], start: int, delayed: bool, wanted: Any, change: tuple[str, str, str] | None
) -> None:
    windows = install(One("one", start=start, delayed=delayed))
    it = ScmService("one", **wanted)
    found = it.check()
    assert found == (state_of(change) if change else IN_SYNC)
    if found:
        it.apply(found)
        assert it.check() == IN_SYNC
    assert windows.story == [], "whether it runs is left as it is"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    state=st.sampled_from((STOPPED, RUNNING)),
    start=st.integers(0, 4),
    delayed=st.booleans(),
    wanted_state=st.sampled_from((None, "running", "stopped")),
    wanted_start=st.sampled_from((None, "auto", "delayed-auto", "manual", "disabled")),
    enable=st.sampled_from((None, True, False)),
)
def test_a_repair_is_a_repair(
    install: Callable[..., Windows], state: int, start: int, delayed: bool, wanted_state: Any, wanted_start: Any,
    enable: bool | None,
) -> None:  # fmt: skip
    it = ScmService("one", state=wanted_state, startup_type=wanted_start, enable=enable)
    if list(it.mistakes()):
        return
    one = One("one", state=state, start=start, delayed=delayed and start == AUTO)
    before = (one.state, one.start, one.delayed)
    install(one)
    try:
        found = it.check()
        if found:
            it.apply(found)
    except ResourceError as error:
        assert "disabled" in str(error)
        assert (start, wanted_state, wanted_start, enable) == (DISABLED, "running", None, enable)
        return
    assert it.check() == IN_SYNC
    if wanted_state is None:
        assert one.state == before[0]
    if wanted_start is enable is None:
        assert (one.start, one.delayed) == before[1:]


def test_what_needs_it_is_stopped_first(install: Callable[..., Windows]) -> None:
    base, middle, top = One("base", RUNNING), One("middle", RUNNING, needs=("base",)), One("top", RUNNING)
    top.needs = ("middle", "base")
    windows = install(base, middle, top, One("idle", needs=("base",)))
    it = ScmService("base", state="stopped")
    it.apply(it.check())
    assert windows.story == ["stop top", "stop middle", "stop base"]
    assert it.check() == IN_SYNC


def test_a_restart_starts_again_what_it_stopped(install: Callable[..., Windows]) -> None:
    top = One("top", RUNNING, needs=("middle",))
    windows = install(One("base", RUNNING), One("middle", RUNNING, needs=("base",)), One("idle", needs=("base",)), top)
    ScmService("base", restart_on="file:/x").refresh(["file:/x"])
    stops = ["stop top", "stop middle", "stop base"]
    assert windows.story == [*stops, "start base", "start middle", "start top"]


def test_what_does_not_stop_leaves_the_others_running(install: Callable[..., Windows]) -> None:
    windows = install(One("base", RUNNING, accepts=0), One("middle", RUNNING, needs=("base",)))
    with pytest.raises(ResourceError, match="base does not let itself be stopped"):
        ScmService("base", restart_on="file:/x").refresh(["file:/x"])
    assert windows.services["middle"].state == RUNNING


@pytest.mark.parametrize(
    ("one", "wanted", "told"),
    [
        (One("one", RUNNING, accepts=0x9), None, ["reload one"]),
        (One("one", RUNNING), None, ["stop one", "start one"]),
        (One("one"), None, []),
        (One("one"), "running", ["start one"]),
    ],
)
def test_reading_its_configuration_anew(
    install: Callable[..., Windows], one: One, wanted: Any, told: list[str]
) -> None:
    windows = install(one)
    ScmService("one", state=wanted, reload_on="file:/x").refresh(["file:/x"])
    assert windows.story == told


def test_what_is_disabled_is_not_stopped_for_a_restart(install: Callable[..., Windows]) -> None:
    windows = install(One("one", RUNNING, start=DISABLED))
    with pytest.raises(ResourceError, match="one is disabled, so it is not restarted"):
        ScmService("one", restart_on="file:/x").refresh(["file:/x"])
    assert windows.story == []


@pytest.mark.parametrize("state", [STARTING, STOPPING, 5, 6])
@pytest.mark.parametrize("wanted", ["running", "stopped"])
def test_what_is_on_its_way_is_not_judged(install: Callable[..., Windows], state: int, wanted: Any) -> None:
    install(One("one", state))
    with pytest.raises(Busy, match="waiting until it settles"):
        ScmService("one", state=wanted).check()


@pytest.mark.parametrize(
    ("one", "told"),
    [
        (One("one", start=DISABLED), 'one cannot be started: it is disabled.*startup_type="manual"'),
        (One("one", refuses=1069), "one cannot be started: its account could not log on"),
        (One("one", fails=(1066, 42)), "one did not start: it ended with the error 42 of its own"),
        (One("one", fails=(1067, 0)), "one did not start: its process ended unexpectedly"),
        (One("one", refuses=1115), "one: the machine is shutting down"),
    ],
)
def test_why_it_does_not_start(install: Callable[..., Windows], one: One, told: str) -> None:
    install(one)
    with pytest.raises(ResourceError, match=told) as raised:
        ScmService("one", state="running").apply(state_of(("state", "stopped", "running")))
    assert isinstance(raised.value, Busy) == ("shutting" in told)


def test_who_may_not_is_told_so(install: Callable[..., Windows]) -> None:
    install(One("one"), denied=True)
    with pytest.raises(ResourceError, match="needs an administrator"):
        ScmService("one", state="running").check()


@pytest.mark.parametrize(
    "wanted", [{"state": "stopped"}, {"enable": False}, {"startup_type": "disabled"}, {"restart_on": "file:/x"}]
)
def test_what_is_not_there_is_stopped_and_disabled(install: Callable[..., Windows], wanted: Any) -> None:
    windows = install(One("other"))
    it = ScmService("one", **wanted)
    assert it.check() == IN_SYNC
    if it.refreshed_by():
        it.refresh(["file:/x"])
    assert windows.story == []


def test_one_that_is_in_no_list_is_found(install: Callable[..., Windows]) -> None:
    install(One("one", unlisted=True))
    it = ScmService("one", startup_type="disabled")
    it.apply(it.check())
    assert it.check() == IN_SYNC


def test_what_only_an_administrator_sees_is_unknown(install: Callable[..., Windows]) -> None:
    install(One("one", hidden=True))
    (change,) = ScmService("one", state="stopped", enable=True).check()
    assert (change.property, change.action) == ("startup_type", "unknown")


def test_what_is_not_there_cannot_run(install: Callable[..., Windows]) -> None:
    install(One("one"))
    with pytest.raises(NotYet, match="there is no service other") as raised:
        ScmService("other", state="running", enable=True).check()
    assert [change.property for change in raised.value.changes] == ["startup_type", "state"]
    with pytest.raises(NotYet, match="that is the display name of one"):
        ScmService("one of ours", state="running").check()


@pytest.mark.parametrize(
    ("it", "told"),
    [
        (ScmService("a/b", state="running"), "is no name"),
        (ScmService("a\\b", state="running"), "is no name"),
        (ScmService("", state="running"), "is no name"),
        (ScmService("x" * 257, state="running"), "is no name"),
        (ScmService("one"), "nothing is wanted"),
        (ScmService("one", enable=True, startup_type="manual"), "contradict each other"),
        (ScmService("one", enable=False, startup_type="delayed-auto"), "contradict each other"),
        (ScmService("one", state="running", startup_type="disabled"), "cannot be started"),
        (ScmService("one", restart_on="file:/x", startup_type="disabled"), "cannot be started"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_mistakes(it: ScmService, told: str) -> None:
    assert any(told in each for each in it.mistakes()), list(it.mistakes())


def test_small_and_capital_letters_are_the_same() -> None:
    assert ScmService("Spooler", state="stopped").claims() == ScmService("spooler", state="running").claims()


def test_it_comes_after_what_is_declared_below_its_key() -> None:
    services = r"HKLM\SYSTEM\CurrentControlSet\Services"

    def site(r: Run) -> None:
        r.service("Spooler", state="running")
        r.registry(rf"{services}\spooler\Parameters", "Port", data=1)
        r.registry(rf"{services}\SpoolerMore", "Port", data=1)

    found = declare(site, platform="windows")
    assert set(found.needs("service:Spooler")) == {rf"registry:{services}\spooler\Parameters\Port"}
