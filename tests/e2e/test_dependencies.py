"""Who waits for whom, who is held up by a failure, and who is not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .conftest import Place


def test_a_dependent_is_skipped_while_its_dependency_fails_and_runs_when_that_recovers(place: Place) -> None:
    place.declare(
        """
        first = r.file(HERE / "missing/first", content="1")
        second = r.file(HERE / "second", content="2", depends_on=[first])
        r.exec("third", f"touch {HERE}/third", creates=f"{HERE}/third", depends_on="file:" + str(HERE / "second"))
        """
    )
    daemon = place.serve()
    first, second = place.managed / "missing/first", place.managed / "second"
    assert [(e["id"], e["status"], e.get("reason")) for e in daemon.events if e["event"] == "outcome"] == [
        (f"file:{first}", "failed", None),
        (f"file:{second}", "skipped", f"needs file:{first}, which failed"),
        ("exec:third", "skipped", f"needs file:{second}, which was skipped"),
    ]
    assert not second.exists()
    first.parent.mkdir()
    daemon.outcome("exec:third", "changed")
    assert second.read_text() == "2"


def test_nothing_runs_before_what_it_depends_on(place: Place) -> None:
    place.declare(
        """
        before = None
        for n in range(10):
            before = r.exec(f"n{n}", f"echo {n} >> {HERE}/log", shell=True, depends_on=[before] if before else ())
        """
    )
    place.once()
    assert (place.managed / "log").read_text().split() == [str(n) for n in range(10)]


def test_one_that_is_slow_holds_up_only_its_own_dependents(place: Place) -> None:
    place.declare(
        """
        slow = r.exec("slow", f"until test -e {HERE}/quick3; do sleep 0.01; done", shell=True)
        r.file(HERE / "after", content="x", depends_on=slow)
        before = None
        for n in range(4):
            before = r.file(HERE / f"quick{n}", content="x", depends_on=[before] if before else ())
        """
    )
    said = place.once("--out", "json", "--parallel", "2", "--resource-timeout", "30s")
    assert said.code == 0
    assert set(said.statuses().values()) == {"changed"}


def test_a_noop_resource_is_only_reported_and_does_not_hold_back_its_dependents(place: Place) -> None:
    place.declare(
        """
        only_look = r.file(HERE / "noop", content="x", noop=True)
        r.file(HERE / "real", content="x", depends_on=only_look)
        """
    )
    said = place.once("--out", "json")
    assert said.statuses() == {f"file:{place.managed}/noop": "pending", f"file:{place.managed}/real": "changed"}
    assert said.code == 0
    assert not (place.managed / "noop").exists()


def test_a_failed_noop_resource_does_not_hold_back_its_dependents_either(place: Place) -> None:
    place.declare(
        """
        only_look = r.file(HERE, content="x", noop=True)
        r.file(HERE / "real", content="x", depends_on=only_look, auto_edge=False)
        """
    )
    said = place.once("--out", "json", "--max-retries", "0")
    assert said.statuses() == {f"file:{place.managed}": "failed", f"file:{place.managed}/real": "changed"}


def test_a_failure_of_a_critical_resource_stops_the_first_convergence(place: Place) -> None:
    place.declare(
        """
        started = HERE.with_name("started")
        fails = f"until test -e {started}; do sleep 0.01; done; exit 1"
        check = r.exec("check", fails, shell=True, critical=True, retries=0)
        r.file(HERE / "a", content="x", depends_on=check)
        wait = r.exec("wait", f"touch {started}; sleep 0.3", shell=True)
        r.exec("later", f"touch {HERE}/later", depends_on=wait)
        """
    )
    said = place.once("--out", "json")
    assert said.code == 1
    assert said.statuses() == {
        "exec:check": "failed", "exec:wait": "changed", "exec:later": "skipped", f"file:{place.managed}/a": "skipped"
    }  # fmt: skip
    assert not list(place.managed.iterdir())


def test_a_failure_is_retried_ever_more_slowly_until_it_is_noncompliant_and_news_from_outside_starts_anew(
    place: Place,
) -> None:
    place.declare(
        """
        r.exec("try", f"date +%s%N >> {HERE}/tries; test -e {HERE}/done", shell=True, creates=f"{HERE}/done",
               retries=2, retry_delay="200ms")
        """
    )
    daemon = place.serve()
    tries, done = place.managed / "tries", place.managed / "done"
    daemon.until(lambda: any(e.get("noncompliant") for e in daemon.outcomes("exec:try")), "it is noncompliant")
    at = [int(line) / 1e9 for line in tries.read_text().split()]
    assert len(at) == 3
    assert at[1] - at[0] >= 0.2
    assert at[2] - at[1] >= 0.4
    done.touch()
    daemon.outcome("exec:try", "ok")
    assert len(tries.read_text().split()) == 3
    done.unlink()
    daemon.until(lambda: len(tries.read_text().split()) == 6, "it is tried three times more")


def test_a_failed_command_says_how_it_ended_and_what_it_printed(place: Place) -> None:
    place.declare('r.exec("no", "echo the reason >&2; exit 3", shell=True, retries=0)')
    (resource,) = place.once("--out", "json").json()["resources"]
    assert resource["error"] == (
        "command echo the reason >&2; exit 3 ended with exit status 3; the end of its output:\nthe reason"
    )


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_a_command_that_hangs_is_ended_with_all_that_it_started_and_holds_up_nobody(place: Place) -> None:
    place.declare(
        """
        r.exec("hangs", f"sleep 1000 & echo $! > {HERE}/pid; sleep 1000", shell=True, timeout="1s", retries=0)
        for n in range(20):
            r.file(HERE / str(n), content="x", limit=1000)
        """
    )
    daemon = place.start("--out", "json", "--parallel", "2")
    daemon.until(lambda: all((place.managed / str(n)).exists() for n in range(20)))
    failed = daemon.watching().outcome("exec:hangs", "failed")
    assert re.search(r"did not end within 1 s and was ended, with its whole process group", failed["error"])
    pid = int((place.managed / "pid").read_text())
    daemon.until(lambda: not alive(pid), "what it left in its process group is gone")
    (place.managed / "1").write_text("tampered")
    daemon.until_reads(place.managed / "1", "x")


def test_a_resource_waits_for_its_condition(place: Place) -> None:
    place.declare(
        """
        r.file(HERE / "late", content="x", condition=file_exists(HERE / "gate/open"))
        r.file(HERE / "after", content="x", depends_on=f"file:{HERE}/late")
        """
    )
    daemon = place.serve()
    late, after, gate = (place.managed / name for name in ("late", "after", "gate"))
    (waits,) = daemon.outcomes(late)
    assert (waits["status"], waits["reason"]) == ("skipped", f"waits until file_exists({gate}/open) holds")
    gate.mkdir()
    assert not late.exists()
    (gate / "open").touch()
    daemon.outcome(after, "changed")
    assert late.read_text() == after.read_text() == "x"
    (gate / "open").unlink()  # it only has to hold first
    late.write_text("tampered")
    daemon.until_reads(late, "x")


def test_conditions_combine(place: Place) -> None:
    place.declare(
        """
        a, b, stop = (file_exists(HERE / name) for name in ("a", "b", "stop"))
        r.file(HERE / "both", content="x", condition=a & b)
        r.file(HERE / "either", content="x", condition=a | b)
        r.file(HERE / "not", content="x", condition=a & ~stop)
        """
    )
    daemon = place.serve()
    exists = [name for name in ("both", "either", "not") if (place.managed / name).exists()]
    assert not exists
    (place.managed / "stop").touch()
    (place.managed / "a").touch()
    daemon.outcome(place.managed / "either", "changed")
    assert not (place.managed / "both").exists()
    assert not (place.managed / "not").exists()
    (place.managed / "stop").unlink()
    daemon.outcome(place.managed / "not", "changed")
    (place.managed / "b").touch()
    daemon.outcome(place.managed / "both", "changed")


def test_a_run_with_a_timeout_ends_while_a_condition_is_not_met(place: Place) -> None:
    place.declare('r.file(HERE / "late", content="x", condition=file_exists("/nowhere"))')
    said = place.once("--out", "json")
    assert said.code == 0
    assert list(said.statuses().values()) == ["skipped"]


def test_before_a_repair_what_it_stands_on_is_put_right_first(place: Place) -> None:
    place.declare(
        """
        config = r.file(HERE / "config", content="good", limit=1000)
        r.exec("build", f"cp {HERE}/config {HERE}/built", creates=f"{HERE}/built", depends_on=config, limit=1000)
        """
    )
    daemon = place.serve()
    for _ in range(5):
        (place.managed / "config").write_text("bad")
        (place.managed / "built").unlink()
        daemon.until(lambda: (place.managed / "built").exists() and (place.managed / "built").read_text() == "good")
        daemon.until_reads(place.managed / "config", "good")


def test_also_when_no_news_told_that_what_it_stands_on_is_gone(place: Place) -> None:
    place.declare(
        """
        silent = r.exec("silent", f"echo x > {HERE}/config", shell=True, unless=f"test -e {HERE}/config")
        r.exec("build", f"cp {HERE}/config {HERE}/built", creates=f"{HERE}/built", depends_on=silent)
        """
    )
    daemon = place.serve()
    since = len(daemon.events)
    (place.managed / "config").unlink()
    (place.managed / "built").unlink()
    daemon.outcome("exec:build", "changed", since)
    assert [(e["id"], e["status"]) for e in daemon.events[since:]] == [
        ("exec:silent", "changed"), ("exec:build", "changed")
    ]  # fmt: skip


def test_a_check_that_hangs_holds_up_nobody_and_is_taken_up_again_when_it_comes_back(place: Place) -> None:
    (place.blueprints / "t.j2").write_text("{{ x }}")
    place.declare(
        """
        hangs = r.file(HERE / "hangs", template="t.j2", vars={"x": Slow()}, timeout="500ms")
        r.file(HERE / "after", content="x", depends_on=hangs)
        for n in range(20):
            r.file(HERE / str(n), content="x", limit=1000)
        """,
        before="""
        import time

        class Slow:
            def __str__(self) -> str:
                while not (HERE / "open").exists():
                    time.sleep(0.01)
                return "slow"
        """,
    )
    daemon = place.start("--out", "json", "--parallel", "2")
    daemon.until(lambda: all((place.managed / str(n)).exists() for n in range(20)))
    failed = daemon.outcome(place.managed / "hangs", "failed")
    assert failed["error"] == "the check did not end within 0.5 s; it is left alone until it does"
    assert daemon.outcomes(place.managed / "after")[-1]["status"] == "skipped"
    for name in ("1", "2", "3"):
        (place.managed / name).unlink()
    daemon.until(lambda: all((place.managed / name).exists() for name in ("1", "2", "3")))
    (place.managed / "open").touch()
    daemon.outcome(place.managed / "after", "changed")
    assert (place.managed / "hangs").read_text() == "slow"
    (place.managed / "open").unlink()
    (place.managed / "hangs").unlink()
    assert daemon.stop() == 0, "it ends, though a check hangs"


def test_a_run_with_a_timeout_does_not_retry_what_can_never_work(place: Place) -> None:
    """With so many retries it would end after hours."""
    (place.managed / "file").write_text("")
    place.declare("""
        r.file(HERE / "file/below", content="x")
        r.file(HERE / "there", content="x")
    """)
    said = place.once("--max-retries", "1000", "--detailed-exit-codes", "--out", "json")
    assert said.code == 3, said
    assert said.statuses() == {
        f"file:{place.managed}/file/below": "failed",
        f"file:{place.managed}/there": "changed",
    }
