"""What a user who owns the directory of a managed path gains by what they leave there: nothing.

The user is played by a child process that has given up root.
"""

from __future__ import annotations

import os
import signal
import stat
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converge.core.change import IN_SYNC, Change, Changes
from converge.core.errors import NotYet, ResourceError
from converge.core.resource import Resource, Uses
from converge.host.fs.acl import ACCESS, DEFAULT, Entry, read, write
from converge.resources.file import Directory, File, Line, Symlink

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: plays an unprivileged user")
U1, U2 = 12345, 12346
SECRET = "root's secret\nof two lines\n"

# An access list that lets U1 read and write: owner, U1, group, mask, others.
LIST = tuple(
    sorted(
        (
            Entry(1, 2**32 - 1, 6),
            Entry(2, U1, 6),
            Entry(4, 2**32 - 1, 4),
            Entry(0x10, 2**32 - 1, 6),
            Entry(0x20, 2**32 - 1, 0),
        )
    )
)


def as_user(uid: int, act: Callable[[], object]) -> None:
    """Do it in a process of that user."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            act()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory of U1 that they can reach, next to one of root."""
    with tempfile.TemporaryDirectory(prefix="rights-") as top:
        os.chmod(top, 0o755)
        place = Path(top, "u1")
        place.mkdir()
        os.chown(place, U1, U1)
        yield place


def settle(resource: Resource) -> Changes:
    state = resource.check()
    if state:
        resource.apply(state)
    assert resource.check() == IN_SYNC
    return state


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def said(state: Changes) -> dict[str, str | None]:
    return {change.property: change.to for change in state}


def secret_in(home: Path, name: str = "secret") -> Path:
    """A file that only root can read, in the user's directory: root may have put it there."""
    place = home / name
    place.write_text(SECRET)
    place.chmod(0o600)
    return place


# --- rights that were left on the old file --------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o6777, 0o777, 0o666])
@pytest.mark.parametrize("content", [None, "as declared"])
def test_a_file_that_is_given_to_root_gets_the_default_mode(home: Path, mode: int, content: str | None) -> None:
    tool = home / "tool"

    def plant() -> None:
        tool.write_text("as declared")
        tool.chmod(mode)

    as_user(U1, plant)
    state = settle(File(tool, content=content, owner="root"))
    assert said(state) == {"owner": "root", "mode": "0644"}
    assert (tool.stat().st_uid, mode_of(tool)) == (0, 0o644)


def test_new_content_carries_no_set_user_id_and_no_write_bits_over(home: Path) -> None:
    tool = home / "tool"

    def plant() -> None:
        tool.write_text("mine")
        tool.chmod(0o6777)

    as_user(U1, plant)
    assert said(settle(File(tool, content="declared"))) == {"content": "declared", "mode": "0755"}
    assert (tool.stat().st_uid, mode_of(tool)) == (U1, 0o755)


def test_a_file_moved_into_place_later_is_drift_like_any_other(home: Path) -> None:
    file = File(home / "tool", content="x", owner="root")
    settle(file)

    def move() -> None:
        (home / "mine").write_text("x")
        (home / "mine").chmod(0o4777)
        (home / "mine").rename(home / "tool")

    as_user(U1, move)
    assert said(settle(file)) == {"owner": "root", "mode": "0644"}
    assert mode_of(home / "tool") == 0o644


def test_the_former_owner_keeps_no_open_file_of_declared_content(home: Path) -> None:
    tool = home / "tool"
    tool.write_text("x")
    os.chown(tool, U1, U1)
    with tool.open("r+") as still_open:
        settle(File(tool, content="x", owner="root"))
        still_open.write("mine")
    assert tool.read_text() == "x"


def test_a_directory_that_is_given_away_gets_the_default_mode(home: Path) -> None:
    place = home / "d"
    as_user(U1, lambda: (place.mkdir(), place.chmod(0o3777)))
    assert said(settle(Directory(place, owner="root"))) == {"owner": "root", "mode": "0755"}
    assert mode_of(place) == 0o755


