"""News that a platform does not have."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import sys
import threading
from collections.abc import Callable, Iterable

import pytest

from converge import file_exists, mount_point, network_reachable
from converge.conditions import Condition
from converge.core.trigger import (
    FirewallChanged,
    HostnameChanged,
    LinkChanged,
    MountsChanged,
    PathChanged,
    ProcessEnded,
    RegistryChanged,
    ServiceChanged,
    Trigger,
    UnitChanged,
)
from converge.engine.events import Event, Notice
from converge.engine.events import Watching as Begun
from converge.engine.loop import Loop
from converge.engine.settings import Settings
from converge.graph.graph import build_graph
from converge.sources import supervisor as watching_module
from converge.sources.base import Mark, Report, Source
from converge.sources.supervisor import OPENERS, SourceSupervisor
from converge.testing.simulator import Pretended


def test_what_sends_no_news_on_this_platform_is_polled_and_that_is_said_once() -> None:
    asked: list[object] = []
    said: list[str] = []

    def opener(mark: Mark, report: Report, failed: object, poll: object) -> Source:
        asked.append(mark)
        raise ImportError("no such module")

    class Polls(SourceSupervisor):
        def poll(self, key: str, seconds: float) -> None:
            polled[key] = seconds
            super().poll(key, seconds)

    polled: dict[str, float] = {}

    async def watch() -> None:
        watching = Polls(
            lambda _key: None, lambda _key: None, lambda _severity, text: said.append(text), {PathChanged: opener}
        )
        watching.watch("a", [PathChanged("/a")])
        watching.watch("b", [PathChanged("/b")])
        assert polled == {"a": 30.0, "b": 30.0}
        watching.watch("a", [])
        assert polled == {"a": 0.0, "b": 30.0}
        watching.close()

    asyncio.run(watch())
    assert len(asked) == len(said) == 1
    assert "no such module" in said[0]


TRIGGERS: dict[type[Trigger], Trigger] = {
    PathChanged: PathChanged("/etc/x"),
    UnitChanged: UnitChanged("x.service"),
    HostnameChanged: HostnameChanged(),
    MountsChanged: MountsChanged("/srv"),
    FirewallChanged: FirewallChanged(),
    LinkChanged: LinkChanged("eth0"),
    RegistryChanged: RegistryChanged("HKLM\\x"),
    ServiceChanged: ServiceChanged("x"),
    ProcessEnded: ProcessEnded(1),
}
MODULES = ("fcntl", "inotify_simple", "dbus_fast", "pwd", "grp", "syslog", "resource", "termios")


def without(monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    """Take away the names that this system lacks, as far as sources and conditions use them."""
    names = [(socket, "AF_NETLINK"), (select, "epoll"), (os, "pidfd_open")]
    if system == "windows":
        names += [(select, "poll"), (os, "geteuid")]
        for name in MODULES:
            monkeypatch.setitem(sys.modules, name, None)
    else:
        monkeypatch.setitem(sys.modules, "inotify_simple", None)
    for module, name in names:
        monkeypatch.delattr(module, name, raising=False)
    for name in [name for name in sys.modules if name.startswith("converge.sources.") and "base" not in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(watching_module, "this_os", lambda: system)


def test_each_source_has_its_case() -> None:
    assert TRIGGERS.keys() == OPENERS.keys()


@pytest.mark.parametrize("system", ["linux", "darwin", "windows"])
@pytest.mark.parametrize("trigger", TRIGGERS.values(), ids=lambda trigger: type(trigger).__name__)
def test_no_source_that_cannot_be_opened_ends_the_daemon(
    monkeypatch: pytest.MonkeyPatch, system: str, trigger: Trigger
) -> None:
    said: list[str] = []

    async def watch() -> None:
        without(monkeypatch, system)
        watching = SourceSupervisor(lambda _: None, lambda _: None, lambda _, text: said.append(text))
        watching.watch("a", [trigger])
        watching.watch("b", [trigger])
        await asyncio.sleep(0)
        watching.watch("a", [])
        watching.close()

    asyncio.run(watch())
    assert len(said) <= 1


class Breaks:
    """A source that raises what it is told to, when it is told to."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def watch(self, key: str, triggers: Iterable[object]) -> None:
        raise self.error

    def close(self) -> None:
        raise self.error


@pytest.mark.parametrize("error", [ValueError("x"), OSError(5, "x"), AttributeError("x"), KeyError("x")])
@pytest.mark.parametrize("when", ["opening", "watching"])
def test_whatever_a_source_raises_its_keys_are_polled(error: Exception, when: str) -> None:
    said: list[str] = []
    polled: dict[str, float] = {}

    class Polls(SourceSupervisor):
        def poll(self, key: str, seconds: float) -> None:
            polled[key] = seconds

    def opener(*_: object) -> Source:
        if when == "opening":
            raise error
        return Breaks(error)

    async def watch() -> None:
        watching = Polls(lambda _: None, lambda _: None, lambda _, text: said.append(text), {PathChanged: opener})
        watching.watch("a", [PathChanged("/a")])
        watching.watch("b", [PathChanged("/b")])
        watching.close()

    asyncio.run(watch())
    assert polled == {"a": 30.0, "b": 30.0}
    assert len(said) == 1


CONDITIONS: dict[str, Callable[[], Condition]] = {
    "network_reachable": lambda: network_reachable("a..b", 22),
    "mount_point": lambda: mount_point("/nowhere"),
    "file_exists": lambda: file_exists("/nowhere"),
}


@pytest.mark.parametrize("system", ["linux", "darwin", "windows"])
@pytest.mark.parametrize("name", CONDITIONS)
def test_a_daemon_starts_with_each_condition_though_names_are_missing(
    monkeypatch: pytest.MonkeyPatch, system: str, name: str
) -> None:
    class Fine(Pretended):
        kind = "fine"

        def check(self) -> tuple[()]:
            return ()

    events: list[Event] = []
    begun = threading.Event()

    class Listener:
        def see(self, event: Event) -> None:
            events.append(event)
            if isinstance(event, Begun):
                begun.set()

        def flush(self) -> None: ...

        def close(self) -> None: ...

    graph = build_graph([Fine("free"), Fine("waits", condition=CONDITIONS[name]())])
    without(monkeypatch, system)
    loop = Loop("test", graph, Settings(timeout=0.0), [Listener()])

    def stop() -> None:
        begun.wait(20)
        loop._loop.call_soon_threadsafe(loop.stop)

    stopper = threading.Thread(target=stop)
    stopper.start()
    loop.run()
    stopper.join()
    assert begun.is_set()
    assert not [event for event in events if isinstance(event, Notice) and event.severity == "error"]
