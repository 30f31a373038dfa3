"""Whatever happens in whatever order: who watches a path has looked at it after its last change."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import stat
import tempfile
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from converge.core.trigger import PathChanged

if TYPE_CHECKING:
    from .conftest import Scene

NAMES = ("a", "b")
PATHS = [os.path.join(*parts) for parts in [(x,) for x in NAMES] + [(x, y) for x in NAMES for y in NAMES]]
PATHS += [os.path.join(x, y, z) for x in NAMES for y in NAMES for z in NAMES]
TARGETS = [*PATHS, "../a", ".", "b/../a", "../b/a", "a/../../a"]

path = st.sampled_from(PATHS)
operation = st.one_of(
    st.tuples(st.just("mkdir"), path),
    st.tuples(st.just("makedirs"), path),
    st.tuples(st.just("write"), path),
    st.tuples(st.just("append"), path),
    st.tuples(st.just("unlink"), path),
    st.tuples(st.just("rmtree"), path),
    st.tuples(st.just("chmod"), path),
    st.tuples(st.just("rename"), path, path),
    st.tuples(st.just("link"), path, path),
    st.tuples(st.just("symlink"), st.sampled_from(TARGETS), path),
)
step = st.one_of(
    st.tuples(st.just("watch"), path, st.booleans()),
    st.tuples(st.just("forget"), path),
    st.tuples(st.just("loop")),
    st.tuples(st.just("settle")),
)


class Files:
    """The operations, on real files. Each file that is written has content of its own."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.count = 0
        self.may_link = True

    def _is_ours(self, where: str) -> bool:
        """Links may lead anywhere; nothing is ever done outside of our own folder."""
        places = os.path.realpath(where), os.path.realpath(os.path.dirname(where))
        return all((place + "/").startswith(self.root + "/") for place in places)

    def do(self, verb: str, *arguments: str) -> None:
        with contextlib.suppress(OSError):
            self.count += 1
            where = [os.path.join(self.root, argument) for argument in arguments]
            if not all(self._is_ours(each) for each in (where[1:] if verb == "symlink" else where)):
                return
            if verb == "link" and not self.may_link:
                return
            match verb:
                case "write" | "append":
                    with open(where[0], verb[0]) as file:
                        file.write(f"{self.count} ")
                case "rmtree":
                    shutil.rmtree(where[0])
                case "chmod":
                    os.chmod(where[0], 0o700 + self.count % 0o100)
                case "symlink":
                    os.symlink(arguments[0], where[1])
                case _:
                    getattr(os, verb)(*where)

    def state(self, name: str, deep: bool = False) -> object:
        """All that can be seen at a path, and where it leads to."""
        return self._state(os.path.join(self.root, name), deep)

    def _state(self, where: str, deep: bool) -> object:
        try:
            own = os.lstat(where)
            target = os.stat(where)
        except OSError:
            try:
                return own.st_ino, os.readlink(where)
            except (OSError, UnboundLocalError):
                return None
        facts: list[object] = [(each.st_ino, each.st_mode, each.st_uid) for each in (own, target)]
        if stat.S_ISLNK(own.st_mode):
            facts.append(os.readlink(where))
        if stat.S_ISREG(target.st_mode):
            with open(where) as file:
                facts.append(file.read())
        elif deep:
            for entry in sorted(os.listdir(where)):
                below = os.path.join(where, entry)
                is_link = os.path.islink(below)
                facts.append((entry, os.readlink(below) if is_link else self._state(below, deep)))
        return facts


@pytest.fixture(scope="module", params=["Scene", "KqueueScene"])
def scene_type(request: pytest.FixtureRequest) -> type[Scene]:
    """The class itself: a test that Hypothesis repeats needs a new scene each time."""
    plugins = request.config.pluginmanager.get_plugins()
    name = request.param
    types: list[type[Scene]] = [getattr(each, name) for each in plugins if isinstance(getattr(each, name, None), type)]
    return types[0]