def test_in_a_trusted_place_a_change_of_owner_keeps_what_is_harmless(home: Path) -> None:
    place = home.parent / "f"
    place.write_text("x")
    place.chmod(0o6771)
    assert said(settle(File(place, owner=U1))) == {"owner": str(U1), "mode": "0751"}


def test_a_declared_mode_is_what_it_gets(home: Path) -> None:
    as_user(U1, lambda: ((home / "f").write_text("x"), (home / "f").chmod(0o4777)))
    settle(File(home / "f", owner="root", mode=0o750))
    assert mode_of(home / "f") == 0o750
    settle(File(home / "f", owner="root", mode=0o4750, content="x"))
    assert mode_of(home / "f") == 0o4750


def test_below_a_directory_of_a_user_all_is_untrusted(home: Path) -> None:
    """U1 cannot write into root's directory, but put another one in its place."""
    deep = home / "etc" / "deep"
    deep.mkdir(parents=True)
    (deep / "f").write_text("x")
    (deep / "f").chmod(0o4777)
    os.chown(deep / "f", U1, U1)
    assert said(settle(File(deep / "f", owner="root")))["mode"] == "0644"


MODES = st.integers(0, 0o7777)


@given(
    old=MODES,
    owner=st.sampled_from([0, U1, U2]),
    listed=st.booleans(),
    whole=st.sampled_from([None, "old", "new"]),
    mode=st.none() | MODES,
    to=st.sampled_from([None, 0, U1, U2]),
    group=st.sampled_from([None, 0, U1]),
    place=st.sampled_from([(0, 0o755), (U1, 0o755), (0, 0o777), (0, 0o1777)]),
)
@settings(max_examples=200, deadline=None)
def test_no_right_is_carried_over(
    old: int,
    owner: int,
    listed: bool,
    whole: str | None,
    mode: int | None,
    to: int | None,
    group: int | None,
    place: tuple[int, int],
) -> None:
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top, "d")
        folder.mkdir()
        path = folder / "f"
        path.write_text("old")
        os.chown(path, owner, owner)
        if listed:
            write(str(path), ACCESS, LIST)
        path.chmod(old)
        os.chown(folder, place[0], place[0])
        folder.chmod(place[1])
        before = path.stat()
        file = File(path, content=whole, mode=mode, owner=to, group=group)
        try:
            state = file.check()
            file.apply(state) if state else None
        except ResourceError:
            after = path.stat()
            assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
            return
        assert file.check() == IN_SYNC
        after = path.stat()
        moved = (after.st_uid, after.st_gid) != (before.st_uid, before.st_gid)
        bits = stat.S_IMODE(after.st_mode)
        assert bits == int(said(state).get("mode") or oct(stat.S_IMODE(before.st_mode)), 8)  # plan said so
        if mode is not None:
            assert bits == mode
            assert read(str(path), ACCESS) == ()
        elif moved:
            assert not bits & 0o6022
            assert read(str(path), ACCESS) == ()
            if place != (0, 0o755) and (before.st_uid, after.st_uid) != (0, 0):
                assert bits == 0o644
        if whole is None and before.st_uid == 0 and not before.st_mode & 0o004 and place != (0, 0o755):
            assert after.st_uid == 0  # what only root could read went to nobody
            if place[0] == U1:
                assert after.st_gid == before.st_gid
                assert not bits & ~stat.S_IMODE(before.st_mode) & 0o066


