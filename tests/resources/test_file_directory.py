"""Directories and symbolic links."""

import os
import stat
from pathlib import Path

import pytest

from converge.core.change import IN_SYNC, Changes
from converge.core.errors import NotYet, ResourceError
from converge.core.ownership import NOTHING, Ownership
from converge.core.trigger import PathChanged
from converge.resources.file import Directory, File, Symlink

root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: gives files to other users")
BOB = 12345


def settle(resource: File | Directory | Symlink) -> Changes:
    state = resource.check()
    if state:
        resource.apply(state)
    assert resource.check() == IN_SYNC
    return state


def facts(state: Changes) -> list[tuple[str, str | None, str | None, str]]:
    return [(change.property, change.from_, change.to, change.action) for change in state]


def test_directory_is_made_with_mode_0755_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        state = settle(Directory(tmp_path / "a" / "b", parents=True))
    finally:
        os.umask(old)
    assert facts(state) == [("state", None, "present", "create"), ("mode", None, "0755", "create")]
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o755


def test_directory_mode_is_exact(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d").chmod(0o2700)
    assert facts(settle(Directory(tmp_path / "d", mode=0o1777))) == [("mode", "2700", "1777", "update")]
    settle(Directory(tmp_path / "e", mode=0o2750))


def test_directory_without_its_parent_is_not_yet_there(tmp_path: Path) -> None:
    with pytest.raises(NotYet, match="does not exist; declare it"):
        Directory(tmp_path / "a" / "b").check()


def test_directory_does_not_replace_a_file(tmp_path: Path) -> None:
    (tmp_path / "d").write_text("x")
    with pytest.raises(ResourceError, match="is a file; it is not replaced by a directory"):
        Directory(tmp_path / "d").check()


@root
def test_owner_of_a_directory_and_of_everything_below(tmp_path: Path) -> None:
    top = tmp_path / "d"
    (top / "sub").mkdir(parents=True)
    (top / "sub" / "f").write_text("x")
    (top / "l").symlink_to("nowhere")
    assert len(settle(Directory(top, owner=BOB))) == 1
    state = settle(Directory(top, owner=BOB, group=BOB, recurse=True))
    assert facts(state)[1:] == [("entry", "l, sub, sub/f owned otherwise", "owned by 12345:12345", "update")]
    assert {place.lstat().st_gid for place in [top, *top.rglob("*")]} == {BOB}


def test_purge_removes_what_is_not_managed(tmp_path: Path) -> None:
    top = tmp_path / "d"
    for folder in ("kept/deep", "kept/other", "gone/deep"):
        (top / folder).mkdir(parents=True)
    for name in ("kept/deep/f", "kept/x", "gone/deep/f", "y", "mine", ".mine.converge-0123abcd"):
        (top / name).write_text("x")
    (top / "link").symlink_to("kept")
    (top / "linked").symlink_to("kept")
    paths = [f"{top}/kept/deep/f", f"{top}/mine", f"{top}/linked", "/elsewhere", str(top)]
    directory = Directory(top, purge=True).with_ownership(Ownership(map(File, paths)))
    state = settle(directory)
    assert facts(state) == [
        ("entry", name, None, "remove") for name in ("gone", "kept/other", "kept/x", "link", "y")
    ] + [("purge", "7 entries", None, "remove")]
    left = sorted(str(place.relative_to(top)) for place in top.rglob("*"))
    assert left == [".mine.converge-0123abcd", "kept", "kept/deep", "kept/deep/f", "linked", "mine"]
    assert directory.triggers() == (PathChanged(str(top), deep=True),)
    assert directory.id == f"file:{top}"


def test_purge_removes_only_what_the_check_reported(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("x")
    directory = Directory(tmp_path, purge=True).with_ownership(NOTHING)
    state = directory.check()
    (tmp_path / "new").write_text("x")
    directory.apply(state)
    assert os.listdir(tmp_path) == ["new"]


def test_purge_that_was_not_told_what_is_managed_refuses(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    with pytest.raises(ResourceError, match="does not know yet what is managed"):
        Directory(tmp_path, purge=True).check()


def test_absent_removes_an_empty_directory_only(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    assert facts(settle(Directory(tmp_path / "d", state="absent"))) == [("state", "present", "absent", "remove")]
    (tmp_path / "e" / "f").mkdir(parents=True)
    full = Directory(tmp_path / "e", state="absent")
    with pytest.raises(ResourceError, match="the directory is not empty; set force=True"):
        full.apply(full.check())
    settle(Directory(tmp_path / "e", state="absent", force=True))
    assert os.listdir(tmp_path) == []


def test_absent_removes_no_file_and_no_link(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    (tmp_path / "l").symlink_to(".")
    for name in ("f", "l"):
        with pytest.raises(ResourceError, match="not a directory, so it is not removed"):
            Directory(tmp_path / name, state="absent", force=True).check()


def test_link_is_made_and_pointed_elsewhere(tmp_path: Path) -> None:
    place = tmp_path / "current"
    assert facts(settle(Symlink(place, "releases/1"))) == [("target", None, "releases/1", "create")]
    assert facts(settle(Symlink(place, b"releases/2"))) == [("target", "releases/1", "releases/2", "update")]
    assert place.readlink() == Path("releases/2")
    assert os.listdir(tmp_path) == ["current"]


def test_link_replaces_a_file_only_by_force(tmp_path: Path) -> None:
    (tmp_path / "l").write_text("x")
    with pytest.raises(ResourceError, match="is a file; set force=True"):
        Symlink(tmp_path / "l", "t").check()
    assert facts(settle(Symlink(tmp_path / "l", "t", force=True))) == [("type", "file", "symbolic link to t", "update")]


@root
def test_owner_of_a_link(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("x")
    settle(Symlink(tmp_path / "l", "t", owner=BOB))
    assert facts(settle(Symlink(tmp_path / "l", "t", owner="nobody", group=BOB)))[1] == (
        "group",
        "root",
        "12345",
        "update",
    )
    settle(Symlink(tmp_path / "l", "u"))
    assert (tmp_path / "l").lstat().st_gid == BOB
    assert (tmp_path / "t").stat().st_uid == 0


def test_absent_link(tmp_path: Path) -> None:
    (tmp_path / "l").symlink_to("t")
    settle(Symlink(tmp_path / "l", "t", state="absent"))
    (tmp_path / "l").write_text("x")
    with pytest.raises(ResourceError, match="is a file; not a symbolic link, so it is not removed"):
        Symlink(tmp_path / "l", "t", state="absent").check()


def test_link_with_parents_and_raw_bytes(tmp_path: Path) -> None:
    settle(Symlink(os.fsencode(tmp_path) + b"/a/\xff", b"\xfe", parents=True))
    assert os.readlink(os.fsencode(tmp_path) + b"/a/\xff") == b"\xfe"
