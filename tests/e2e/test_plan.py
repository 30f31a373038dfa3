"""plan writes nothing, anywhere, and what it shows is what serve then does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Place

EMPTY_MACHINE = """
    r.directory(HERE / "app", mode=0o750)
    r.directory(HERE / "app/bin")
    r.file(HERE / "app/bin/tool", content="#!/bin/sh\\ntouch $1\\n", mode=0o755)
    r.exec("tool", [f"{HERE}/app/bin/tool", f"{HERE}/app/made"], creates=f"{HERE}/app/made")
    r.exec("guarded", ["mkdir", f"{HERE}/app/sub"], unless=[f"{HERE}/app/bin/tool", f"{HERE}/app/sub/x"],
           dir=f"{HERE}/app")
    r.file(HERE / "app/config", template="config.j2", vars={"port": 80})
    r.file(HERE / "app/copy", source=f"{HERE}/app/config")
    r.file(HERE / "app/edited", line="one", block="two")
    r.symlink(HERE / "app/current", "bin")
    r.exec("restart", "true", only_on=f"file:{HERE}/app/config")
    r.exec("once", "true", depends_on="exec:tool")
"""
OTHER_MACHINE = """
    r.file(HERE / "right", content="right", mode=0o644)
    r.file(HERE / "differs", content="wanted", mode=0o600)
    r.file(HERE / "gone", state="absent")
    r.directory(HERE / "dir", mode=0o700)
    r.directory(HERE / "old", state="absent", force=True)
    r.symlink(HERE / "link", "right")
    r.symlink(HERE / "bent", "right")
    r.file(HERE / "edited", line=[Line("b", match="^a")], backup=True)
    r.exec("guard", f"touch {HERE}/guarded", unless=f"test -e {HERE}/guarded")
    r.file(HERE / "valid", content="x", validate="true %s")
"""
FAILING = """
    r.file(HERE / "dir", content="a directory is there")
    r.file(HERE / "nowhere/file", content="x")
    r.file(HERE / "template", template="broken.j2")
    r.file(HERE / "owner", content="x", owner="nosuchuser")
    r.exec("missing", "/nosuchprogram")
    r.exec("guard", "true", unless="kill -9 $$", shell=True)
    r.file(HERE / "differs", content="wanted")
"""


def prepare(place: Place) -> None:
    for name in ("right", "differs", "gone", "edited"):
        (place.managed / name).write_text(name if name != "edited" else "a\n")
    for name in ("dir", "old"):
        (place.managed / name).mkdir()
        (place.managed / name / "inside").write_text("x")
    (place.managed / "link").symlink_to("right")
    (place.managed / "bent").symlink_to("elsewhere")
    (place.blueprints / "config.j2").write_text("port={{ port }}\n")
    (place.blueprints / "broken.j2").write_text("{{ nosuch }}\n")
    (place.blueprints / "helper.py").write_text("X = 1\n")


def everything(root: Path) -> dict[str, tuple[object, ...]]:
    """All there is below a folder, with its metadata but for the time of the last reading."""
    found: dict[str, tuple[object, ...]] = {}
    for folder, names, files in os.walk(root):
        for name in [".", *names, *files]:
            path = os.path.join(folder, name)
            s = os.lstat(path)
            content: object = None
            if os.path.islink(path):
                content = os.readlink(path)
            elif os.path.isfile(path):
                content = Path(path).read_bytes()
            times = (s.st_mtime_ns, s.st_ctime_ns)
            found[path] = (s.st_ino, s.st_mode, s.st_nlink, s.st_uid, s.st_gid, s.st_size, *times, content)
            found[f"{path} xattrs"] = tuple(os.listxattr(path, follow_symlinks=False))
    return found


@pytest.mark.parametrize("site", [EMPTY_MACHINE, OTHER_MACHINE, FAILING, "raise RuntimeError", "r.file('relative')"],
                         ids=["empty machine", "other machine", "failing", "exception", "mistake"])  # fmt: skip
@pytest.mark.parametrize("served", [False, True], ids=["fresh", "served before"])
def test_plan_writes_nothing_anywhere(place: Place, site: str, served: bool) -> None:
    prepare(place)
    if served:  # so that there is state that could be touched
        place.declare('a = r.file(HERE / "a", content="x")\nr.exec("due", "false", only_on=a, retries=0)')
        assert place.once().code == 1
    place.declare(site, before="import helper")
    before = everything(place.root)
    for out in ("serial", "json"):
        assert "Traceback" not in place.plan("--out", out, PYTHONDONTWRITEBYTECODE="").err
    assert everything(place.root) == before
    assert (place.root / "state").exists() is (place.root / "run").exists() is served


def test_serve_writes_nothing_beside_the_blueprint_either(place: Place) -> None:
    prepare(place)
    place.declare(EMPTY_MACHINE, before="import helper")
    before = everything(place.blueprints)
    assert place.once(PYTHONDONTWRITEBYTECODE="").code == 0
    assert everything(place.blueprints) == before


def test_plan_of_an_empty_machine_is_pending_after_what_brings_it_and_never_an_error(place: Place) -> None:
    prepare(place)
    place.declare(EMPTY_MACHINE)
    said = place.plan("--out", "json", "--detailed-exit-codes")
    assert (said.code, said.err) == (5, "")
    assert set(said.statuses().values()) == {"pending"}
    after = {each["id"]: each.get("reason") for each in said.json()["resources"]}
    app = f"file:{place.managed}/app"
    assert after == {
        app: None,
        f"{app}/bin": f"after {app}",
        f"{app}/bin/tool": f"after {app}/bin",
        "exec:tool": f"after {app}/bin/tool",
        "exec:guarded": f"after {app}",
        f"{app}/config": f"after {app}",
        f"{app}/copy": f"after {app}",
        f"{app}/edited": f"after {app}",
        f"{app}/current": f"after {app}",
        "exec:restart": None,
        "exec:once": None,
    }


@pytest.mark.parametrize("site", [EMPTY_MACHINE, OTHER_MACHINE], ids=["empty machine", "other machine"])
def test_what_plan_shows_is_what_serve_then_does(place: Place, site: str) -> None:
    prepare(place)
    place.declare(site)
    planned = {each["id"]: each for each in place.plan("--out", "json").json()["resources"]}
    done = {each["id"]: each for each in place.once("--out", "json").json()["resources"]}
    assert {id: each.get("action") for id, each in planned.items()} == {
        id: each.get("action") for id, each in done.items()
    }
    for id, each in planned.items():
        assert (each["status"], done[id]["status"]) in (("pending", "changed"), ("ok", "ok"))
        if id != f"file:{place.managed}/app/copy":  # its source is yet to come, so its content cannot be told
            assert each.get("changes") == done[id].get("changes")


def test_plan_shows_a_refresh_that_its_changes_will_cause(place: Place) -> None:
    place.declare('conf = r.file(HERE / "a", content="x")\nr.exec("restart", "true", only_on=conf)')
    assert place.plan("--out", "json").statuses()["exec:restart"] == "pending"
    place.once()
    assert place.plan("--out", "json").statuses()["exec:restart"] == "ok"


def test_plan_beside_a_daemon_sees_nothing_to_do(place: Place) -> None:
    prepare(place)
    place.declare(OTHER_MACHINE)
    daemon = place.serve()
    since = len(daemon.events)
    said = place.plan("--out", "json")
    assert set(said.statuses().values()) == {"ok"}
    assert daemon.events[since:] == []
