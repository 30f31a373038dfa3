"""What an unprivileged user could plant on the way, and what is in a file's place."""

import os
import socket
import stat
from pathlib import Path

import pytest

from converge.core.change import IN_SYNC
from converge.core.errors import ResourceError
from converge.core.ownership import Ownership
from converge.resources.file import Directory, File, Symlink

root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: plays an unprivileged attacker")
BOB = 12345


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory of an unprivileged user, next to one of ours."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "passwd").write_text("root")
    place = tmp_path / "bob"
    place.mkdir()
    os.chown(place, BOB, BOB)
    return place


def plant(link: Path, target: Path | str) -> None:
    link.symlink_to(target)
    os.lchown(link, BOB, BOB)


@root
def test_a_planted_link_on_the_way_is_refused(home: Path) -> None:
    plant(home / "conf", home.parent / "etc")
    said = f"passes through the symbolic link {home}/conf owned by uid 12345, who could point it elsewhere"
    for resource in (
        File(home / "conf" / "passwd", content="x"),
        File(home / "conf" / "passwd", state="absent"),
        File(home / "conf" / "new" / "f", content="x", parents=True),
        Directory(home / "conf" / "d"),
        Symlink(home / "conf" / "l", "x"),
    ):
        with pytest.raises(ResourceError, match=said):
            resource.check()
        with pytest.raises(ResourceError, match=said):
            resource.apply(())
    assert os.listdir(home.parent / "etc") == ["passwd"]
    assert (home.parent / "etc" / "passwd").read_text() == "root"


@root
def test_a_planted_link_behind_a_link_of_ours_is_refused(home: Path) -> None:
    plant(home / "conf", home.parent / "etc")
    (home.parent / "ours").symlink_to("bob/conf")
    with pytest.raises(ResourceError, match="owned by uid 12345"):
        File(home.parent / "ours" / "passwd", content="x").check()


def test_links_of_ours_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "a").symlink_to("real")
    (tmp_path / "real" / "b").symlink_to(f"{tmp_path}/a/../real/./deep")
    file = File(tmp_path / "a" / "b" / "f", content="x")
    file.apply(file.check())
    assert file.check() == IN_SYNC
    assert (tmp_path / "real" / "deep" / "f").read_text() == "x"


def test_a_circle_of_links_ends(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(ResourceError, match="passes through too many symbolic links"):
        File(tmp_path / "a" / "f").check()


@root
def test_a_link_in_the_files_place_is_replaced_and_not_followed(home: Path) -> None:
    plant(home / "f", home.parent / "etc" / "passwd")
    file = File(home / "f", content="mine", mode=0o600, owner=BOB)
    state = file.check()
    assert (state[0].property, state[0].from_) == ("type", f"symbolic link to {home.parent}/etc/passwd")
    file.apply(state)
    assert file.check() == IN_SYNC
    assert stat.S_ISREG((home / "f").lstat().st_mode)
    assert (home.parent / "etc" / "passwd").read_text() == "root"
    assert (home.parent / "etc" / "passwd").stat().st_uid == 0


@root
def test_a_link_planted_after_the_check_changes_nothing_elsewhere(home: Path) -> None:
    target = home.parent / "etc" / "passwd"
    (home / "f").write_text("x")
    os.chown(home / "f", BOB, BOB)
    file = File(home / "f", mode=0o666, owner=BOB)
    state = file.check()
    (home / "f").unlink()
    plant(home / "f", target)
    with pytest.raises(ResourceError):
        file.apply(state)
    assert (target.stat().st_uid, stat.S_IMODE(target.stat().st_mode) & 0o022) == (0, 0)


@root
def test_a_hard_link_planted_after_the_check_changes_nothing_elsewhere(home: Path) -> None:
    target = home.parent / "etc" / "passwd"
    (home / "f").write_text("x")
    file = File(home / "f", mode=0o666, owner=BOB)
    state = file.check()
    (home / "f").unlink()
    os.link(target, home / "f")
    with pytest.raises(ResourceError, match="another hard link in the meantime"):
        file.apply(state)
    assert target.stat().st_uid == 0


@root
def test_a_link_in_place_of_a_whole_directory_is_refused(home: Path) -> None:
    plant(home / "d", home.parent / "etc")
    for directory in (Directory(home / "d", mode=0o777), Directory(home / "d", owner=BOB, recurse=True)):
        with pytest.raises(ResourceError, match="is a symbolic link; declare the directory that it leads to"):
            directory.check()
    assert stat.S_IMODE((home.parent / "etc").stat().st_mode) != 0o777


@root
def test_recurse_gives_away_no_file_that_was_linked_in(home: Path) -> None:
    target = home.parent / "etc" / "passwd"
    os.link(target, home / "innocent")
    plant(home / "link", target)
    directory = Directory(home, owner=BOB, recurse=True)
    state = directory.check()
    with pytest.raises(ResourceError, match=f"{home}/innocent has 2 hard links and belongs to root"):
        directory.apply(state)
    assert target.stat().st_uid == 0


@root
def test_recurse_and_purge_do_not_follow_links(home: Path) -> None:
    plant(home / "link", home.parent / "etc")
    directory = Directory(home, owner=0, recurse=True, purge=True).with_ownership(Ownership([File(home / "kept")]))
    directory.apply(directory.check())
    assert directory.check() == IN_SYNC
    assert os.listdir(home.parent / "etc") == ["passwd"]


@pytest.mark.parametrize("kind", ["directory", "FIFO", "socket", "character device"])
def test_what_is_no_file_is_never_replaced(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "f"
    if kind == "directory":
        place.mkdir()
    elif kind == "FIFO":
        os.mkfifo(place)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(place))
    elif os.geteuid() == 0:
        os.mknod(place, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    else:
        pytest.skip("needs root: makes a device")
    inode = place.lstat().st_ino
    for file in (File(place, content="x"), File(place), File(place, mode=0o600), File(place, line="x")):
        with pytest.raises(ResourceError, match=f"{place} is a {kind}; it is not replaced by a file"):
            file.check()
        with pytest.raises(ResourceError, match=f"is a {kind}"):
            file.apply(())
    with pytest.raises(ResourceError, match=f"is a {kind}; it is not replaced by a symbolic link"):
        Symlink(place, "x", force=True).check()
    assert place.lstat().st_ino == inode
    assert os.listdir(tmp_path) == ["f"]


def test_absent_refuses_directories_and_devices(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match=r"is a directory; to remove it, declare r\.directory"):
        File(tmp_path, state="absent").check()
    with pytest.raises(ResourceError, match="is a character device; converge does not remove devices"):
        File("/dev/null", state="absent").check()


def test_a_file_on_the_way_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    with pytest.raises(ResourceError, match=f"{tmp_path}/f is not a directory"):
        File(tmp_path / "f" / "g", content="x", parents=True).check()
