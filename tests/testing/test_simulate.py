"""A simulated convergence from a given state: converge's own scheduler says what would be done, and in which order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge import Run, file_exists
from converge.testing import declare


def web(r: Run) -> None:
    r.package("nginx")
    r.directory("/etc/nginx")
    conf = r.file("/etc/nginx/site.conf", content="x")
    r.file("/etc/nginx/old", state="absent")
    r.service("nginx", state="running", reload_on=conf)
    r.exec("note", "true", only_on=conf)
    r.exec("build", "true", unless="true")
    r.file("/etc/seen", content="x", noop=True)
    r.file("/etc/later", content="x", condition=file_exists("/etc/x"))


SITE = declare(web, distro="debian")


def test_nothing_is_done_where_all_is_right() -> None:
    trial = SITE.simulate()
    assert trial.steps == ()
    assert trial.skipped == {}


def test_from_nothing_everything_comes_in_its_order() -> None:
    trial = SITE.simulate(rest="missing")
    assert set(trial.applied) == {
        "package:nginx", "file:/etc/nginx", "file:/etc/nginx/site.conf", "service:nginx", "exec:build",
        "file:/etc/later",
    }  # fmt: skip
    assert trial.in_order("package:nginx", "service:nginx")
    assert trial.in_order("file:/etc/nginx", "file:/etc/nginx/site.conf", "service:nginx")
    assert not trial.in_order("service:nginx", "package:nginx")
    assert trial.refreshed == ["exec:note"]  # starting nginx reads its new file: nothing is left to reload
    assert trial.pending == ("file:/etc/seen",)
    actions = dict(trial.steps)
    assert actions["file:/etc/nginx"] == "create"
    assert actions["exec:build"] == "run"


def test_a_wrong_file_is_put_right_and_its_service_reloaded_and_nothing_else() -> None:
    trial = SITE.simulate({"file:/etc/nginx/site.conf": "wrong"})
    assert trial.applied == ["file:/etc/nginx/site.conf"]
    assert set(trial.refreshed) == {"service:nginx", "exec:note"}
    assert trial.in_order("file:/etc/nginx/site.conf", "service:nginx")


def test_what_is_in_a_missing_directory_is_missing_too() -> None:
    trial = SITE.simulate({"file:/etc/nginx": "missing"})
    assert trial.applied == ["file:/etc/nginx", "file:/etc/nginx/site.conf"]
    with pytest.raises(ValueError, match=r"site.conf cannot be right: file:/etc/nginx, which it is in, is missing"):
        SITE.simulate({"file:/etc/nginx": "missing", "file:/etc/nginx/site.conf": "right"})


def test_what_is_to_be_absent_is_wrong_while_it_is_there() -> None:
    assert SITE.simulate({"file:/etc/nginx/old": "wrong"}).steps == (("file:/etc/nginx/old", "remove"),)
    assert SITE.simulate({"file:/etc/nginx/old": "missing"}).steps == ()


def test_what_depends_on_a_failure_is_skipped_with_the_reason() -> None:
    trial = SITE.simulate(rest="missing", failing=["package:nginx"])
    assert trial.failed == ("package:nginx",)
    assert trial.skipped == {"service:nginx": "needs package:nginx, which failed"}
    assert "service:nginx" not in trial.applied


def test_a_state_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="is right, wrong or missing, not 'rigth'"):
        SITE.simulate({"package:nginx": "rigth"})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="exec:note has no state of its own"):
        SITE.simulate({"exec:note": "wrong"})
    with pytest.raises(KeyError, match="did you mean package:nginx"):
        SITE.simulate({"package:ngnix": "wrong"})
    with pytest.raises(KeyError):
        SITE.simulate(failing=["package:ngnix"])


def test_an_unguarded_command_runs_at_each_start() -> None:
    def site(r: Run) -> None:
        r.exec("always", "true")

    assert declare(site).simulate().steps == (("exec:always", "run"),)


STATES = st.dictionaries(
    st.sampled_from([id for id in SITE.ids if id not in ("exec:note", "file:/etc/nginx")]),
    st.sampled_from(["right", "wrong", "missing"]),
)


@given(STATES)
def test_exactly_what_differs_is_changed_and_never_before_what_it_needs(start: dict[str, str]) -> None:
    trial = SITE.simulate(start)  # type: ignore[arg-type]
    differs = {id for id, state in start.items() if state != "right"} - {"file:/etc/seen"}
    if start.get("file:/etc/nginx/old") == "missing":
        differs.discard("file:/etc/nginx/old")
    assert set(trial.applied) == differs
    assert len(trial.applied) == len(differs)
    for first in trial.applied:
        for then in trial.applied:
            if SITE.comes_before(first, then):
                assert trial.in_order(first, then)
