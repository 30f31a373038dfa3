"""Paths that lead through symbolic links."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from converge.core.trigger import PathChanged

if TYPE_CHECKING:
    from ..conftest import Run, Scene


def retarget(scene: Scene, link: str, target: str) -> None:
    os.symlink(target, scene.path("new link"))
    os.rename(scene.path("new link"), scene.path(link))


def test_a_parent_that_is_a_link_is_retargeted_and_its_target_replaced(run: Run) -> None:
    async def body(scene: Scene) -> None:
        for name in ("r1", "r2"):
            os.mkdir(scene.path(name))
            scene.write(f"{name}/file", name)
        os.symlink("r1", scene.path("current"))
        scene.watch("current/file")
        scene.write("r1/file", "new")
        assert await scene.news() == ["current/file"]
        retarget(scene, "current", "r2")
        assert await scene.news() == ["current/file"]
        scene.write("r1/file", "old")
        assert await scene.news() == []
        scene.write("r2/file", "new")
        assert await scene.news() == ["current/file"]
        os.rename(scene.path("r2"), scene.path("r3"))
        assert await scene.news() == ["current/file"]
        scene.consistent()
        os.mkdir(scene.path("r2"))
        assert await scene.news() == ["current/file"]
        scene.write("r2/file", "newer")
        assert await scene.news() == ["current/file"]
        os.unlink(scene.path("current"))
        assert await scene.news() == ["current/file"]
        scene.write("r2/file")
        assert await scene.news() == []
        os.mkdir(scene.path("current"))
        scene.write("current/file")
        assert await scene.news() == ["current/file"]
        scene.consistent()
        scene.forget("current/file")
        scene.bare()

    run(body)


def test_a_link_at_the_end_is_watched_itself_and_where_it_leads(run: Run) -> None:
    async def body(scene: Scene) -> None:
        os.symlink("target", scene.path("link"))
        scene.watch("link")
        scene.write("target")
        assert await scene.news() == ["link"]
        scene.write("target", "new")
        assert await scene.news() == ["link"]
        os.utime(scene.path("link"), follow_symlinks=False)
        assert await scene.news() == ["link"]
        retarget(scene, "link", "other")
        assert await scene.news() == ["link"]
        scene.write("target", "newer")
        assert await scene.news() == []
        retarget(scene, "link", "target")
        assert await scene.news() == ["link"]
        scene.write("target", "newest")
        assert await scene.news() == ["link"]
        scene.forget("link")
        scene.bare()

    run(body)


@pytest.mark.parametrize("absolute", [False, True])
def test_a_chain_of_links_through_directories(run: Run, absolute: bool) -> None:
    async def body(scene: Scene) -> None:
        base = scene.root + "/" if absolute else "../"
        for name in ("a", "b", "c", "d/inner"):
            os.makedirs(scene.path(name))
        os.symlink(base + "b/two", scene.path("a/one"))
        os.symlink(base + "c/three", scene.path("b/two"))
        os.symlink(base + "d", scene.path("c/three"))
        scene.write("d/inner/file")
        scene.watch("a/one/inner/file")
        for name in ("b/two", "c/three"):
            os.rename(scene.path(name), scene.path("away"))
            assert await scene.news() == ["a/one/inner/file"], name
            scene.consistent()
            os.rename(scene.path("away"), scene.path(name))
            assert await scene.news() == ["a/one/inner/file"], name
            scene.consistent()
        for name in ("b", "c", "d", "d/inner"):
            os.rename(scene.path(name), scene.path("away"))
            assert await scene.news() == ["a/one/inner/file"], name
            scene.consistent()
            os.rename(scene.path("away"), scene.path(name))
            assert await scene.news() == ["a/one/inner/file"], name
        scene.write("d/inner/file", "new")
        assert await scene.news() == ["a/one/inner/file"]
        scene.forget("a/one/inner/file")
        scene.bare()

    run(body)


def test_dots_in_a_link_are_taken_where_the_way_really_leads(run: Run) -> None:
    async def body(scene: Scene) -> None:
        os.makedirs(scene.path("far/away/deep"))
        os.symlink("far/away", scene.path("short"))
        os.symlink("short/deep/../../file", scene.path("link"))  # is far/file, not short/../file
        scene.write("far/file")
        scene.write("file")
        scene.watch("link")
        scene.write("file", "new")
        assert await scene.news() == []
        scene.write("far/file", "new")
        assert await scene.news() == ["link"]
        os.rename(scene.path("far/away/deep"), scene.path("gone"))
        assert await scene.news() == ["link"]
        os.mkdir(scene.path("far/away/deep"))
        assert await scene.news() == ["link"]
        retarget(scene, "short", "other/place")
        assert await scene.news() == ["link"]
        os.makedirs(scene.path("other/place/deep"))
        scene.write("other/file")
        assert await scene.news() == ["link"]
        scene.write("other/file", "new")
        assert await scene.news() == ["link"]
        scene.forget("link")
        scene.bare()

    run(body)


def test_links_in_a_circle_end_and_can_be_put_right(run: Run) -> None:
    async def body(scene: Scene) -> None:
        os.symlink("two", scene.path("one"))
        os.symlink("three/x", scene.path("two"))
        os.symlink("one", scene.path("three"))
        os.symlink("self/below", scene.path("self"))
        os.symlink(".", scene.path("here"))
        names = ["one", "two", "three", "one/file", "self/file", "here/here/file"]
        scene.watch(*names)
        assert await scene.news() == []
        os.unlink(scene.path("two"))
        os.mkdir(scene.path("two"))
        assert await scene.news() == ["one", "one/file", "three", "two"]
        scene.write("two/file")
        assert await scene.news() == ["one/file"]
        scene.write("file")
        assert await scene.news() == ["here/here/file"]
        scene.consistent()
        shutil.rmtree(scene.path("two"))
        os.symlink("one", scene.path("two"))
        assert await scene.news() == ["one", "one/file", "three", "two"]
        for number in range(100):
            os.symlink(f"chain{number + 1}", scene.path(f"chain{number}"))
            scene.watch(f"chain{99 - number}")
        await scene.settle()
        scene.forget(*names, *(f"chain{number}" for number in range(100)))
        scene.bare()

    run(body)


def test_circles_that_nobody_wants_any_more_are_forgotten(run: Run) -> None:
    async def body(scene: Scene) -> None:
        for number in range(20):
            os.mkdir(scene.path(f"{number}"))
            os.symlink("b/x", scene.path(f"{number}/a"))
            os.symlink("a/y", scene.path(f"{number}/b"))
            scene.watch(f"{number}/a", f"{number}/b/file")
            scene.forget(f"{number}/a")
            assert await scene.news() == []
            scene.forget(f"{number}/b/file")
            scene.bare()

    run(body)


def test_two_ways_to_one_file(run: Run) -> None:
    async def body(scene: Scene) -> None:
        os.mkdir(scene.path("real"))
        os.symlink("real", scene.path("alias"))
        scene.watch("real/file", "alias/file", "alias")
        scene.write("real/file")
        assert await scene.news() == ["alias/file", "real/file"]
        scene.write("alias/file", "new")
        assert await scene.news() == ["alias/file", "real/file"]
        scene.consistent()
        scene.forget("real/file")
        os.unlink(scene.path("real/file"))
        assert await scene.news() == ["alias/file"]
        scene.consistent()
        scene.forget("alias/file")
        os.chmod(scene.path("real"), 0o700)
        assert await scene.news() == ["alias"]
        scene.forget("alias")
        scene.bare()

    run(body)


def test_links_to_the_root_and_to_nothing(run: Run) -> None:
    async def body(scene: Scene) -> None:
        os.symlink("/", scene.path("root"))
        inside = "root" + scene.root + "/file"
        scene.watch(inside)
        os.symlink("missing/below", scene.path("dangling"))
        scene.source.watch("deep", [PathChanged(scene.path("dangling"), deep=True)])
        await scene.news()
        scene.write("file")
        assert await scene.news() == [inside]
        os.makedirs(scene.path("missing/below/x"))
        assert await scene.news() == ["deep"]
        scene.write("missing/below/x/file")
        assert await scene.news() == ["deep"]
        scene.consistent()
        scene.forget(inside, "deep")
        scene.bare()

    run(body)
