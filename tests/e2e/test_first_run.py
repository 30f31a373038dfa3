"""The first convergence, from an empty folder to a site of every kind, and what plan says before and after."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Place

SITE = """
    www = r.directory(HERE / "www", mode=0o750)
    index = r.file(HERE / "www/index.html", content="<h1>hello</h1>\\n", mode=0o640)
    r.file(HERE / "www/motd", template="motd.j2", vars={"name": "box"})
    r.file(HERE / "www/logo", source="logo.bin")
    r.symlink(HERE / "current", HERE / "www")
    r.file(HERE / "hosts", line=["10.0.0.1 box", Line("10.0.0.2 other", match="^10.0.0.2 ")],
           block=Block("one\\ntwo", name="ours"))
    r.file(HERE / "notes", content="keep this line\\n", append=True)
    r.exec("count", "echo run >> $LOG", shell=True, env={"LOG": str(HERE / "log")}, creates=str(HERE / "log"))
    r.file(HERE / "old", state="absent")
"""
IDS = ("www", "www/index.html", "www/motd", "www/logo", "current", "hosts", "notes", "old")


@pytest.fixture
def site(place: Place) -> Place:
    place.declare(SITE)
    (place.blueprints / "motd.j2").write_text("Welcome to {{ name }}\n")
    (place.blueprints / "logo.bin").write_bytes(bytes(range(256)))
    (place.managed / "hosts").write_text("127.0.0.1 localhost\n10.0.0.2 stale\n")
    (place.managed / "old").write_text("to go")
    return place


def ids(place: Place) -> set[str]:
    return {*(f"file:{place.managed / name}" for name in IDS), "exec:count"}


def test_a_first_run_brings_about_everything_that_is_declared(site: Place) -> None:
    said = site.once()
    assert (said.code, said.err) == (0, "")
    here = site.managed
    assert (here / "www/index.html").read_text() == "<h1>hello</h1>\n"
    assert stat.S_IMODE((here / "www/index.html").stat().st_mode) == 0o640
    assert stat.S_IMODE((here / "www").stat().st_mode) == 0o750
    assert (here / "www/motd").read_text() == "Welcome to box\n"
    assert stat.S_IMODE((here / "www/motd").stat().st_mode) == 0o644
    assert (here / "www/logo").read_bytes() == bytes(range(256))
    assert os.readlink(here / "current") == str(here / "www")
    assert (here / "hosts").read_text() == (
        "127.0.0.1 localhost\n10.0.0.2 other\n10.0.0.1 box\n# BEGIN ours\none\ntwo\n# END ours\n"
    )
    assert (here / "notes").read_text() == "keep this line\n"
    assert (here / "log").read_text() == "run\n"
    assert not (here / "old").exists()


def test_plan_shows_all_that_is_to_be_done_and_afterwards_nothing(site: Place) -> None:
    before = site.plan("--out", "json")
    assert before.code == 0
    assert before.statuses() == dict.fromkeys(ids(site), "pending")
    assert site.once("--out", "json").statuses() == dict.fromkeys(ids(site), "changed")
    after = site.plan("--out", "json")
    assert after.statuses() == dict.fromkeys(ids(site), "ok")


def test_plan_exits_5_only_when_asked_for_details_and_changes_are_pending(site: Place) -> None:
    assert site.plan().code == 0
    assert site.plan("--detailed-exit-codes").code == 5
    site.once()
    assert site.plan().code == 0
    assert site.plan("--detailed-exit-codes").code == 0


def test_a_second_run_changes_nothing(site: Place) -> None:
    assert site.once("--detailed-exit-codes").code == 2
    before = {path: path.lstat() for path in site.managed.rglob("*")}
    said = site.once("--out", "json", "--detailed-exit-codes")
    assert said.code == 0
    assert said.statuses() == dict.fromkeys(ids(site), "ok")
    after = {path: path.lstat() for path in site.managed.rglob("*")}
    assert {path: (s.st_ino, s.st_mtime_ns, s.st_ctime_ns) for path, s in before.items()} == {
        path: (s.st_ino, s.st_mtime_ns, s.st_ctime_ns) for path, s in after.items()
    }


def test_a_plan_shows_fields_and_content_as_differences(site: Place) -> None:
    site.once()
    (site.managed / "www/index.html").write_text("<h1>hullo</h1>\n")
    (site.managed / "www/motd").write_text("Welcome to box\nMore\n")
    (site.managed / "www").chmod(0o700)
    said = site.plan("--out", "serial")
    lines = [line.strip() for line in said.out.splitlines()]
    assert "mode: 0700 -> 0750" in lines
    assert r"content: <h1>hullo</h1>\n -> <h1>hello</h1>\n" in lines
    assert "-More" in lines
    assert lines[-1].startswith("3 pending, 6 ok in ")


def test_a_blueprint_is_named_by_path_by_path_and_function_or_by_both(site: Place) -> None:
    site.once()
    for name in ("site.py", "./site.py", str(site.site), "site.py:site"):
        said = site.run("plan", name, "--out", "json")
        assert said.json()["blueprint"] == "site"
        assert said.json()["summary"]["ok"] == 9


def test_blueprints_include_one_another(place: Place) -> None:
    place.declare(
        """
        r.include("base")
        r.include("base")
        r.file(HERE / "b", content="b")
        """,
        before="""
        @blueprint("base")
        def base(r: Run) -> None:
            r.file(HERE / "a", content="a")
        """,
    )
    said = place.run("serve", "site.py:site", "--timeout", "200ms", "--out", "json")
    assert list(said.statuses().values()) == ["changed", "changed"]


def test_modes_do_not_depend_on_the_umask(place: Place) -> None:
    place.declare(
        """
        r.directory(HERE / "d")
        r.file(HERE / "d/a", content="x")
        r.file(HERE / "p/q/a", content="x", parents=True)
        r.file(HERE / "open", content="x", mode=0o666)
        """
    )
    before = os.umask(0o077)
    try:
        assert place.once().code == 0
    finally:
        os.umask(before)
    modes = {str(path.relative_to(place.managed)): path.stat().st_mode & 0o7777 for path in place.managed.rglob("*")}
    assert modes == {"d": 0o755, "d/a": 0o644, "p": 0o755, "p/q": 0o755, "p/q/a": 0o644, "open": 0o666}
