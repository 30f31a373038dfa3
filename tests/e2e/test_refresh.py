"""Commands that react to a change: once per batch, and never forgotten, whatever happens in between."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .conftest import Place, Said

SITE = """
    confs = [r.file(HERE / f"conf{n}", content="good", limit=1000) for n in range(3)]
    r.exec("restart", f"cat {HERE}/conf* >> {HERE}/log; echo >> {HERE}/log", shell=True, only_on=confs, limit=1000)
    r.file(HERE / "marker", content="x", limit=1000)
"""


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def test_a_refresh_runs_once_for_all_that_changed_in_the_first_run_and_not_in_the_second(place: Place) -> None:
    place.declare(SITE)
    said = place.once("--out", "json")
    assert said.statuses()["exec:restart"] == "changed"
    (restart,) = (each for each in said.json()["resources"] if each["id"] == "exec:restart")
    because = ", ".join(f"file:{place.managed}/conf{n}" for n in range(3))
    assert restart["action"] == "refresh"
    assert restart["changes"] == [{"property": "refresh", "to": f"because of {because}", "action": "refresh"}]
    assert lines(place.managed / "log") == ["goodgoodgood"]
    assert place.once("--out", "json").statuses()["exec:restart"] == "ok"
    assert lines(place.managed / "log") == ["goodgoodgood"]


def test_a_refresh_runs_after_a_repair_and_not_after_a_mere_check(place: Place) -> None:
    place.declare(SITE)
    daemon = place.serve()
    log, conf = place.managed / "log", place.managed / "conf0"
    assert len(lines(log)) == 1
    conf.touch()
    conf.write_bytes(conf.read_bytes())
    for _ in range(2):
        (place.managed / "marker").write_text("tampered")
        daemon.until_reads(place.managed / "marker", "x")
    refreshes = len(lines(log))
    since = len(daemon.events)
    conf.unlink()
    daemon.outcome("exec:restart", "changed", since)
    assert len(lines(log)) == refreshes + 1
    assert set(lines(log)) == {"goodgoodgood"}


def test_a_refresh_that_fails_is_tried_again(place: Place) -> None:
    place.declare(
        """
        conf = r.file(HERE / "conf", content="good")
        r.exec("restart", f"echo try >> {HERE}/log; test $(wc -l < {HERE}/log) = 3", shell=True, only_on=conf,
               retry_delay="100ms")
        """
    )
    said = place.once("--out", "json")
    assert said.code == 0
    assert said.statuses()["exec:restart"] == "changed"
    assert len(lines(place.managed / "log")) == 3


def test_a_refresh_that_failed_for_good_is_still_due_at_the_next_start(place: Place) -> None:
    place.declare(
        """
        conf = r.file(HERE / "conf", content="good")
        r.exec("restart", f"echo try >> {HERE}/log; test -e {HERE}/works", shell=True, only_on=conf, retries=0)
        """
    )
    assert place.once().code == 1
    assert place.plan("--out", "json").statuses() == {f"file:{place.managed}/conf": "ok", "exec:restart": "pending"}
    assert place.once().code == 1
    assert len(lines(place.managed / "log")) == 2
    (place.managed / "works").touch()
    assert place.once("--out", "json").statuses()["exec:restart"] == "changed"
    assert len(lines(place.managed / "log")) == 3
    assert place.once("--out", "json").statuses()["exec:restart"] == "ok"
    assert len(lines(place.managed / "log")) == 3


def test_a_refresh_survives_sigkill_between_the_change_and_its_end(place: Place) -> None:
    place.declare(
        """
        conf = r.file(HERE / "conf", content="good")
        r.exec("restart", f"echo begun >> {HERE}/log; test -e {HERE}/open || sleep 60; echo done >> {HERE}/log",
               shell=True, only_on=conf)
        """
    )
    log = place.managed / "log"
    daemon = place.start()
    daemon.until(lambda: lines(log) == ["begun"])
    daemon.kill()
    (place.managed / "open").touch()
    said = place.once("--out", "json")
    assert said.statuses() == {f"file:{place.managed}/conf": "ok", "exec:restart": "changed"}
    assert lines(log) == ["begun", "begun", "done"]
    assert place.once("--out", "json").statuses()["exec:restart"] == "ok"
    assert lines(log) == ["begun", "begun", "done"]


def test_a_refresh_survives_sigkill_during_the_change_itself(place: Place) -> None:
    place.declare(
        """
        change = r.exec("change", f"touch {HERE}/changed; test -e {HERE}/open || sleep 60", shell=True,
                        creates=f"{HERE}/changed")
        r.exec("restart", f"echo ran >> {HERE}/log", shell=True, only_on=change)
        """
    )
    daemon = place.start()
    daemon.until((place.managed / "changed").exists)
    daemon.kill()
    (place.managed / "open").touch()
    said = place.once("--out", "json")
    assert said.statuses() == {"exec:change": "ok", "exec:restart": "changed"}
    assert lines(place.managed / "log") == ["ran"]


def test_a_refresh_waits_for_the_others_it_depends_on(place: Place) -> None:
    place.declare(
        """
        slow = r.exec("slow", f"sleep 0.3; touch {HERE}/slow", shell=True, creates=f"{HERE}/slow")
        conf = r.file(HERE / "conf", content="good")
        r.exec("restart", f"ls {HERE}/slow >> {HERE}/log", shell=True, only_on=conf, depends_on=slow)
        """
    )
    assert place.once().code == 0
    assert lines(place.managed / "log") == [f"{place.managed}/slow"]


def test_a_refresh_with_a_guard_that_holds_is_not_needed(place: Place) -> None:
    place.declare(
        """
        conf = r.file(HERE / "conf", content="good")
        r.exec("restart", f"touch {HERE}/ran", only_on=conf, unless="true")
        """
    )
    assert place.once().code == 0
    assert not (place.managed / "ran").exists()


def test_a_command_without_a_guard_runs_once_at_each_start_and_again_when_its_declaration_changed(place: Place) -> None:
    body = """
        r.exec("job", "echo {text} >> " + str(HERE / "log"), shell=True)
        r.file(HERE / "marker", content="x", limit=1000)
    """
    place.declare(body.format(text="one"))
    log = place.managed / "log"
    assert "unguarded" in place.plan().out
    assert not log.exists()
    for number in (1, 2):
        daemon = place.serve()
        assert lines(log) == ["one"] * number
        for _ in range(2):
            (place.managed / "marker").write_text("tampered")
            daemon.until_reads(place.managed / "marker", "x")
        daemon.signal(signal.SIGHUP)
        daemon.notice("again")
        assert lines(log) == ["one"] * number
        if number == 2:
            place.declare(body.format(text="two"))
            daemon.until(lambda: lines(log) == ["one", "one", "two"])
        assert daemon.stop() == 0
    assert lines(log) == ["one", "one", "two"]


CHAIN = """
    conf = r.file(HERE / "conf", content="good")
    b = r.exec("b", f"echo b >> {HERE}/log; test -z '{HOLD}' || sleep 60", shell=True, only_on=conf)
    c = r.exec("c", f"echo c >> {HERE}/log", shell=True, only_on=b)
    d = r.exec("d", f"echo d >> {HERE}/log", shell=True, only_on=[b, c])
    r.exec("e", f"echo e >> {HERE}/log", shell=True, only_on=d)
