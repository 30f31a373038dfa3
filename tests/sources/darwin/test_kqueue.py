"""What is told by kqueue, through a stand-in for it; test_laws.py has all the rest."""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
from typing import TYPE_CHECKING

import pytest

from converge.core.trigger import Every, ProcessEnded
from converge.sources.darwin.processes import ProcessSource

if TYPE_CHECKING:
    from ..conftest import KqueueScene, Run, Scene


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_what_is_written_into_a_file_below_is_told_of_the_tree(run_kqueue: Run) -> None:
    async def body(scene: Scene) -> None:
        os.makedirs(scene.path("tree/a/b"))
        scene.write("tree/a/b/file")
        scene.watch("tree", deep=True)
        for change in (
            lambda: scene.write("tree/a/b/file", "other"),
            lambda: os.chmod(scene.path("tree/a/b/file"), 0o600),
            lambda: os.chmod(scene.path("tree/a/b"), 0o700),
            lambda: os.makedirs(scene.path("tree/new/below")),
            lambda: scene.write("tree/new/below/file"),
            lambda: scene.write("tree/new/below/file", "other"),
            lambda: os.replace(scene.path("tree/new/below/file"), scene.path("tree/a/b/file")),
            lambda: scene.write("tree/a/b/file", "again"),
            lambda: os.symlink("nowhere", scene.path("tree/link")),
            lambda: os.unlink(scene.path("tree/a/b/file")),
        ):
            assert await scene.news() == []
            change()
            assert await scene.news() == ["tree"]
            scene.consistent()

    run_kqueue(body)


def test_what_comes_and_goes_before_anybody_looks_is_told(run_kqueue: Run) -> None:
    async def body(scene: Scene) -> None:
        scene.watch("file", "a/b/file")
        scene.write("file")
        os.makedirs(scene.path("a/b"))
        os.unlink(scene.path("file"))
        os.removedirs(scene.path("a/b"))
        assert await scene.news() == ["a/b/file", "file"]

    run_kqueue(body)


def test_thousands_of_files_are_watched_by_one_queue_and_nothing_is_left_of_them(run_kqueue: Run) -> None:
    before = descriptors()

    async def body(scene: Scene) -> None:
        names = [f"{number % 20}/{number}" for number in range(2000)]
        for number in range(20):
            os.mkdir(scene.path(str(number)))
        for name in names:
            scene.write(name)
        scene.watch(*names)
        assert await scene.news() == []
        scene.write(names[7])
        os.unlink(scene.path(names[8]))
        assert await scene.news() == sorted(names[7:9])
        scene.forget(*names)
        scene.bare()

    run_kqueue(body)
    assert descriptors() == before


def test_where_no_more_files_may_be_open_it_is_said_and_polled_until_they_may(run_kqueue: Run) -> None:
    async def body(scene: KqueueScene) -> None:
        os.mkdir(scene.path("tree"))
        for number in range(40):
            scene.write(f"tree/{number}")
        scene.write("file")
        scene.kernel._most = 30
        scene.watch("tree", deep=True)
        scene.watch("file")
        await scene.until(lambda: scene.source.polled == {"tree"})
        (report,) = scene.reports
        assert report[0] == "warning"
        assert "no more files can be held open" in report[1]
        assert "launchctl limit maxfiles" in report[1]
        scene.write("file", "other")
        assert await scene.news() == ["file"]
        scene.kernel._most = 300
        await scene.until(lambda: not scene.source.polled)
        await scene.news()
        scene.write("tree/8", "other")
        assert await scene.news() == ["tree"]

    run_kqueue(body, seconds=0.05)


def test_more_descriptors_are_asked_for_than_macos_gives(run_kqueue: Run) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 10240:
        pytest.skip(f"this machine lets nobody have more than {hard}")
    few = 256 + len(os.listdir("/dev/fd"))  # macOS gives 256, but other tests of this process may have that many open
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, hard))
    try:

        async def body(scene: Scene) -> None:
            await asyncio.sleep(0)
            assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 10240

        run_kqueue(body)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_end_of_a_process_is_told_to_all_who_want_to_know(run_kqueue: Run) -> None:
    async def body(scene: Scene) -> None:
        told: list[str] = []
        source = ProcessSource(told.append, scene.failures.append)
        one, other = (subprocess.Popen(["sleep", "60"]) for _ in range(2))
        try:
            source.watch("a", [ProcessEnded(one.pid), Every(30)])
            source.watch("b", [ProcessEnded(one.pid), ProcessEnded(other.pid)])
            source.watch("c", [ProcessEnded(other.pid)])
            source.watch("c", [])
            one.kill()
            await scene.until(lambda: len(told) == 2)
            source.watch("b", [ProcessEnded(other.pid)])
            one.wait()
            other.kill()
            await scene.until(lambda: len(told) == 3)
            other.wait()
            assert sorted(told) == ["a", "b", "b"]
            source.watch("d", [ProcessEnded(other.pid)])  # it has ended before anybody asked
            await scene.until(lambda: told[3:] == ["d"])
        finally:
            one.kill()
            other.kill()
            source.close()
            source.close()

    run_kqueue(body)


def test_the_engine_opens_it_on_macos(run_kqueue: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from converge.sources import supervisor

    async def body(scene: Scene) -> None:
        monkeypatch.setattr(supervisor, "this_os", lambda: "darwin")
        told: list[str] = []
        source = supervisor.open_paths(told.append, lambda *_: None, lambda _: None, lambda *_: None)
        try:
            kernel = source._watches._kernel  # type: ignore[attr-defined]
            assert type(kernel).__name__ == "Kqueue"
        finally:
            source.close()

    run_kqueue(body)
