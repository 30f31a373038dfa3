"""A real PathSource on a real loop, and how to wait for it without looking at the clock."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import importlib.util
import os
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from converge.core.trigger import PathChanged
from converge.sources.darwin import kqueue
from converge.sources.paths import PathSource
from converge.sources.watch_node import Node

ONLY_INOTIFY = {
    # To have kqueue watch a device, it would have to be opened.
    "test_devices_and_pipes_are_watched_for_what_they_are_not_for_what_goes_through",
    # It does not tell which entry came, so that what is not there is marked on any change of its directory.
    "test_keys_may_share_a_path_and_watch_several",
    "test_names_of_all_kinds",
    "test_deep_and_plain_keys_share_a_tree",
}
DEADLINE = 30.0  # for what is certain to come; reaching it is a failure


class Scene:
    """A source, and all that it has said."""

    def __init__(self, root: str, **options: object) -> None:
        self.root = root
        self.marks: list[str] = []
        self.reports: list[tuple[str, str]] = []
        self.failures: list[BaseException] = []
        self.polls: list[tuple[str, float]] = []
        self.on_mark: Callable[[str], None] = lambda key: None
        self.source = PathSource(
            self._mark,
            lambda severity, text: self.reports.append((severity, text)),
            self.failures.append,
            lambda key, seconds: self.polls.append((key, seconds)),
            **options,  # type: ignore[arg-type]
        )

    def _mark(self, key: str) -> None:
        self.marks.append(key)
        self.on_mark(key)

    def path(self, name: str) -> str:
        return os.path.join(self.root, name)

    def write(self, name: str, text: str = "x") -> None:
        with open(self.path(name), "w") as file:
            file.write(text)

    def watch(self, *names: str, deep: bool = False) -> None:
        """Watch paths, each for a key that is its name."""
        for name in names:
            self.source.watch(name, [PathChanged(self.path(name), deep)])

    def forget(self, *names: str) -> None:
        for name in names:
            self.source.watch(name, [])

    async def until(self, holds: Callable[[], object]) -> None:
        try:
            async with asyncio.timeout(DEADLINE):
                while not holds():
                    await asyncio.sleep(0.001)
        except TimeoutError:
            pytest.fail(
                f"still not; marked {self.marks}, reported {self.reports}, polled {self.source.polled} {self.polls}"
            )

    async def settle(self) -> None:
        """Until no event waits in the kernel (they are there as soon as what caused them is done) or here."""
        waiting = bytes(4)
        while True:
            for _ in range(3):
                await asyncio.sleep(0)
            waiting = fcntl.ioctl(self.fileno(), termios.FIONREAD, waiting)
            if not struct.unpack("i", waiting)[0]:
                return

    async def news(self) -> list[str]:
        """The keys marked since the last call, sorted."""
        await self.settle()
        marks, self.marks = sorted(set(self.marks)), []
        return marks

    def fileno(self) -> int:
        return self.source._watches.fileno()

    def kernel_watches(self) -> list[tuple[int, int]]:
        """Watch and inode number of all that the kernel watches for this source."""
        watches = []
        with open(f"/proc/self/fdinfo/{self.fileno()}") as file:
            for line in file:
                if line.startswith("inotify "):
                    fields = dict(field.split(":", 1) for field in line.split()[1:])
                    watches.append((int(fields["wd"], 16), int(fields["ino"], 16)))
        return watches

    def nodes(self) -> list[Node]:
        return list(self.source._watches.root.below())

    def consistent(self) -> None:
        """What we believe is watched is, and lies where we believe it does. Only holds when settled."""
        kernel = dict(self.kernel_watches())
        owners = self.source._watches.owners
        assert kernel.keys() == owners.keys()
        held = set()
        for node in self.nodes():
            assert node.is_alive()
            assert "//" not in node.path()
            assert node.keys or node.children or node.deep or node.parent is node
            if node.wd > 0:
                held.add(node.wd)
                assert node in owners[node.wd]
                assert kernel[node.wd] == os.stat(node.real() or "").st_ino, node.path()
            if node.link is not None and node.link.wd > 0:
                held.add(node.link.wd)
                assert kernel[node.link.wd] == os.lstat(node.path()).st_ino
            if node.wd == 0 and node.link is None:
                assert not os.path.lexists(node.path()), node.path()
        assert held == owners.keys()

    def bare(self) -> None:
        """Nothing is left of what was watched."""
        assert [node.name for node in self.nodes()] == [""]
        assert len(self.kernel_watches()) == 1
        assert not self.source._watches._links


class KqueueScene(Scene):
    """The same on macOS, with a stand-in for its kernel."""

    def __init__(self, root: str, **options: object) -> None:
        standin = _load_standin()
        select.kqueue, select.kevent = standin.Kqueue, standin.Kevent  # type: ignore[attr-defined]  # not on Linux
        kqueue.os = standin.Os()
        self.kernel = kqueue.Kqueue(open_flags=os.O_PATH | os.O_NOFOLLOW)
        kqueue.os.kqueue = self.kernel._queue  # type: ignore[attr-defined]  # it is the stand-in's
        super().__init__(root, kernel=lambda _: self.kernel, mountinfo="", **options)

    async def settle(self) -> None:
        while True:
            for _ in range(3):
                await asyncio.sleep(0)
            if not self.kernel._queue.tells():
                return

    def kernel_watches(self) -> list[tuple[int, int]]:
        vnodes = self.kernel._vnodes
        assert self.kernel._queue.knotes() == len(self.kernel._held)
        assert len(vnodes) + sum(len(each.contents) for each in vnodes.values()) == len(self.kernel._held)
        return [(vnode.watch, vnode.identity[1]) for vnode in vnodes.values()]


def _load_standin() -> ModuleType:
    name = "sources_standin"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / "standin.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


Body = Callable[[Scene], Awaitable[None]]
Run = Callable[..., Scene]
Mount = Callable[..., None]
Nobody = Callable[[], contextlib.AbstractContextManager[None]]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What is told of paths is the same everywhere."""
    everywhere = metafunc.module.__name__.endswith("test_inotify") and metafunc.function.__name__ not in ONLY_INOTIFY
    if everywhere and "run" in metafunc.fixturenames:
        metafunc.parametrize("run", [Scene, KqueueScene], indirect=True, ids=["inotify", "kqueue"])


