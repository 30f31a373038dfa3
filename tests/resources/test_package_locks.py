"""Who holds a package manager's lock: real locks of real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from converge.resources.package import locks

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="these package managers are Linux'")

FCNTL = "fcntl.lockf(file, fcntl.LOCK_EX)"
FLOCK = "fcntl.flock(file, fcntl.LOCK_EX)"
HOLDER = "import fcntl, os, sys\nfile = open(sys.argv[1], 'a')\n{}\nprint(os.getpid(), flush=True)\nsys.stdin.read()\n"


@pytest.fixture
def held() -> Iterator[Callable[..., int]]:
    """Locks a file in another process, which is ours or not; returns its number."""
    running: list[subprocess.Popen[bytes]] = []

    def hold(path: Path, how: str = FCNTL, *, ours: bool = False) -> int:
        path.parent.mkdir(parents=True, exist_ok=True)
        command = [*([] if ours else ["setsid", "--fork"]), sys.executable, "-c", HOLDER.format(how), str(path)]
        running.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        out = running[-1].stdout
        assert out is not None
        pid = int(out.readline())
        if not ours:  # its starter, our child, has to have ended
            running[-1].wait(10)
        return pid

    yield hold
    for process in running:
        process.communicate()


def test_nobody(tmp_path: Path) -> None:
    assert locks.holder(str(tmp_path)) is None


@pytest.mark.parametrize(
    ("path", "how"),
    [
        ("var/lib/dpkg/lock-frontend", FCNTL), ("var/lib/dpkg/lock", FCNTL), ("var/lib/rpm/.rpm.lock", FCNTL),
        ("lib/apk/db/lock", FLOCK),
    ],
)  # fmt: skip
def test_a_lock_of_the_kernel(tmp_path: Path, held: Callable[..., int], path: str, how: str) -> None:
    pid = held(tmp_path / path, how)
    said = locks.holder(str(tmp_path))
    assert said is not None
    assert said.endswith(f"(process {pid})")
    assert said.startswith("python")


def test_what_we_started_ourselves_does_not_count(tmp_path: Path, held: Callable[..., int]) -> None:
    pid = held(tmp_path / "var/lib/dpkg/lock", ours=True)
    assert locks._locked_by(str(tmp_path / "var/lib/dpkg/lock")) == pid
    assert locks.holder(str(tmp_path)) is None


def test_who_may_not_read_the_file_still_learns_it(tmp_path: Path, held: Callable[..., int]) -> None:
    pid = held(tmp_path / "lock")
    assert locks._listed(str(tmp_path / "lock")) == pid


def test_a_reader_of_the_database_is_no_holder(tmp_path: Path, held: Callable[..., int]) -> None:
    held(tmp_path / "var/lib/rpm/.rpm.lock", "file = open(sys.argv[1], 'r+'); fcntl.lockf(file, fcntl.LOCK_SH)")
    assert locks.holder(str(tmp_path)) is None


def test_files_that_name_a_process(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    file = tmp_path / "run/zypp.pid"
    file.write_text("1\n")
    said = locks.holder(str(tmp_path))
    assert said is not None
    assert said.endswith("(process 1)")
    for text in (f"{os.getpid()}\n", "4194999\n", "", "x", "-1"):
        file.write_text(text)
        assert locks.holder(str(tmp_path)) is None, text


def test_pacman(tmp_path: Path) -> None:
    file = tmp_path / "var/lib/pacman/db.lck"
    file.parent.mkdir(parents=True)
    file.touch()
    said = locks.holder(str(tmp_path))
    assert said is not None
    assert "db.lck" in said
    program = tmp_path / "pacman"
    program.symlink_to("/bin/sleep")
    child = subprocess.Popen([program, "60"])
    try:
        deadline = time.monotonic() + 10
        while locks.holder(str(tmp_path)) is not None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert locks.holder(str(tmp_path)) is None, "it is our own"
    finally:
        child.kill()
        child.wait()