@given(
    old=MODES,
    owner=st.sampled_from([0, U1, U2]),
    listed=st.booleans(),
    filled=st.booleans(),
    mode=st.none() | MODES,
    to=st.sampled_from([None, 0, U1, U2]),
    group=st.sampled_from([None, 0, U1]),
    place=st.sampled_from([(0, 0o755), (U1, 0o755), (0, 0o777), (0, 0o1777)]),
)
@settings(max_examples=200, deadline=None)
def test_no_right_is_carried_over_with_a_directory(
    old: int,
    owner: int,
    listed: bool,
    filled: bool,
    mode: int | None,
    to: int | None,
    group: int | None,
    place: tuple[int, int],
) -> None:
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top, "d")
        path = folder / "f"
        path.mkdir(parents=True)
        if filled:
            (path / "in it").touch()
        os.chown(path, owner, owner)
        if listed:
            write(str(path), ACCESS, LIST)
            write(str(path), DEFAULT, LIST)
        path.chmod(old)
        os.chown(folder, place[0], place[0])
        folder.chmod(place[1])
        before = path.stat()
        directory = Directory(path, mode=mode, owner=to, group=group)
        try:
            state = directory.check()
            directory.apply(state) if state else None
        except ResourceError:
            after = path.stat()
            assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
            return
        assert directory.check() == IN_SYNC
        after = path.stat()
        moved = (after.st_uid, after.st_gid) != (before.st_uid, before.st_gid)
        bits = stat.S_IMODE(after.st_mode)
        assert bits == int(said(state).get("mode") or oct(stat.S_IMODE(before.st_mode)), 8)  # plan said so
        if mode is not None or moved:
            assert bits == mode or (mode is None and not bits & 0o6022)
            assert read(str(path), ACCESS) == read(str(path), DEFAULT) == ()
        if filled and before.st_uid == 0 and before.st_mode & 0o005 != 0o005 and place != (0, 0o755):
            assert after.st_uid == 0


# --- what was moved onto the name -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"owner": U1},
        {"owner": U1, "line": "x"},
        {"owner": U1, "block": "x"},
        {"owner": U1, "content": "x", "append": True},
        {"mode": 0o644},
        {"mode": 0o644, "line": "x"},
        {"owner": "root", "mode": 0o644},
        {"group": U1},
        {"mode": 0o600, "acl": [f"user:{U1}:r"]},
        {"owner": U2},
    ],
)
def test_what_root_kept_for_itself_is_neither_given_away_nor_opened(home: Path, options: dict[str, object]) -> None:
    secret_in(home)
    as_user(U1, lambda: (home / "secret").rename(home / "f"))
    file = File(home / "f", **options)  # type: ignore[arg-type]  # they fit
    for act in (file.check, lambda: file.apply(())):
        with pytest.raises(ResourceError, match="belongs to root and is not readable by everybody; uid 12345 may have"):
            act()
    status = (home / "f").stat()
    assert (status.st_uid, status.st_gid, mode_of(home / "f")) == (0, 0, 0o600)
    assert (home / "f").read_text() == SECRET


def test_what_a_third_user_has_there_is_not_edited(home: Path) -> None:
    (home / "f").write_text("theirs")
    (home / "f").chmod(0o600)
    os.chown(home / "f", U2, U2)
    with pytest.raises(ResourceError, match="belongs to uid 12346"):
        File(home / "f", line="x").check()


def test_declared_content_takes_its_place_and_no_plan_shows_it(home: Path) -> None:
    secret_in(home, "f")
    file = File(home / "f", content="a\nb\n", owner=U1, mode=0o600)
    state = file.check()
    (content,) = [change for change in state if change.property == "content"]
    assert content.from_ == "(not shown: it belongs to root)"
    assert content.diff is None
    inode = (home / "f").stat().st_ino
    settle(file)
    assert (home / "f").stat().st_ino != inode
    assert (home / "f").read_text() == "a\nb\n"


def test_with_the_same_content_too_a_new_file_is_given(home: Path) -> None:
    secret_in(home, "f")
    held = os.open(home / "f", os.O_RDONLY)
    settle(File(home / "f", content=SECRET, owner=U1))
    assert os.fstat(held).st_uid == 0
    os.close(held)


def test_the_users_own_file_is_theirs_to_have_edited(home: Path) -> None:
    as_user(U1, lambda: ((home / "f").write_text("mine\n"), (home / "f").chmod(0o600)))
    settle(File(home / "f", line="x", owner=U1))
    assert (home / "f").read_text() == "mine\nx\n"
    assert mode_of(home / "f") == 0o600


def test_what_everybody_may_read_can_be_given(home: Path) -> None:
    (home / "f").write_text("x\n")
    (home / "f").chmod(0o644)
    settle(File(home / "f", line="y", owner=U1))
    assert (home / "f").stat().st_uid == U1


