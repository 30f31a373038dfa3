"""News of services of Windows, against what Microsoft documents of NotifyServiceStatusChangeW (winsvc.h).

The contract that the stand-in keeps:

* It calls back once, as an asynchronous call of the very thread that asked, while that thread waits alertably
  (SleepEx, WaitForSingleObjectEx): at once where the service is in another state than the one that was last told on
  this handle. For more it has to be called again; while it is waiting, that is refused with 1242. Whether the first
  state is told on a handle is not said; Wine does.
* A service that is to be deleted stays until all handles to it are closed; who waits is told by
  SERVICE_NOTIFY_DELETE_PENDING (0x200). Asking again may be refused with 1072.
* 1294 says that this handle tells nothing more, as too much happened; another has to be opened.
* A handle that is closed ends the waiting.
"""

from __future__ import annotations

import asyncio
import ctypes
import random
import threading
import time
from collections.abc import Callable, Iterator
from ctypes import c_uint32, c_void_p
from types import SimpleNamespace

import pytest

from converge.core.trigger import ServiceChanged
from converge.host.windows import service_api
from converge.sources.windows import services
from converge.sources.windows.services import ServiceSource

DEADLINE = 5.0
STOPPED, RUNNING = 1, 4


class Windows:
    """advapi32 and kernel32 as the contract has them, for one thread that waits."""

    def __init__(self, *names: str) -> None:
        self.states = dict.fromkeys(names, STOPPED)
        self.dying: set[str] = set()
        self.denied: set[str] = set()
        self.handles: dict[int, str] = {}
        self.told: dict[int, int] = {}
        self.waiting: dict[int, int] = {}
        self.queue: list[tuple[int, int]] = []
        self.changed = threading.Condition()
        self.awake = False
        self.error = 0
        self.next = 0x7FFF_0000_0000
        self.ended = False
        self.tells_first = True
        self.refuses_dying = True
        self.lagging: set[int] = set()
        self.on_close: Callable[[], None] = lambda: None

    # --- what others do -------------------------------------------------------------------------------------

    def becomes(self, name: str, state: int) -> None:
        with self.changed:
            self.states[name] = state
            self.tell(name)

    def delete(self, name: str) -> None:
        with self.changed:
            self.dying.add(name)
            self.tell(name)
            self.bury(name)

    def make(self, name: str) -> None:
        with self.changed:
            assert name not in self.states
            self.states[name] = STOPPED

    def bury(self, name: str) -> None:
        if name in self.dying and name not in self.handles.values():
            self.dying.discard(name)
            del self.states[name]

    def tell(self, name: str) -> None:
        """Queue what is to be told of it."""
        for handle, place in list(self.waiting.items()):
            if self.handles[handle] != name or (self.told.get(handle) == self.states[name] and name not in self.dying):
                continue
            del self.waiting[handle]
            self.told[handle] = self.states[name]
            self.queue.append((handle, place))
            self.changed.notify_all()

    # --- the functions --------------------------------------------------------------------------------------

    def OpenSCManagerW(self, machine: None, database: None, access: int) -> int:
        return 1

    def OpenServiceW(self, manager: int, name: str, access: int) -> int:
        with self.changed:
            found = next((each for each in self.states if each.lower() == name.lower()), None)
            if found is None or found in self.denied:
                self.error = 1060 if found is None else 5
                return 0
            self.next += 16
            self.handles[self.next] = found
            return self.next

    def CloseServiceHandle(self, handle: int) -> int:
        with self.changed:
            name = self.handles.pop(handle, "")
            self.waiting.pop(handle, None)
            self.bury(name)
            self.ended = self.ended or handle == 1
            self.changed.notify_all()
        self.on_close()
        return 1

    def NotifyServiceStatusChangeW(self, handle: int, mask: int, place: object) -> int:
        assert mask == 0x249
        with self.changed:
            if handle in self.waiting or handle in self.lagging:
                return 1242 if handle in self.waiting else 1294
            if self.handles[handle] in self.dying and self.refuses_dying:
                return 1072
            if not self.tells_first:
                self.told.setdefault(handle, self.states[self.handles[handle]])
            self.waiting[handle] = ctypes.addressof(place._obj)  # type: ignore[attr-defined]
            self.tell(self.handles[handle])
            return 0

    def CreateEventW(self, *given: object) -> int:
        return 99

    def SetEvent(self, event: int) -> int:
        with self.changed:
            self.awake = True
            self.changed.notify_all()
        return 1

    def CloseHandle(self, handle: int) -> int:
        return 1

    def SleepEx(self, milliseconds: int, alertable: bool) -> int:
        assert (milliseconds, alertable) == (0, True)
        return self.call_back()

    def WaitForSingleObjectEx(self, event: int, milliseconds: int, alertable: bool) -> int:
        assert alertable
        with self.changed:
            seconds = None if milliseconds == 0xFFFFFFFF else milliseconds / 1000
            self.changed.wait_for(lambda: self.awake or self.queue, seconds)
            if not self.queue:
                self.awake = False
        return self.call_back()

    def call_back(self) -> int:
        with self.changed:
            queue, self.queue = self.queue, []
        for handle, place in queue:
            name = self.handles.get(handle, "")
            state = self.states.get(name, STOPPED)
            c_uint32.from_address(place + 24).value = 0
            c_uint32.from_address(place + 64).value = 0x200 if name in self.dying else 1 << (state - 1)
            address = c_void_p.from_address(place + 8).value
            assert address is not None
            ctypes.CFUNCTYPE(None, c_void_p)(address)(place)
        return 192


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Windows]]:
    installed: list[Windows] = []

    def put(*names: str) -> Windows:
        windows = Windows(*names)
        functions = {name: getattr(windows, name) for name in dir(windows) if name[0].isupper()}
        monkeypatch.setattr(service_api, "advapi", lambda: SimpleNamespace(**functions))
        monkeypatch.setattr(service_api, "kernel", lambda: SimpleNamespace(**functions))
        monkeypatch.setattr(service_api, "last_error", lambda: windows.error)
        monkeypatch.setattr(services, "_AGAIN", 0.05)
        installed.append(windows)
        return windows

    yield put
    for windows in installed:
        with windows.changed:
            assert windows.changed.wait_for(lambda windows=windows: windows.ended, DEADLINE)
        assert not windows.handles, "every handle is closed"


