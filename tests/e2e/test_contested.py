"""Somebody else who changes a file between our repair and the look after it: drift, and no failure of ours."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .conftest import Place

# What the template says changes as soon as there is a file, and so between the repair and the look after it.
WANTED = """
class Wanted:
    def __str__(self) -> str:
        {body}
"""


def test_what_became_another_while_it_was_repaired_is_put_right_without_a_failure(place: Place) -> None:
    (place.blueprints / "t.j2").write_text("{{ x }}")
    place.declare(
        'r.file(HERE / "a", template="t.j2", vars={"x": Wanted()})',
        before=WANTED.format(body='return "second" if (HERE / "a").exists() else "first"'),
    )
    daemon = place.serve()
    assert (place.managed / "a").read_text() == "second"
    assert [event["status"] for event in daemon.outcomes(place.managed / "a")] == ["changed"]


def test_what_was_undone_again_at_once_is_put_right_without_a_failure(place: Place) -> None:
    place.declare(
        """
        r.exec("make", f"test -e {HERE}/tried && touch {HERE}/made; touch {HERE}/tried", shell=True,
               creates=f"{HERE}/made", limit=1000)
        """
    )
    (place.managed / "tried").touch()
    daemon = place.serve()
    since = len(daemon.events)
    (place.managed / "tried").unlink()
    (place.managed / "made").unlink()  # and the first attempt to bring it back is in vain
    daemon.until((place.managed / "made").exists)
    daemon.outcome("exec:make", "changed", since)
    assert [event["status"] for event in daemon.events[since:]] == ["changed"]


def test_what_becomes_another_each_time_is_a_failure_soon(place: Place) -> None:
    (place.blueprints / "t.j2").write_text("{{ x }}")
    place.declare(
        'r.file(HERE / "a", template="t.j2", vars={"x": Wanted()})',
        before="import itertools\ncount = itertools.count()\n" + WANTED.format(body="return str(next(count))"),
    )
    said = place.once("--out", "json", "--max-retries", "0")
    (only,) = said.json()["resources"]
    assert only["status"] == "failed"
    assert "did not converge" in only["error"]
    assert int((place.managed / "a").read_text()) < 15


def test_two_who_fight_over_a_file_end_with_the_one_that_stays(place: Place) -> None:
    place.declare('r.file(HERE / "a", content="ours", limit=1000)\nr.file(HERE / "other", content="x", limit=1000)')
    daemon = place.serve()
    stop = threading.Event()

    def fight() -> None:
        while not stop.is_set():
            new = place.managed / "theirs"
            new.write_text("theirs")
            new.rename(place.managed / "a")

    thread = threading.Thread(target=fight)
    thread.start()
    try:
        for _ in range(5):
            (place.managed / "other").unlink()
            daemon.until((place.managed / "other").exists, "the other one is repaired meanwhile")
    finally:
        stop.set()
        thread.join()
    daemon.until_reads(place.managed / "a", "ours")


def test_what_changed_while_the_daemon_was_stopped_is_put_right_when_it_goes_on(place: Place) -> None:
    place.declare('for n in range(200):\n    r.file(HERE / str(n), content="right", limit=1000)')
    daemon = place.serve()
    daemon.signal(signal.SIGSTOP)
    for number in range(200):
        (place.managed / str(number)).write_text("tampered")
    daemon.signal(signal.SIGCONT)
    daemon.until(lambda: all((place.managed / str(n)).read_text() == "right" for n in range(200)))


def _is_watched(pid: int, path: Path) -> bool:
    """Whether the file that is there now has a watch of its own, as the kernel tells it (proc(5), fdinfo)."""
    wanted = f" ino:{path.stat().st_ino:x} "
    return any(wanted in _text(info) for info in Path(f"/proc/{pid}/fdinfo").iterdir())


def _text(info: Path) -> str:
    try:
        return info.read_text()
    except FileNotFoundError:  # it was closed a moment ago
        return ""


def _stands_still(task: Path) -> bool:
    return (task / "stat").read_text().rpartition(")")[2].split()[0] == "T"


def test_a_kernel_queue_that_overflows_loses_nothing(place: Place) -> None:
    with open("/proc/sys/fs/inotify/max_queued_events") as file:
        most = int(file.read())
    place.declare('for name in ("a", "b", "last"):\n    r.file(HERE / name, content="right", limit=1000)')
    daemon = place.serve()
    daemon.until(lambda: all(_is_watched(daemon.pid, place.managed / name) for name in ("a", "b")))
    daemon.signal(signal.SIGSTOP)
    daemon.until(lambda: all(_stands_still(task) for task in Path(f"/proc/{daemon.pid}/task").iterdir()))
    handles = [os.open(place.managed / name, os.O_WRONLY) for name in ("a", "b")]
    for number in range(most + 100):  # equal events that follow each other would be one, so they alternate
        os.pwrite(handles[number % 2], b"wrong", 0)
    for handle in handles:
        os.close(handle)
    (place.managed / "last").write_text("when the queue is full")
    daemon.signal(signal.SIGCONT)
    daemon.until(lambda: all((place.managed / name).read_text() == "right" for name in ("a", "b", "last")))
    daemon.notice("overflowed")


def test_two_resources_that_undo_each_other_are_named_together_and_left_alone(place: Place) -> None:
    place.declare(
        """
        r.file(HERE / "a", content="x")
        r.exec("b", f"echo y > {HERE}/a; echo ran >> {HERE}/log", shell=True, unless=f"grep -q y {HERE}/a",
               watch=[f"{HERE}/a"])
        r.file(HERE / "other", content="x", limit=1000)
        """
    )
    daemon = place.serve()

    def named() -> list[str]:
        errors = [str(event.get("error")) for event in daemon.events if event.get("status") == "failed"]
        return [error for error in errors if "undo each other; one of them has to go" in error]

    daemon.until(named, "they are named")
    (error,) = named()
    assert f"file:{place.managed}/a ({place.site}:" in error
    assert f"exec:b ({place.site}:" in error
    ran = len((place.managed / "log").read_text().splitlines())
    assert ran <= 4
    (place.managed / "other").write_text("tampered")
    daemon.until_reads(place.managed / "other", "x")
    assert len((place.managed / "log").read_text().splitlines()) == ran
    assert len(named()) == 1
    place.declare('r.file(HERE / "a", content="z")')
    daemon.until_reads(place.managed / "a", "z")