def test_a_directory_of_root_is_given_away_only_while_empty(home: Path) -> None:
    place = home / "d"
    place.mkdir(mode=0o700)
    settle(Directory(place, owner=U1))
    other = home / "other"
    other.mkdir(mode=0o700)
    secret_in(other)
    for directory in (Directory(other, owner=U1), Directory(other, mode=0o755)):
        for act in (directory.check, lambda directory=directory: directory.apply(())):
            with pytest.raises(ResourceError, match="belongs to root"):
                act()
    assert (other.stat().st_uid, mode_of(other)) == (0, 0o700)


def test_what_a_directory_of_root_kept_from_them_is_not_given_away(home: Path) -> None:
    """Everybody could read the file, if they could reach it: U1 moves the whole directory onto a managed name."""
    private = home / "private"
    (private / "sub").mkdir(parents=True)
    (private / "f").write_text(SECRET)
    private.chmod(0o700)
    as_user(U1, lambda: private.rename(home / "app"))
    for resource in (
        File(home / "app" / "f", owner=U1),
        File(home / "app" / "f", line="x", owner=U1),
        File(home.parent / "public", source=str(home / "app" / "f")),
        Directory(home / "app", mode=0o755),
    ):
        with pytest.raises(ResourceError, match="belongs to root and is not readable by everybody"):
            resource.check()
    (change, *_) = File(home / "app" / "f", content="a\nb\n", owner=U1).check()
    assert change.from_ == "(not shown: it belongs to root)"