@pytest.fixture
def run(request: pytest.FixtureRequest, tmp_path: object) -> Run:
    """Run a coroutine with a scene, in a folder of its own."""
    return _runner(tmp_path, getattr(request, "param", Scene))


@pytest.fixture
def run_kqueue(tmp_path: object) -> Run:
    """The same, as on macOS."""
    return _runner(tmp_path, KqueueScene)


def _runner(tmp_path: object, kind: type[Scene]) -> Run:
    def run_it(body: Body, **options: object) -> Scene:
        async def main() -> Scene:
            scene = kind(os.path.realpath(str(tmp_path)), **options)
            try:
                await body(scene)
            finally:
                scene.source.close()
            assert not scene.failures
            return scene

        return asyncio.run(main())

    return run_it


@pytest.fixture
def mounted() -> Iterator[Mount]:
    """Mount something; whatever is left of it is taken away at the end."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    points: list[str] = []

    def mount(point: str, *arguments: str) -> None:
        subprocess.run(["mount", *(arguments or ("-t", "tmpfs", "converge-test")), point], check=True)
        points.append(point)

    yield mount
    for point in reversed(points):
        subprocess.run(["umount", "-l", point], check=False, stderr=subprocess.DEVNULL)


@pytest.fixture
def nobody() -> Nobody:
    """A context in which this process has no privileges."""
    if os.geteuid() != 0:
        pytest.skip("becoming somebody else needs root")

    @contextlib.contextmanager
    def become() -> Iterator[None]:
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)

    return become
