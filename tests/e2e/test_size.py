"""Large files, and many of them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .conftest import Place

MEGABYTES = 10


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_of_ten_megabytes_is_compared_written_and_repaired(place: Place) -> None:
    source = place.blueprints / "big"
    source.write_bytes(os.urandom(1_000_000) * MEGABYTES)
    place.declare(
        'r.file(HERE / "big", source="big", limit=1000)\nr.file(HERE / "text", content="line\\n" * 2_000_000)'
    )
    plan = place.plan("--out", "json")
    (big,) = (each for each in plan.json()["resources"] if each["id"].endswith("/big"))
    assert big["changes"][0]["to"] == f"10.0 MB, sha256:{digest(source)[:12]}"
    assert len(plan.out) < 10_000
    daemon = place.serve()
    assert digest(place.managed / "big") == digest(source)
    assert (place.managed / "text").stat().st_size == 10_000_000
    with (place.managed / "big").open("r+b") as file:
        file.seek(9_999_999)
        last = file.read(1)
        file.seek(9_999_999)
        file.write(bytes([last[0] ^ 1]))
    daemon.until(lambda: digest(place.managed / "big") == digest(source), "one changed bit is put right")
    assert daemon.stop() == 0
    assert set(place.once("--out", "json").statuses().values()) == {"ok"}


def test_a_diff_of_long_files_is_shortened_with_a_count(place: Place) -> None:
    place.declare('r.file(HERE / "a", content="".join(f"new {n}\\n" for n in range(1000)))')
    (place.managed / "a").write_text("".join(f"old {n}\n" for n in range(1000)))
    out = place.plan().out
    assert len(out.splitlines()) < 100
    assert "more lines" in out


def test_two_thousand_resources_in_one_blueprint(place: Place) -> None:
    place.declare(
        """
        for d in range(20):
            r.directory(HERE / f"d{d}")
            for n in range(99):
                r.file(HERE / f"d{d}/f{n}", content=f"{d} {n}")
        """
    )
    assert place.plan("--out", "json").json()["summary"]["pending"] == 2000
    daemon = place.serve()
    assert daemon.events[-1]["total"] == 2000
    assert sum(1 for _ in place.managed.rglob("f*")) == 1980
    since = len(daemon.events)
    victims = [place.managed / f"d{d}/f{d}" for d in range(20)]
    for victim in victims:
        victim.write_text("tampered")
    daemon.until(lambda: all(path.read_text() == f"{d} {d}" for d, path in enumerate(victims)), "all are right")
    daemon.until(lambda: len(daemon.events) >= since + 20)
    assert {event["id"] for event in daemon.events[since:]} == {f"file:{path}" for path in victims}
    assert daemon.stop() == 0
    assert daemon.events[-1]["summary"]["total"] == 2000
    assert place.once("--out", "json").json()["summary"]["ok"] == 2000