def test_a_link_is_owned_and_nothing_else(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """U1 exchanges the new link for a file of root, just before it is given to them."""
    secret_in(home)
    make = os.symlink

    def exchanged(target: str, name: str, *, dir_fd: int) -> None:
        make(target, name, dir_fd=dir_fd)
        os.rename(home / "secret", name, dst_dir_fd=dir_fd)

    monkeypatch.setattr(os, "symlink", exchanged)
    link = Symlink(home / "l", "x", owner=U1)
    with pytest.raises(ResourceError, match="was replaced by a file in the meantime"):
        link.apply(link.check())
    assert all(path.lstat().st_uid == 0 for path in home.iterdir())


# --- what is read ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["source", "template"])
def test_a_link_of_the_user_is_not_read_through(home: Path, option: str) -> None:
    secret = secret_in(home.parent)
    as_user(U1, lambda: (home / "src").symlink_to(secret))
    file = File(home.parent / "public", mode=0o644, **{option: str(home / "src")})  # type: ignore[arg-type]
    with pytest.raises(ResourceError, match=r"symbolic link .* owned by uid 12345"):
        file.check()


@pytest.mark.parametrize("option", ["source", "template"])
def test_a_link_of_the_user_on_the_way_is_not_read_through(home: Path, option: str) -> None:
    (home.parent / "private").mkdir()
    secret_in(home.parent / "private")
    as_user(U1, lambda: (home / "src").symlink_to(home.parent / "private"))
    file = File(home.parent / "public", **{option: str(home / "src" / "secret")})  # type: ignore[arg-type]
    with pytest.raises(ResourceError, match=r"symbolic link .* owned by uid 12345"):
        file.check()


@pytest.mark.parametrize("how", ["{% include 'part' %}", "{% extends 'part' %}", "{% import 'part' as part %}"])
def test_what_a_template_takes_in_is_read_by_the_same_rule(home: Path, how: str) -> None:
    secret = secret_in(home.parent)
    as_user(U1, lambda: ((home / "t").write_text(how), (home / "part").symlink_to(secret)))
    with pytest.raises(ResourceError, match=r"symbolic link .* owned by uid 12345"):
        File(home.parent / "public", template=str(home / "t")).check()


def test_a_template_is_read_anew_once_something_it_includes_is_another_file(home: Path) -> None:
    (home / "t").write_text("{% include 'part' %}")
    (home / "part").write_text("first")
    settle(File(home.parent / "public", template=str(home / "t")))
    secret = secret_in(home.parent)
    (home / "part").unlink()
    as_user(U1, lambda: (home / "part").symlink_to(secret))
    with pytest.raises(ResourceError, match="owned by uid 12345"):
        File(home.parent / "public", template=str(home / "t")).check()


@pytest.mark.parametrize("option", ["source", "template"])
def test_a_file_of_root_that_was_moved_or_linked_is_not_read(home: Path, option: str) -> None:
    secret_in(home)
    as_user(U1, lambda: (home / "secret").rename(home / "src"))
    os.link(home / "src", home / "linked")
    for name in ("src", "linked"):
        with pytest.raises(ResourceError, match="belongs to root and is not readable by everybody"):
            File(home.parent / "public", **{option: str(home / name)}).check()  # type: ignore[arg-type]


@pytest.mark.parametrize("option", ["source", "template"])
def test_a_fifo_holds_nothing_up(home: Path, option: str) -> None:
    as_user(U1, lambda: os.mkfifo(home / "src"))
    with pytest.raises(ResourceError, match="is not a regular file"):
        File(home.parent / "public", **{option: str(home / "src")}).check()  # type: ignore[arg-type]


def test_links_of_root_and_files_of_the_user_are_read(home: Path) -> None:
    as_user(U1, lambda: ((home / "real").write_text("theirs"), (home / "real").chmod(0o600)))
    (home.parent / "link").symlink_to("other")
    (home.parent / "other").symlink_to(home / ".." / "u1" / "real")
    settle(File(home.parent / "public", source=str(home.parent / "link")))
    assert (home.parent / "public").read_text() == "theirs"
    with pytest.raises(NotYet, match="does not exist"):
        File(home.parent / "public", source=str(home / "none")).check()


# --- access lists ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [None, "old", "new"])
def test_a_list_does_not_survive_a_declared_mode(home: Path, content: str | None) -> None:
    path = home / "f"
    as_user(U1, lambda: path.write_text("old"))
    write(str(path), ACCESS, LIST)
    settle(File(path, content=content, owner="root", group=4, mode=0o640))
    assert read(str(path), ACCESS) == ()
    assert mode_of(path) == 0o640


@pytest.mark.parametrize("mode", [None, 0o640])
def test_a_default_list_of_the_users_directory_reaches_no_new_file(home: Path, mode: int | None) -> None:
    write(str(home), DEFAULT, LIST)
    for name in ("a", "b"):
        settle(File(home / name, content="x", owner="root", group=4, mode=mode))
        settle(File(home / f"{name}-plain", content="x", mode=mode))
    settle(Directory(home / "d", mode=mode))
    for path in home.iterdir():
        assert read(str(path), ACCESS) == ()
    assert read(str(home / "d"), DEFAULT) == ()


def test_a_list_that_is_added_is_drift(home: Path) -> None:
    path = home.parent / "f"
    for file in (File(path, content="x", mode=0o640), File(path, mode=0o640), Directory(home.parent / "d", mode=0o750)):
        settle(file)
        write(file.at, ACCESS, LIST)
        os.chmod(file.at, file.mode or 0)
        assert [(change.property, change.from_, change.to) for change in file.check()] == [
            ("acl", "user:12345:rw", None)
        ]
        settle(file)
    write(str(home.parent / "d"), DEFAULT, LIST)
    assert [change.property for change in settle(Directory(home.parent / "d", mode=0o750))] == ["default acl"]


def test_without_a_mode_lists_are_left_as_they_are(home: Path) -> None:
    path = home.parent / "f"
    path.write_text("old")
    write(str(path), ACCESS, LIST)
    settle(File(path, content="new"))
    assert read(str(path), ACCESS) == LIST


def test_declared_lists(home: Path) -> None:
    path = home.parent / "f"
    file = File(path, content="x", mode=0o600, acl=["user:nobody:r", f"group:{U1}:rw"])
    assert said(file.check())["acl"] == f"user:nobody:r, group:{U1}:rw"
    settle(file)
    assert (path.read_text(), mode_of(path)) == ("x", 0o660)  # the group's bits are the mask
    settle(File(path, content="y", mode=0o600, acl=[f"group:{U1}:rw", "user:nobody:r"]))
    os.chmod(path, 0o640)  # narrows the mask
    assert said(settle(file))["mode"] == "0660"
    settle(File(path, content="y", mode=0o640))
    assert mode_of(path) == 0o640
    place = home.parent / "d"
    settle(Directory(place, mode=0o750, acl=["user:nobody:rx"], default_acl=["user:nobody:rwx"]))
    (place / "made").touch()
    made = read(str(place / "made"), ACCESS)
    assert made is not None
    assert Entry(2, 65534, 7) in made


def test_a_declared_list_lets_them_read(home: Path) -> None:
    path = home.parent / "f"
    settle(File(path, content="x", mode=0o600, acl=[f"user:{U1}:r"]))
    as_user(U1, path.read_text)
    with pytest.raises(AssertionError):
        as_user(U2, path.read_text)


def test_mistakes_in_lists() -> None:
    for bad in ("user:x", "other::r", "user:x:q", "user::r", 3):
        assert any("is no entry of an access list" in wrong for wrong in File("/f", mode=0o600, acl=[bad]).mistakes())  # type: ignore[list-item]
    assert "acl needs mode=, which says what owner, group and others may" in list(
        File("/f", acl=["user:x:r"]).mistakes()
    )
    assert any("twice" in wrong for wrong in File("/f", mode=0, acl=["user:x:r", "user:x:w"]).mistakes())
    assert any("takes a list" in wrong for wrong in File("/f", mode=0, acl="user:x:r").mistakes())


# --- files under validation -----------------------------------------------------------------------------------


def test_what_is_validated_lies_where_only_root_can_write(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVERGE_RUNTIME_DIR", str(home.parent / "run"))
    script = home.parent / "accepts"
    script.write_text('#!/bin/sh\nreadlink -f "$1" >> "$0.seen"; cat "$1" >> "$0.seen"\n')
    script.chmod(0o755)
    settle(File(home / "conf", content="as declared\n", owner=U1, validate=[str(script), "%s"]))
    where, content = (home.parent / "accepts.seen").read_text().splitlines()
    assert where.startswith(f"{home.parent}/run/validate-")
    assert where.endswith("/conf")
    assert content == "as declared"
    assert os.listdir(home.parent / "run") == []
    assert (home / "conf").read_text() == "as declared\n"


def test_what_is_refused_there_is_named_by_its_own_path(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVERGE_RUNTIME_DIR", str(home.parent / "run"))
    file = File(home / "conf", content="x", validate=["sh", "-c", 'echo "$1: wrong"; exit 1', "sh", "%s"])
    with pytest.raises(ResourceError, match=f"{home}/conf: wrong"):
        file.apply(file.check())
    assert os.listdir(home) == []


# --- at the same time -----------------------------------------------------------------------------------------


@contextmanager
def meanwhile(act: Callable[[], object]) -> Iterator[None]:
    """The user does it over and over, in a process of their own."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(U1)
            os.setuid(U1)
            while True:
                with suppress(OSError):
                    act()
        finally:
            os._exit(1)
    try:
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_mode_that_is_changed_meanwhile_is_not_carried_over(home: Path) -> None:
    tool = home / "tool"

    def plant() -> None:
        tool.unlink(missing_ok=True)
        tool.write_text("mine")

    file = File(tool, owner="root")
    with meanwhile(lambda: tool.chmod(0o6777)):
        for _ in range(200):
            as_user(U1, plant)
            with suppress(ResourceError):
                file.apply(file.check())
            status = tool.stat()
            assert status.st_uid == U1 or not status.st_mode & 0o6022


@pytest.mark.parametrize("declared", [{"line": "b"}, {"content": "a\n"}, {}])
def test_a_file_of_root_that_is_exchanged_meanwhile_is_not_given_away(home: Path, declared: dict[str, object]) -> None:
    secret, name = secret_in(home), home / "f"

    def exchange() -> None:
        name.rename(home / "mine")
        secret.rename(name)
        name.rename(secret)
        (home / "mine").rename(name)

    kept = os.open(secret, os.O_RDONLY)  # so that no other file gets its number
    as_user(U1, lambda: ((home / "f").write_text("a\n"), (home / "f").chmod(0o600)))
    with meanwhile(exchange):
        for number in range(300):
            file = File(name, owner=U1, group=U1, mode=0o640 + number % 8, **declared)  # type: ignore[arg-type]
            with suppress(ResourceError):
                file.apply(file.check())
    status = os.fstat(kept)
    os.close(kept)
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (0, 0, 0o600)
    assert all(path.stat().st_uid == 0 or SECRET not in path.read_text() for path in home.iterdir())


def test_large_content_is_validated_and_goes_live(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVERGE_STATE_DIR", str(home.parent / "state"))
    (home.parent / "large").write_bytes(os.urandom(3_000_000))
    settle(File(home / "f", source=str(home.parent / "large"), validate=["test", "-s", "%s"]))
    assert (home / "f").read_bytes() == (home.parent / "large").read_bytes()
    assert os.listdir(home.parent / "state") == []


def test_a_list_whose_user_does_not_exist_yet_waits(home: Path) -> None:
    for resource in (
        File(home.parent / "f", content="x", mode=0o600, acl=["user:no-such:r"]),
        Directory(home.parent / "d", mode=0o700, default_acl=["user:no-such:r"]),
    ):
        for act in (resource.check, lambda resource=resource: resource.apply(())):
            with pytest.raises(NotYet, match="the user no-such does not exist"):
                act()
        assert not os.path.lexists(resource.at)
        assert Uses("user:no-such") in resource.needs()


# --- what others chose gets no rights by declaration ----------------------------------------------------------


@pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o6755])
@pytest.mark.parametrize("edits", [{}, {"line": "x"}, {"content": "x", "append": True}], ids=["none", "line", "append"])
def test_a_program_of_others_never_gets_set_user_id_by_a_declared_mode(
    home: Path, mode: int, edits: dict[str, Any]
) -> None:
    tool = home / "tool"

    def plant() -> None:
        tool.write_text("their program")
        tool.chmod(0o755)

    as_user(U1, plant)
    file = File(tool, owner="root", mode=mode, **edits)
    with pytest.raises(ResourceError, match=r"gets no set-user-id or set-group-id bit: .*; declare its whole content"):
        file.check()
    with pytest.raises(ResourceError, match="gets no set-user-id"):
        file.apply((Change("mode", "0755", "4755"),))
    assert (tool.stat().st_uid, mode_of(tool)) == (U1, 0o755)
    settle(File(tool, owner="root", mode=mode, content="ours"))
    assert (tool.read_text(), tool.stat().st_uid, mode_of(tool)) == ("ours", 0, mode)


@pytest.mark.parametrize(
    "edits", [{"line": "hello"}, {"line": Line("x", match="root.*")}, {"block": "x"}, {"content": "x", "append": True}]
)
def test_what_root_kept_private_is_not_edited_where_they_moved_it(home: Path, edits: dict[str, Any]) -> None:
    moved = secret_in(home)
    file = File(moved, **edits)
    with pytest.raises(ResourceError, match="neither given away nor edited") as refused:
        file.check()
    assert "secret" not in str(refused.value).replace(str(moved), "")
    with pytest.raises(ResourceError, match="neither given away nor edited"):
        file.apply((Change("content", None, None),))
    assert moved.read_text() == SECRET


@pytest.mark.parametrize(
    "text",
    ['{{ cycler.__init__.__globals__.os.popen("id").read() }}', "{{ ''.__class__.__mro__ }}", "{{ items.__init__ }}"],
)
def test_a_template_reaches_nothing_but_what_it_is_given(home: Path, text: str) -> None:
    as_user(U1, lambda: (home / "t.j2").write_text(text))
    with pytest.raises(ResourceError, match=r"t\.j2.*(unsafe|SecurityError)"):
        File(home.parent / "out", template=str(home / "t.j2"), vars={"items": [1]}).check()


@pytest.mark.parametrize("trusted", [True, False])
def test_validate_has_none_of_our_environment(home: Path, trusted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    place = home.parent if trusted else home
    for name in ("SOPS_AGE_KEY", "CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "GITHUB_TOKEN"):
        monkeypatch.setenv(name, "ours")
    told = home.parent / "env"
    settle(File(place / "f", content="x", mode=0o600, validate=["sh", "-c", f"env >{told}; pwd >>{told}; : %s"]))
    assert "ours" not in told.read_text()
    assert told.read_text().splitlines()[-1] == "/"
