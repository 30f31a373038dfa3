"""What happens to the folders around a managed file: moved, removed, missing, mounted over, frozen."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Place

TREE = """
    r.directory(HERE / "tree")
    r.directory(HERE / "tree/deep", mode=0o750)
    r.file(HERE / "tree/deep/a", content="a", limit=1000)
    r.file(HERE / "tree/b", content="b", limit=1000)
    r.symlink(HERE / "tree/link", "deep")
"""


@pytest.fixture
def chattr() -> Iterator[Callable[[str, Path], None]]:
    """Set a flag such as ``+i`` on a file; taken away again at the end."""
    if os.geteuid() != 0 or shutil.which("chattr") is None:
        pytest.skip("chattr needs root")
    touched: list[tuple[str, Path]] = []

    def do(flag: str, path: Path) -> None:
        done = subprocess.run(["chattr", flag, str(path)], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"this file system has no such flags: {done.stderr.strip()}")
        touched.append((flag.replace("+", "-"), path))

    yield do
    for flag, path in touched:
        subprocess.run(["chattr", flag, str(path)], check=False, capture_output=True)


def tree_is_right(tree: Path) -> bool:
    try:
        return (
            (tree / "deep/a").read_text() == "a"
            and (tree / "b").read_text() == "b"
            and (tree / "link").is_symlink()
            and (tree / "deep").stat().st_mode & 0o7777 == 0o750
        )
    except (FileNotFoundError, NotADirectoryError):
        return False


def test_a_tree_that_is_removed_is_built_again(place: Place) -> None:
    place.declare(TREE)
    daemon = place.serve()
    for _ in range(2):
        shutil.rmtree(place.managed / "tree", ignore_errors=True)
        daemon.until(lambda: tree_is_right(place.managed / "tree"), "the tree is right")
    (place.managed / "tree/deep/a").write_text("still watched?")
    daemon.until(lambda: tree_is_right(place.managed / "tree"), "the file in it is right")


def test_a_tree_that_is_moved_away_is_built_again_and_may_come_back(place: Place) -> None:
    place.declare(TREE)
    daemon = place.serve()
    tree, away = place.managed / "tree", place.managed / "away"
    tree.rename(away)
    daemon.until(lambda: tree_is_right(tree), "the tree is right")
    (away / "deep/a").write_text("nobody's business")
    tree.rename(place.managed / "second")
    away.rename(tree)
    daemon.until(lambda: tree_is_right(tree), "what came back is right")
    assert tree_is_right(place.managed / "second")


def test_an_unmanaged_parent_that_is_moved_away_is_an_error_until_it_is_back(place: Place) -> None:
    place.declare('r.file(HERE / "parent/file", content="x", limit=1000)\nr.file(HERE / "other", content="x")')
    parent, away = place.managed / "parent", place.managed / "away"
    parent.mkdir()
    daemon = place.serve()
    parent.rename(away)
    assert f"the directory {parent} does not exist" in daemon.outcome(parent / "file", "failed")["error"]
    (place.managed / "other").write_text("tampered")
    daemon.until_reads(place.managed / "other", "x")
    (away / "file").write_text("while nobody looked")
    away.rename(parent)
    daemon.until_reads(parent / "file", "x")


def test_a_file_is_made_as_soon_as_its_ancestors_have_appeared_one_by_one(place: Place) -> None:
    place.declare('r.file(HERE / "one/two/three/file", content="x", limit=1000)\nr.file(HERE / "other", content="x")')
    daemon = place.serve()
    file = place.managed / "one/two/three/file"
    daemon.outcome(file, "failed")
    for parent in reversed(file.parents[:3]):
        parent.mkdir()
    daemon.until(lambda: file.exists() and file.read_text() == "x", "the file is there")
    shutil.rmtree(place.managed / "one")
    daemon.until(lambda: daemon.outcomes(file)[-1]["status"] == "failed", "its absence is noticed")
    file.parent.mkdir(parents=True)
    daemon.until(lambda: file.exists() and file.read_text() == "x", "the file is there again")


def test_a_file_that_makes_its_parents_needs_none(place: Place) -> None:
    place.declare('r.file(HERE / "one/two/file", content="x", parents=True, limit=1000)')
    daemon = place.serve()
    shutil.rmtree(place.managed / "one")
    daemon.until((place.managed / "one/two/file").exists)


def test_a_file_system_mounted_over_the_folder_and_unmounted_again_is_noticed(
    place: Place, mount: Callable[..., None]
) -> None:
    place.declare('r.file(HERE / "over/file", content="x", limit=1000)\nr.file(HERE / "other", content="x")')
    over = place.managed / "over"
    over.mkdir()
    daemon = place.serve()
    below = (over / "file").stat()
    mount(over)
    daemon.until(lambda: (over / "file").exists() and (over / "file").read_text() == "x", "the file is there as well")
    (over / "file").write_text("tampered")
    daemon.until_reads(over / "file", "x")
    subprocess.run(["umount", str(over)], check=True)
    assert (over / "file").stat().st_ino == below.st_ino
    (over / "file").write_text("tampered")
    daemon.until_reads(over / "file", "x")


@pytest.mark.parametrize(("flag", "frozen"), [("i", "dir/file"), ("i", "dir"), ("a", "dir/file")])
def test_what_is_frozen_is_one_clear_error_and_is_right_at_the_next_news_after_it_was_thawed(
    place: Place, chattr: Callable[[str, Path], None], flag: str, frozen: str
) -> None:
    place.declare('r.file(HERE / "dir/file", content="x", limit=1000)\nr.file(HERE / "other", content="x", limit=1000)')
    file, other = place.managed / "dir/file", place.managed / "other"
    file.parent.mkdir()
    file.write_text("drifted")
    chattr(f"+{flag}", place.managed / frozen)
    daemon = place.serve("--max-retries", "0")
    what = {"i": "immutable", "a": "append-only"}[flag]
    (failed,) = daemon.outcomes(file)
    assert failed["error"] == (
        f"{file}: {place.managed / frozen} is {what} (chattr -{flag} {place.managed / frozen} lifts that)"
    )
    before = file.parent.stat()
    for _ in range(3):  # the echo of the attempt, if it did anything, is heard before the second
        since = len(daemon.events)
        other.write_text("tampered")
        daemon.outcome(other, "changed", since)
    assert file.parent.stat().st_mtime_ns == before.st_mtime_ns, "it was tried again without any news"
    assert len(daemon.outcomes(file)) == 1
    chattr(f"-{flag}", place.managed / frozen)
    os.utime(file)
    daemon.until_reads(file, "x")


def test_a_file_behind_a_link_is_kept_right_wherever_the_link_leads(place: Place) -> None:
    place.declare('r.file(HERE / "current/file", content="x", limit=1000)\nr.file(HERE / "other", content="x")')
    for name in ("one", "two"):
        (place.managed / name).mkdir()
    link = place.managed / "current"
    link.symlink_to("one")
    daemon = place.serve()
    (place.managed / "one/file").write_text("tampered under its other name")
    daemon.until_reads(place.managed / "one/file", "x")
    (place.managed / "next").symlink_to("two")
    (place.managed / "next").rename(link)
    daemon.until((place.managed / "two/file").exists, "it is there where the link leads now")
    (place.managed / "two/file").write_text("tampered")
    daemon.until_reads(place.managed / "two/file", "x")
    link.unlink()
    daemon.until(lambda: daemon.outcomes(link / "file")[-1]["status"] == "failed")
    link.symlink_to("one")
    (place.managed / "one/file").unlink()
    daemon.until((place.managed / "one/file").exists)
