"""Without root: what is one's own is kept right, what needs root is told before anything is touched."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Place

NOBODY = 65534
SRC = Path(__file__).parents[2] / "src"


@pytest.fixture
def nobodys_place(new_place: Callable[[Path], Place]) -> Iterator[Place]:
    """A scratch machine on which ``converge`` runs as a user without privileges."""
    if os.geteuid() != 0:
        pytest.skip("becoming somebody else needs root")
    python = shutil.which("python3", path="/usr/bin")
    packages = next((Path(p) for p in sys.path if p.endswith("site-packages")), None)
    for base in (tempfile.gettempdir(), "/var/tmp", "/dev/shm"):
        root = Path(tempfile.mkdtemp(dir=base)).resolve()
        root.chmod(0o755)
        env = {"PYTHONPATH": f"{SRC}:{packages}", "PYTHONDONTWRITEBYTECODE": "1"}
        tried = subprocess.run(
            [python or "false", "-c", f"import os, rustworkx, converge; os.stat({str(root)!r})"],
            user=NOBODY, group=NOBODY, extra_groups=[], env=env, cwd="/", capture_output=True, text=True, check=False,
        )  # fmt: skip
        if tried.returncode == 0:
            break
        root.rmdir()
    else:
        pytest.skip(f"no Python and no folder that uid {NOBODY} can use: {tried.stderr.strip()[-200:]}")
    place = new_place(root)
    for folder in (place.managed, place.blueprints, root):
        os.chown(folder, NOBODY, NOBODY)
    place.python = [python or "", "-m", "converge"]
    place.user = NOBODY
    place.env |= env | {"HOME": str(root)}
    yield place
    place.close()
    shutil.rmtree(root)


def test_a_user_keeps_their_own_files_right(nobodys_place: Place) -> None:
    place = nobodys_place
    place.declare(
        """
        r.directory(HERE / "d", mode=0o700)
        r.file(HERE / "d/a", content="x", mode=0o600, owner=65534, group=65534, limit=1000)
        r.symlink(HERE / "link", "d")
        r.exec("job", f"touch {HERE}/ran", creates=f"{HERE}/ran")
        """
    )
    daemon = place.serve()
    assert [e["status"] for e in daemon.events if e["event"] == "outcome"] == ["changed"] * 4
    file = place.managed / "d/a"
    assert file.stat().st_uid == 65534
    file.write_text("tampered")
    file.chmod(0o666)
    daemon.until(lambda: file.read_text() == "x" and file.stat().st_mode & 0o777 == 0o600)
    assert daemon.stop() == 0


def test_a_home_that_there_is_not_is_said_with_what_to_do(nobodys_place: Place) -> None:
    place = nobodys_place
    place.declare('r.file(HERE / "mine", content="x")')
    gone = dict.fromkeys(("XDG_STATE_HOME", "XDG_RUNTIME_DIR", "CONVERGE_STATE_DIR", "CONVERGE_RUNTIME_DIR"), "")
    said = place.once(HOME="/nonexistent", **gone)
    assert said.code == 1
    assert "/nonexistent" in said.err
    assert "set CONVERGE_STATE_DIR and CONVERGE_RUNTIME_DIR to other folders" in said.err


def test_what_is_only_looked_at_needs_no_root(nobodys_place: Place) -> None:
    place = nobodys_place
    place.declare("""
        r.file("/etc/hostname", content="x", noop=True)
        r.user("nobody", shell="/bin/sh", noop=True)
    """)
    said = place.once("--out", "json")
    assert said.code == 0, said
    assert set(said.statuses().values()) == {"pending"}


def test_serve_exits_10_before_anything_is_touched_where_something_needs_root(nobodys_place: Place) -> None:
    place = nobodys_place
    place.declare(
        """
        r.file(HERE / "mine", content="x")
        r.file("/etc/converge-test/file", content="x", parents=True)
        r.file(HERE / "given", content="x", owner="root")
        r.exec("as-root", "true", user="root")
        """
    )
    said = place.run("serve", place.site, "--timeout", "1s")
    assert (said.code, said.out) == (10, "")
    first, *whys = said.err.splitlines()
    assert first == "converge: these need root; run it with sudo:"
    assert [why.split()[0] for why in whys] == [
        "file:/etc/converge-test/file", f"file:{place.managed}/given", "exec:as-root"
    ]  # fmt: skip
    assert "/etc cannot be written by uid 65534" in whys[0]
    assert "only root can make root the owner" in whys[1]
    assert "it runs as user root" in whys[2]
    assert all(f"({place.site}:" in why for why in whys)
    assert not list(place.managed.iterdir())
    found = place.run("serve", place.site, "--out", "json").json()
    assert found["exit_code"] == 10
    assert found["error"].startswith("these need root")


def test_plan_needs_no_root_and_reports_what_it_cannot_read_as_unknown(nobodys_place: Place) -> None:
    place = nobodys_place
    place.declare(
        """
        r.file(HERE / "secret", content="x", mode=0o600)
        r.file(HERE / "locked/inside", content="x")
        r.directory(HERE / "locked/dir")
        r.file(HERE / "mine", content="x")
        """
    )
    (place.managed / "secret").write_text("hidden from them")
    (place.managed / "secret").chmod(0o600)
    (place.managed / "locked").mkdir(mode=0o700)
    (place.managed / "locked/inside").write_text("x")
    said = place.plan("--out", "json", "--detailed-exit-codes")
    assert (said.code, said.err) == (5, "")
    found = {each["id"].rpartition("managed/")[2]: each for each in said.json()["resources"]}
    mine = found.pop("mine")
    assert found.keys() == {"secret", "locked/inside", "locked/dir"}
    for unknown in found.values():
        assert (unknown["status"], unknown["action"]) == ("pending", "unknown")
        assert "unknown (not readable by uid 65534)" in unknown["changes"][0]["from"]
        assert "hidden" not in str(unknown)
    assert (mine["status"], mine["action"]) == ("pending", "create")
    serial = place.plan().out
    assert "unknown" in serial


def test_permission_denied_is_one_clear_error_and_the_others_go_on(nobodys_place: Place) -> None:
    place = nobodys_place
    place.declare(
        """
        r.file(HERE / "d/a", content="x")
        r.file(HERE / "other", content="x")
        """
    )
    directory = place.managed / "d"
    directory.mkdir()
    os.chown(directory, 65534, 65534)
    daemon = place.serve("--max-retries", "0")
    (directory / "a").chmod(0o000)
    os.chown(directory / "a", 0, 0)
    (directory / "a").write_text("not theirs")
    os.chown(directory, 0, 0)
    (directory / "a").touch()
    failed = daemon.outcome(directory / "a", "failed")
    assert "uid 65534" in failed["error"]
    (place.managed / "other").unlink()
    daemon.until((place.managed / "other").exists)
    os.chown(directory, 65534, 65534)
    os.chown(directory / "a", 65534, 65534)
    (directory / "a").chmod(0o644)
    daemon.until_reads(directory / "a", "x")


def test_a_folder_that_cannot_be_entered_is_not_taken_for_a_missing_file(nobodys_place: Place) -> None:
    place = nobodys_place
    place.declare('r.file(HERE / "a", content="x")')
    place.blueprints.chmod(0o700)
    os.chown(place.blueprints, 0, 0)
    os.chown(place.root, 65534, 65534)
    locked, place.blueprints = place.blueprints, place.root
    said = place.run("plan", place.site)
    assert said.code == 11
    assert "permission denied" in said.err.lower()
    assert str(locked) in said.err


def test_state_lives_in_the_folders_of_the_user(nobodys_place: Place) -> None:
    place = nobodys_place
    place.declare('conf = r.file(HERE / "a", content="x")\nr.exec("restart", "false", only_on=conf, retries=0)')
    del place.env["CONVERGE_STATE_DIR"], place.env["CONVERGE_RUNTIME_DIR"]
    for name in ("XDG_STATE_HOME", "XDG_RUNTIME_DIR"):
        place.env.pop(name, None)
    assert place.once().code == 1
    state = place.root / ".local/state/converge"
    assert (state / "site.refreshes.json").exists()
    assert state.stat().st_mode & 0o777 == 0o700
    xdg = {"XDG_STATE_HOME": str(place.root / "xdg"), "XDG_RUNTIME_DIR": str(place.managed)}
    (place.managed / "a").unlink()
    assert place.once(**xdg).code == 1
    assert (place.root / "xdg/converge/site.refreshes.json").exists()
    assert (place.managed / "converge/site.lock").exists()


def test_what_only_root_can_read_is_said_when_it_is_adopted(nobodys_place: Place) -> None:
    said = nobodys_place.run("adopt", "user", "root")
    assert said.code == 0
    assert 'r.user("root", uid=0, ' in said.out
    assert "root: only root can read password, lock and expiry of root; they are left out" in said.err
    shadow = nobodys_place.run("adopt", "file", "/etc/shadow")
    assert shadow.code == 0
    assert "content" not in shadow.out.partition("r.file(")[2]
