"""The system has no more threads, processes or descriptors: that is weather, and no failure."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from .test_unprivileged import nobodys_place

if TYPE_CHECKING:
    from .conftest import Daemon, Place

__all__ = ["nobodys_place"]

NUMBER = 61234
"""A user whom nobody else uses: what counts is how many processes and threads they have in all."""
SITE = """
    for n in range(300):
        r.file(HERE / f"dir{n % 20}/file{n}", content="x", limit=1000, parents=True)
    r.exec("job", f"touch {HERE}/ran", creates=f"{HERE}/ran")
"""


@pytest.fixture
def poor(nobodys_place: Place) -> Place:
    place = nobodys_place
    place.user = NUMBER
    for folder in (place.managed, place.blueprints, place.root):
        os.chown(folder, NUMBER, NUMBER)
    return place


def right(place: Place) -> bool:
    files = [place.managed / f"dir{n % 20}/file{n}" for n in range(300)]
    return all(file.exists() and file.read_text() == "x" for file in files)


def allow(daemon: Daemon, processes: int) -> None:
    """By the user: even root may need a capability to change the limits of others."""
    command = ["prlimit", f"--pid={daemon.pid}", f"--nproc={processes}:1000"]
    subprocess.run(command, check=True, user=NUMBER, group=NUMBER, extra_groups=[])


def failures(daemon: Daemon) -> list[object]:
    return [event for event in daemon.events if event.get("status") == "failed"]


@pytest.mark.parametrize("most", [1, 2, 4])
def test_without_more_threads_all_is_put_right_and_it_is_said_once(poor: Place, most: int) -> None:
    poor.declare(SITE)
    poor.python = ["prlimit", f"--nproc={most}:1000", *poor.python]
    daemon = poor.start("--out", "json")
    daemon.until(lambda: right(poor), "all files are right")
    (poor.managed / "dir0/file0").write_text("tampered")
    daemon.until_reads(poor.managed / "dir0/file0", "x")
    said = [text for text in daemon.notices("warning") if "no more threads" in text or "no more processes" in text]
    assert len(said) == 1
    assert not failures(daemon)
    assert not (poor.managed / "ran").exists()
    allow(daemon, 1000)
    daemon.until((poor.managed / "ran").exists, "the command runs once there are processes")
    daemon.watching()
    assert not failures(daemon)
    assert daemon.stop() == 0


def test_a_reload_waits_for_a_process(poor: Place) -> None:
    poor.declare('r.file(HERE / "a", content="one", limit=1000)')
    poor.python = ["prlimit", "--nproc=1000:1000", *poor.python]
    daemon = poor.serve()
    allow(daemon, 1)
    poor.declare('r.file(HERE / "a", content="two", limit=1000)')
    os.chown(poor.site, NUMBER, NUMBER)
    daemon.until(lambda: any("cannot be loaded again now" in text for text in daemon.notices()), "it is put off")
    (poor.managed / "a").write_text("tampered")
    daemon.until_reads(poor.managed / "a", "one")
    allow(daemon, 1000)
    daemon.until_reads(poor.managed / "a", "two")
    assert daemon.stop() == 0


@pytest.mark.parametrize("most", [24, 40, 64])
def test_without_more_descriptors_all_is_put_right_in_smaller_steps(poor: Place, most: int) -> None:
    poor.declare(SITE)
    poor.python = ["prlimit", f"--nofile={most}:{most}", *poor.python]
    daemon = poor.start("--out", "json")
    daemon.until(lambda: right(poor), "all files are right")
    daemon.until((poor.managed / "ran").exists, "the command has run")
    (poor.managed / "dir0/file0").write_text("tampered")
    daemon.until_reads(poor.managed / "dir0/file0", "x")
    daemon.watching()
    assert not failures(daemon)
    daemon.signal(signal.SIGTERM)
    assert daemon.ended() == 0


def test_plan_makes_do_with_few_descriptors(poor: Place) -> None:
    poor.declare(SITE)
    poor.python = ["prlimit", "--nofile=24:24", *poor.python]
    statuses = poor.plan("--out", "json").statuses()
    assert set(statuses.values()) == {"pending"}
