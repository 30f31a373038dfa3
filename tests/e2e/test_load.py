"""Many changes at once, and one file that never rests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .conftest import Place


@contextmanager
def flapping(path: Path) -> Iterator[None]:
    """Somebody rewrites this file every 50 ms."""
    stop = threading.Event()

    def flap() -> None:
        while not stop.wait(0.05):
            path.write_text("flap")

    thread = threading.Thread(target=flap)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def when(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["time"]).timestamp()


@pytest.mark.parametrize(("option", "rate"), [("limit=1", 1.0), ("limit=0.3", 0.3)])
def test_a_file_that_flaps_is_limited_holds_up_no_other_and_is_right_in_the_end(
    place: Place, option: str, rate: float
) -> None:
    place.declare(
        f"""
        r.file(HERE / "flaps", content="right", {option})
        for n in range(20):
            r.file(HERE / f"other{{n}}", content="right")
        """
    )
    daemon = place.serve()
    since, flaps = len(daemon.events), place.managed / "flaps"
    with flapping(flaps):
        daemon.until(lambda: len([e for e in daemon.outcomes(flaps, since) if e["status"] == "changed"]) >= 3)
        for number in range(20):
            other = place.managed / f"other{number}"
            other.write_text("tampered")
            daemon.until_reads(other, "right")
        daemon.until(lambda: when(daemon.events[-1]) - when(daemon.events[since]) > 2 or touch(place))
    daemon.until_reads(flaps, "right")
    repairs = [when(event) for event in daemon.outcomes(flaps, since) if event["status"] == "changed"]
    assert len(repairs) <= 3 + rate * (repairs[-1] - repairs[0]) + 1


def touch(place: Place) -> bool:
    """Have the daemon say something, so that its clock is seen."""
    (place.managed / "other1").chmod(0o600)
    return False


@pytest.mark.parametrize("size", [500])
def test_a_burst_over_many_files_leaves_all_of_them_right(place: Place, size: int) -> None:
    place.declare(
        f"""
        for n in range({size}):
            r.file(HERE / str(n), content=f"content {{n}}")
        """
    )
    daemon = place.serve()
    tamper: Callable[[Path], object]
    for tamper in (lambda path: path.write_text("tampered"), Path.unlink, lambda path: path.rename(f"{path}.old")):
        for number in range(size):
            tamper(place.managed / str(number))
        daemon.until(lambda: all(right(place.managed / str(n), n) for n in range(size)), "all are right")
    assert daemon.stop() == 0


def right(path: Path, number: int) -> bool:
    try:
        return path.read_text() == f"content {number}"
    except FileNotFoundError:
        return False


def test_the_last_of_many_writes_is_never_lost(place: Place) -> None:
    place.declare('for n in range(20):\n    r.file(HERE / str(n), content="right", limit=1000)')
    place.serve()
    daemon = place.daemons[0]
    for _ in range(3):
        for number in range(20):
            for text in ("a", "bb", "right", "ccc"):
                (place.managed / str(number)).write_text(text)
        daemon.until(lambda: all((place.managed / str(n)).read_text() == "right" for n in range(20)))