class Lookers:
    """Keys that watch a path each, and look at it when they are marked, as an engine would."""

    def __init__(self, scene: Scene, files: Files) -> None:
        self.scene = scene
        self.files = files
        self.known: dict[str, object] = {}
        self.deep: dict[str, bool] = {}
        scene.on_mark = self.look

    def look(self, key: str) -> None:
        self.known[key] = self.files.state(key, self.deep[key])

    def watch(self, name: str, deep: bool) -> None:
        # In a tree that is watched as a whole, what is written through a name outside of it is not noticed.
        self.files.may_link &= not deep
        self.deep[name] = deep
        self.scene.source.watch(name, [PathChanged(self.scene.path(name), deep)])
        self.look(name)

    def forget(self, name: str) -> None:
        if self.known.pop(name, self) is not self:
            self.scene.source.watch(name, [])

    async def verify(self) -> None:
        """Call this once everything is over."""
        await self.scene.settle()
        self.scene.consistent()
        for name, known in self.known.items():
            assert known == self.files.state(name, self.deep[name]), name
        for name in list(self.known):
            self.forget(name)
        await self.scene.settle()
        self.scene.bare()
        assert not self.scene.failures
        assert not self.scene.reports


def run_in_a_folder(scene_type: type[Scene], main: Callable[[Lookers], Coroutine[object, object, None]]) -> None:
    async def run(root: str) -> None:
        scene = scene_type(root)
        try:
            await main(Lookers(scene, Files(root)))
        finally:
            scene.source.close()

    root = os.path.realpath(tempfile.mkdtemp())
    inside = os.path.join(root, "some/levels/down")  # so that what links lead to is seen by nobody else either
    os.makedirs(inside)
    try:
        asyncio.run(run(inside))
    finally:
        shutil.rmtree(root)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    before=st.lists(operation, max_size=12),
    watched=st.dictionaries(path, st.booleans(), min_size=1, max_size=5),
    after=st.lists(st.one_of(operation, step), min_size=1, max_size=30),
)
def test_who_watches_a_path_has_seen_its_last_state(
    scene_type: type[Scene],
    before: list[tuple[str, ...]],
    watched: dict[str, bool],
    after: list[tuple[str, ...]],
) -> None:
    async def main(lookers: Lookers) -> None:
        files, scene = lookers.files, lookers.scene
        files.may_link = not any(watched.values())
        for each in before:
            files.do(*each)
        for name, whole in watched.items():
            lookers.watch(name, whole)
        for each in after:
            match each:
                case ("watch", name, whole):
                    lookers.watch(name, bool(whole) and not files.may_link)
                case ("forget", name):
                    lookers.forget(name)
                case ("loop",):
                    await asyncio.sleep(0)
                case ("settle",):
                    await scene.settle()
                    scene.consistent()
                case _:
                    files.do(*each)
        await lookers.verify()

    run_in_a_folder(scene_type, main)


@pytest.mark.parametrize("seed", range(20))
def test_and_so_it_is_when_everything_happens_at_the_same_time(scene_type: type[Scene], seed: int) -> None:
    """Another thread changes things while the loop arms and marks, so that any two steps may interleave."""

    async def main(lookers: Lookers) -> None:
        chance = random.Random(seed)
        files = lookers.files
        for name in chance.sample(PATHS, 6):
            lookers.watch(name, seed % 2 == 1 and chance.random() < 0.3)

        def work() -> None:
            verbs = ["mkdir", "makedirs", "write", "append", "unlink", "rmtree", "chmod"]
            for _ in range(1500):
                match chance.randrange(4):
                    case 0:
                        files.do(chance.choice(("rename", "link")), chance.choice(PATHS), chance.choice(PATHS))
                    case 1:
                        files.do("symlink", chance.choice(TARGETS), chance.choice(PATHS))
                    case _:
                        files.do(chance.choice(verbs), chance.choice(PATHS))

        thread = threading.Thread(target=work)
        thread.start()
        while thread.is_alive():
            await asyncio.sleep(0)
        thread.join()
        await lookers.verify()

    run_in_a_folder(scene_type, main)
