"""exec, as its owner meets it: guards that are watched, its surroundings, and its output."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Place


def test_a_guard_is_looked_at_when_a_watched_path_changes(place: Place) -> None:
    place.declare(
        """
        r.exec("copy", f"cp {HERE}/from {HERE}/to", unless=f"cmp -s {HERE}/from {HERE}/to", watch=[f"{HERE}/from"],
               limit=1000)
        """
    )
    (place.managed / "from").write_text("one")
    daemon = place.serve()
    assert (place.managed / "to").read_text() == "one"
    for text in ("two", "three"):
        (place.managed / "from").write_text(text)
        daemon.until_reads(place.managed / "to", text)


def test_what_it_creates_is_created_again_when_it_is_removed(place: Place) -> None:
    place.declare('r.exec("make", f"mkdir -p {HERE}/a/b", creates=f"{HERE}/a/b", limit=1000)')
    daemon = place.serve()
    for _ in range(2):
        (place.managed / "a/b").rmdir()
        daemon.until((place.managed / "a/b").is_dir)


def test_any_guard_that_holds_is_enough_and_only_if_means_already_right(place: Place) -> None:
    place.declare(
        """
        r.exec("only-if", f"touch {HERE}/a", only_if="true")
        r.exec("unless", f"touch {HERE}/b", unless="true", only_if="false")
        r.exec("creates", f"touch {HERE}/c", creates="/", unless="false")
        r.exec("none", f"touch {HERE}/d", only_if="false", unless=f"test -e {HERE}/d", creates=f"{HERE}/nosuch")
        """
    )
    said = place.once("--out", "json")
    assert said.statuses() == {
        "exec:only-if": "ok", "exec:unless": "ok", "exec:creates": "ok", "exec:none": "changed"
    }  # fmt: skip
    assert os.listdir(place.managed) == ["d"]


def test_it_runs_where_and_with_what_it_was_told(place: Place) -> None:
    place.declare(
        """
        r.exec("where", ["/bin/sh", "-c", "{ pwd; cat; echo $A $1; umask; } > out", "sh", "an argument"], dir=str(HERE),
               stdin="input\\n", env={"A": "variable"})
        r.exec("args", "/bin/sh", args=["-c", f"echo $PWD > {HERE}/args"])
        """
    )
    assert place.once().code == 0
    lines = (place.managed / "out").read_text().splitlines()
    assert lines[:3] == [str(place.managed), "input", "variable an argument"]
    assert (place.managed / "args").read_text() == "/\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run commands as somebody else")
def test_it_runs_as_the_user_it_was_told(place: Place) -> None:
    place.declare('r.exec("who", "id -u; id -G; echo $HOME $USER; exit 1", shell=True, user="nobody", retries=0)')
    (resource,) = place.once("--out", "json").json()["resources"]
    assert resource["error"].splitlines()[1:] == ["65534", "65534", "/nonexistent nobody"]


def test_a_flood_of_output_is_bounded_and_its_end_is_shown(place: Place) -> None:
    place.declare(
        'r.exec("flood", "yes | head -c 50000000; head -c 100 /dev/urandom; echo; echo the end; exit 1", shell=True,'
        " retries=0)"
    )
    for out in ("json", "serial"):
        said = place.once("--out", out)
        assert len(said.out) < 100_000
        assert "the end" in said.out
    (resource,) = place.once("--out", "json").json()["resources"]
    assert resource["error"].splitlines()[-1] == "the end"


def test_what_it_leaves_running_in_the_background_is_not_waited_for(place: Place) -> None:
    place.declare('r.exec("daemon", f"sleep 60 & echo $! > {HERE}/pid", shell=True)')
    said = place.once("--out", "json")
    pid = int((place.managed / "pid").read_text())
    try:
        os.kill(pid, 0)  # it lives
        assert said.statuses() == {"exec:daemon": "changed"}
    finally:
        os.kill(pid, 9)
