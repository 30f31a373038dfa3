"""Directories that others nested as deep as they liked: no recursion, few descriptors, a bounded time."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from converge.core.change import IN_SYNC
from converge.core.errors import ResourceError
from converge.core.ownership import NOTHING, Ownership
from converge.host.fs.walk import Walk
from converge.resources.file import Directory, File
from converge.resources.file.tree import Tree, remove_tree
from converge.resources.staging import Staging

root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: gives files to other users")
BOB = 12345
DEEP = 3_000


def nest(top: Path, depth: int = DEEP) -> None:
    """Directories in directories, and a file in the last one."""
    handle = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(depth):
        os.mkdir("dd", dir_fd=handle)
        deeper = os.open("dd", os.O_RDONLY | os.O_DIRECTORY, dir_fd=handle)
        os.close(handle)
        handle = deeper
    os.close(os.open("last", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=handle))
    os.close(handle)


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """A directory with a deep one in it; pytest could not remove that by itself."""
    top = tmp_path / "d"
    top.mkdir()
    nest(top)
    yield top
    folder = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if top.exists():
            remove_tree(folder, "d", str(top))
    finally:
        os.close(folder)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_purge(deep: Path) -> None:
    before, start = descriptors(), time.monotonic()
    directory = Directory(deep, purge=True).with_ownership(Ownership([File(deep / "kept")]))
    state = directory.check()
    assert [(change.property, change.from_) for change in state] == [("entry", "dd"), ("purge", "3,001 entries")]
    directory.apply(state)
    assert directory.check() == IN_SYNC
    assert os.listdir(deep) == []
    assert descriptors() == before
    assert time.monotonic() - start < 60


def test_purge_beside_what_is_kept_in_the_depth(deep: Path) -> None:
    handle = os.open(deep, os.O_RDONLY | os.O_DIRECTORY)
    with Walk(handle, ".") as walk:
        while entry := walk.next():
            if entry[1]:
                walk.enter(entry[0])
        os.close(os.open("x.dpkg-new", os.O_WRONLY | os.O_CREAT, dir_fd=walk.handle))
    os.close(handle)
    directory = Directory(deep, purge=True).with_ownership(NOTHING)
    (gone,) = directory.check()
    assert (gone.from_ or "").endswith("dd/dd/last")
    directory.apply((gone,))
    assert directory.check() == IN_SYNC


@root
def test_recurse(deep: Path) -> None:
    directory = Directory(deep, owner=BOB, recurse=True)
    state = directory.check()
    assert len(str(state)) < 5_000
    directory.apply(state)
    assert directory.check() == IN_SYNC


def test_removal(deep: Path) -> None:
    directory = Directory(deep, state="absent", force=True).with_ownership(NOTHING)
    directory.apply(directory.check())
    assert not deep.exists()


def test_few_directories_are_open_at_a_time(deep: Path) -> None:
    before, most = descriptors(), 0
    with Walk(os.open(deep.parent, os.O_RDONLY), deep.name) as walk:
        while (entry := walk.next()) is not None or walk.depth:
            if entry is None:
                walk.leave()
            elif entry[1]:
                walk.enter(entry[0])
            most = max(most, descriptors() if walk.depth % 100 == 0 else 0)
    assert most < before + 50


def test_a_directory_that_is_moved_away_meanwhile_leads_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "elsewhere").mkdir()
    nest(tmp_path / "d", 100)
    handle = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(ResourceError, match="was moved elsewhere"), Walk(handle, "d") as walk:
        while walk.depth < 50 and (entry := walk.next()):
            walk.enter(entry[0])
        os.rename(f"{tmp_path}/d/" + "/".join(["dd"] * 5), tmp_path / "elsewhere/dd")
        while walk.depth:
            walk.leave()
    os.close(handle)


def test_what_is_staged(tmp_path: Path) -> None:
    with Staging(str(tmp_path / "new")) as staging:
        nest(Path(staging.path))
        staging.own(os.geteuid(), os.getegid())
    assert os.listdir(tmp_path) == []


def test_a_tree_of_ones_own_is_listed(deep: Path) -> None:
    handle = os.open(deep, os.O_RDONLY)
    assert len(list(Tree(handle, ".", str(deep)).owned_otherwise(os.geteuid() + 1, None))) == DEEP + 1
    os.close(handle)
