"""Taking away runs in the reverse order, and takes away no more than was declared."""

from __future__ import annotations

import shutil
import tarfile
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .conftest import Place

SITE = """
    r.directory(HERE / "app", state="{state}")
    r.directory(HERE / "app/conf.d", state="{state}")
    for n in range(10):
        r.file(HERE / f"app/conf.d/{{n}}", state="{state}")
    r.symlink(HERE / "app/link", "conf.d", state="{state}")
"""


def test_files_go_before_their_directories(place: Place) -> None:
    place.declare(SITE.format(state="present"))
    assert place.once("--out", "json").json()["summary"]["changed"] == 13
    place.declare(SITE.format(state="absent"))
    planned = place.plan("--out", "json")
    assert set(planned.statuses().values()) == {"pending"}
    said = place.once("--out", "json")
    assert (said.code, said.json()["summary"]["changed"]) == (0, 13)
    assert not (place.managed / "app").exists()
    ended = [each["id"].removeprefix(f"file:{place.managed}/") for each in said.json()["resources"]]
    assert ended[-2:] == ["app/conf.d", "app"] or ended[-1] == "app"
    assert {each["action"] for each in said.json()["resources"]} == {"remove"}
    assert set(place.once("--out", "json").statuses().values()) == {"ok"}


def test_a_directory_that_is_not_empty_is_an_error_and_stays(place: Place) -> None:
    place.declare('r.directory(HERE / "d", state="absent")\nr.file(HERE / "d/ours", state="absent")')
    (place.managed / "d").mkdir()
    for name in ("ours", "theirs"):
        (place.managed / "d" / name).write_text("x")
    said = place.once("--out", "json", "--max-retries", "0")
    assert said.statuses() == {f"file:{place.managed}/d": "failed", f"file:{place.managed}/d/ours": "changed"}
    failed = next(each for each in said.json()["resources"] if each["status"] == "failed")
    assert failed["error"].endswith("the directory is not empty; set force=True to remove it with all that is in it")
    assert (place.managed / "d/theirs").exists()
    place.declare('r.directory(HERE / "d", state="absent", force=True)')
    assert place.once().code == 0
    assert not (place.managed / "d").exists()


def test_what_is_absent_stays_absent_while_the_daemon_serves(place: Place) -> None:
    place.declare('r.file(HERE / "a", state="absent", limit=1000)\nr.directory(HERE / "d", state="absent", limit=1000)')
    daemon = place.serve()
    for _ in range(2):
        (place.managed / "a").write_text("x")
        (place.managed / "d").mkdir()
        daemon.until(lambda: not (place.managed / "a").exists() and not (place.managed / "d").exists())


def test_purge_removes_what_nobody_manages_and_keeps_doing_so(place: Place) -> None:
    place.declare(
        """
        r.directory(HERE / "d", purge=True, limit=1000)
        r.file(HERE / "d/kept", content="x", limit=1000)
        r.file(HERE / "d/sub/kept", content="x", parents=True, limit=1000)
        """
    )
    (place.managed / "d/stray/deep").mkdir(parents=True)
    (place.managed / "d/stray/deep/file").write_text("x")
    daemon = place.serve()

    def clean() -> bool:
        found = {str(p.relative_to(place.managed)) for p in place.managed.rglob("*") if p.is_file()}
        return found == {"d/kept", "d/sub/kept"} and not (place.managed / "d/stray").exists()

    assert clean()
    (place.managed / "d/sub/stray").write_text("x")
    daemon.until(clean, "a stray file below is gone")
    (place.managed / "d/new").mkdir()
    daemon.until(lambda: not (place.managed / "d/new").exists())
    (place.managed / "d/kept").write_text("tampered")
    daemon.until_reads(place.managed / "d/kept", "x")
    assert clean()


def test_a_backup_keeps_what_was_replaced_or_removed(place: Place) -> None:
    place.declare(
        """
        r.file(HERE / "a", content="new", backup=True)
        r.file(HERE / "b", state="absent", backup=True)
        """
    )
    for name in ("a", "b"):
        (place.managed / name).write_text(f"old {name}")
    assert place.once().code == 0
    kept = sorted((place.root / "state/backups").iterdir())
    assert [path.read_text() for path in kept] == ["old a", "old b"]
    assert place.once().code == 0
    assert len(list((place.root / "state/backups").iterdir())) == 2


def test_an_archive_that_is_removed_while_guarded_is_not_reported_as_other_things(place: Place) -> None:
    with tarfile.open(place.root / "app.tar", "w") as tar:
        for number in range(400):
            tar.addfile(tarfile.TarInfo(f"d{number % 20}/{number}"))
    place.declare('r.archive(HERE / "app", "../app.tar", limit=1000)'.replace("HERE / ", "f'{HERE}/' + "))
    daemon = place.serve("--out", "json")
    stamp = place.managed / "app" / ".converge-archive"
    for _ in range(5):
        daemon.until(stamp.exists, "it is unpacked")
        # As rm -r may do it: what says what it is goes first, all else takes its time.
        stamp.unlink()
        for folder in sorted((place.managed / "app").glob("d*")):
            shutil.rmtree(folder, ignore_errors=True)
            time.sleep(0.01)
        shutil.rmtree(place.managed / "app", ignore_errors=True)
        daemon.until(lambda: stamp.exists() and len(list((place.managed / "app").rglob("*"))) == 421, "it is back")
    assert daemon.stop() == 0
    assert "replace=True" not in daemon.said()
    assert '"failed"' not in daemon.said()
