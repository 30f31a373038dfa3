"""Full and read-only file systems, immutable files, and being killed at any moment."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from converge.core.change import IN_SYNC
from converge.core.errors import ResourceError
from converge.core.ownership import NOTHING
from converge.resources.file import Directory, File, Symlink

OLD, NEW = "old\n" * 5000, "new\n" * 7000


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    place = tmp_path / "small"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], check=False, capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"cannot mount a tmpfs: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_full_file_system_keeps_the_old_file(small: Path) -> None:
    (small / "f").write_text("old")
    file = File(small / "f", content=os.urandom(2 << 20))
    with pytest.raises(ResourceError, match=f"{small}/f: no space is left on the file system"):
        file.apply(file.check())
    assert (small / "f").read_text() == "old"
    assert os.listdir(small) == ["f"]


def test_one_file_too_big_does_not_fail_its_neighbours(small: Path) -> None:
    files = [File(small / name, content=b"x" * size) for name, size in (("a", 10), ("b", 1 << 20), ("c", 10))]
    work = [
        (file, state) for file, state in zip(files, File.check_many(files), strict=True) if isinstance(state, tuple)
    ]
    results = list(File.apply_many(work))
    assert [type(result) for result in results] == [type(None), ResourceError, type(None)]
    assert sorted(os.listdir(small)) == ["a", "c"]


def test_backup_that_does_not_fit(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (small / "state").mkdir(mode=0o700)
    monkeypatch.setenv("CONVERGE_STATE_DIR", str(small / "state"))
    (tmp_path / "f").write_bytes(os.urandom(2 << 20))
    file = File(tmp_path / "f", content="x", backup=True)
    with pytest.raises(ResourceError, match=r"nothing was changed, since no backup can be made: .* no space is left"):
        file.apply(file.check())
    assert os.listdir(small / "state" / "backups") == []
    assert (tmp_path / "f").stat().st_size == 2 << 20


def test_read_only_file_system(small: Path) -> None:
    (small / "f").write_text("old")
    subprocess.run(["mount", "-o", "remount,ro", small], check=True)
    for resource in (
        File(small / "f", content="new"),
        File(small / "f", mode=0o600),
        File(small / "f", state="absent"),
        Directory(small / "d"),
        Symlink(small / "l", "t"),
    ):
        with pytest.raises(ResourceError, match=f"{small}/.: the file system is read-only"):
            resource.apply(resource.check())


def test_mounted_file_systems_are_neither_purged_nor_removed(small: Path) -> None:
    (small / "precious").write_text("x")
    top = small.parent
    assert Directory(top, purge=True).with_ownership(NOTHING).check() == IN_SYNC
    with pytest.raises(ResourceError, match="has a file system mounted in it; unmount that first"):
        gone = Directory(top, state="absent", force=True)
        gone.apply(gone.check())
    busy = Directory(small, state="absent")
    with pytest.raises(ResourceError, match="it is in use as a mount point"):
        busy.apply(busy.check())
    assert (small / "precious").exists()


@pytest.mark.parametrize(("flag", "said"), [("i", "is immutable (chattr -i"), ("a", "is append-only (chattr -a")])
def test_frozen_file(tmp_path: Path, flag: str, said: str) -> None:
    place = tmp_path / "f"
    place.write_text("old")
    done = subprocess.run(["chattr", f"+{flag}", place], check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"cannot set attributes here: {done.stderr.strip()}")
    try:
        for file in (File(place, content="new"), File(place, mode=0o600), File(place, state="absent")):
            with pytest.raises(ResourceError) as caught:
                file.apply(file.check())
            assert said in str(caught.value)
        assert os.listdir(tmp_path) == ["f"]
    finally:
        subprocess.run(["chattr", f"-{flag}", place], check=True)


def test_frozen_directory(tmp_path: Path) -> None:
    done = subprocess.run(["chattr", "+i", tmp_path], check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"cannot set attributes here: {done.stderr.strip()}")
    try:
        for resource in (File(tmp_path / "f"), Directory(tmp_path / "d"), Symlink(tmp_path / "l", "t")):
            with pytest.raises(ResourceError, match=f"{tmp_path} is immutable"):
                resource.apply(resource.check())
    finally:
        subprocess.run(["chattr", "-i", tmp_path], check=True)


def test_tidy_removes_our_left_overs_and_nothing_else(tmp_path: Path) -> None:
    long = "n" * 250
    ours = [".conf.converge-0123abcd", f".{'n' * 236}.converge-00000000", ".link.converge-ffffffff"]
    others = [".conf.converge-0123abc", ".other.converge-0123abcd", "conf.converge-0123abcd", ".conf.converge-ABCDEFGH"]
    for name in (*ours[:2], *others):
        (tmp_path / name).write_text("x")
    (tmp_path / ours[2]).symlink_to("x")
    (tmp_path / ".conf.converge-dddddddd").mkdir()
    managed = ".conf.converge-aaaaaaaa"
    (tmp_path / managed).write_text("declared")
    File.tidy_many([File(tmp_path / name) for name in ("conf", long, managed)] + [File("/no/such/f")])
    assert set(os.listdir(tmp_path)) == {*others, ours[2], ".conf.converge-dddddddd", managed}
    Symlink.tidy_many([Symlink(tmp_path / "link", "x")])
    assert ours[2] not in os.listdir(tmp_path)


KILLED = """
import sys
from converge.resources.file import File, Symlink
place, old, new = sys.argv[1], "old\\n" * 5000, "new\\n" * 7000
print("ready", flush=True)
while True:
    for content, target in ((new, "new"), (old, "old")):
        for resource in (File(place, content=content, mode=0o640), Symlink(place + "-link", target)):
            resource.apply(resource.check())
"""


def test_killed_at_any_moment_a_file_is_old_or_new(tmp_path: Path) -> None:
    place, link = tmp_path / "f", tmp_path / "f-link"
    for resource in (File(place, content=OLD, mode=0o640), Symlink(link, "old")):
        resource.apply(resource.check())
    chance = random.Random(7)
    left_over = 0
    for _ in range(100):
        process = subprocess.Popen([sys.executable, "-c", KILLED, str(place)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.random() * 0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert place.read_text() in (OLD, NEW)
        assert place.stat().st_mode & 0o7777 == 0o640
        assert os.readlink(link) in ("old", "new")
        left_over += len(os.listdir(tmp_path)) - 2
        File.tidy_many([File(place)])
        Symlink.tidy_many([Symlink(link, "x")])
        assert sorted(os.listdir(tmp_path)) == ["f", "f-link"]
    assert left_over, "no kill hit an unfinished file, so this test has shown nothing"
