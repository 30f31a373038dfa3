"""A mount whose server is gone: everything else is kept right, and the daemon can be stopped."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .hung import hung_mount

if TYPE_CHECKING:
    from .conftest import Daemon, Place

SITE = """
    for n in range(20):
        r.file(HERE / f"file{n}", content="x", limit=1000)
    r.directory(HERE / "mnt/dir", purge=True)
    r.file(HERE / "mnt/dir/there", content="x")
    r.symlink(HERE / "mnt/link", "there")
    r.file(HERE / "behind/a/link", content="x")
    r.exec("there", f"ls {HERE}/mnt", unless=f"test -e {HERE}/mnt/x")
    r.file(HERE / "waits", content="x", condition=file_exists(str(HERE / "mnt/condition")))
    r.archive(f"{HERE}/mnt/unpacked", source=f"{HERE}/mnt/archive.tar", checksum="sha256:" + "0" * 64)
"""


@pytest.fixture
def hung(place: Place) -> Iterator[Path]:
    point = place.managed / "mnt"
    point.mkdir()
    (place.managed / "behind").symlink_to(point)
    with hung_mount(point):
        yield point


def right(place: Place) -> bool:
    files = [place.managed / f"file{n}" for n in range(20)]
    return all(file.exists() and file.read_text() == "x" for file in files)


def ended_at_once(daemon: Daemon) -> int:
    began = time.monotonic()
    code = daemon.ended()
    assert time.monotonic() - began < 5
    return code


@pytest.mark.parametrize("end", ["once", "twice"])
def test_what_is_elsewhere_is_put_right_and_kept_so(place: Place, hung: Path, end: str) -> None:
    place.declare(SITE)
    daemon = place.start("--out", "json", "--resource-timeout", "2s")
    daemon.until(lambda: right(place), "what is elsewhere is right")
    for n in range(3):
        (place.managed / f"file{n}").write_text("tampered")
        daemon.until_reads(place.managed / f"file{n}", "x")
    daemon.signal(signal.SIGTERM)
    if end == "twice":
        time.sleep(0.1)
        daemon.signal(signal.SIGTERM)
    assert ended_at_once(daemon) == 0


def test_one_that_hangs_while_it_runs_holds_up_nothing_else(place: Place) -> None:
    point = place.managed / "mnt"
    point.mkdir()
    place.declare(
        """
        for n in range(20):
            r.file(HERE / f"file{n}", content="x", limit=1000)
        r.file(HERE / "mnt/there", content="x", limit=1000)
        """
    )
    daemon = place.serve("--resource-timeout", "2s")
    with hung_mount(point):
        for n in range(20):
            (place.managed / f"file{n}").write_text("tampered")
            daemon.until_reads(place.managed / f"file{n}", "x")
        daemon.signal(signal.SIGHUP)
        daemon.until(lambda: any("again" in text for text in daemon.notices("info")), "it is loaded again")
        daemon.signal(signal.SIGTERM)
        assert ended_at_once(daemon) == 0


@pytest.mark.parametrize(
    "elsewhere",
    [
        'r.file(HERE / "mnt/dir/there", content="x")',
        'r.exec("there", "true", creates=f"{HERE}/mnt/built")',
        'r.exec("there", "true", creates=f"{HERE}/mnt")',
        'r.git(f"{HERE}/behind/checkout", "https://localhost/x.git", revision="main")',
    ],
)
@pytest.mark.parametrize(
    "declared", ['"top", purge=True', '"top", recurse=True, owner=0', '"top", state="absent", force=True']
)
def test_what_others_own_on_a_mount_that_hangs_holds_up_no_purge(
    place: Place, hung: Path, declared: str, elsewhere: str
) -> None:
    place.declare(f"{elsewhere}\nr.directory(HERE / {declared}, limit=1000)")
    top = place.managed / "top"
    top.mkdir()
    (top / "stray").write_text("x")
    os.chown(top / "stray", 1, 1)
    daemon = place.start("--out", "json", "--resource-timeout", "2s")
    daemon.until(
        lambda: not (top / "stray").exists() or (top / "stray").stat().st_uid == 0, "the directory is put right"
    )
    daemon.signal(signal.SIGTERM)
    assert ended_at_once(daemon) == 0


def test_a_blueprint_whose_folder_hangs_keeps_the_one_before_in_force(place: Place) -> None:
    place.declare('r.file(HERE / "a", content="x", limit=1000)')
    daemon = place.serve("--resource-timeout", "2s")
    with hung_mount(place.blueprints):
        daemon.signal(signal.SIGHUP)
        daemon.until(lambda: daemon.notices("error"), "it is given up")
        (place.managed / "a").write_text("tampered")
        daemon.until_reads(place.managed / "a", "x")
        daemon.signal(signal.SIGTERM)
        assert ended_at_once(daemon) == 0


HANGS = """
from dataclasses import dataclass
from typing import ClassVar
from converge.core.resource import Resource

@dataclass(frozen=True, slots=True)
class Hangs(Resource):
    kind: ClassVar[str] = "hangs"
    name: str

    def identity(self):
        return self.name

    def check(self):
        return ()

    def {method}(self, *args):
        import ctypes
        ctypes.{library}(None).sleep(60)

    @classmethod
    def tidy_many(cls, resources):
        "{method}" == "tidy" and resources[0].tidy()
"""


@pytest.mark.parametrize("method", ["check", "tidy", "triggers"])
def test_a_second_signal_ends_a_daemon_in_which_anything_hangs(place: Place, method: str) -> None:
    """Also where it is the loop itself that hangs, in a call that lets no signal in."""
    place.declare(
        f'r.declare(Hangs, "a")\nr.file({str(place.managed / "begun")!r}, content="x")',
        before=HANGS.format(method=method, library="CDLL"),
    )
    daemon = place.start("--out", "json")
    daemon.until(lambda: daemon.lines, "it began")
    time.sleep(0.3)  # until it hangs; sooner, it would only end sooner
    daemon.signal(signal.SIGTERM)
    time.sleep(0.1)
    if daemon.process.poll() is None:
        os.kill(daemon.pid, signal.SIGTERM)
    assert ended_at_once(daemon) == 0
