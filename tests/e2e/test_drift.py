"""What people and programs do to a managed file while the daemon serves, and that it is put right, alone and once."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Daemon, Place

CONTENT = "first\nsecond\n"
SITE = f"""
    r.file(HERE / "file", content={CONTENT!r}, mode=0o640, limit=1000)
    r.file(HERE / "other", content="other", limit=1000)
    r.file(HERE / "marker", content="marker", limit=1000)
"""


@pytest.fixture
def daemon(place: Place) -> Daemon:
    place.declare(SITE)
    return place.serve()


def right(path: Path) -> bool:
    try:
        status = path.lstat()
        return stat.S_ISREG(status.st_mode) and stat.S_IMODE(status.st_mode) == 0o640 and path.read_text() == CONTENT
    except FileNotFoundError:
        return False


def overwrite(path: Path) -> None:
    path.write_text("tampered")


def truncate_and_append(path: Path) -> None:
    os.truncate(path, 0)
    with path.open("a") as file:
        file.write("more")


def sed_in_place(path: Path) -> None:
    subprocess.run(["sed", "-i", "s/first/1st/", str(path)], check=True)


def editor_that_renames(path: Path) -> None:
    new = path.with_name(".file.swp~")
    new.write_text("edited")
    new.rename(path)


def editor_that_keeps_a_backup(path: Path) -> None:
    path.rename(path.with_name("file~"))
    path.write_text("edited")


def chmod(path: Path) -> None:
    path.chmod(0o777)


def rm(path: Path) -> None:
    path.unlink()


def move_away(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))


def replace_by_a_link(path: Path) -> None:
    (path.parent / "victim").write_text("victim")
    path.unlink()
    path.symlink_to("victim")


def write_through_a_hard_link(path: Path) -> None:
    other = path.with_name("link")
    os.link(path, other)
    other.write_text("through the other name")


def shell_redirection(path: Path) -> None:
    subprocess.run(["sh", "-c", f"echo x > {path}; echo y >> {path}; : > {path}; echo z >> {path}"], check=True)


TAMPERINGS = [
    overwrite, truncate_and_append, sed_in_place, editor_that_renames, editor_that_keeps_a_backup, chmod, rm, move_away,
    replace_by_a_link, write_through_a_hard_link, shell_redirection,
]  # fmt: skip


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda tamper: tamper.__name__)
def test_it_is_put_right(place: Place, daemon: Daemon, tamper: Callable[[Path], None]) -> None:
    tamper(place.managed / "file")
    daemon.until(lambda: right(place.managed / "file"), "the file is right")
    daemon.outcome(place.managed / "file", "changed", since=5)
    assert {event["id"] for event in daemon.events[5:]} == {f"file:{place.managed / 'file'}"}
    if tamper is replace_by_a_link:
        assert (place.managed / "victim").read_text() == "victim"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can chown")
def test_an_owner_and_a_group_are_given_back(place: Place) -> None:
    place.declare('r.file(HERE / "file", content="x", owner=0, group="root")\nr.directory(HERE / "dir", owner="root")')
    daemon = place.serve()
    for name in ("file", "dir"):
        os.chown(place.managed / name, 12345, 12345)
        daemon.outcome(place.managed / name, "changed", since=4)
        assert (place.managed / name).stat().st_uid == 0
    assert (place.managed / "file").stat().st_gid == 0
    assert daemon.outcome(place.managed / "file", "changed", since=4)["changes"] == [
        {"property": "owner", "from": "uid 12345", "to": "0", "action": "update"},
        {"property": "group", "from": "gid 12345", "to": "root", "action": "update"},
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can chown")
def test_ownership_of_all_that_is_below_is_given_back(place: Place) -> None:
    (place.managed / "dir/deep/deeper").mkdir(parents=True)
    (place.managed / "dir/deep/deeper/file").touch()
    (place.managed / "dir/link").symlink_to("/etc/hostname")
    os.chown(place.managed / "dir/deep", 12345, 12345)
    place.declare('r.directory(HERE / "dir", owner="nobody", recurse=True, limit=1000)')
    daemon = place.serve()
    all_of_it = [place.managed / "dir", *(place.managed / "dir").rglob("*")]
    assert {path.lstat().st_uid for path in all_of_it} == {65534}
    assert os.stat("/etc/hostname").st_uid == 0
    os.chown(place.managed / "dir/deep/deeper/file", 12345, -1)
    daemon.until(lambda: (place.managed / "dir/deep/deeper/file").stat().st_uid == 65534)
    (place.managed / "dir/deep/new").write_text("x")
    daemon.until(lambda: (place.managed / "dir/deep/new").stat().st_uid == 65534)


def test_what_is_right_already_is_neither_repaired_nor_mentioned(place: Place, daemon: Daemon) -> None:
    file = place.managed / "file"
    before = file.stat()
    os.utime(file)
    file.chmod(0o640)
    file.write_text(CONTENT)
    overwrite(place.managed / "marker")
    daemon.outcome(place.managed / "marker", "changed", since=5)
    overwrite(place.managed / "marker")  # is noticed after the second look at the file, which comes half a second later
    daemon.until(lambda: len(daemon.events) > 6)
    assert not daemon.outcomes(file, since=5)
    assert file.stat().st_ino == before.st_ino


def test_a_repair_wakes_nothing_again(place: Place, daemon: Daemon) -> None:
    file = place.managed / "file"
    overwrite(file)
    daemon.outcome(file, "changed", since=5)
    repaired = file.stat()
    for _ in range(3):  # the second comes when the first one's window ends, and so after that of the file
        since = len(daemon.events)
        overwrite(place.managed / "marker")
        daemon.outcome(place.managed / "marker", "changed", since)
    assert [event["id"] for event in daemon.events[5:]] == [f"file:{file}", *[f"file:{place.managed / 'marker'}"] * 3]
    assert (file.stat().st_ino, file.stat().st_ctime_ns) == (repaired.st_ino, repaired.st_ctime_ns)


def test_a_directory_in_its_place_is_an_error_and_the_others_go_on(place: Place, daemon: Daemon) -> None:
    file = place.managed / "file"
    file.unlink()
    daemon.until(lambda: right(file))
    since = len(daemon.events)

    def swapped() -> bool:
        shutil.rmtree(file) if file.is_dir() else file.unlink(missing_ok=True)
        try:
            file.mkdir()
        except FileExistsError:
            return False
        return True

    daemon.until(swapped)
    failed = daemon.outcome(file, "failed", since)
    assert failed["error"] == f"{file} is a directory; it is not replaced by a file; remove it or choose another path"
    overwrite(place.managed / "other")
    daemon.until_reads(place.managed / "other", "other")
    file.rmdir()
    daemon.until(lambda: right(file))


def test_a_writer_that_keeps_the_file_open_and_writes_on(place: Place, daemon: Daemon) -> None:
    file = place.managed / "file"
    with file.open("a") as writer:
        for number in range(3):
            writer.write(f"line {number}\n")
            writer.flush()
            daemon.until(lambda: right(file), "the file is right")
        writer.write("into what nobody sees any more\n")
    overwrite(place.managed / "marker")
    daemon.outcome(place.managed / "marker", "changed", since=5)
    assert right(file)


def test_content_none_leaves_the_content_alone_and_an_empty_one_empties(place: Place) -> None:
    place.declare(
        """
        r.file(HERE / "any", mode=0o600, limit=1000)
        r.file(HERE / "empty", content="", limit=1000)
        r.file(HERE / "marker", content="marker", limit=1000)
        """
    )
    for name in ("any", "empty"):
        (place.managed / name).write_text("something")
    daemon = place.serve()
    assert (place.managed / "any").read_text() == "something"
    assert (place.managed / "empty").read_text() == ""
    since = len(daemon.events)
    (place.managed / "any").write_text("something else")
    (place.managed / "empty").write_text("something else")
    daemon.until_reads(place.managed / "empty", "")
    for _ in range(2):
        overwrite(place.managed / "marker")
        daemon.until_reads(place.managed / "marker", "marker")
    assert (place.managed / "any").read_text() == "something else"
    assert not daemon.outcomes(place.managed / "any", since)
    (place.managed / "any").unlink()
    daemon.outcome(place.managed / "any", "changed", since)
    assert (place.managed / "any").read_bytes() == b""
    assert stat.S_IMODE((place.managed / "any").stat().st_mode) == 0o600


def test_a_link_that_was_bent_is_straightened(place: Place) -> None:
    place.declare('r.symlink(HERE / "link", "target", limit=1000)')
    daemon = place.serve()
    link = place.managed / "link"
    link.unlink()
    daemon.until(link.is_symlink)
    (place.managed / "other").symlink_to("elsewhere")
    (place.managed / "other").rename(link)
    daemon.until(lambda: os.readlink(link) == "target")
    link.unlink()
    link.write_text("a file")
    assert "set force=True" in daemon.outcome(link, "failed")["error"]
    assert link.read_text() == "a file"
