"""Whatever happens to a watched path is noticed, and it is still watched afterwards."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from converge.core.trigger import Every, PathChanged

if TYPE_CHECKING:
    from .conftest import Run, Scene


def append(scene: Scene, name: str) -> None:
    with open(scene.path(name), "a") as file:
        file.write("more")


def truncate_and_append(scene: Scene, name: str) -> None:
    os.truncate(scene.path(name), 0)
    append(scene, name)


def editor_rename(scene: Scene, name: str) -> None:
    scene.write(name + ".swp~", "new")
    os.rename(scene.path(name + ".swp~"), scene.path(name))


def editor_backup(scene: Scene, name: str) -> None:
    os.rename(scene.path(name), scene.path(name + "~"))
    scene.write(name, "new")
    os.unlink(scene.path(name + "~"))


def sed(scene: Scene, name: str) -> None:
    subprocess.run(["sed", "-i", "s/x/y/", scene.path(name)], check=True)


def replace_by_directory(scene: Scene, name: str) -> None:
    os.unlink(scene.path(name))
    os.mkdir(scene.path(name))


def replace_by_link(scene: Scene, name: str) -> None:
    scene.write("elsewhere")
    os.symlink("elsewhere", scene.path("new"))
    os.rename(scene.path("new"), scene.path(name))


def write_through_another_name(scene: Scene, name: str) -> None:
    os.mkdir(scene.path("other"))
    os.link(scene.path(name), scene.path("other/name"))
    append(scene, "other/name")


def delete_and_create(scene: Scene, name: str) -> None:
    os.unlink(scene.path(name))
    scene.write(name)


WAYS = [
    append,
    truncate_and_append,
    editor_rename,
    editor_backup,
    sed,
    replace_by_directory,
    replace_by_link,
    write_through_another_name,
    delete_and_create,
    lambda scene, name: os.utime(scene.path(name)),
    lambda scene, name: os.chmod(scene.path(name), 0o600),
    lambda scene, name: os.unlink(scene.path(name)),
    lambda scene, name: os.rename(scene.path(name), scene.path("away")),
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("step", [False, True], ids=["at once", "step by step"])
def test_a_change_to_a_file_is_noticed_and_the_next_one_too(run: Run, way: Callable[..., None], step: bool) -> None:
    async def body(scene: Scene) -> None:
        scene.write("file")
        scene.write("beside")
        scene.watch("file", "beside")
        assert await scene.news() == []
        way(scene, "file")
        if step:
            await scene.settle()
        assert await scene.news() == ["file"]
        scene.consistent()
        shutil.rmtree(scene.path("file")) if os.path.isdir(scene.path("file")) else None
        scene.write("file", "again")
        assert await scene.news() == ["file"]
        scene.consistent()
        scene.forget("file", "beside")
        scene.bare()

    run(body)


def test_one_burst_marks_once(run: Run) -> None:
    async def body(scene: Scene) -> None:
        scene.write("file")
        scene.watch("file")
        for _ in range(20):
            append(scene, "file")
            editor_rename(scene, "file")
        await scene.settle()
        assert scene.marks == ["file"]

    run(body)


def test_a_writer_that_keeps_the_file_open_is_noticed_each_time(run: Run) -> None:
    async def body(scene: Scene) -> None:
        scene.watch("file")
        with open(scene.path("file"), "w") as file:
            for _ in range(3):
                file.write("x")
                file.flush()
                assert await scene.news() == ["file"]

    run(body)


def test_what_is_not_managed_makes_no_news(run: Run) -> None:
    async def body(scene: Scene) -> None:
        scene.write("file")
        os.mkdir(scene.path("dir"))
        scene.watch("file", "dir")
        await scene.settle()
        scene.write(".file.tmp")
        os.chmod(scene.path(".file.tmp"), 0o600)
        os.rename(scene.path(".file.tmp"), scene.path("other"))
        os.unlink(scene.path("other"))
        scene.write("dir/entry")
        os.mkdir(scene.path("dir/below"))
        assert await scene.news() == []
        os.chmod(scene.path("dir"), 0o700)
        assert await scene.news() == ["dir"]

    run(body)


def test_grandparents_that_appear_one_by_one(run: Run) -> None:
    async def body(scene: Scene) -> None:
        scene.watch("a/b/c/file")
        for name in ("a", "a/b", "a/b/c"):
            os.mkdir(scene.path(name))
            assert await scene.news() == ["a/b/c/file"]
        scene.write("a/b/c/file")
        assert await scene.news() == ["a/b/c/file"]
        append(scene, "a/b/c/file")
        assert await scene.news() == ["a/b/c/file"]
        scene.consistent()

    run(body)


def test_a_whole_branch_appears_at_once_many_times(run: Run) -> None:
    """From another thread, so that every interleaving with the loop may come up."""

    async def body(scene: Scene) -> None:
        chance = random.Random(7)
        seen: list[str | None] = [None]

        def look(_: str) -> None:
            try:
                with open(scene.path("a/b/c/file")) as file:
                    seen[0] = file.read()
            except FileNotFoundError:
                seen[0] = None

        scene.on_mark = look
        scene.watch("a/b/c/file")
        for number in range(200):
            text, pause = str(number), chance.random() * 0.0005

            def appear(text: str = text, pause: float = pause) -> None:
                os.makedirs(scene.path("a/b/c"))
                threading.Event().wait(pause)
                scene.write("a/b/c/file", text)

            thread = threading.Thread(target=appear)
            thread.start()
            await scene.until(lambda text=text: seen[0] == text)
            thread.join()
            shutil.rmtree(scene.path("a"))
            await scene.until(lambda: seen[0] is None)
        await scene.settle()
        scene.consistent()

    run(body)


@pytest.mark.parametrize("level", ["a", "a/b"])
def test_a_parent_is_renamed_away_and_comes_back(run: Run, level: str) -> None:
    async def body(scene: Scene) -> None:
        os.makedirs(scene.path("a/b"))
        scene.write("a/b/file")
        scene.write("a/b/beside")
        scene.watch("a/b/file", "a/b/beside")
        os.rename(scene.path(level), scene.path("away"))
        assert await scene.news() == ["a/b/beside", "a/b/file"]
        scene.consistent()
        away = "away/b" if level == "a" else "away"
        append(scene, f"{away}/file")
        assert await scene.news() == []
        os.rename(scene.path("away"), scene.path(level))
        assert await scene.news() == ["a/b/beside", "a/b/file"]
        append(scene, "a/b/file")
        assert await scene.news() == ["a/b/file"]
        scene.consistent()
        os.rename(scene.path(level), scene.path("away"))
        os.rename(scene.path("away"), scene.path(level))
        assert await scene.news() == ["a/b/beside", "a/b/file"]
        append(scene, "a/b/file")
        assert await scene.news() == ["a/b/file"]

    run(body)


def test_a_parent_is_replaced_by_another_directory(run: Run) -> None:
    async def body(scene: Scene) -> None:
        for name in ("a", "new"):
            os.mkdir(scene.path(name))
            scene.write(f"{name}/file", name)
        scene.watch("a/file")
        os.rename(scene.path("a"), scene.path("old"))
        os.rename(scene.path("new"), scene.path("a"))
        assert await scene.news() == ["a/file"]
        append(scene, "old/file")
        assert await scene.news() == []
        append(scene, "a/file")
        assert await scene.news() == ["a/file"]

    run(body)


def test_a_parent_that_is_a_file_for_a_while(run: Run) -> None:
    async def body(scene: Scene) -> None:
        scene.write("a")
        scene.watch("a/file")
        append(scene, "a")
        assert await scene.news() == []
        os.unlink(scene.path("a"))
        os.mkdir(scene.path("a"))
        scene.write("a/file")
        assert await scene.news() == ["a/file"]
        append(scene, "a/file")
        assert await scene.news() == ["a/file"]

    run(body)


def test_a_directory_and_what_is_in_it_are_two_things(run: Run) -> None:
    async def body(scene: Scene) -> None:
        os.mkdir(scene.path("a"))
        scene.watch("a")
        scene.watch("a/file")
        scene.write("a/file")
        assert await scene.news() == ["a/file"]
        scene.forget("a/file")
        os.chmod(scene.path("a"), 0o700)
        assert await scene.news() == ["a"]
        scene.watch("a/file")
        scene.forget("a")
        append(scene, "a/file")
        os.chmod(scene.path("a"), 0o755)
        assert await scene.news() == ["a/file"]
        os.rename(scene.path("a"), scene.path("b"))
        assert await scene.news() == ["a/file"]
        scene.consistent()

    run(body)


def test_keys_may_share_a_path_and_watch_several(run: Run) -> None:
    async def body(scene: Scene) -> None:
        watch = scene.source.watch
        watch("one", [PathChanged(scene.path("a")), PathChanged(scene.path("b")), Every(1)])
        watch("two", iter([PathChanged(scene.path("b"))]))
        scene.write("a")
        assert await scene.news() == ["one"]
        scene.write("b")
        assert await scene.news() == ["one", "two"]
        watch("one", [PathChanged(scene.path("c"))])
        scene.write("a")
        scene.write("b")
        assert await scene.news() == ["two"]
        scene.write("c")
        assert await scene.news() == ["one"]
        watch("one", [])
        watch("two", [])
        watch("never", [])
        scene.bare()

    run(body)


def test_names_of_all_kinds(run: Run) -> None:
    async def body(scene: Scene) -> None:
        names = ["with blank", "neue\nzeile", "é", os.fsdecode(b"\xff\xfe"), "a" * 255, "."]
        scene.watch(*names)
        for name in names[:-1]:
            scene.write(name)
            assert await scene.news() == [name]
        os.chmod(scene.root, 0o755)
        assert await scene.news() == ["."]
        scene.source.watch("impossible", [PathChanged(f"{scene.root}/{'a' * 300}/{'b/' * 3000}")])
        scene.source.watch("impossible", [PathChanged(f"{scene.root}/a\0b")])
        scene.source.watch("impossible", [PathChanged(f"{scene.root}/\ud800")])
        scene.forget(*names, "impossible")
        assert await scene.news() == []
        scene.bare()

    run(body)


def test_devices_and_pipes_are_watched_for_what_they_are_not_for_what_goes_through(run: Run) -> None:
    async def body(scene: Scene) -> None:
        os.mkfifo(scene.path("pipe"))
        scene.watch("pipe")
        scene.source.watch("null", [PathChanged("/dev/null")])
        with open("/dev/null", "w") as null:
            null.write("x")
        reader = os.open(scene.path("pipe"), os.O_RDONLY | os.O_NONBLOCK)
        with open(scene.path("pipe"), "w") as pipe:
            pipe.write("x")
        os.close(reader)
        assert await scene.news() == []
        os.chmod(scene.path("pipe"), 0o600)
        assert await scene.news() == ["pipe"]

    run(body)


# --- everything below -----------------------------------------------------------------------------------------


def test_deep_covers_everything_below_however_it_came_there(run: Run) -> None:
    async def body(scene: Scene) -> None:
        os.makedirs(scene.path("tree/a/b"))
        scene.watch("tree", deep=True)
        scene.write("tree/a/b/file")
        assert await scene.news() == ["tree"]
        append(scene, "tree/a/b/file")
        assert await scene.news() == ["tree"]
        os.makedirs(scene.path("tree/x/y/z"))
        assert await scene.news() == ["tree"]
        scene.write("tree/x/y/z/file")
        assert await scene.news() == ["tree"]
        os.makedirs(scene.path("outside/in"))
        assert await scene.news() == []
        os.rename(scene.path("outside"), scene.path("tree/x/moved"))
        assert await scene.news() == ["tree"]
        scene.write("tree/x/moved/in/file")
        assert await scene.news() == ["tree"]
        os.rename(scene.path("tree/x/moved"), scene.path("outside"))
        assert await scene.news() == ["tree"]
        scene.write("outside/in/file")
        assert await scene.news() == []
        scene.consistent()
        shutil.rmtree(scene.path("tree"))
        assert await scene.news() == ["tree"]
        os.makedirs(scene.path("tree/new"))
        assert await scene.news() == ["tree"]
        scene.write("tree/new/file")
        assert await scene.news() == ["tree"]
        scene.consistent()
        scene.forget("tree")
        scene.bare()

    run(body)


def test_deep_does_not_follow_links_below_but_does_follow_the_path_itself(run: Run) -> None:
    async def body(scene: Scene) -> None:
        os.makedirs(scene.path("real/below"))
        os.mkdir(scene.path("other"))
        os.symlink("real", scene.path("tree"))
        os.symlink("../other", scene.path("real/link"))
        scene.watch("tree", deep=True)
        scene.write("other/file")
        assert await scene.news() == []
        scene.write("real/below/file")
        assert await scene.news() == ["tree"]
        scene.consistent()
        scene.forget("tree")
        scene.bare()

    run(body)


def test_deep_and_plain_keys_share_a_tree(run: Run) -> None:
    async def body(scene: Scene) -> None:
        os.makedirs(scene.path("tree/a"))
        scene.watch("tree/a/file", "tree/a", "tree")
        scene.source.watch("deep", [PathChanged(scene.path("tree"), deep=True), PathChanged(scene.path("tree"))])
        scene.source.watch("inner", [PathChanged(scene.path("tree/a"), deep=True)])
        scene.write("tree/a/other")
        assert await scene.news() == ["deep", "inner"]
        scene.write("tree/a/file")
        assert await scene.news() == ["deep", "inner", "tree/a/file"]
        scene.source.watch("deep", [PathChanged(scene.path("tree"))])
        os.mkdir(scene.path("tree/b"))
        scene.write("tree/a/other")
        assert await scene.news() == ["inner"]
        scene.source.watch("inner", [])
        scene.write("tree/a/other")
        assert await scene.news() == []
        append(scene, "tree/a/file")
        assert await scene.news() == ["tree/a/file"]
        scene.consistent()
        scene.forget("tree/a/file", "tree/a", "tree", "deep")
        scene.bare()

    run(body)


def test_a_very_deep_tree(run: Run) -> None:
    async def body(scene: Scene) -> None:
        scene.watch("tree", deep=True)
        scene.write("marker")
        here = os.open(scene.root, os.O_RDONLY)
        names = ["tree", *("d" * 20 for _ in range(1500))]  # far beyond the longest path there may be
        for name in names:
            os.mkdir(name, dir_fd=here)
            below = os.open(name, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        os.close(here)
        assert await scene.news() == ["tree"]
        # The kernel takes no longer paths: what lies deeper is polled, and the owner is told in few words.
        await scene.until(lambda: scene.source.polled == {"tree"})
        assert len([text for _, text in scene.reports if len(text) < 400]) == len(scene.reports) == 1
        scene.forget("tree")
        scene.bare()
        subprocess.run(["rm", "-rf", scene.path("tree")], check=True)

    run(body)