"""


def refreshes(said: Said) -> dict[str, object]:
    return {each["id"]: each["changes"] for each in said.json()["resources"] if each.get("action") == "refresh"}


def test_a_reaction_is_a_change_to_which_others_react_as_plan_says(place: Place) -> None:
    place.declare(CHAIN.replace("{HOLD}", ""))
    planned = refreshes(place.plan("--out", "json"))
    assert set(planned) == {"exec:b", "exec:c", "exec:d", "exec:e"}
    assert refreshes(place.once("--out", "json")) == planned
    assert lines(place.managed / "log") == ["b", "c", "d", "e"]
    assert place.once("--out", "json").json()["summary"]["ok"] == 5


def test_a_reaction_to_a_reaction_survives_a_kill_in_between(place: Place) -> None:
    place.declare(CHAIN.replace("{HOLD}", "x"))
    daemon = place.start("--out", "json")
    daemon.until(lambda: lines(place.managed / "log") == ["b"], "b runs")
    daemon.kill()
    place.declare(CHAIN.replace("{HOLD}", ""))
    assert set(refreshes(place.plan("--out", "json"))) == {"exec:b", "exec:c", "exec:d", "exec:e"}
    place.once()
    assert lines(place.managed / "log") == ["b", "b", "c", "d", "e"]


def test_what_is_only_looked_at_does_not_react(place: Place) -> None:
    place.declare(
        """
        conf = r.file(HERE / "conf", content="good")
        b = r.exec("b", f"echo b >> {HERE}/log", shell=True, only_on=conf, noop=True)
        r.exec("c", f"echo c >> {HERE}/log", shell=True, only_on=b)
        """
    )
    assert set(refreshes(place.plan("--out", "json"))) == {"exec:b"}
    assert place.once("--out", "json").statuses()["exec:b"] == "pending"
    assert not (place.managed / "log").exists()
