"""Nothing grows: not descriptors, not watches, not memory."""

from __future__ import annotations

import gc
import os
import tracemalloc
from typing import TYPE_CHECKING

from converge.core.trigger import PathChanged

if TYPE_CHECKING:
    from .conftest import Run, Scene

KIB = 1024


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def memory() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def test_a_thousand_rounds_of_watching_and_no_longer_watching(run: Run) -> None:
    async def body(scene: Scene) -> None:
        os.makedirs(scene.path("tree/a/b"))
        os.symlink("tree/a", scene.path("link"))
        scene.write("tree/file")

        async def round_(number: int) -> None:
            names = ["tree/file", "link/b/file", "link", f"new {number}/x/y", f"tree/{number}"]
            scene.watch(*names)
            scene.source.watch("deep", [PathChanged(scene.path("tree"), deep=True)])
            scene.write("tree/file", str(number))
            if number % 10 == 0:
                assert await scene.news() == ["deep", "tree/file"]
            scene.watch("tree/file")
            scene.forget(*names, "deep")
            scene.bare()
            await scene.settle()
            scene.marks.clear()

        tracemalloc.start()
        try:
            for number in range(100):
                await round_(number)
            before = descriptors(), memory()
            for number in range(1000):
                await round_(number)
            after = descriptors(), memory()
        finally:
            tracemalloc.stop()
        assert after[0] == before[0]
        assert after[1] - before[1] < 32 * KIB

    run(body)


def test_a_hundred_thousand_events(run: Run) -> None:
    async def body(scene: Scene) -> None:
        scene.write("file")
        scene.write("kept")
        scene.watch("file", "kept")

        async def burst(rounds: int) -> None:
            for _ in range(rounds):
                for _ in range(250):  # six events each: four for the temporary name and its end, two for the file
                    scene.write("temporary")
                    os.rename(scene.path("temporary"), scene.path("file"))
                    with open(scene.path("kept"), "a") as file:
                        file.write("x")
                assert await scene.news() == ["file", "kept"]

        tracemalloc.start()
        try:
            await burst(5)
            before = descriptors(), len(scene.kernel_watches()), memory()
            await burst(70)
            after = descriptors(), len(scene.kernel_watches()), memory()
        finally:
            tracemalloc.stop()
        assert after[:2] == before[:2]
        assert after[2] - before[2] < 32 * KIB
        assert not scene.reports
        scene.consistent()

    run(body)