class Watching:
    """A source, and what it marked."""

    def __init__(self) -> None:
        self.marks: list[str] = []
        self.polls: dict[str, float] = {}
        self.failures: list[BaseException] = []
        self.source = ServiceSource(self.marks.append, self.failures.append, self.polls.__setitem__)

    def watch(self, key: str, *names: str) -> None:
        self.source.watch(key, [ServiceChanged(name) for name in names])

    async def until(self, holds: Callable[[], object], what: str) -> None:
        ends = time.monotonic() + DEADLINE
        while not holds():
            assert time.monotonic() < ends, what
            assert not self.failures
            await asyncio.sleep(0.001)

    async def marked(self, key: str) -> None:
        await self.until(lambda: key in self.marks, f"{key} is marked")
        self.marks.clear()

    async def quiet(self, windows: Windows) -> None:
        """Until all that is wanted is being waited for."""
        await self.until(lambda: len(windows.waiting) == len(windows.handles) and not windows.queue, "quiet")
        await asyncio.sleep(0.02)
        self.marks.clear()


def test_each_change_is_told(install: Callable[..., Windows]) -> None:
    windows = install("Web", "other")

    async def scene() -> None:
        it = Watching()
        it.watch("service:web", "WEB")
        await it.marked("service:web")  # it may have changed before
        await it.quiet(windows)
        for state in (RUNNING, STOPPED, RUNNING):
            windows.becomes("Web", state)
            await it.marked("service:web")
        windows.becomes("other", RUNNING)
        it.watch("service:web")
        await it.until(lambda: not windows.handles, "nothing is held open that nobody wants")
        assert not it.polls
        it.source.close()
        it.source.close()

    asyncio.run(scene())


@pytest.mark.parametrize(("tells_first", "refuses_dying"), [(True, True), (False, True), (True, False), (False, False)])
def test_one_that_is_deleted_is_let_go_of_and_noticed_when_it_is_back(
    install: Callable[..., Windows], tells_first: bool, refuses_dying: bool
) -> None:
    windows = install("web")
    windows.tells_first, windows.refuses_dying = tells_first, refuses_dying

    async def scene() -> None:
        it = Watching()
        it.watch("a", "web")
        await it.marked("a")
        await it.quiet(windows)
        windows.delete("web")
        await it.marked("a")
        await it.until(lambda: "web" not in windows.states, "it can go")
        windows.make("web")
        await it.marked("a")
        await it.quiet(windows)
        windows.becomes("web", RUNNING)
        await it.marked("a")
        it.source.close()

    asyncio.run(scene())


def test_a_handle_that_tells_nothing_more_is_replaced(install: Callable[..., Windows]) -> None:
    windows = install("web")

    async def scene() -> None:
        it = Watching()
        it.watch("a", "web")
        await it.quiet(windows)
        windows.lagging.update(windows.handles)
        for state in (RUNNING, STOPPED, RUNNING):
            windows.becomes("web", state)
            await it.marked("a")
            await it.quiet(windows)
        it.source.close()

    asyncio.run(scene())


def test_closing_one_takes_no_news_of_another(install: Callable[..., Windows]) -> None:
    windows = install("web", "other")

    async def scene() -> None:
        it = Watching()
        it.watch("a", "web")
        it.watch("b", "other")
        await it.quiet(windows)
        windows.on_close = lambda: windows.becomes("web", RUNNING)
        it.watch("b")
        await it.marked("a")
        it.source.close()

    asyncio.run(scene())


def test_what_may_not_be_watched_is_polled(install: Callable[..., Windows]) -> None:
    windows = install("web", "secret")
    windows.denied.add("secret")

    async def scene() -> None:
        it = Watching()
        it.watch("a", "secret")
        it.watch("b", "web")
        await it.until(lambda: it.polls == {"a": 0.05}, "it is polled")
        windows.denied.clear()
        await it.until(lambda: it.polls == {"a": 0.0}, "it is not polled any more")
        await it.marked("a")
        it.source.close()

    asyncio.run(scene())


@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_lost(install: Callable[..., Windows], seed: int) -> None:
    """Whatever comes and goes, what changed last is told after it changed."""
    names = [f"s{number}" for number in range(4)]
    windows = install(*names)
    chance = random.Random(seed)

    async def scene() -> None:
        it = Watching()
        for name in names:
            it.watch(name, name)
        await it.quiet(windows)
        for _ in range(100):
            for _ in range(chance.randrange(4)):  # some that nobody wants any more, or again
                name = chance.choice(names[1:])
                it.watch(name, *([name] if chance.random() < 0.5 else []))
            it.marks.clear()
            windows.becomes(names[0], RUNNING if windows.states[names[0]] == STOPPED else STOPPED)
            await it.marked(names[0])
        it.source.close()

    asyncio.run(scene())
